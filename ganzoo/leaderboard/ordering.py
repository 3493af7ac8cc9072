"""The columns that a table can be sorted by, and its order."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ganzoo.errors import InputError, did_you_mean
from ganzoo.leaderboard.board import Group, Table

Key = Callable[[Group], Any]  # None: the group has no such value, and comes last

SORTS: dict[str, Key] = {
    "label": lambda group: group.label,
    "seeds": lambda group: -group.seeds,
    "seconds": lambda group: group.seconds,
    "images_per_second": lambda group: None if group.images_per_second is None else -group.images_per_second,
    "images_seen": lambda group: group.images_seen,
    "cpu_hours": lambda group: group.cpu_hours,
    "gpu_hours": lambda group: group.gpu_hours,
    "parameters": lambda group: sum(group.parameters.values()) if group.parameters else None,
}
BEST = "best."  # before a metric's name: by the best checkpoints instead of the last ones


def in_order(tables: Sequence[Table], sort: str | None) -> list[Table]:
    """The tables, the largest first, each sorted by a column: `rank`, one of SORTS, METRIC or best.METRIC.

    The better, the smaller or the faster comes first. A table that has not the metric stays in order of rank.

    Raises:
        InputError: there is no such column.
    """
    scores = list(dict.fromkeys(metric.name for table in tables for metric in table.metrics))
    columns = ["rank", *scores, *(f"{BEST}{score}" for score in scores), *SORTS]
    if sort is not None and sort not in columns:
        raise InputError("--sort", did_you_mean(sort, columns, "column"))
    largest_first = sorted(tables, key=lambda table: -sum(len(group.runs) for group in table.groups))
    return [_sorted(table, sort or "rank") for table in largest_first]


def _sorted(table: Table, column: str) -> Table:
    key = SORTS.get(column) or _score_key(table, column.removeprefix(BEST), column.startswith(BEST))
    by_rank = sorted(table.groups, key=_rank_key(table))  # that decides where the column does not
    if key is None:
        return replace(table, sorted_by="rank", groups=by_rank)
    return replace(table, sorted_by=column, groups=sorted(by_rank, key=lambda group: _none_last(key(group))))


def _rank_key(table: Table) -> Key:
    """Groups without a rank come last."""

    def key(group: Group) -> tuple[float, str]:
        standing = group.standings.get(table.primary or "")
        return (standing.rank if standing else float("inf"), group.label)

    return key


def _score_key(table: Table, metric: str, of_best: bool) -> Key | None:
    lower = {each.name: each.lower_is_better for each in table.metrics}
    if metric not in lower:
        return None

    def key(group: Group) -> float | None:
        standing = group.standings.get(metric)
        if standing is None:
            return None
        interval = standing.best if of_best else standing.last
        return None if interval is None else interval.mean if lower[metric] else -interval.mean

    return key


def _none_last(value: Any) -> tuple[bool, Any]:
    return (value is None, 0 if value is None else value)
