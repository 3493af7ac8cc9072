"""Board -> CSV and JSON, for programs."""

import csv
import io
import json
import math
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from ganzoo.errors import visible
from ganzoo.leaderboard.board import Board, Footnote, Group, Run, Standing, Table
from ganzoo.leaderboard.statistics import Interval
from ganzoo.records.run_state import STATUSES

PLAIN = (str, int, bool, type(None))
FORMAT = 1  # of the JSON; a change of what is there has another number
OF_A_GROUP = ("seeds", "seconds", "images_per_second", "images_seen", "cpu_hours", "gpu_hours")
OF_A_RUN = (
    *("source", "name", "seed", "status", "reason", "last", "best", "best_at", "generator_updates", "images_seen"),
    *("seconds", "images_per_second", "hardware", "git_commit", "ended"),
)
OF_A_SCORE = ("mean", "low", "high", "best_mean", "best_low", "best_high", "rank", "rank_low", "rank_high", "p_value")
FORMULA = ("=", "+", "-", "\u2212", "@")  # a spreadsheet would compute a text that begins like this


def csv_text(board: Board) -> str:
    """A row a group; what a group has not is empty. The columns `fid_mean`, `fid_low` and so on are there by score."""
    metrics = list(dict.fromkeys(metric.name for table in board.tables for metric in table.metrics))
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(_csv_columns(metrics))
    for number, table in enumerate(board.tables, start=1):
        writer.writerows(_csv_row(number, table, group, metrics) for group in table.groups)
    return file.getvalue()


def _csv_columns(metrics: Sequence[str]) -> list[str]:
    table = ["table", "data", "protocol", "generator_updates", "sorted_by", "primary", "group"]
    scores = [f"{metric}_{part}" for metric in metrics for part in (*OF_A_SCORE, "distinguishable")]
    parameters = ["generator_parameters", "discriminator_parameters"]
    return [*table, *OF_A_GROUP, *parameters, *scores, *STATUSES]


def _csv_row(number: int, table: Table, group: Group, metrics: Sequence[str]) -> list[object]:
    names = [table.data.get("name"), table.protocol.get("name")]
    about = [*names, table.generator_updates, table.sorted_by, table.primary, group.label]
    of_group = [getattr(group, name) for name in OF_A_GROUP]
    parameters = [group.parameters.get(network) for network in ("generator", "discriminator")]
    scores = [value for metric in metrics for value in _csv_scores(group.standings.get(metric))]
    counts = [group.counts.get(status, 0) for status in STATUSES]
    return [number, *map(csv_cell, [*about, *of_group, *parameters, *scores, *counts])]


def csv_cell(value: object) -> object:
    """A text on one line that no spreadsheet takes for a formula; numbers as they are.

    >>> csv_cell("=1+1"), csv_cell(" ＝1+1"), csv_cell(-1.5), csv_cell(None)
    ("'=1+1", "' ＝1+1", -1.5, '')
    """
    if value is None:
        return ""
    if not isinstance(value, str):
        return value
    text = visible(value, limit=len(value) * 10 + 1)
    first = unicodedata.normalize("NFKC", text.lstrip()[:1])  # full-width signs are taken for what they look like
    return f"'{text}" if first.startswith(FORMULA) else text


def _csv_scores(standing: Standing | None) -> list[object]:
    if standing is None:
        return [None] * (len(OF_A_SCORE) + 1)
    best = standing.best
    intervals = [*_ends(standing.last), *(_ends(best) if best else [None] * 3)]
    ranks = [standing.rank, standing.rank_low, standing.rank_high]
    return [*intervals, *ranks, standing.p_value, standing.distinguishable]


def _ends(interval: Interval) -> list[float | None]:
    return [interval.mean, interval.low, interval.high]


def json_text(board: Board) -> str:
    return json.dumps(as_json(board), allow_nan=False) + "\n"


def as_json(board: Board) -> dict[str, Any]:
    """The whole board; docs/leaderboard.md describes the keys. A number that is none (NaN, infinity) is its name."""
    return {
        "format": FORMAT,
        "tables": [_table(table) for table in board.tables],
        "notes": list(board.notes),
        "footnotes": [_footnote(footnote) for footnote in board.footnotes],
    }


def _footnote(footnote: Footnote) -> dict[str, str]:
    return {"source": footnote.source, "problem": footnote.problem}


def _table(table: Table) -> dict[str, Any]:
    return {
        "title": table.title,
        "protocol": _plain(table.protocol),
        "extractor": table.extractor,
        "reference": table.reference,
        "data": _plain(table.data),
        "generator_updates": table.generator_updates,
        "images_seen": table.images_seen,
        "metrics": [{"name": metric.name, "lower_is_better": metric.lower_is_better} for metric in table.metrics],
        "primary": table.primary,
        "sorted_by": table.sorted_by,
        "floor": dict(table.floor),
        "groups": [_group(group) for group in table.groups],
        "notes": list(table.notes),
    }


def _group(group: Group) -> dict[str, Any]:
    counted = {id(run) for run in group.counted}
    return {
        "label": group.label,
        "key": _plain(group.key),
        "config": _plain(group.config),
        **{name: getattr(group, name) for name in OF_A_GROUP},
        "parameters": dict(group.parameters),
        "hardware": list(group.hardware),
        "counts": dict(group.counts),
        "standings": {name: _standing(standing) for name, standing in group.standings.items()},
        "runs": [_run(run, id(run) in counted) for run in group.runs],
    }


def _standing(standing: Standing) -> dict[str, Any]:
    return {
        "last": _interval(standing.last),
        "best": _interval(standing.best) if standing.best else None,
        "rank": standing.rank,
        "rank_low": standing.rank_low,
        "rank_high": standing.rank_high,
        "p_value": standing.p_value,
        "distinguishable": standing.distinguishable,
    }


def _interval(interval: Interval) -> dict[str, Any]:
    return {"mean": interval.mean, "low": interval.low, "high": interval.high, "n": interval.n}


def _run(run: Run, counted: bool) -> dict[str, Any]:
    return {"counted": counted, **_plain({name: getattr(run, name) for name in OF_A_RUN})}


def _plain(value: Any) -> Any:
    """What JSON has: it has no NaN and no infinity, and a configuration may."""
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, Mapping):  # most values are texts and whole numbers, and need no call
        return {str(key): part if type(part) in PLAIN else _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, float) else str(value)
