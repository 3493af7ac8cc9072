"""A table's file, read and checked by itself; `plan` checks its rows' experiments at a scale."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ganzoo.errors import InputError, Problem, did_you_mean, shorten
from ganzoo.evaluation.protocol import Protocol, load_protocol
from ganzoo.reproducing.claims import read_claim
from ganzoo.reproducing.rows import SURE, WORDS, Around, located, no_overrides, read_row
from ganzoo.reproducing.table_file import SCALES, Scale, TableFile
from ganzoo.sweeping.reading import MOST_SEEDS
from ganzoo.sweeping.schema import (
    LIST,
    POSITIVE,
    SECTION,
    TEXT,
    TRUTH,
    Key,
    not_plain,
    read_section,
    whole_from,
)
from ganzoo.values import read_unresolved

ROWS = Key("a list of sections", lambda value: isinstance(value, list) and bool(value))
KEYS = {
    "title": TEXT.demanded(),
    "paper": TEXT.demanded(),
    "source": TEXT.demanded(),
    "sure": SURE.demanded(),
    "spread": TEXT,
    "about": TEXT.demanded(),
    "protocol": TEXT,
    "program": TEXT,
    "metrics": LIST.demanded(),
    "overrides": WORDS,
    "rows": ROWS.demanded(),
    "claims": ROWS,
    "scales": SECTION.demanded(),
}
SCALE = {
    "seeds": whole_from(1, MOST_SEEDS),
    "overrides": WORDS,
    "arguments": WORDS,
    "says": TEXT.demanded(),
    "minutes": POSITIVE,
    "comparable": TRUTH,
}


def read_table(path: Path) -> TableFile:
    """The table in a YAML file.

    Raises:
        InputError: with every mistake that the file alone shows.
    """
    values = read_unresolved(path)
    problems = list(not_plain(values))
    right = read_section(values, KEYS, "", problems)
    trained = "program" not in right
    problems += [*_one_of_two(right), *no_overrides(right.get("overrides", ()), "overrides")]
    metrics = _metrics(right, problems)
    scales = _scales(right.get("scales", {}), trained, problems)
    around = Around(path, metrics, [*map(str, right.get("scales", {}))], trained)
    found = [read_row(row, f"rows[{at}]", around, problems) for at, row in _listed(right, "rows")]
    rows = tuple(row for row in found if row is not None)
    twice = _twice([row.label for row in rows])
    problems += [Problem("rows", f"{shorten(label)} is the label of two rows") for label in twice]
    labels = {row.label: row for row in rows} if len(rows) == len(found) else None
    claims = [read_claim(claim, f"claims[{at}]", metrics, labels, problems) for at, claim in _listed(right, "claims")]
    program = _program(right, path, problems)
    if problems:
        raise InputError(path, problems)
    return TableFile(
        source=path,
        title=right["title"],
        paper=right["paper"],
        read_from=right["source"],
        sure=right["sure"],
        spread=right.get("spread"),
        about=right["about"].strip(),
        protocol=right.get("protocol"),
        program=program,
        metrics=metrics,
        overrides=tuple(right.get("overrides", ())),
        rows=rows,
        claims=tuple(claim for claim in claims if claim is not None),
        scales=scales,
    )


def _program(right: Mapping[str, Any], path: Path, problems: list[Problem]) -> Path | None:
    """What computes the rows; None: they are trained."""
    if "program" not in right:
        return None
    program = located(right["program"], path)
    if not program.is_file():
        problems.append(Problem("program", f"there is no such file: {right['program']}"))
    return program


def _listed(right: Mapping[str, Any], key: str) -> Iterator[tuple[int, Any]]:
    return enumerate(right.get(key, ()))


def _one_of_two(right: Mapping[str, Any]) -> Iterator[Problem]:
    """A table is trained, and scored by a protocol, or computed."""
    if "program" in right:
        for key in ("protocol", "overrides"):
            if key in right:
                yield Problem(key, "is for rows that are trained; this table has a program")
    elif "protocol" not in right:
        yield Problem("protocol", "this key is required and not there: the protocol that scores all rows")


def _metrics(right: Mapping[str, Any], problems: list[Problem]) -> tuple[str, ...]:
    """The columns; of a table that is trained they must be scores of its protocol."""
    metrics = tuple(right.get("metrics", ()))
    if not all(isinstance(metric, str) and metric for metric in metrics):
        problems.append(Problem("metrics", f"{shorten(list(metrics))} must be a list of names"))
        return ()
    problems += [Problem("metrics", f"{shorten(metric)} is there twice") for metric in _twice(metrics)]
    protocol = _protocol(right, problems)
    if protocol is not None:
        problems += [
            Problem("metrics", did_you_mean(metric, protocol.scores, f"score of protocol {protocol.name}, named"))
            for metric in metrics
            if metric not in protocol.scores
        ]
    return metrics


def _protocol(right: Mapping[str, Any], problems: list[Problem]) -> Protocol | None:
    if "protocol" not in right or "program" in right:
        return None
    try:
        return load_protocol(right["protocol"])
    except LookupError as error:
        problems.append(Problem("protocol", str(error.args[0])))
    except InputError as error:
        problems.append(Problem("protocol", " ".join(str(error).split())))
    return None


def _scales(section: Any, trained: bool, problems: list[Problem]) -> dict[str, Scale]:
    """Those that are right."""
    scales = {}
    for name, values in section.items():
        if name not in SCALES:
            problems.append(Problem(f"scales.{name}", did_you_mean(name, SCALES, "scale")))
            continue
        before = len(problems)
        right = read_section(values, SCALE, f"scales.{name}", problems)
        problems += _misfits(right, f"scales.{name}", trained)
        if len(problems) == before:
            scales[name] = _scale(name, right)
    if not section:
        problems.append(Problem("scales", f"must have at least one of: {', '.join(SCALES)}"))
    return scales


def _scale(name: str, right: Mapping[str, Any]) -> Scale:
    return Scale(
        name=name,
        seeds=right.get("seeds", 1),
        says=right["says"].strip(),
        overrides=tuple(right.get("overrides", ())),
        arguments=tuple(right.get("arguments", ())),
        minutes=right.get("minutes"),
        comparable=right.get("comparable", False),
    )


def _misfits(right: Mapping[str, Any], at: str, trained: bool) -> Iterator[Problem]:
    """Of a scale: what is for the other kind of table, and overrides that are none."""
    if trained and "seeds" not in right:
        yield Problem(f"{at}.seeds", "this key is required and not there: how many trainings a row has")
    if trained and "arguments" in right:
        yield Problem(f"{at}.arguments", "is for a table with a program; experiments take overrides")
    if not trained and "overrides" in right:
        yield Problem(f"{at}.overrides", "is for rows that are trained; a program takes arguments")
    yield from no_overrides(right.get("overrides", ()), f"{at}.overrides")


def _twice(names: Sequence[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})
