"""A Board as one HTML page that needs no network: which is better, in words; tables, plots, samples, differences."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from ganzoo.errors import visible
from ganzoo.leaderboard.answer import answer, counted, verdict
from ganzoo.leaderboard.board import Board
from ganzoo.leaderboard.rows import differences, words_of
from ganzoo.leaderboard.sample_grids import Grid, grids_of
from ganzoo.leaderboard.table_section import table_section
from ganzoo.pages.page import DARK, LIGHT, cut, data_for, heading, page, paragraph, paragraphs
from ganzoo.records.files import write_text

FOOTNOTES = 200
LONGEST_TITLE = 160  # characters of a table's title where it is only named
LONGEST_CAPTION = 120
ENLARGED = 200  # pixels of a picture's width up to which it is shown larger than it is, pixel by pixel


@dataclass(frozen=True, kw_only=True)
class Section:
    """A table of words that comes before those of the board. All of it is plain text.

    Attributes:
        about: paragraphs between the heading and the table.
        head, rows: cells. A column in which every cell begins with a number, or is empty, sorts by these numbers.
    """

    heading: str
    about: Sequence[str] = ()
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()


def write_page(board: Board, path: Path, *, title: str = "Leaderboard", sections: Sequence[Section] = ()) -> None:
    """The page of a board, and before its tables those of `sections`. The runs' metrics and samples are read here.

    Raises:
        GanzooError: the file cannot be written.
    """
    parts = [
        *(_words(section) for section in sections),
        *_opening(board),
        *(table_section(board, number, path.parent) for number in range(len(board.tables))),
        *_samples(board),
        *_comparison(board),
        *_footnotes(board),
    ]
    style = Template(_own("board.css")).substitute(light=LIGHT, dark=DARK)
    write_text(path, page(title, "\n".join(parts), style, _own("board.js")))


def _own(name: str) -> str:
    return files("ganzoo.leaderboard").joinpath(name).read_text()


def _words(section: Section) -> str:
    """In the form of the board's own tables: it sorts and filters as they do."""
    table = ""
    if section.head:
        table = f'<div class="table">{data_for(words_of(section.heading, section.head, section.rows))}</div>'
    return f"<section>\n{heading(section.heading)}\n{paragraphs(section.about)}\n{table}\n</section>"


def _opening(board: Board) -> Iterator[str]:
    """What the board comes to: of one table all that there is to say, of several the best of each."""
    yield "<section>"
    if not board.tables:
        yield paragraph("There is no run to compare.")
    elif len(board.tables) == 1:
        yield paragraphs(answer(board.tables[0]), "answer")
    else:
        lines = (
            f'<li><a href="#table-{number}">{cut(table.title, LONGEST_TITLE)}</a>: {escape(verdict(table))}</li>'
            for number, table in enumerate(board.tables)
        )
        yield f'<ol class="answer">{"".join(lines)}</ol>'
    yield paragraphs(board.notes, "soft")
    yield "<noscript><p>JavaScript makes the tables and plots of this page, and it is off here.</p></noscript>"
    yield "</section>"


def _samples(board: Board) -> Iterator[str]:
    grids, left_out = grids_of([group for table in board.tables for group in table.groups])
    if not board.tables:
        return
    about = (
        "The last grid of one run of each group. The latents are the same where seed, dimension and distribution are:"
    )
    yield f"<section>\n{heading('Samples')}"
    yield paragraph(f"{about} such grids can be compared image by image." if grids else "", "soft")
    yield f'<div class="grids">{"".join(_figure(grid) for grid in grids)}</div>'
    yield paragraph(left_out, "soft") + "</section>"


def _figure(grid: Grid) -> str:
    status = "" if grid.run.status == "done" else f", {grid.run.status}"
    about = f"seed {grid.run.seed}, {counted(grid.generator_updates, 'generator update')}{status}"
    described = escape(f"Samples of {visible(grid.group.label, LONGEST_CAPTION)}, {about}")
    caption = f'{cut(grid.group.label, LONGEST_CAPTION)}<br><span class="soft">{escape(about)}</span>'
    kind = "small" if grid.width < ENLARGED else ""
    picture = f'<img class="{kind}" src="{grid.uri}" alt="{described}">'
    return f"<figure>{picture}<figcaption>{caption}</figcaption></figure>"


def _comparison(board: Board) -> Iterator[str]:
    differing = differences(board)
    if differing is not None:
        place = f'<div class="comparison">{data_for(differing)}</div>'
        yield f"<section>\n{heading('What differs between two groups')}\n{place}\n</section>"


def _footnotes(board: Board) -> Iterator[str]:
    if not board.footnotes:
        return
    yield f"<section>\n{heading('Not read')}"
    yield paragraph("These directories look like those of runs, and cannot be read as such.", "soft") + "<ul>"
    yield from (f"<li>{cut(each.source)}: {cut(each.problem, 500)}</li>" for each in board.footnotes[:FOOTNOTES])
    more = len(board.footnotes) - FOOTNOTES
    yield f"</ul>{paragraph(f'And {more:,} more.' if more > 0 else '')}</section>"
