"""Which trials of a sweep a worker trains at once."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from ganzoo.errors import GanzooError
from ganzoo.experiment import Experiment
from ganzoo.packing.alike import kind_of
from ganzoo.sweeping.trials import Trial, Trials


@dataclass
class Packing:
    """Trials go together where their experiments may be trained at once.

    Args:
        size: the most trials of a pack.
        alone: numbers of trials that go with no other: something has ended processes that were at them.
    """

    sweep: Trials
    size: int = 1
    alone: Collection[int] = ()
    _kinds: dict[int, str | None] = field(default_factory=dict)

    def fit(self, taken: Sequence[Trial], trial: Trial) -> bool:
        """Whether the trial can be trained together with those that are taken."""
        return not taken or self._kind(trial) == self._kind(taken[0])

    def is_full(self, taken: Sequence[Trial]) -> bool:
        return len(taken) >= self.size or self._kind(taken[0]) is None

    def _kind(self, trial: Trial) -> str | None:
        """None: the trial goes with no other; what is wrong with it is told when it is trained."""
        if trial.number in self.alone:
            return None
        if trial.number not in self._kinds:
            try:
                self._kinds[trial.number] = kind_of(experiment_of(self.sweep, trial))
            except (GanzooError, OSError):
                self._kinds[trial.number] = None
        return self._kinds[trial.number]


def experiment_of(sweep: Trials, trial: Trial) -> Experiment:
    """What its run directory says, or before it has begun the sweep."""
    return trial.run.experiment() if trial.run.config.exists() else sweep.experiment_of(trial)
