"""What `ganzoo train EXPERIMENT` is to train: one run, or with `seeds=N` one after the other, and where each goes.

Nothing here imports torch before every mistake has been told.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ganzoo.errors import GanzooError, InputError, Problem, Stopped, shorten
from ganzoo.experiment import Experiment, load_experiment
from ganzoo.importing import importing
from ganzoo.records.run_directory import RunDirectory
from ganzoo.records.tracking import Agent, Mirror
from ganzoo.values import flat_overrides

MOST_SEEDS = 1000


@dataclass(frozen=True)
class Planned:
    """A run to be trained.

    Attributes:
        directory: where it goes; None: runs/<name>/<run id>.
        mirror: W&B's run, where a W&B agent has a say in it.
    """

    experiment: Experiment
    directory: Path | None
    mirror: Mirror | None = None

    def train(self) -> RunDirectory:
        """Trains it, or goes on with it: an agent that was restarted gives the same run again."""
        with importing():
            from ganzoo.training.run import resume, train

        if self.directory is not None and self.begun:
            return resume(self.directory)
        if self.directory is not None and self.mirror is not None:
            self.mirror.keep(self.directory)
        return train(self.experiment, run_dir=self.directory)

    @property
    def begun(self) -> bool:
        """Whether there is a run in the directory."""
        return self.directory is not None and RunDirectory(self.directory).config.exists()

    def check_directory(self) -> None:
        """Raises InputError where another run is in the directory."""
        if self.directory is None or not self.begun:
            return
        kept = Mirror.kept(self.directory)
        if self.mirror is None or kept is None or kept.id != self.mirror.id:
            raise InputError(self.directory, f"there is a run here already; go on with it by --resume {self.directory}")


def plan(file: str | Path, words: Sequence[str], run_dir: Path | None) -> list[Planned]:
    """The runs, by their seeds: the experiment's own seed and those after it.

    A W&B agent's run goes to runs/<name>/<sweep id>-<run id> unless told otherwise, and goes on if it is there. Of
    several seeds the first is the agent's run; the others are runs of their own, outside the sweep, whose search never
    hears of them.

    Args:
        words: `key=value` overrides, among them perhaps `seeds=N`.
        run_dir: of the first; the others' names end in -seed-1, -seed-2, ...

    Raises:
        InputError: with every mistake of the file and its overrides.
    """
    experiments, agent = _experiments(file, words), Agent.above()
    if agent is not None and run_dir is None:
        run_dir = runs_folder() / experiments[0].name / f"{agent.sweep}-{agent.run.id}"
    runs = []
    for number, experiment in enumerate(experiments):
        ending = f"-seed-{number}" if number else ""
        mirror = replace(agent.run, id=f"{agent.run.id}{ending}") if agent else None
        runs.append(Planned(experiment, run_dir and Path(f"{run_dir}{ending}"), mirror))
    return runs


def runs_folder() -> Path:
    """Where a W&B agent's runs go: $GANZOO_RUNS, else runs/ in the current folder."""
    return Path(os.environ.get("GANZOO_RUNS", "runs"))


def outcomes(runs: Sequence[Planned]) -> Iterator[RunDirectory | GanzooError]:
    """Trains one after the other; of several, one that breaks down stops none of those after it.

    Raises:
        InputError, Stopped: the end of all. Any GanzooError where there is one run only.
    """
    for run in runs:
        run.check_directory()
    for run in runs:
        try:
            outcome: RunDirectory | GanzooError = run.train()
        except GanzooError as error:
            if len(runs) == 1 or isinstance(error, (InputError, Stopped)):
                raise
            outcome = error
        yield outcome


def _experiments(file: str | Path, words: Sequence[str]) -> list[Experiment]:
    found: list[Problem] = []
    others = [word for word in words if not word.startswith("seeds=")]
    seeds = _number_of([word for word in words if word.startswith("seeds=")], found)
    try:
        first = load_experiment(file, others)
    except InputError as error:
        raise InputError(error.source, [*found, *error.problems]) from None
    if found:
        raise InputError(file, found)
    return [first, *(load_experiment(file, (*others, f"seed={first.seed + k}")) for k in range(1, seeds))]


def _number_of(words: Sequence[str], found: list[Problem]) -> int:
    """N of `seeds=N`, the last of several; what is no such number is appended to `found`."""
    number = flat_overrides(words, found).get("seeds", 1)
    if type(number) is int and 1 <= number <= MOST_SEEDS:
        return number
    found.append(Problem("seeds", f"{shorten(number)} must be a whole number, at least 1 and at most {MOST_SEEDS}"))
    return 1
