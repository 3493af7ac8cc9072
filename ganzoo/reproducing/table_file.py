"""A paper's table as one YAML file: what is in it, and where such files are. docs/reproducing.md describes the keys."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ganzoo.errors import InputError, did_you_mean
from ganzoo.evaluation.scores import SCORES
from ganzoo.leaderboard.statistics import Sample

SCALES = ("smoke", "cpu", "gpu", "paper")
HERE = Path("experiments") / "tables"
SHIPPED = Path(__file__).parents[2] / HERE


@dataclass(frozen=True, kw_only=True)
class Published:
    """A number of a paper.

    Attributes:
        standard_error: of the mean over `trials`; None: the paper tells no spread, and the number counts as exact.
        sure: how sure we are of it, where it is not as the rest of the table.
    """

    mean: float
    standard_error: float | None = None
    trials: int | None = None
    sure: str | None = None

    @property
    def sample(self) -> Sample:
        if self.standard_error is None or self.trials is None:
            return Sample(self.mean, 0.0, 1)
        return Sample(self.mean, self.standard_error * self.trials**0.5, self.trials)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of the table: an experiment that is trained, or values out of what the table's program computes.

    Attributes:
        at: by scale, overrides that come after all others.
        values: by metric, the dotted path of its value in the program's JSON.
        published: by metric.
    """

    label: str
    experiment: Path | None = None
    overrides: tuple[str, ...] = ()
    at: Mapping[str, tuple[str, ...]]
    values: Mapping[str, str]
    published: Mapping[str, Published]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What a table shows: one row's mean is above another's, or within limits; or that a row's trainings fail.

    Attributes:
        of: "paper": the paper says so; "ours": it does not.
        higher, lower: labels of rows, of a claim on two.
        row, at_least, at_most: of a claim on one; a limit that is None is none.
        fails: the row's trainings diverge or end beyond the limit, which what is trained keeps.
    """

    says: str
    metric: str
    higher: str | None = None
    lower: str | None = None
    row: str | None = None
    at_least: float | None = None
    at_most: float | None = None
    of: str = "paper"
    fails: bool = False

    @property
    def rows(self) -> tuple[str, ...]:
        """The labels of the rows that it is on."""
        return tuple(label for label in (self.higher, self.lower, self.row) if label is not None)


@dataclass(frozen=True, kw_only=True)
class Scale:
    """What a scale changes, and what that means.

    Attributes:
        says: what was reduced, for the page.
        overrides: of all rows, after their own.
        arguments: of the table's program.
        minutes: how long it takes where it is meant to be run.
        comparable: whether our numbers may be held against the published ones.
    """

    name: str
    seeds: int
    says: str
    overrides: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    minutes: float | None = None
    comparable: bool = False

    @property
    def reproduces(self) -> bool:
        """Whether it can say anything about the paper's claims: smoke is for the plumbing."""
        return self.name != "smoke"


@dataclass(frozen=True, kw_only=True)
class TableFile:
    """A table's file that was read and found right.

    Attributes:
        source: the file.
        paper, read_from: the paper with its table; where the published numbers were read (the file's `source`).
        sure, spread: how sure we are of them; what the paper's plus-minus signs mean.
        about: what is reproduced, and what differs from the paper at every scale.
        protocol: that scores all rows; None: a program computes them.
        program: the Python file of a table that is computed; None: its rows are trained.
        overrides: of all rows at all scales, before their own.
    """

    source: Path
    title: str
    paper: str
    read_from: str
    sure: str
    spread: str | None
    about: str
    protocol: str | None
    program: Path | None
    metrics: tuple[str, ...]
    overrides: tuple[str, ...]
    rows: tuple[Row, ...]
    claims: tuple[Claim, ...]
    scales: Mapping[str, Scale]

    @property
    def name(self) -> str:
        return self.source.stem

    def row(self, label: str) -> Row:
        return next(row for row in self.rows if row.label == label)

    def scale(self, name: str) -> Scale:
        """Raises InputError where the table does not have it."""
        if name not in self.scales:
            raise InputError("--scale", f"table {self.name}: {did_you_mean(name, list(self.scales), 'scale')}")
        return self.scales[name]


def higher_is_better(metric: str) -> bool | None:
    """None: no direction of it is better, or it is no score of ganzoo's."""
    better = SCORES[metric].better if metric in SCORES else "neither"
    return None if better == "neither" else better == "higher"


def table_files() -> dict[str, Path]:
    """The tables by name: of the current folder's experiments/tables, and those that come with the repository."""
    return {path.stem: path for folder in (SHIPPED, HERE) for path in sorted(folder.glob("*.yaml"))}


def find_table(name_or_path: str) -> Path:
    """The file of a table that is given by its name or its path.

    Raises:
        InputError: there is no table of that name.
    """
    if name_or_path.endswith((".yaml", ".yml")) or "/" in name_or_path:
        return Path(name_or_path)
    known = table_files()
    if name_or_path not in known:
        raise InputError("TABLE", did_you_mean(name_or_path, sorted(known), "table"))
    return known[name_or_path]


def table_summary(path: Path) -> str:
    """Its title and paper, read without a look at the rest: a broken file must not hide the others."""
    text = path.read_text(encoding="utf-8", errors="replace")
    return ", ".join(_first_values(text))


def _first_values(text: str) -> Iterator[str]:
    for key in ("title", "paper"):
        if found := re.search(rf"^{key}: *(.+)$", text, re.MULTILINE):
            yield found[1].strip().strip("\"'")


def slug(label: str) -> str:
    """A label as part of a folder's name.

    >>> slug("GAN, ring (m = 2)")
    'GAN-ring-m-2'
    """
    return re.sub(r"[^A-Za-z0-9]+", "-", label).strip("-")[:60] or "row"
