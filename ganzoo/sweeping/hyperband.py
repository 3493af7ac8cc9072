"""W&B's early termination: a rule on the values that the runs of a sweep have logged, whatever proposed the trials.

It is the rule of W&B's own scheduler (wandb/sweeps 0.3.0, sweeps/hyperband_stopping.py), so a file means the same here
and there, and it needs nothing but run directories. W&B asks at every heartbeat of an agent; here a run is judged when
its own values reach a band.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from ganzoo.records.run_directory import RunDirectory
from ganzoo.records.run_files import MetricsFile, finite, names_in
from ganzoo.sweeping.sweep_file import Hyperband, Metric
from ganzoo.sweeping.trials import Sweep, Trial


def stops(
    history: Sequence[float],
    others: Sequence[Sequence[float]],
    hyperband: Hyperband,
    goal: Literal["minimize", "maximize"],
    name: str = "the metric",
) -> str | None:
    """Why a run is to end now; None: it may go on.

    At the last band that the run has reached, it must be as good as the run at place floor(n / eta), counted from 0,
    among the n runs that have reached it too: with its value there where the rule is strict, else with its best so far.

    Args:
        history: the run's values of the metric, in order, all finite.
        others: those of the other runs of the sweep, running or ended.
        name: the metric's, for the reason.

    >>> stops([10, 10], [[10, 9], [10, 8, 8]], Hyperband(bands=(1, 2), eta=2, strict=True), "minimize", "loss")
    'hyperband: loss is 10 after 2 values; to be among the best 1/2 of 3 runs takes 9'
    """
    band = max((band for band in hyperband.bands if band <= len(history)), default=None)
    if band is None:
        return None
    sign = 1.0 if goal == "minimize" else -1.0
    there = sorted(sign * run[band - 1] for run in (history, *others) if len(run) >= band)
    threshold = there[int(1.0 / hyperband.eta * len(there))]
    reached = sign * history[band - 1] if hyperband.strict else min(sign * value for value in history)
    if reached <= threshold:
        return None
    what = "is" if hyperband.strict else "has come to"
    best = f"the best 1/{hyperband.eta:g} of {len(there)} runs"
    return (
        f"hyperband: {name} {what} {sign * reached:.6g} after {band} values; "
        f"to be among {best} takes {sign * threshold:.6g}"
    )


class Judge:
    """Ends a trial that falls behind the others of its sweep. Training calls it with everything that the run logs.

    It counts what the run directory has, so a run that goes on from a checkpoint is judged as if never stopped. Where
    the sweep has no `early_terminate`, every run goes on.
    """

    def __init__(self, sweep: Sweep, trial: Trial):
        self.rule, self.metric = sweep.file.early_terminate, sweep.file.metric
        self.sweep, self.trial = sweep, trial
        self._history: dict[int, float] | None = None  # by generator updates; None: not read yet
        self._followed: dict[str, MetricsFile] = {}

    def __call__(self, generator_updates: int, logged: Mapping[str, Any]) -> str | None:
        """Why the run is to end, or None."""
        if self.rule is None or self.metric is None:
            return None
        reason = None
        if self._history is None:
            self._history = self._before(generator_updates, self.metric)
            # A kill may have come between the value that reached a band and the judgement.
            reason = self._judged(self._history, self.rule, self.metric)
        value = finite(logged.get(self.metric.name))
        if value is not None and generator_updates not in self._history:
            self._history[generator_updates] = value
            reason = reason or self._judged(self._history, self.rule, self.metric)
        return reason

    def _before(self, generator_updates: int, metric: Metric) -> dict[int, float]:
        """What the run had logged before; its line of this update may be in the file already."""
        file = MetricsFile(self.trial.run.metrics, metric.name)
        file.read()
        return {updates: value for updates, value in file.history if updates < generator_updates}

    def _judged(self, history: Mapping[int, float], rule: Hyperband, metric: Metric) -> str | None:
        if len(history) not in rule.bands:
            return None
        return stops(list(history.values()), list(self._others(metric)), rule, metric.goal, metric.name)

    def _others(self, metric: Metric) -> Iterator[Sequence[float]]:
        for name in sorted(names_in(self.sweep.folder) - {self.trial.directory.name}):
            if name.startswith(f"{self.sweep.file.identity}-"):
                path = RunDirectory(self.sweep.folder / name).metrics
                file = self._followed.setdefault(name, MetricsFile(path, metric.name))
                file.read()
                yield [value for _, value in file.history]
