"""What the page has of one table: its answer, the table itself, the floor, the protocol, and plots."""

from collections.abc import Iterator
from html import escape
from pathlib import Path

from ganzoo.leaderboard.answer import answer
from ganzoo.leaderboard.board import Board, Table
from ganzoo.leaderboard.plots import plots_of
from ganzoo.leaderboard.rows import rows_of
from ganzoo.pages.page import Plot, cut, data_for, drawn, heading, paragraph, paragraphs
from ganzoo.records.run_directory import flat
from ganzoo.sweeping.report import shown

TABLES_WITH_PLOTS = 8  # a page with those of more tables would be too large


def table_section(board: Board, number: int, folder: Path) -> str:
    """The section of one of the board's tables.

    Args:
        folder: that of the page.
    """
    table = board.tables[number]
    return "\n".join(
        [
            f'<section id="table-{number}">',
            heading(table.title),
            paragraphs(answer(table) if len(board.tables) > 1 else [], "answer"),  # that of one table opens the page
            f'<div class="table">{data_for(rows_of(table, folder))}</div>',
            paragraphs([*_floor(table), *table.notes], "soft"),
            _protocol(table),
            *(_plots(table, number) if number < TABLES_WITH_PLOTS else []),
            paragraph(f"Only the first {TABLES_WITH_PLOTS} tables have plots.", "soft") * (number == TABLES_WITH_PLOTS),
            "</section>",
        ]
    )


def _floor(table: Table) -> Iterator[str]:
    """What no generator can be expected to do better than."""
    scores = [f"{metric.name} {table.floor[metric.name]:.5g}" for metric in table.metrics if metric.name in table.floor]
    if scores:
        yield f"Held-out real samples in the place of generated ones score: {', '.join(scores)}."


def _protocol(table: Table) -> str:
    """The whole protocol and the data, folded away."""
    settings = flat({"data": dict(table.data), "protocol": dict(table.protocol), "extractor": table.extractor or None})
    rows = "".join(f"<tr><td>{cut(key)}</td><td>{cut(shown(value))}</td></tr>" for key, value in settings.items())
    inside = f'<div class="rows" tabindex="0"><table><tbody>{rows}</tbody></table></div>'
    return f"<details><summary>Protocol and data</summary>{inside}</details>"


def _plots(table: Table, number: int) -> Iterator[str]:
    """Of one score at a time, over each axis."""
    plots = plots_of(table)
    if not plots:
        yield paragraph("No finished run has logged a score of this table twice: there is nothing to plot.", "soft")
        return
    options = "".join(f"<option>{escape(name)}</option>" for name in plots)
    select = f'<select class="score" id="score-{number}">{options}</select>'
    yield f'<p class="controls"><label for="score-{number}">During training:</label> {select}</p>'
    for at, (name, of_score) in enumerate(plots.items()):
        hidden = " hidden" if at else ""
        yield f'<div data-score="{escape(name)}"{hidden}>{"".join(_plot(plot) for plot in of_score)}</div>'


def _plot(plot: Plot) -> str:
    drawing = "" if plot.figure is None else drawn(plot.figure, plot.width)
    return f"<h3>{escape(plot.title)}</h3>\n{paragraph(plot.about, 'soft')}\n{drawing}"
