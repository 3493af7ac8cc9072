"""How a run stands, read from its run directory. No torch here.

The files are the truth: whoever wrote them, on whatever machine, and however the process that did so ended.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from ganzoo.records.claim import holder
from ganzoo.records.run_directory import RunDirectory
from ganzoo.records.run_files import NOTHING, MetricsFile, budget_in, record_in, stamp_of
from ganzoo.records.run_files import whole_number as whole

Status = Literal["waiting", "running", "stopped", "interrupted", "done", "pruned", "diverged", "failed"]
STATUSES: tuple[Status, ...] = get_args(Status)
ENDED: tuple[Status, ...] = ("done", "pruned", "diverged", "failed")  # what a record says of a run that is over
FOR_GOOD: tuple[Status, ...] = ("done", "pruned")  # these are not looked at again


@dataclass(frozen=True, kw_only=True)
class RunState:
    """How one run stands.

    Attributes:
        status: waiting: not begun; running: a living process has claimed it; stopped: by a signal, after a checkpoint;
            interrupted: begun, and its process ended without a word. The last two may go on.
        reason: why it did not get to the end of its budget, or None.
        generator_updates: that are known to be done: of the record, else of the last line of metrics.jsonl.
        budget: generator updates that it is to do; None: config.yaml is not there, or does not say.
        seconds: of training, without evaluation.
        history: (generator updates, the metric) of every line in which the metric is finite, in order.
        value: the metric in the last line that has it; None: it is not finite, or there is none.
        host: the machine that a running one runs on.
    """

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
        """Generator updates still to do; None: not known before the run begins."""
        if self.ended:
            return 0
        return None if self.budget is None else max(self.budget - self.generator_updates, 0)

    @property
    def seconds_left(self) -> float | None:
        """Of training, at the rate that it had so far; None: it does not run, or not for long enough to tell."""
        if self.status != "running" or self.left is None or not self.generator_updates or not self.seconds:
            return None
        return self.left * self.seconds / self.generator_updates


class FollowedRun:
    """A run as its directory tells, read again only where something has changed.

    Args:
        metric: the logged value that history and value are of; None: none.
    """

    def __init__(self, run: RunDirectory, metric: str | None = None):
        self.run = run
        self._known = RunState()
        self._metrics = MetricsFile(run.metrics, metric)
        self._record_stamp = self._config_stamp = NOTHING
        self._record: Mapping[str, Any] = {}
        self._budget: int | None = None

    def state(self, there: bool = True) -> RunState:
        """`there`: False from who knows that there is no such folder, which spares a look."""
        if not there:
            self._known = RunState()
        if not there or self._known.status in FOR_GOOD:
            return self._known
        # The order matters: a record is there before the claim is given back, and every line before the record.
        held = holder(self.run.path)
        self._read()
        running = held is not None and not self._ended_since(held.since)
        status: Status = "running" if running else self._status()
        told = self._record.get("reason") if status not in ("waiting", "running", "done") else None
        self._known = RunState(
            status=status,
            reason=told if isinstance(told, str) else None,
            generator_updates=self._generator_updates(status),
            budget=self._budget,
            seconds=self._metrics.seconds,
            history=self._metrics.history,
            value=self._metrics.value,
            host=held.host if held is not None and running else None,
        )
        return self._known

    def _read(self) -> None:
        record, config = stamp_of(self.run.record), stamp_of(self.run.config)
        if record != self._record_stamp:
            self._record, self._record_stamp = record_in(self.run.record), record
        if config != self._config_stamp:
            self._budget, self._config_stamp = budget_in(self.run.config), config
        self._metrics.read()

    def _status(self) -> Status:
        """Of a run that no living process has."""
        said = self._record.get("status")
        for status in ENDED:
            if status == said:
                return status
        recorded = self._recorded_updates()
        if said == "stopped" and (recorded is None or recorded >= self._metrics.generator_updates):
            return "stopped"  # and it did not go on after that
        return "interrupted" if self._has_begun() else "waiting"

    def _has_begun(self) -> bool:
        """A submitted run has a config.yaml and nothing else until its job begins."""
        if self._config_stamp == NOTHING:
            return False
        traces = (self.run.record, self.run.path / "claims", self.run.metrics, self.run.last_checkpoint)
        return any(stamp_of(path) != NOTHING for path in traces)

    def _ended_since(self, since: str) -> bool:
        """Whether the record is of the process that holds the claim; an older one is of a run that is run again."""
        if self._record.get("status") not in ENDED:
            return False
        try:
            return datetime.fromisoformat(self._record["ended"]) >= datetime.fromisoformat(since)
        except (KeyError, TypeError, ValueError):
            return True

    def _generator_updates(self, status: Status) -> int:
        recorded = self._recorded_updates() if status in (*ENDED, "stopped") else None
        return self._metrics.generator_updates if recorded is None else recorded

    def _recorded_updates(self) -> int | None:
        budget = self._record.get("budget")
        return whole(budget.get("generator_updates")) if isinstance(budget, dict) else None
