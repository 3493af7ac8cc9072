"""A table of a board as rows of short texts, for a terminal, Markdown and LaTeX alike. Nothing is escaped yet."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ganzoo.errors import visible
from ganzoo.leaderboard.board import Board, Group, Metric, Standing, Table
from ganzoo.leaderboard.statistics import Interval
from ganzoo.sweeping.report import shown_time

LONGEST = 300  # characters of a text in a cell or a footnote; board.json has all of it
WIDEST = 40  # characters of a column in a terminal; what is longer takes several lines
MOST_FOOTNOTES = 50  # of more, their number is told; board.json has them all
READING = (
    "Scores are means over training seeds ± half of the 95 % interval (Student's t), at the end of training; ↓: lower "
    "is better, ↑: higher. rank: by the first score, with its 95 % bootstrap interval. differs: whether the mean is "
    "distinguishable from the best one (Welch's test, corrected by Holm within the table, p below 0.05). Only finished "
    "runs count; status tells of all."
)


@dataclass(frozen=True)
class Cells:
    """columns and rows: texts; numbers: whether a column is to be aligned to the right."""

    title: str
    columns: Sequence[str]
    numbers: Sequence[bool]
    rows: Sequence[Sequence[str]]


def cells_of(table: Table) -> Cells:
    """The columns that have anything in them."""
    metrics = sorted(table.metrics, key=lambda metric: metric.name != table.primary)
    rows = [_row(group, metrics, table.primary) for group in table.groups]
    if any(metric.name in table.floor for metric in metrics):
        rows.append(_floor_row(table, metrics))
    columns = _columns(metrics, table)
    used = [place for place in range(len(columns)) if any(row[place] for row in rows)]
    return Cells(
        title=visible(table.title, limit=LONGEST),
        columns=[columns[place] for place in used],
        numbers=[columns[place] not in TEXTS for place in used],
        rows=[[row[place] for place in used] for row in rows],
    )


TEXTS = ("group", "differs", "status")
BEFORE, AFTER = ("rank", "group", "seeds"), ("images seen", "time", "CPU hours", "GPU hours", "images/s", "parameters")


def fitting(cells: Cells, width: int) -> tuple[Cells, list[str]]:
    """As many columns as a terminal has room for, the most telling ones; and the names of those left out."""
    chosen: set[int] = set()
    left = width
    for place in sorted(range(len(cells.columns)), key=lambda place: _importance(cells.columns, place)):
        needed = 2 + min(WIDEST, max(len(row[place]) for row in (cells.columns, *cells.rows)))
        if needed <= left or cells.columns[place] == "group":
            left, chosen = left - needed, chosen | {place}
    there = sorted(chosen)
    shown = replace(
        cells,
        columns=[cells.columns[place] for place in there],
        numbers=[cells.numbers[place] for place in there],
        rows=[[row[place] for place in there] for row in cells.rows],
    )
    return shown, [name for place, name in enumerate(cells.columns) if place not in chosen]


def _importance(columns: Sequence[str], place: int) -> int:
    """Who stands where, by which score, how surely; then other scores; then what it cost."""
    scores = [other for other in columns if other.endswith(("↓", "↑")) and not other.startswith("best ")]
    best = [other for other in columns if other.startswith("best ") or " at best " in other]
    order = ("group", "rank", "seeds", *scores[:1], "status", "differs", *best, *scores[1:], *AFTER)
    return order.index(columns[place])


def _columns(metrics: Sequence[Metric], table: Table) -> list[str]:
    named = [f"{metric.name} {'↓' if metric.lower_is_better else '↑'}" for metric in metrics]
    primary = [named[0], best_name(named[0], metrics[0].name, table), "differs"] if named else []
    return [*BEFORE, *primary, *named[1:], *AFTER, "status"]


def best_name(shown: str, metric: str, table: Table) -> str:
    """What a score at the best checkpoints is called: these are the best by the protocol's primary score, of all."""
    by = best_by(table)
    return f"best {shown}" if by in (metric, None) else f"{shown} at best {by}"


def best_by(table: Table) -> str | None:
    """The score that has chosen the best checkpoints; None: it is not known."""
    primary = table.protocol.get("primary")
    return visible(primary, limit=WIDEST) if isinstance(primary, str) else None


def _row(group: Group, metrics: Sequence[Metric], primary: str | None) -> list[str]:
    standing = group.standings.get(primary or "")
    first = [shown_rank(standing), visible(group.label, limit=LONGEST), str(group.seeds)]
    scores = [shown_interval(each.last) if (each := group.standings.get(metric.name)) else "" for metric in metrics]
    if scores:
        scores[1:1] = [shown_interval(standing.best) if standing and standing.best else "", shown_test(standing)]
    return [*first, *scores, *_cost(group), shown_counts(group)]


def _cost(group: Group) -> list[str]:
    parameters = sum(group.parameters.values())
    return [
        "" if group.images_seen is None else f"{group.images_seen:,.0f}",
        "" if group.seconds is None else shown_time(group.seconds),
        "" if group.cpu_hours is None else f"{group.cpu_hours:.3g}",
        "" if group.gpu_hours is None else f"{group.gpu_hours:.3g}",
        "" if group.images_per_second is None else f"{group.images_per_second:,.0f}",
        f"{parameters:,.0f}" if parameters else "",
    ]


def _floor_row(table: Table, metrics: Sequence[Metric]) -> list[str]:
    """What held-out real samples score: no generator can be expected to do better."""
    scores = [f"{table.floor[metric.name]:.4g}" if metric.name in table.floor else "" for metric in metrics]
    if scores:
        scores[1:1] = ["", ""]
    return ["", "(real samples)", "", *scores, *("" for _ in AFTER), ""]


def shown_interval(interval: Interval) -> str:
    """Two digits of the half-width, and the mean as precisely.

    >>> shown_interval(Interval(12.3456, 12.0, 12.6912, 3)), shown_interval(Interval(12.3456, None, None, 1))
    ('12.35 ± 0.35', '12.35')
    """
    half = interval.half
    if half is None:
        return f"{interval.mean:.4g}"
    if not half or not math.isfinite(half) or not 1e-6 < half < 1e9:
        return f"{interval.mean:.4g} ± {half:.2g}"
    digits = max(0, 1 - math.floor(math.log10(half)))
    return f"{interval.mean:.{digits}f} ± {half:.{digits}f}"


def shown_rank(standing: Standing | None) -> str:
    if standing is None:
        return ""
    if standing.rank_low is None or standing.rank_low == standing.rank_high:
        return str(standing.rank)
    return f"{standing.rank} ({standing.rank_low}–{standing.rank_high})"


def shown_test(standing: Standing | None) -> str:
    """Whether a group is distinguishable from the best."""
    if standing is None:
        return ""
    if standing.p_value is None:
        return "best" if standing.rank == 1 else "no test"
    return f"{'yes' if standing.distinguishable else 'no'} ({shown_p(standing.p_value)})"


def shown_p(p_value: float) -> str:
    return f"p = {p_value:.2g}" if p_value >= 1e-4 else "p < 0.0001"


def shown_counts(group: Group) -> str:
    return ", ".join(f"{count} {status}" for status, count in group.counts.items())


def shown_footnotes(board: Board) -> list[str]:
    """What could not be read and why, a line each."""
    lines = [
        f"{visible(note.source, limit=LONGEST)}: {visible(note.problem, limit=LONGEST)}"
        for note in board.footnotes[:MOST_FOOTNOTES]
    ]
    more = len(board.footnotes) - len(lines)
    return [*lines, f"and {more:,} more, which the JSON names"] if more else lines
