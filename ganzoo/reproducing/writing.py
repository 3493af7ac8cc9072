"""A report as files: the page, Markdown and JSON in a folder, or a table between markers in a Markdown file."""

import json
from pathlib import Path

from ganzoo.errors import GanzooError, InputError
from ganzoo.leaderboard import embedding
from ganzoo.leaderboard.board import Board, Run
from ganzoo.records.files import write_text
from ganzoo.reproducing.markdown import as_markdown, sections_of
from ganzoo.reproducing.report import Report, as_json
from ganzoo.reproducing.table_file import Scale, TableFile


def write_all(report: Report, folder: Path) -> None:
    """index.html, table.md and table.json.

    Raises:
        GanzooError: they cannot be written.
    """
    from ganzoo.leaderboard.page import write_page

    write_text(folder / "table.md", as_markdown(report, level=1))
    write_text(folder / "table.json", json.dumps(as_json(report), indent=2, allow_nan=False) + "\n")
    write_page(_board(report), folder / "index.html", title=report.title, sections=sections_of(report))


def _board(report: Report) -> Board:
    """The table's runs as a leaderboard has them; nothing of a table that a program computes."""
    from ganzoo.leaderboard.comparing import board_of

    runs: list[Run] = [run for outcome in report.outcomes for run in outcome.runs]
    if not runs:
        return Board(tables=())
    scored = [metric for metric in report.table.metrics if any(metric in run.last for run in runs)]
    return board_of(runs, metrics=scored)


def update(report: Report, path: Path) -> bool:
    """Writes the table between its markers in a Markdown file; whether that changed anything.

    The markers are `<!-- ganzoo reproduce TABLE --scale SCALE -->` and `<!-- end -->`.

    Raises:
        InputError: they are not there.
    """
    return bool(embedding.update(path, _command(report.table, report.scale), lambda words: as_markdown(report)))


def check(report: Report, path: Path) -> None:
    """Raises GanzooError where the table in a Markdown file is not what the report is now."""
    embedding.check(path, _command(report.table, report.scale), lambda words: as_markdown(report))


def check_markers(table: TableFile, scale: Scale, path: Path) -> None:
    """Whether `update` will find its markers, which is told before hours of training and not after.

    Raises:
        InputError: the file or the markers are not there.
    """
    try:
        embedding.check(path, _command(table, scale), lambda words: "")
    except InputError:
        raise
    except GanzooError:  # out of date, as it should be: the markers are there
        pass


def _command(table: TableFile, scale: Scale) -> str:
    return f"reproduce {table.name} --scale {scale.name}"
