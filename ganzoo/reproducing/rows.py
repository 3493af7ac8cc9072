"""The rows of a table's file, read and checked."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ganzoo.errors import InputError, Problem, did_you_mean, shorten
from ganzoo.reproducing.table_file import Published, Row
from ganzoo.sweeping.schema import NUMBER, SECTION, TEXT, Key, is_number, one_of, read_section, whole_from
from ganzoo.values import read_unresolved

SURE = one_of("seen", "memory", "derived", "measured")
WORDS = Key("a list of texts", lambda value: isinstance(value, list) and all(isinstance(it, str) for it in value))
ROW = {
    "label": TEXT.demanded(),
    "experiment": TEXT,
    "overrides": WORDS,
    "at": SECTION,
    "values": SECTION,
    "published": SECTION,
}
PUBLISHED = {
    "mean": NUMBER.demanded(),
    "standard_error": Key("a number of at least 0", lambda value: is_number(value) and value >= 0),
    "standard_deviation": Key("a number of at least 0", lambda value: is_number(value) and value >= 0),
    "trials": whole_from(1, 1_000_000),
    "sure": SURE,
}


@dataclass(frozen=True)
class Around:
    """What the rest of the file says of its rows.

    Attributes:
        scales: the names of those that the table has.
        trained: rows are experiments; else the table's program computes them.
        read: the experiments that have been read, and found to be files of experiments.
    """

    source: Path
    metrics: Sequence[str]
    scales: Sequence[str]
    trained: bool
    read: set[Path] = field(default_factory=set)


def read_row(values: Any, at: str, around: Around, problems: list[Problem]) -> Row | None:
    """A row of the file; None: it has mistakes."""
    before = len(problems)
    right = read_section(values, ROW, at, problems)
    problems += _misfits(right, values, at, around.trained)
    problems += [problem for words in _all_words(right) for problem in no_overrides(words, at)]
    problems += _no_scales(right.get("at", {}), at, around.scales)
    problems += _no_metrics(right.get("values", {}), at, around.metrics)
    published = _published(right.get("published", {}), at, around.metrics, problems)
    experiment = None
    if around.trained and "experiment" in right:
        experiment = _experiment(right["experiment"], at, around, problems)
    if len(problems) > before:
        return None
    return Row(
        label=right["label"],
        experiment=experiment,
        overrides=tuple(right.get("overrides", ())),
        at={scale: tuple(words) for scale, words in right.get("at", {}).items()},
        values=dict(right.get("values", {})),
        published=published,
    )


def _misfits(right: Mapping[str, Any], values: Any, at: str, trained: bool) -> Iterator[Problem]:
    """What a row lacks, and what is for the other kind of table."""
    wanted = "experiment" if trained else "values"
    if isinstance(values, Mapping) and wanted not in values:
        yield Problem(f"{at}.{wanted}", "this key is required and not there")
    for key in ("values",) if trained else ("experiment", "overrides", "at"):
        if key in right:
            kind = "is of a table that has a program" if trained else "is for rows that are trained"
            yield Problem(f"{at}.{key}", kind)


def _all_words(right: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    yield right.get("overrides", ())
    yield from (words for words in right.get("at", {}).values() if WORDS.fits(words))


def _no_scales(section: Mapping[str, Any], at: str, scales: Sequence[str]) -> Iterator[Problem]:
    for name, words in section.items():
        if name not in scales:
            yield Problem(f"{at}.at.{name}", did_you_mean(str(name), scales, "scale of this table, named"))
        elif not WORDS.fits(words):
            yield Problem(f"{at}.at.{name}", f"{shorten(words)} must be {WORDS.what}")


def _no_metrics(section: Mapping[str, Any], at: str, metrics: Sequence[str]) -> Iterator[Problem]:
    for metric, path in section.items():
        if metric not in metrics:
            yield Problem(f"{at}.values.{metric}", did_you_mean(metric, metrics, "metric"))
        elif not TEXT.fits(path):
            yield Problem(f"{at}.values.{metric}", f"{shorten(path)} must be a dotted path into the program's JSON")


def _experiment(named: str, at: str, around: Around, problems: list[Problem]) -> Path:
    path = located(named, around.source)
    if path in around.read:
        return path
    try:
        read_unresolved(path)
        around.read.add(path)
    except InputError as error:
        problems += [Problem(f"{at}.experiment", f"{named}: {problem.text}") for problem in error.problems]
    return path


def located(named: str, source: Path) -> Path:
    """A file that a table names: from the nearest folder above the table that has it, else from the current one."""
    above = (folder / named for folder in source.absolute().parents)
    return next((path for path in above if path.is_file()), Path(named))


def _published(
    section: Mapping[str, Any], at: str, metrics: Sequence[str], problems: list[Problem]
) -> dict[str, Published]:
    """Numbers by metric; a plain number is its own mean."""
    found = {}
    for metric, values in section.items():
        here = f"{at}.published.{metric}"
        if metric not in metrics:
            problems.append(Problem(here, did_you_mean(metric, metrics, "metric")))
        elif is_number(values):
            found[metric] = Published(mean=float(values))
        else:
            before = len(problems)
            right = read_section(values, PUBLISHED, here, problems)
            problems += _unclear_spread(right, here)
            if len(problems) == before:
                found[metric] = _number(right)
    return found


def _unclear_spread(right: Mapping[str, Any], at: str) -> Iterator[Problem]:
    spreads = [key for key in ("standard_error", "standard_deviation") if key in right]
    if len(spreads) == 2:
        yield Problem(at, "must have standard_error or standard_deviation, not both")
    elif spreads and right.get("trials", 2) < 2:
        yield Problem(f"{at}.trials", f"must be at least 2, or there is no {spreads[0]}")
    elif spreads and "trials" not in right:
        yield Problem(f"{at}.trials", f"this key is required and not there: how many trials the {spreads[0]} is of")


def _number(right: Mapping[str, Any]) -> Published:
    error, trials = right.get("standard_error"), right.get("trials")
    if error is None and "standard_deviation" in right:
        error = right["standard_deviation"] / right["trials"] ** 0.5
    return Published(mean=float(right["mean"]), standard_error=error, trials=trials, sure=right.get("sure"))


def no_overrides(words: Sequence[str], at: str) -> Iterator[Problem]:
    for word in words:
        key, equals, _ = word.partition("=")
        if not equals:
            yield Problem(at, f"{shorten(word)} must be written key=value")
        elif key in ("seed", "seeds"):
            yield Problem(
                at, f"{shorten(word)}: a scale says how many `seeds` there are, and they count from the row's"
            )
