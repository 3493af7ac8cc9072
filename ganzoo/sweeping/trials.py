"""A sweep and its trials: what trial i is depends on the file and on i alone."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from ganzoo.errors import InputError
from ganzoo.experiment import Experiment, load_experiment
from ganzoo.records.files import write_text
from ganzoo.records.run_directory import RunDirectory
from ganzoo.records.run_files import UNREADABLE, record_in
from ganzoo.records.run_state import ENDED
from ganzoo.sweeping.distributions import Distribution
from ganzoo.sweeping.points import point_of
from ganzoo.sweeping.sweep_file import Metric, SweepFile, words_of

if TYPE_CHECKING:
    from ganzoo.training.watching import Watch


def has_ended(run: RunDirectory) -> bool:
    """Whether a trial's run has come to an end, good or bad."""
    return record_in(run.record).get("status") in ENDED


def retry_failed(trials: "Iterable[Trial]") -> None:
    """The records of those that failed or diverged are put aside: without one, they go on from their checkpoints."""
    for trial in trials:
        if record_in(trial.run.record).get("status") in ("failed", "diverged"):
            trial.run.record.replace(trial.run.record.with_name("record.before_retry.json"))


@dataclass(frozen=True)
class Trial:
    """One training of a sweep: what is varied and the run directory it goes to.

    Attributes:
        number: from 0.
        parameters: as W&B would hand them to the run: nested ones nested.
        seed: of the run; None: the experiment's own, or one of the parameters.
        directory: its run directory.
    """

    number: int
    parameters: Mapping[str, Any]
    seed: int | None
    directory: Path

    @property
    def words(self) -> tuple[str, ...]:
        """The overrides, each as W&B's agent writes it for ${args_no_hyphens}."""
        return words_of(self.parameters) + (() if self.seed is None else (f"seed={self.seed}",))

    @property
    def run(self) -> RunDirectory:
        return RunDirectory(self.directory)

    def write(self) -> None:
        """trial.json in the run directory: what this run is in the sweep."""
        told = {"number": self.number, "parameters": self.parameters, "seed": self.seed}
        write_text(self.directory / "trial.json", json.dumps(told, indent=2) + "\n")

    @classmethod
    def read(cls, directory: Path) -> "Trial":
        return cls(**json.loads((directory / "trial.json").read_text()), directory=directory)


@runtime_checkable
class Trials(Protocol):
    """Numbered trainings with a folder: what workers, and those who look how trials stand, ask of a sweep.

    Attributes:
        folder: everything about them is in it.
        metric: the value that is shown of each, if any.
        size: how many there are; None: without end.
        all_known: what each of them is depends on nothing but its number.
    """

    @property
    def folder(self) -> Path: ...

    @property
    def metric(self) -> Metric | None: ...

    @property
    def size(self) -> int | None: ...

    @property
    def all_known(self) -> bool: ...

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Trial]: ...

    def __getitem__(self, number: int) -> Trial: ...

    def directory(self, number: int) -> Path:
        """The run directory of that trial."""
        ...

    def trials_in(self, names: Iterable[str]) -> Iterable[Trial]:
        """Those whose run directories have these names in the folder, and say what they are."""
        ...

    def experiment_of(self, trial: Trial) -> Experiment:
        """Raises InputError where there is none."""
        ...

    def varied(self, trial: Trial) -> dict[str, Any]:
        """What the trials differ in, and this one's values, by dotted keys."""
        ...

    def watch(self, trial: Trial) -> "Watch | None":
        """Who may end it early."""
        ...


@dataclass(frozen=True)
class Sweep:
    """A sweep file together with where its runs go.

    Args:
        file: what the file says.
        runs: the folder that the sweep's own folder is in.
        count: how many trials there are at most; None: as many as the file says.
    """

    file: SweepFile
    runs: Path
    count: int | None = None

    @property
    def folder(self) -> Path:
        return self.runs / f"{self.file.name}-{self.file.identity}"

    @property
    def metric(self) -> Metric | None:
        return self.file.metric

    @property
    def all_known(self) -> bool:
        """A bayes search chooses as it goes."""
        return self.file.method != "bayes" and self.size is not None

    @cached_property
    def size(self) -> int | None:
        """The number of trials; None: without end."""
        limits = [self.count, self.file.run_cap, self.file.grid_size]
        return min((limit for limit in limits if limit is not None), default=None)

    def __len__(self) -> int:
        """Raises InputError where the search has no end."""
        if self.size is None:
            raise InputError(self.file.source, f"{self.file.method} search has no end: add run_cap, or give --count N")
        return self.size

    def __iter__(self) -> Iterator[Trial]:
        """All trials of a grid or a random search."""
        return (self[number] for number in range(len(self)))

    def __getitem__(self, number: int) -> Trial:
        """Trial `number` of a grid or a random search. The seeds of a point follow one another."""
        return self.trial(number, point_of(self.file, number // self.file.seeds))

    def trial(self, number: int, parameters: Mapping[str, Any]) -> Trial:
        """Trial `number` with these parameters."""
        seeds = self.file.seeds
        seed = None if seeds == 1 else self.file.first_seed + number % seeds
        return Trial(number, parameters, seed, self.directory(number))

    def directory(self, number: int) -> Path:
        return self.folder / f"{self.file.identity}-{number:04d}"

    def begun(self) -> list[Trial]:
        """The trials whose run directories say what they are, by number."""
        found = []
        for path in self.folder.glob(f"{self.file.identity}-*/trial.json"):
            with suppress(OSError, ValueError, TypeError):  # removed meanwhile, or damaged: it is written anew
                found.append(Trial.read(path.parent))
        return sorted(found, key=lambda trial: trial.number)

    def trials_in(self, names: Iterable[str]) -> Iterator[Trial]:
        """The trials whose run directories have these names in the folder, and say what they are."""
        for name in names:
            if name.startswith(f"{self.file.identity}-"):
                with suppress(*UNREADABLE, TypeError, KeyError):  # it has not told yet
                    trial = Trial.read(self.folder / name)
                    if trial.directory == self.directory(trial.number):
                        yield trial

    def experiment_of(self, trial: Trial) -> Experiment:
        """Raises InputError where the experiment does not take the trial's parameters."""
        return load_experiment(self.file.experiment, (*self.file.fixed, *trial.words))

    def varied(self, trial: Trial) -> dict[str, Any]:
        """What the trials of this sweep differ in, and this one's values, by dotted keys."""
        several = [path for path, what in self.file.parameters.items() if _varies(what)]
        found = {".".join(path): _at(trial.parameters, path) for path in several}
        if trial.seed is not None:
            found["seed"] = trial.seed
        return {key: value for key, value in found.items() if value is not _MISSING}

    def watch(self, trial: Trial) -> "Watch | None":
        """The judge of `early_terminate`."""
        if self.file.early_terminate is None:
            return None
        from ganzoo.sweeping.hyperband import Judge

        return Judge(self, trial)

    def keep_files(self) -> None:
        """sweep.yaml and experiment.yaml in the sweep's folder: the same sweep, whatever becomes of the originals."""
        experiment = self.folder.resolve() / "experiment.yaml"  # to be found from every folder
        write_text(experiment, self.file.experiment.read_text())
        write_text(self.folder / "sweep.yaml", self.file.to_yaml(program=experiment))


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
