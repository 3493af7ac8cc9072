"""What `ganzoo train EXPERIMENT` is to train: one run, or with `seeds=N` several, and where each goes.

Nothing here imports torch before every mistake has been told.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ganzoo.errors import GanzooError, InputError, Problem, Stopped, shorten
from ganzoo.experiment import Experiment, load_experiment
from ganzoo.importing import importing
from ganzoo.packing.alike import MOST_PACKED, problems_of_packing
from ganzoo.records.run_directory import RunDirectory
from ganzoo.records.tracking import Agent, Mirror
from ganzoo.values import flat_overrides

if TYPE_CHECKING:
    from ganzoo.packing.pack import Member

MOST_SEEDS = 1000


@dataclass(frozen=True)
class Planned:
    """A run to be trained.

    Attributes:
        directory: where it goes; None: runs/<name>/<run id>.
        mirror: W&B's run, where a W&B agent has a say in it.
        pack: the most of the command's runs that are trained at once.
    """

    experiment: Experiment
    directory: Path | None
    mirror: Mirror | None = None
    pack: int = 1

    def train(self, member: "Member | None" = None) -> RunDirectory:
        """Trains it, or goes on with it: an agent that was restarted gives the same run again.

        Args:
            member: what it is in a pack; None: it is trained alone.
        """
        with importing():
            from ganzoo.training.run import resume, train

        if self.directory is not None and self.begun:
            return resume(self.directory, member=member)
        if self.directory is not None and self.mirror is not None:
            self.mirror.keep(self.directory)
        return train(self.experiment, run_dir=self.directory, member=member)

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
        words: `key=value` overrides, among them perhaps `seeds=N` and `pack=N`.
        run_dir: of the first; the others' names end in -seed-1, -seed-2, ...

    Raises:
        InputError: with every mistake of the file and its overrides.
    """
    (experiments, pack), agent = _experiments(file, words), Agent.above()
    if agent is not None and run_dir is None:
        run_dir = runs_folder() / experiments[0].name / f"{agent.sweep}-{agent.run.id}"
    runs = []
    for number, experiment in enumerate(experiments):
        ending = f"-seed-{number}" if number else ""
        mirror = replace(agent.run, id=f"{agent.run.id}{ending}") if agent else None
        runs.append(Planned(experiment, run_dir and Path(f"{run_dir}{ending}"), mirror, pack))
    return runs


def runs_folder() -> Path:
    """Where a W&B agent's runs go: $GANZOO_RUNS, else runs/ in the current folder."""
    return Path(os.environ.get("GANZOO_RUNS", "runs"))


def outcomes(runs: Sequence[Planned]) -> Iterator[RunDirectory | GanzooError]:
    """Trains one after the other, or pack after pack; of several, one that breaks down stops no other.

    Raises:
        InputError, Stopped: the end of all. Any GanzooError where there is one run only.
    """
    for run in runs:
        run.check_directory()
    for several in _packs(runs):
        for outcome in [_outcome(several[0])] if len(several) == 1 else _stopped_last(_at_once(several)):
            if isinstance(outcome, GanzooError) and (len(runs) == 1 or isinstance(outcome, (InputError, Stopped))):
                raise outcome
            yield outcome


def _packs(runs: Sequence[Planned]) -> Iterator[Sequence[Planned]]:
    """Runs that are trained at once; a W&B agent's by itself, since W&B takes all of its process for that run."""
    lone = 1 if runs[0].mirror is not None else 0
    if lone:
        yield runs[:1]
    for first in range(lone, len(runs), runs[0].pack):
        yield runs[first : first + runs[0].pack]


def _stopped_last(outcomes: Sequence[RunDirectory | GanzooError]) -> list[RunDirectory | GanzooError]:
    """One signal stops all that are trained at once: one error tells it of all, after the runs that had ended."""
    stopped = [outcome for outcome in outcomes if isinstance(outcome, Stopped)]
    others = [outcome for outcome in outcomes if not isinstance(outcome, Stopped)]
    told = [Stopped("; ".join(map(str, stopped)), stopped[0].args[1])] if stopped else []
    return [*others, *told]


def _outcome(run: Planned, member: "Member | None" = None) -> RunDirectory | GanzooError:
    try:
        return run.train(member)
    except GanzooError as error:
        return error


def _at_once(runs: Sequence[Planned]) -> list[RunDirectory | GanzooError]:
    with importing():
        from ganzoo.packing.pack import Pack

    outcomes: dict[int, RunDirectory | GanzooError] = {}

    def work(number: int, member: "Member") -> None:
        outcomes[number] = _outcome(runs[number], member)

    for error in Pack().run([partial(work, number) for number in range(len(runs))]):
        if error is not None:  # no error of ganzoo's
            raise error
    return [outcomes[number] for number in range(len(runs))]


def _experiments(file: str | Path, words: Sequence[str]) -> tuple[list[Experiment], int]:
    """One for each seed, and how many of them are trained at once."""
    found: list[Problem] = []
    others = [word for word in words if not word.startswith(("seeds=", "pack="))]
    seeds, pack = (
        _number_of(name, most, words, found) for name, most in (("seeds", MOST_SEEDS), ("pack", MOST_PACKED))
    )
    try:
        first = load_experiment(file, others)
    except InputError as error:
        raise InputError(error.source, [*found, *error.problems]) from None
    if min(seeds, pack) > 1:
        found += problems_of_packing(first)
    if found:
        raise InputError(file, found)
    return [first, *(load_experiment(file, (*others, f"seed={first.seed + k}")) for k in range(1, seeds))], pack


def _number_of(name: str, most: int, words: Sequence[str], found: list[Problem]) -> int:
    """N of `name=N`, the last of several; what is no such number is appended to `found`."""
    given = [word for word in words if word.startswith(f"{name}=")]
    number = flat_overrides(given, found).get(name, 1)
    if type(number) is int and 1 <= number <= most:
        return number
    found.append(Problem(name, f"{shorten(number)} must be a whole number, at least 1 and at most {most}"))
    return 1
