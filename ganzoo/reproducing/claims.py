"""The claims of a table's file, read and checked."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ganzoo.errors import Problem, did_you_mean
from ganzoo.reproducing.table_file import Claim, Row, higher_is_better
from ganzoo.sweeping.schema import NUMBER, TEXT, Key, is_number, one_of, read_section

CLAIM = {
    "says": TEXT.demanded(),
    "metric": TEXT.demanded(),
    "of": one_of("paper", "ours"),
    "better": TEXT,
    "worse": TEXT,
    "higher": TEXT,
    "lower": TEXT,
    "row": TEXT,
    "at_least": NUMBER,
    "at_most": NUMBER,
    "equals": NUMBER,
    "fails": Key("true", lambda value: value is True),
    "tolerance": Key("a number of at least 0", lambda value: is_number(value) and value >= 0),
}
FORMS = (
    {"better", "worse"},
    {"higher", "lower"},
    {"row", "at_least"},
    {"row", "at_most"},
    {"row", "at_least", "at_most"},
    {"row", "equals"},
    {"row", "equals", "tolerance"},
    {"row", "fails", "at_least"},
    {"row", "fails", "at_most"},
)
ALLOWED = (
    "better and worse, or higher and lower, or row with at_least, at_most or equals (and tolerance), "
    "or row with fails and at_least or at_most"
)


def read_claim(
    values: Any, at: str, metrics: Sequence[str], rows: Mapping[str, Row] | None, problems: list[Problem]
) -> Claim | None:
    """A claim of the file; None: it has mistakes.

    Args:
        rows: by label; None: some have mistakes, and whether a label is one of theirs is not known.
    """
    before = len(problems)
    right = read_section(values, CLAIM, at, problems)
    if len(problems) > before:
        return None
    problems += _mistakes(right, at, metrics, rows)
    return None if len(problems) > before else _claim(right)


def _mistakes(
    right: Mapping[str, Any], at: str, metrics: Sequence[str], rows: Mapping[str, Row] | None
) -> Iterator[Problem]:
    metric, form = right["metric"], right.keys() - {"says", "metric", "of"}
    if metric not in metrics:
        yield Problem(f"{at}.metric", did_you_mean(metric, metrics, "metric"))
    if form not in FORMS:
        yield Problem(at, f"must have {ALLOWED}; it has {', '.join(sorted(form)) or 'none of them'}")
        return
    if "better" in right and metric in metrics and higher_is_better(metric) is None:
        yield Problem(f"{at}.better", f"no direction of {metric} is known to be better: write higher and lower")
    if right.get("at_least", float("-inf")) > right.get("at_most", float("inf")):
        yield Problem(at, f"at_least {right['at_least']} is above at_most {right['at_most']}")
    yield from _wrong_rows({key: right[key] for key in form if CLAIM[key] is TEXT}, at, metric, rows)


def _wrong_rows(named: Mapping[str, str], at: str, metric: str, rows: Mapping[str, Row] | None) -> Iterator[Problem]:
    for key, label in named.items():
        if rows is None:
            return
        if label not in rows:
            yield Problem(f"{at}.{key}", did_you_mean(label, list(rows), "row"))
        elif rows[label].experiment is None and metric not in rows[label].values:
            yield Problem(f"{at}.{key}", f"row {label!r} has no value of {metric}")
    if len(named) == 2 and len(set(named.values())) == 1:
        yield Problem(at, "compares a row with itself")


def _claim(right: Mapping[str, Any]) -> Claim:
    told = {"says": right["says"].strip(), "metric": right["metric"], "of": right.get("of", "paper")}
    if "row" in right:
        tolerance = right.get("tolerance", 0.0)
        low = right["equals"] - tolerance if "equals" in right else right.get("at_least")
        high = right["equals"] + tolerance if "equals" in right else right.get("at_most")
        return Claim(**told, row=right["row"], at_least=low, at_most=high, fails=right.get("fails", False))
    if "higher" in right:
        return Claim(**told, higher=right["higher"], lower=right["lower"])
    better, worse = right["better"], right["worse"]
    higher, lower = (better, worse) if higher_is_better(right["metric"]) else (worse, better)
    return Claim(**told, higher=higher, lower=lower)
