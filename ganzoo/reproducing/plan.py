"""The trainings of a table at a scale: rows x seeds, numbered for the sweep engine.

A run is a function of the experiment's own values, the overrides and the seed, and its directory is named by them: a
file that was changed has another directory. What may change when a run is resumed is no part of the name, so that a
larger budget goes on with the run that is there; but where a folder's images are is, for a table's row must not take
the run of other images for its own.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganzoo.errors import InputError, Problem
from ganzoo.experiment import Experiment, build_experiment, load_experiment
from ganzoo.leaderboard.answer import counted
from ganzoo.records.run_directory import RunDirectory, flat, may_change
from ganzoo.records.run_files import budget_in, record_in
from ganzoo.reproducing.table_file import Row, Scale, TableFile, higher_is_better, slug
from ganzoo.sweeping.sweep_file import Metric
from ganzoo.sweeping.trials import Trial, has_ended
from ganzoo.values import read_unresolved, varied

if TYPE_CHECKING:
    from ganzoo.training.watching import Watch

IMAGES = ("data.path", "data.heldout_path")  # a run that is resumed may find its images elsewhere; a row's are these


@dataclass(frozen=True)
class RowTrial(Trial):
    """A row's training with one seed.

    Attributes:
        overrides: all of them but the seed, in the order in which they are applied.
    """

    row: Row
    overrides: tuple[str, ...]

    @property
    def words(self) -> tuple[str, ...]:
        return (*self.overrides, f"seed={self.seed}")


@dataclass(frozen=True)
class Plan:
    """A table at a scale, together with where its runs go.

    Args:
        runs: the folder that the table's own folder is in.
    """

    table: TableFile
    scale: Scale
    runs: Path

    @property
    def folder(self) -> Path:
        return self.runs / f"{self.table.name}-{self.scale.name}"

    @property
    def metric(self) -> Metric | None:
        """The first column whose better direction is known."""
        for name in self.table.metrics:
            if (higher := higher_is_better(name)) is not None:
                return Metric(f"evaluation/{name}", "maximize" if higher else "minimize")
        return None

    @property
    def size(self) -> int:
        return len(self.trials)

    @property
    def all_known(self) -> bool:
        return True

    def __len__(self) -> int:
        return len(self.trials)

    def __iter__(self) -> Iterator[RowTrial]:
        return iter(self.trials)

    def __getitem__(self, number: int) -> RowTrial:
        return self.trials[number]

    @cached_property
    def trials(self) -> tuple[RowTrial, ...]:
        """Seed by seed, so that a table that is stopped early has something of every row."""
        made: list[RowTrial] = []
        for count in range(self.scale.seeds):
            for row in self.table.rows:
                seed, identity = self._starts[row.label]
                seed += count
                directory = self.folder / f"{slug(row.label)}-{identity}-{seed}"
                made.append(
                    RowTrial(len(made), {"row": row.label}, seed, directory, row=row, overrides=self.overrides(row))
                )
        return tuple(made)

    def overrides(self, row: Row) -> tuple[str, ...]:
        """The table's, the row's own, the scale's, and the row's at this scale: the last of a key counts."""
        return (*self.table.overrides, *row.overrides, *self.scale.overrides, *row.at.get(self.scale.name, ()))

    @cached_property
    def _files(self) -> dict[Path | None, dict[str, Any]]:
        """What is in the experiments' files: several rows may be of one."""
        return {path: read_unresolved(path) for path in {row.experiment for row in self.table.rows} if path is not None}

    @cached_property
    def _settled(self) -> dict[str, dict[str, Any]]:
        """By row, the experiment's own values with the overrides; `check` tells what is wrong with them."""
        return {row.label: varied(self._files[row.experiment], self.overrides(row), []) for row in self.table.rows}

    @cached_property
    def _starts(self) -> dict[str, tuple[int, str]]:
        """By row, the first seed and the identity."""
        return {label: (_first_seed(settled), _identity(settled)) for label, settled in self._settled.items()}

    def budget(self, row: Row) -> int:
        """The generator updates that a row is to have; of a plan that was checked."""
        return int(self._settled[row.label]["budget"]["generator_updates"])

    def of(self, row: Row) -> list[RowTrial]:
        return [trial for trial in self.trials if trial.row.label == row.label]

    def left(self) -> list[RowTrial]:
        """What is to be trained, or to go on with a larger budget; of a plan that was checked."""
        return [trial for trial in self.trials if not has_ended(trial.run) or self._is_short(trial)]

    def _is_short(self, trial: RowTrial) -> bool:
        had = budget_in(trial.run.config)
        return had is not None and had < self.budget(trial.row)

    def directory(self, number: int) -> Path:
        return self.trials[number].directory

    def trials_in(self, names: Iterable[str]) -> Iterator[RowTrial]:
        wanted = set(names)
        return (trial for trial in self.trials if trial.directory.name in wanted)

    def experiment_of(self, trial: Trial) -> Experiment:
        told = self.trials[trial.number]
        assert told.row.experiment is not None
        return load_experiment(told.row.experiment, told.words)

    def varied(self, trial: Trial) -> dict[str, Any]:
        return {"row": self.trials[trial.number].row.label, "seed": trial.seed}

    def watch(self, trial: Trial) -> "Watch | None":
        """Nothing of a table ends early."""
        return None

    def check(self, *, to_train: bool = True) -> None:
        """Reads every row's experiment at this scale, and looks at the runs that are there.

        Args:
            to_train: the rows' data must be on this machine.

        Raises:
            InputError: with every mistake, and the row that it is in; data that are not there once for all their rows.
        """
        problems = _with_rows({row.label: list(self._problems_of(row, to_train)) for row in self.table.rows})
        if not problems:
            problems += _same_runs(self.trials)
            problems += [Problem(str(trial.directory), text) for trial in self.trials for text in _at_odds(self, trial)]
        if problems:
            raise InputError(f"{self.table.source} at scale {self.scale.name}", problems)

    def _problems_of(self, row: Row, to_train: bool) -> Iterator[Problem]:
        found: list[Problem] = []
        values = varied(self._files[row.experiment], self.overrides(row), found)
        try:
            experiment = build_experiment(values, source=row.experiment, found=found, to_train=True)
        except InputError as error:
            mistakes = [
                _fetched(problem, row, values) for problem in error.problems if to_train or not _is_data(problem)
            ]
            if mistakes:
                yield from mistakes
                return
            experiment = build_experiment(values, source=row.experiment)
        if experiment.evaluation.protocol != self.table.protocol:
            text = f"{experiment.evaluation.protocol}: all rows of the table are scored by {self.table.protocol}"
            yield Problem("evaluation.protocol", text)
        if experiment.trainer.ranks > 1:
            yield Problem(
                "trainer.devices", "a row of a table is trained on one device; set devices and num_nodes to 1"
            )


def _first_seed(settled: Mapping[str, Any]) -> int:
    seed = settled.get("seed", 0)
    return seed if isinstance(seed, int) else 0


def _identity(settled: Mapping[str, Any]) -> str:
    """Eight hexadecimal digits of what the weights and the scores depend on, but for the seed."""
    decides = {key: value for key, value in flat(dict(settled)).items() if _decides(key, value)}
    told = {key: decides[key] for key in sorted(decides) if key not in ("seed", "name", "trainer.progress")}
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:8]


def _decides(key: str, value: Any) -> bool:
    return not may_change(key) or (key in IMAGES and value is not None)


def _is_data(problem: Problem) -> bool:
    """Whether it is that the data are not on this machine; mistakes of the section's keys name them."""
    return problem.key == "data"


def _fetched(problem: Problem, row: Row, values: Mapping[str, Any]) -> Problem:
    """With what fetches the data: a table takes no overrides from the command line."""
    if not _is_data(problem) or "data.download" not in problem.text:
        return problem
    words = f"data.name={values['data']['name']} data.download=true evaluation.protocol=null budget.generator_updates=1"
    cure = f"`ganzoo train {row.experiment} {words}` fetches it for tables too"
    return Problem(problem.key, f"{problem.text}. {cure}; they look in $GANZOO_DATA, else in the folder data")


def _with_rows(found: Mapping[str, list[Problem]]) -> list[Problem]:
    """Every row's mistakes under its label; data that are not there, once for all rows that need them."""
    needing = Counter(problem.text.partition(";")[0] for problems in found.values() for problem in problems)
    told: dict[str, Problem] = {}
    for label, problems in found.items():
        for problem in problems:
            what = problem.text.partition(";")[0]
            if not _is_data(problem):
                told[f"{label}: {problem}"] = Problem(label, str(problem))
            elif what not in told:
                more = needing[what] - 1
                others = f" and {counted(more, 'more row')}" if more else ""
                told[what] = Problem(f"{label}{others}", str(problem))
    return list(told.values())


def _same_runs(trials: Iterable[RowTrial]) -> Iterator[Problem]:
    """Rows whose labels and experiments do not tell their runs apart."""
    owners: dict[Path, str] = {}
    for trial in trials:
        owner = owners.setdefault(trial.directory, trial.row.label)
        if owner != trial.row.label:
            yield Problem(trial.row.label, f"is the same run as row {owner!r}, with nearly the same label")


def _at_odds(plan: Plan, trial: RowTrial) -> Iterator[str]:
    """Why the run that is in a trial's directory cannot be this trial's, nor go on to be it."""
    had = budget_in(trial.run.config)
    if had is None:
        return
    asked = plan.budget(trial.row)
    if had > asked:
        yield f"has a run of {had} generator updates, and {asked} are asked for; give another --runs, or remove it"


def lengthen(plan: Plan) -> None:
    """Runs that are there with a smaller budget than they are to have now get it, and go on from their checkpoints.

    Raises:
        InputError: a run cannot be resumed with it. Taken: another process is at it.
    """
    for trial in plan.trials:
        run, asked = trial.run, plan.budget(trial.row)
        had = budget_in(run.config)
        if had is not None and had < asked:
            _lengthen(run, asked)


def _lengthen(run: RunDirectory, generator_updates: int) -> None:
    from ganzoo.records.files import write_text

    with run.claimed():
        experiment = run.resumed_experiment((f"budget.generator_updates={generator_updates}",))
        if record_in(run.record).get("status") == "done":  # the others do not go on, or have no final record
            run.record.replace(run.record.with_name("record.before_longer.json"))
        write_text(run.config, experiment.to_yaml())
