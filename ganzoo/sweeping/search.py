"""Model-based search, W&B's method bayes: what is tried next is asked of Optuna.

A point is what Optuna calls a trial; it is tried with all `seeds`. Points are numbered as they are asked for: point p
has the trials p * seeds to p * seeds + seeds - 1. What became of these is read from their run directories, whoever ran
them. So a point whose worker was killed stays as it is, in Optuna too, until another worker has finished its trials.
"""

import hashlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import optuna
from filelock import FileLock
from optuna.trial import FrozenTrial, TrialState

from ganzoo.errors import GanzooError, InputError, Problem, did_you_mean
from ganzoo.records.run_directory import RunDirectory
from ganzoo.records.run_files import MetricsFile, record_in
from ganzoo.records.run_state import ENDED
from ganzoo.sweeping.axes import axis_of
from ganzoo.sweeping.points import nested
from ganzoo.sweeping.states import BROKEN
from ganzoo.sweeping.storage import answering, mend, open_storage, without_password
from ganzoo.sweeping.trials import Sweep, Trial, has_ended

SAMPLERS = ("tpe", "gp")
POINT = "point"  # a user attribute of Optuna's trials: {"number": ..., "parameters": ...}
AGAIN = "again"  # a user attribute of what a point that had failed came to when it was tried again: its number
MOST_TOLD = 20  # values of a pruned trial, the last ones: Optuna's samplers look at the last alone


class Search:
    """The trials of a bayes search. Any number of processes on any machines may have one of the same sweep.

    Args:
        storage: where the study is: a URL of Optuna's or a journal file; None: a journal file in the sweep's folder.
        sampler: tpe: a tree of Parzen estimators; gp: a Gaussian process.

    Raises:
        InputError: the storage cannot be used. Every method raises GanzooError where it fails later.
    """

    most_ahead = 0

    def __init__(self, sweep: Sweep, storage: str | None = None, sampler: str = "tpe"):
        if sampler not in SAMPLERS:
            raise InputError("--sampler", did_you_mean(sampler, SAMPLERS, "sampler"))
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.sweep, self.sampler = sweep, sampler
        self.storage = storage or str(sweep.folder / "optuna.journal")
        axes = {path: axis_of(distribution) for path, distribution in sweep.file.parameters.items()}
        self._axes = {".".join(path): axis for path, axis in axes.items() if axis is not None}
        self._ended: set[int] = set()  # these are not looked at again
        self._lock = FileLock(sweep.folder / "optuna.lock")
        with self._held():
            self._study = self._opened()
            self._tell_ended()

    def candidates(self) -> Iterator[Trial]:
        """The trials that have not ended of the points that there are, then those of new points."""
        with self._held():
            points = self._points()
        for point in points:
            yield from (trial for trial in self._trials(point) if not self._has_ended(trial))
        while (asked := self._ask()) is not None:
            yield from self._trials(asked)

    def tell_ended(self) -> None:
        """Tells Optuna of the points whose trials have all ended; to tell twice does no harm.

        A point's value is the mean over its seeds: of pruned ones what they had come to, of diverged and failed ones
        nothing. A point whose seeds with a value were all pruned is told as pruned, and one without any as failed.
        """
        with self._held():
            self._tell_ended()

    def all_ended(self) -> bool:
        with self._held():
            points = self._points()
        if len(points) * self.sweep.file.seeds < len(self.sweep):
            return False
        return all(self._has_ended(trial) for point in points for trial in self._trials(point))

    @contextmanager
    def _held(self) -> Iterator[None]:
        """One process at a time; what it has read of the study stays true until it has written."""
        try:
            self.sweep.folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        except (OSError, NotImplementedError) as error:
            raise GanzooError(f"{self._lock.lock_file}: the search cannot be locked: {error}") from None
        try:
            with answering(self.storage):
                mend(self.storage)
                yield
        finally:
            self._lock.release()

    def _opened(self) -> optuna.Study:
        metric = self.sweep.file.metric
        assert metric is not None  # read_sweep takes no bayes search without one
        self._storage = open_storage(self.storage)
        name, goal = self.sweep.file.identity, metric.goal
        return optuna.create_study(study_name=name, storage=self._storage, direction=goal, load_if_exists=True)

    def _points(self) -> list[FrozenTrial]:
        """By number."""
        return [trial for trial in self._study.get_trials(deepcopy=False) if POINT in trial.user_attrs]

    def _trials(self, point: FrozenTrial) -> list[Trial]:
        first = point.user_attrs[POINT]["number"] * self.sweep.file.seeds
        numbers = range(first, min(first + self.sweep.file.seeds, len(self.sweep)))
        return [self.sweep.trial(number, point.user_attrs[POINT]["parameters"]) for number in numbers]

    def _has_ended(self, trial: Trial) -> bool:
        if trial.number not in self._ended and has_ended(trial.run):
            self._ended.add(trial.number)
        return trial.number in self._ended

    def _ask(self) -> FrozenTrial | None:
        """The next point; None: there are as many as there are to be."""
        with self._held():
            number = len(self._points())
            if number * self.sweep.file.seeds >= len(self.sweep):
                return None
            self._refuse_unknown(number)
            self._tell_ended()
            self._drop_half_asked()
            self._study.sampler = _sampler(self.sampler, self.sweep.file.identity, number)
            asked = self._study.ask({name: axis.asked for name, axis in self._axes.items()})
            asked.set_user_attr(POINT, {"number": number, "parameters": self._parameters(asked.params)})
            return self._points()[-1]

    def _parameters(self, chosen: Mapping[str, Any]) -> dict[str, Any]:
        """What the run is given: nested, with the constants."""
        values = {}
        for path, distribution in self.sweep.file.parameters.items():
            axis = self._axes.get(name := ".".join(path))
            values[path] = distribution.quantile(0.5) if axis is None else axis.value(chosen[name])
        return nested(values)

    def _refuse_unknown(self, number: int) -> None:
        """Where trials of this number have begun, they are of another study, and say nothing about this one."""
        if (self.sweep.directory(number * self.sweep.file.seeds) / "trial.json").exists():
            begun = f"{self.sweep.folder} has trials that are not in it: give the storage that they came from"
            raise InputError("--storage", [Problem(without_password(self.storage), f"{begun}, or another --runs")])

    def _drop_half_asked(self) -> None:
        """Whoever was asking for these has died: this process has the lock."""
        for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if POINT not in trial.user_attrs:
                self._study.tell(trial.number, state=TrialState.FAIL)

    def _tell_ended(self) -> None:
        trials = self._study.get_trials(deepcopy=False)
        again = {trial.user_attrs[AGAIN] for trial in trials if AGAIN in trial.user_attrs}
        for point in self._points():
            if point.state not in (TrialState.RUNNING, TrialState.FAIL) or point.number in again:
                continue
            outcome = self._outcome(point)
            if outcome is not None and point.state == TrialState.RUNNING:
                self._tell(point, outcome)
            elif outcome is not None and outcome.state != TrialState.FAIL:
                self._study.add_trial(outcome)

    def _tell(self, point: FrozenTrial, outcome: FrozenTrial) -> None:
        study = self._storage.get_study_id_from_name(self._study.study_name)
        trial = self._storage.get_trial_id_from_study_id_trial_number(study, point.number)
        for updates, value in outcome.intermediate_values.items():
            self._storage.set_trial_intermediate_value(trial, updates, value)
        self._study.tell(point.number, outcome.value, outcome.state)

    def _outcome(self, point: FrozenTrial) -> FrozenTrial | None:
        """What a point has come to, as a trial of Optuna's; None: some of its trials have not ended."""
        runs = [trial.run for trial in self._trials(point)]
        statuses = [record_in(run.record).get("status") for run in runs]
        if not runs or not all(status in ENDED for status in statuses):  # none: beyond this process's --count
            return None
        read = [(status, self._read(run)) for status, run in zip(statuses, runs, strict=True) if status not in BROKEN]
        valued = [(status, file) for status, file in read if file.value is not None]
        values = [file.value for _, file in valued if file.value is not None]
        state, told = TrialState.FAIL, {}
        if valued and all(status == "pruned" for status, _ in valued):
            state, told = TrialState.PRUNED, _means([file.history for _, file in valued])
        elif valued:
            state = TrialState.COMPLETE
        return optuna.trial.create_trial(
            state=state,
            value=_mean(values) if state == TrialState.COMPLETE else None,
            intermediate_values=told,
            params=point.params,
            distributions=point.distributions,
            user_attrs={AGAIN: point.number},
        )

    def _read(self, run: RunDirectory) -> MetricsFile:
        assert self.sweep.file.metric is not None
        file = MetricsFile(run.metrics, self.sweep.file.metric.name)
        file.read()
        return file


def _sampler(name: str, identity: str, number: int) -> optuna.samplers.BaseSampler:
    """A sampler for this point alone: no two workers draw the same, and one worker draws the same every time."""
    seed = int.from_bytes(hashlib.sha256(f"{identity} {number}".encode()).digest()[:4], "big")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        if name == "gp":
            return optuna.samplers.GPSampler(seed=seed)
        # Points that are being tried count as bad ones, so that workers side by side keep away from each other.
        return optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True)


def _mean(values: Sequence[float]) -> float:
    return sum(value / len(values) for value in values)  # so, it does not overflow


def _means(histories: Sequence[Sequence[tuple[int, float]]]) -> dict[int, float]:
    """The last means by generator updates, over the seeds that have come there."""
    there: dict[int, list[float]] = {}
    for history in histories:
        for updates, value in history:
            there.setdefault(updates, []).append(value)
    return {updates: _mean(there[updates]) for updates in sorted(there)[-MOST_TOLD:]}
