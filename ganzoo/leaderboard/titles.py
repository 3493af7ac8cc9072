"""What tables are called: data, budget and protocol; and of those that are alike in these, what tells them apart."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ganzoo.leaderboard.board import Run, Table
from ganzoo.leaderboard.grouping import unique
from ganzoo.leaderboard.recorded import canonical
from ganzoo.sweeping.report import shown

DIGEST = 8  # characters of a hash that people see


def title_of(run: Run) -> str:
    """Of the table that a run is in."""
    size = run.config.get("data.resolution")
    data = f"{run.config['data.name']} at {size} x {size}" if isinstance(size, int) else run.config["data.name"]
    return f"{data}, {run.asked_updates:,} generator updates, {run.protocol or 'no protocol'}"


def told_apart(tables: Sequence[Table]) -> list[Table]:
    """The tables, each with a title of its own."""
    alike: dict[str, list[Table]] = {}
    for table in tables:
        alike.setdefault(table.title, []).append(table)
    more = {id(table): told for same in alike.values() for table, told in _told_apart(same)}
    titles = unique([", ".join([table.title, *more[id(table)]]) for table in tables])
    return [replace(table, title=title) for table, title in zip(tables, titles, strict=True)]


def _told_apart(tables: Sequence[Table]) -> Iterator[tuple[Table, list[str]]]:
    """Each of several tables with the facts that tell it from the others, no more than are needed."""
    facts = [_facts(table) for table in tables]
    keys = sorted(dict.fromkeys(key for of_table in facts for key in of_table), key=_order)
    chosen: list[str] = []
    told = 1
    while told < len(tables):
        best = max(keys, key=lambda key: _told(facts, [*chosen, key]))
        if (now := _told(facts, [*chosen, best])) == told:
            break
        chosen, told = [*chosen, best], now
    for table, of_table in zip(tables, facts, strict=True):
        yield table, [f"{key} {shown(of_table[key])}" for key in chosen if key in of_table]


def _told(facts: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> int:
    """How many tables these keys tell from each other."""
    return len({canonical({key: of_table[key] for key in keys if key in of_table}) for of_table in facts})


def _order(key: str) -> int:
    """People know their data best, then the protocol."""
    return (key.startswith("data."), key.startswith("protocol."), True).index(True)


def _facts(table: Table) -> Mapping[str, Any]:
    return {
        **{f"data.{key}": value for key, value in table.data.items()},
        **{f"protocol.{key}": value for key, value in table.protocol.items()},
        "extractor": table.extractor[:DIGEST] or "none",
        "real images": table.reference[:DIGEST] or "none",
    }
