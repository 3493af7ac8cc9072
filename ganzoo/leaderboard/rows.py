"""A table as the page's script takes it (board.js): columns, rows of cells, the runs of each row.

A cell is a text, [text, the value to sort by or null, title], or {text, href}.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from ganzoo.leaderboard.board import Board, Group, Metric, Run, Standing, Table
from ganzoo.leaderboard.cells import best_by, best_name, shown_counts, shown_interval, shown_rank, shown_test
from ganzoo.leaderboard.recorded import canonical
from ganzoo.leaderboard.statistics import Interval
from ganzoo.sweeping.report import shown, shown_time, shown_value

VARIES, ABSENT = "(varies in the group)", "(not set)"
NUMBER = re.compile(r"[-+]?\d[\d,]*(\.\d+)?(e[-+]?\d+)?", re.IGNORECASE)
Cell = str | list[Any] | dict[str, str]
Row = TypeVar("Row", Group, Run)


@dataclass(frozen=True)
class Column(Generic[Row]):
    """A column and what it has of a row.

    Attributes:
        about: what it is, for who points at it; below: in small letters below the name.
        down: whether its largest value is the one that one wants to see first.
    """

    name: str
    cell: Callable[[Row], Cell]
    about: str = ""
    below: str = ""
    down: bool = False

    def for_script(self) -> dict[str, Any]:
        return {"name": self.name, "about": self.about, "below": self.below, "down": self.down}


def rows_of(table: Table, folder: Path) -> dict[str, Any]:
    """The groups of a table, in its order, with their runs.

    Args:
        folder: where the page is; links to run directories begin there.
    """
    metrics = sorted(table.metrics, key=lambda metric: metric.name != table.primary)
    columns = _filled(_columns(table, metrics), table.groups)
    runs = [run for group in table.groups for run in group.runs]
    of_run = _filled(_run_columns(metrics, folder), runs)
    return {
        "name": table.title,
        "opens": [column.name for column in columns].index("group"),
        "columns": [column.for_script() for column in columns],
        "runs": [column.for_script() for column in of_run],
        "rows": [
            {
                "kind": _kind(group, table.primary),
                "cells": [column.cell(group) for column in columns],
                "statuses": list(group.counts),
                "about": group.label,
                "runs": [{"kind": run.status, "cells": [column.cell(run) for column in of_run]} for run in group.runs],
            }
            for group in table.groups
        ],
    }


def _filled(columns: Iterable[Column[Row]], rows: Sequence[Row]) -> list[Column[Row]]:
    """Without those in which no row has anything, such as GPU hours where there was no GPU."""
    return [column for column in columns if any(column.cell(row) not in ("", ["", None]) for row in rows)]


def _kind(group: Group, primary: str | None) -> str:
    standing = group.standings.get(primary or "")
    if standing is not None:
        return "best" if standing.rank == 1 else ""
    return "" if group.counted else "failed"


def _columns(table: Table, metrics: Sequence[Metric]) -> Iterator[Column[Group]]:
    primary = table.primary
    if primary is not None:
        about = "by the mean; in brackets its 95 % bootstrap interval"
        yield Column("rank", _by(primary, _rank), about, f"by {primary}")
    yield Column("group", lambda group: group.label, "a row opens to its runs")
    seeds = Column[Group]("seeds", lambda group: [str(group.seeds), group.seeds], "runs in the means", down=True)
    for metric in metrics:
        yield _score_column(metric)
        if metric.name == primary:
            about = f"Welch's t-test of the mean {metric.name} against the best group's, Holm-corrected"
            yield from (seeds, Column("differs", _by(primary, _tested), about, "from the best, at 5 %", down=True))
            yield _best_column(metric, table)
    if primary is None:
        yield seeds
    yield from _cost_columns()


def _score_column(metric: Metric) -> Column[Group]:
    better = "lower is better" if metric.lower_is_better else "higher is better"
    about = "mean over seeds at the end of the budget, ± 95 % interval"
    return Column(metric.name, _by(metric.name, _last), about, better, not metric.lower_is_better)


def _best_column(metric: Metric, table: Table) -> Column[Group]:
    by, name = best_by(table) or metric.name, best_name(metric.name, metric.name, table)
    choice = ": better than the last by choice" if by == metric.name else ""
    about = f"mean over seeds at the checkpoint with the best {by} of each run{choice}"
    return Column(name, _by(metric.name, _best), about, "of each run", not metric.lower_is_better)


def _by(metric: str, cell: Callable[[Standing | None], Cell]) -> Callable[[Group], Cell]:
    return lambda group: cell(group.standings.get(metric))


def _cost_columns() -> Iterator[Column[Group]]:
    yield Column("runs", shown_counts, "all of them, by how they ended or stand")
    yield Column("images seen", lambda group: _number(group.images_seen, _count), "real images in training, mean")
    yield Column("CPU hours", lambda group: _number(group.cpu_hours, _hours), "of training, mean of one run")
    yield Column("GPU hours", lambda group: _number(group.gpu_hours, _hours), "of training, mean of one run")
    yield Column("images/s", lambda group: _number(group.images_per_second, shown_value), "mean of one run", down=True)
    for network in ("generator", "discriminator"):
        about = f"parameters of the {network}"
        yield Column("parameters", _parameters_of(network), about, network)
    yield Column("hardware", lambda group: "; ".join(group.hardware))


def _parameters_of(network: str) -> Callable[[Group], Cell]:
    return lambda group: _number(group.parameters.get(network), _count)


def _rank(standing: Standing | None) -> Cell:
    return [shown_rank(standing), standing.rank] if standing else ["", None]


def _last(standing: Standing | None) -> Cell:
    return _interval(standing.last) if standing else ["", None]


def _best(standing: Standing | None) -> Cell:
    return _interval(standing.best) if standing else ["", None]


def _interval(interval: Interval | None) -> Cell:
    if interval is None:
        return ["", None]
    within = "one seed: no interval" if interval.n == 1 else f"{interval.low:.6g} to {interval.high:.6g}"
    return [shown_interval(interval), interval.mean, f"{within}, n = {interval.n}"]


def _tested(standing: Standing | None) -> Cell:
    """Sorted by p-value, the best first."""
    if standing is None or (standing.p_value is None and standing.rank > 1):
        return [shown_test(standing), None, "a test needs two seeds of both groups"]
    return [shown_test(standing), 2.0 if standing.p_value is None else standing.p_value]


def _number(value: float | None, show: Callable[[float], str]) -> Cell:
    return ["", None] if value is None else [show(value), value]


def _count(number: float) -> str:
    return f"{number:,.0f}"


def _hours(hours: float) -> str:
    return f"{hours:.3g}"


def _run_columns(metrics: Sequence[Metric], folder: Path) -> Iterator[Column[Run]]:
    yield Column("seed", lambda run: [str(run.seed), run.seed])
    yield Column("status", lambda run: run.status)
    for metric in metrics:
        yield _run_score(metric)
    yield Column("reason", lambda run: run.reason or "")
    yield Column("time", lambda run: _number(run.seconds, shown_time), "of training")
    yield Column("run directory", lambda run: _link(run, folder))
    yield Column("best at", lambda run: _number(run.best_at, _count), "generator updates of the best checkpoint")
    yield Column("updates", lambda run: _number(run.generator_updates, _count), "generator updates")
    yield Column("images seen", lambda run: _number(run.images_seen, _count))
    yield Column("hardware", lambda run: run.hardware)
    yield Column("commit", lambda run: (run.git_commit or "")[:12])
    yield Column("ended", lambda run: run.ended or "")


def _run_score(metric: Metric) -> Column[Run]:
    down = not metric.lower_is_better
    return Column(metric.name, lambda run: _number(run.last.get(metric.name), shown_value), "at the end", down=down)


def _link(run: Run, folder: Path) -> Cell:
    """From the page's folder. All that is special is quoted: of a colon in a name a browser would make a scheme."""
    if run.path is None:
        return run.source
    parent, name = str(run.path.parent), run.path.name
    return {"text": run.source, "href": f"{_way(str(folder), parent)}/{_quoted(name)}"}


@lru_cache(maxsize=1000)
def _way(folder: str, to: str) -> str:
    return _quoted(os.path.relpath(to, folder))


def _quoted(path: str) -> str:
    return quote(path, errors="surrogateescape")


def differences(board: Board) -> dict[str, Any] | None:
    """The configurations of all groups, as far as any two differ; None where there is nothing to compare."""
    groups = [(group, _settings(table, group)) for table in board.tables for group in table.groups]
    if len(groups) < 2:
        return None
    keys = dict.fromkeys(key for _, settings in groups for key in settings)
    differing = [key for key in keys if _differ([settings.get(key, ABSENT) for _, settings in groups])]
    return {
        "tables": [{"title": table.title, "groups": len(table.groups)} for table in board.tables],
        "labels": [group.label for group, _ in groups],
        "keys": differing,
        "values": [[_setting(group, settings, key) for key in differing] for group, settings in groups],
    }


def _settings(table: Table, group: Group) -> dict[str, Any]:
    """What a group's runs have in common, and what its table tells: a group has no budget, no protocol, no folder."""
    path = {"data.path": table.data["path"]} if "path" in table.data else {}
    told = {"budget.generator_updates": table.generator_updates, "evaluation.protocol": table.protocol.get("name")}
    return {**told, **path, **group.config}


def _differ(values: Sequence[Any]) -> bool:
    return any(value != values[0] for value in values)


def _setting(group: Group, settings: Mapping[str, Any], key: str) -> str:
    """All of it, for the page compares them; how much is shown is the page's affair."""
    if key in settings:
        value = settings[key]
        text = value if isinstance(value, str) else shown(value)
        return canonical(value) if "…" in text and text is not value else text
    return VARIES if any(key in run.config for run in group.runs) else ABSENT


def words_of(name: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> dict[str, Any]:
    """A table of plain words in the same form. Columns of numbers, whatever is behind them, are sorted by these."""
    numeric = [all(_begins(row[at]) is not None for row in rows if row[at]) for at in range(len(head))]
    return {
        "name": name,
        "columns": [{"name": column} for column in head],
        "rows": [
            {"cells": [[cell, _begins(cell)] if number else cell for cell, number in zip(row, numeric, strict=True)]}
            for row in rows
        ],
    }


def _begins(cell: str) -> float | None:
    """The number that a text begins with.

    >>> _begins("1,234.5 ± 2 (published)"), _begins("-3e-4"), _begins("dcgan")
    (1234.5, -0.0003, None)
    """
    found = NUMBER.match(cell)
    return float(found[0].replace(",", "")) if found else None
