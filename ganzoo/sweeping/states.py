"""How the trials of a sweep stand, read from their run directories. No torch here.

The files are the truth: whoever wrote them, on whatever machine, and however the process that did so ended.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from statistics import mean
from typing import Any, Literal, get_args

from ganzoo.records.claim import holder
from ganzoo.sweeping.distributions import Distribution
from ganzoo.sweeping.run_files import NOTHING, UNREADABLE, MetricsFile, budget_in, names_in, record_in, stamp_of
from ganzoo.sweeping.run_files import whole_number as whole
from ganzoo.sweeping.sweep_file import Metric
from ganzoo.sweeping.trials import ENDED, Sweep, Trial

Status = Literal["waiting", "running", "interrupted", "done", "pruned", "diverged", "failed"]
STATUSES: tuple[Status, ...] = get_args(Status)
BROKEN: tuple[Status, ...] = ("diverged", "failed")  # these may be run again, and their values count for nothing
FOR_GOOD: tuple[Status, ...] = ("done", "pruned")  # these are not looked at again


@dataclass(frozen=True)
class TrialState:
    """How one trial stands.

    Attributes:
        status: waiting: not begun; running: a living process has claimed it; interrupted: begun, to go on later.
        reason: why it did not get to the end of its budget, or None.
        generator_updates: that are known to be done: of the record, else of the last line of metrics.jsonl.
        budget: generator updates that it is to do; None: it has not begun.
        seconds: of training, without evaluation.
        history: (generator updates, the metric) of every line in which the metric is finite, in order.
        value: the metric in the last line that has it; None: it is not finite, or there is none.
        host: the machine that a running one runs on.
    """

    trial: Trial
    status: Status = "waiting"
    reason: str | None = None
    generator_updates: int = 0
    budget: int | None = None
    seconds: float = 0.0
    history: tuple[tuple[int, float], ...] = ()
    value: float | None = None
    host: str | None = None

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    @property
    def left(self) -> int | None:
        """Generator updates still to do; None: not known before the trial begins."""
        if self.ended:
            return 0
        return None if self.budget is None else max(self.budget - self.generator_updates, 0)


class States:
    """The trials of a sweep as their run directories tell, read again only where something has changed.

    Attributes:
        seen: what the last refresh saw.
    """

    def __init__(self, sweep: Sweep):
        self.sweep = sweep
        self.seen: list[TrialState] = []
        self._all_known = sweep.file.method != "bayes" and sweep.size is not None
        self._followed: dict[int, _Followed] = {}
        self._follow(sweep if self._all_known else ())

    def refresh(self) -> list[TrialState]:
        """By number: all trials of a grid or a random search; of bayes, or where there is no end, those begun."""
        there = names_in(self.sweep.folder)
        if not self._all_known:
            self._follow(self._begun(there))
        self.seen = [self._followed[number].state(there) for number in sorted(self._followed)]
        return self.seen

    def summary(self) -> "Summary":
        """Of what the last refresh saw."""
        return Summary.of(self.sweep, self.seen)

    def varied(self, trial: Trial) -> dict[str, Any]:
        """What the trials of this sweep differ in, and this one's values, by dotted keys."""
        several = [path for path, what in self.sweep.file.parameters.items() if _varies(what)]
        found = {".".join(path): _at(trial.parameters, path) for path in several}
        if trial.seed is not None:
            found["seed"] = trial.seed
        return {key: value for key, value in found.items() if value is not _MISSING}

    def _follow(self, trials: Iterable[Trial]) -> None:
        self._followed |= {trial.number: _Followed(trial, self.sweep.file.metric) for trial in trials}

    def _begun(self, there: Iterable[str]) -> Iterable[Trial]:
        """The trials that have told what they are since the last look."""
        known = {followed.name for followed in self._followed.values()}
        for name in there:
            if name.startswith(f"{self.sweep.file.identity}-") and name not in known:
                with suppress(*UNREADABLE, TypeError, KeyError):  # it has not told yet
                    trial = Trial.read(self.sweep.folder / name)
                    if trial.directory == self.sweep.directory(trial.number):
                        yield trial


class _Followed:
    """What has been read of one run directory so far."""

    def __init__(self, trial: Trial, metric: Metric | None):
        self.run, self.name = trial.run, trial.directory.name
        self._known = self._untouched = TrialState(trial)
        self._metrics = MetricsFile(self.run.metrics, metric.name if metric else None)
        self._record_stamp = self._config_stamp = NOTHING
        self._record: Mapping[str, Any] = {}
        self._budget: int | None = None

    def state(self, there: set[str]) -> TrialState:
        """`there`: the names in the sweep's folder, which spare a look at what has not begun."""
        if self.name not in there:
            self._known = self._untouched
        if self.name not in there or self._known.status in FOR_GOOD:
            return self._known
        # The order matters: a record is there before the claim is given back, and every line before the record.
        held = holder(self.run.path)
        self._read()
        running = held is not None and not self._ended_since(held.since)
        status: Status = "running" if running else self._status()
        told = self._record.get("reason") if status not in ("waiting", "running", "done") else None
        state = replace(
            self._untouched,
            status=status,
            reason=told if isinstance(told, str) else None,
            generator_updates=self._generator_updates(status),
            budget=self._budget,
            seconds=self._metrics.seconds,
            history=self._metrics.history,
            value=self._metrics.value,
            host=held.host if held is not None and running else None,
        )
        self._known = state
        return state

    def _read(self) -> None:
        record, config = stamp_of(self.run.record), stamp_of(self.run.config)
        if record != self._record_stamp:
            self._record, self._record_stamp = record_in(self.run.record), record
        if config != self._config_stamp:
            self._budget, self._config_stamp = budget_in(self.run.config), config
        self._metrics.read()

    def _status(self) -> Status:
        said = self._record.get("status")
        ended = next((status for status in STATUSES if status == said and status in ENDED), None)
        return ended or ("waiting" if self._config_stamp == NOTHING else "interrupted")

    def _ended_since(self, since: str) -> bool:
        """Whether the record is of the process that holds the claim; an older one is of a run that is run again."""
        if self._record.get("status") not in ENDED:
            return False
        try:
            return datetime.fromisoformat(self._record["ended"]) >= datetime.fromisoformat(since)
        except (KeyError, TypeError, ValueError):
            return True

    def _generator_updates(self, status: Status) -> int:
        budget = self._record.get("budget")
        recorded = whole(budget.get("generator_updates")) if isinstance(budget, dict) and status in ENDED else None
        return self._metrics.generator_updates if recorded is None else recorded


@dataclass(frozen=True)
class Summary:
    """A sweep in a line.

    Attributes:
        counts: trials by status; those that a search has not asked for yet are waiting.
        best: the trial with the best value of the metric, diverged and failed ones left out; None: none has one.
        seconds_left: of training, for the running trials and then the waiting ones, as many at a time as run now, each
            update as fast as all have been on average; None: nothing runs, or nothing has run for long enough to tell.
        target_reached: whether the best value is as good as the metric's target.
    """

    counts: Mapping[Status, int]
    best: TrialState | None
    seconds_left: float | None
    target_reached: bool

    @classmethod
    def of(cls, sweep: Sweep, states: Sequence[TrialState]) -> "Summary":
        counts: dict[Status, int] = {status: sum(state.status == status for state in states) for status in STATUSES}
        unasked = max((sweep.size or 0) - len(states), 0)
        counts["waiting"] += unasked
        best, metric = _best(states, sweep.file.metric), sweep.file.metric
        reached = (
            best is not None
            and best.value is not None
            and metric is not None
            and metric.target is not None
            and not metric.better(metric.target, best.value)
        )
        return cls(counts, best, _seconds_left(states, unasked), reached)


def _best(states: Iterable[TrialState], metric: Metric | None) -> TrialState | None:
    """The first of those with the best value; the score of a network that nobody has trained yet is none of it."""
    best = None
    for state in states:
        if metric is None or state.value is None or state.status in BROKEN or state.history[-1][0] == 0:
            continue
        if best is None or best.value is None or metric.better(state.value, best.value):
            best = state
    return best


def _seconds_left(states: Sequence[TrialState], unasked: int) -> float | None:
    if states and not unasked and all(state.ended for state in states):
        return 0.0
    running = [state for state in states if state.status == "running"]
    updates = sum(state.generator_updates for state in states)
    seconds = sum(state.seconds for state in states)
    if not running or not updates or not seconds:
        return None
    usual = mean([state.budget for state in states if state.budget is not None] or [0])
    left = [usual if state.left is None else state.left for state in states] + [usual] * unasked
    longest = max(state.left or 0 for state in running)  # the others cannot help it
    return seconds / updates * max(sum(left) / len(running), longest)


def _varies(distribution: Distribution) -> bool:
    choices = distribution.choices
    return choices is None or len(choices[:2]) > 1  # there may be more than len can count


def _at(values: Any, path: Iterable[str]) -> Any:
    for part in path:
        if not isinstance(values, Mapping) or part not in values:
            return _MISSING
        values = values[part]
    return values


_MISSING = object()
