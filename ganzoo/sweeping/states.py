"""How the trials of a sweep stand, read from their run directories. No torch here.

The files are the truth: whoever wrote them, on whatever machine, and however the process that did so ended.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any, Generic, TypeVar

from ganzoo.records.run_files import names_in
from ganzoo.records.run_state import STATUSES as OF_RUNS
from ganzoo.records.run_state import FollowedRun, RunState, Status
from ganzoo.sweeping.sweep_file import Metric
from ganzoo.sweeping.trials import Trial, Trials

STATUSES = tuple(status for status in OF_RUNS if status != "stopped")  # a sweep goes on with a trial that was stopped
AnyTrials = TypeVar("AnyTrials", bound=Trials)  # a sweep, or what is trained as one
BROKEN: tuple[Status, ...] = ("diverged", "failed")  # these may be run again, and their values count for nothing


@dataclass(frozen=True, kw_only=True)
class TrialState(RunState):
    """How one trial stands; one that was stopped is interrupted."""

    trial: Trial


class States(Generic[AnyTrials]):
    """The trials of a sweep as their run directories tell, read again only where something has changed.

    Attributes:
        seen: what the last refresh saw.
    """

    def __init__(self, sweep: AnyTrials):
        self.sweep = sweep
        self.seen: list[TrialState] = []
        self._followed: dict[int, _Followed] = {}
        self._follow(sweep if sweep.all_known else ())

    def refresh(self) -> list[TrialState]:
        """By number: all trials of a grid or a random search; of bayes, or where there is no end, those begun."""
        there = names_in(self.sweep.folder)
        if not self.sweep.all_known:
            known = {followed.name for followed in self._followed.values()}
            self._follow(self.sweep.trials_in(there - known))
        self.seen = [self._followed[number].trial_state(there) for number in sorted(self._followed)]
        return self.seen

    def summary(self) -> "Summary":
        """Of what the last refresh saw."""
        return Summary.of(self.sweep, self.seen)

    def varied(self, trial: Trial) -> dict[str, Any]:
        """What the trials of this sweep differ in, and this one's values, by dotted keys."""
        return self.sweep.varied(trial)

    def _follow(self, trials: Iterable[Trial]) -> None:
        self._followed |= {trial.number: _Followed(trial, self.sweep.metric) for trial in trials}


class _Followed(FollowedRun):
    """What has been read of a trial's run directory so far."""

    def __init__(self, trial: Trial, metric: Metric | None):
        super().__init__(trial.run, metric.name if metric else None)
        self.trial, self.name = trial, trial.directory.name

    def trial_state(self, there: set[str]) -> TrialState:
        """`there`: the names in the sweep's folder, which spare a look at what has not begun."""
        found = vars(self.state(self.name in there))
        status: Status = "interrupted" if found["status"] == "stopped" else found["status"]
        return TrialState(trial=self.trial, **{**found, "status": status})


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
    def of(cls, sweep: Trials, states: Sequence[TrialState]) -> "Summary":
        counts: dict[Status, int] = {status: sum(state.status == status for state in states) for status in STATUSES}
        unasked = max((sweep.size or 0) - len(states), 0)
        counts["waiting"] += unasked
        best, metric = _best(states, sweep.metric), sweep.metric
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
