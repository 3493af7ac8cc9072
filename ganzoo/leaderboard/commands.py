"""The command `leaderboard`. No torch."""

import gc
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

import click

from ganzoo.errors import InputError, shorten

if TYPE_CHECKING:
    from ganzoo.leaderboard.board import Board, Footnote, Run, Table

DEFAULT = "runs"
WANDB = "wandb://"
FORMATS = ("markdown", "csv", "json", "latex")


@dataclass(frozen=True)
class Asked:
    """Which runs, and how they are compared: what a marker in a Markdown file may say, too."""

    runs: tuple[str, ...]
    where: tuple[str, ...]
    group_by: tuple[str, ...]
    metric: tuple[str, ...]
    sort: str | None

    def board(self, folder: Path = Path()) -> "Board":
        """Args: folder: what the runs' folders are relative to."""
        from ganzoo.leaderboard.comparing import board_of
        from ganzoo.leaderboard.filters import matching

        runs, footnotes = _read(self.runs or (DEFAULT,), folder)
        chosen = matching(runs, self.where)
        return board_of(chosen, footnotes, group_by=self.group_by, metrics=self.metric, sort=self.sort)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Thousands of records are millions of objects, in no circles: to look for such again and again takes a tenth."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _read(sources: Sequence[str], folder: Path) -> "tuple[list[Run], list[Footnote]]":
    from ganzoo.leaderboard.runs import read_runs

    runs: list[Run] = []
    footnotes: list[Footnote] = []
    folders = [folder / source for source in sources if not source.startswith(WANDB)]
    if folders:
        runs, footnotes = read_runs(folders)
    for source in sources:
        if source.startswith(WANDB):
            from ganzoo.leaderboard.wandb_source import read_project

            found, unread = read_project(source)
            runs, footnotes = [*runs, *found], [*footnotes, *unread]
    return runs, footnotes


def _split(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """`--metric fid,kid` is `--metric fid --metric kid`."""
    return tuple(part for value in values for part in value.split(",") if part)


@click.command()
@click.argument("runs", nargs=-1, type=click.Path(path_type=str))
@click.option("--out", type=click.Path(path_type=Path), help="Write board.md, .csv, .json, .tex and index.html here.")
@click.option("--where", multiple=True, metavar="KEY=VALUE", help="Only runs like this; may be given several times.")
@click.option("--group-by", multiple=True, metavar="KEYS", callback=_split, help="A row for every value of these keys.")
@click.option("--metric", multiple=True, metavar="NAMES", callback=_split, help="Show these; the first ranks.")
@click.option("--sort", metavar="COLUMN", help="Sort by a score, best.SCORE, seconds, parameters, ...; default: rank.")
@click.option("--format", "form", type=click.Choice(FORMATS), help="Print it in this format.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON, with every run.")
@click.option(
    "--check", type=click.Path(path_type=Path), metavar="FILE", help="Fail if a table in FILE is out of date."
)
@click.option("--update", type=click.Path(path_type=Path), metavar="FILE", help="Write the tables in FILE anew.")
def leaderboard(
    out: Path | None, form: str | None, as_json: bool, check: Path | None, update: Path | None, **which: Any
) -> None:
    """Compares finished runs: a row for every setting, with intervals over its seeds, rank, cost.

    RUNS are run directories, sweeps' folders, or folders with such anywhere below; without any, the folder runs. Or
    wandb://ENTITY/PROJECT, where you are logged in to W&B.

    Runs that differ in nothing but the seed and the machine are one row. Protocols, data and budgets are never mixed:
    each has its own table. Runs that diverged or failed are counted beside it, and what cannot be read is named below.

    \b
    ganzoo leaderboard
    ganzoo leaderboard runs/digits-dcgan runs/digits-wgan-gp --out board
    ganzoo leaderboard --where variant.name=wgan_gp --group-by variant.gp_weight
    ganzoo leaderboard --where data.name=digits --metric kid,fid --sort best.kid
    ganzoo leaderboard runs/digits --format latex > table.tex

    In a Markdown file, `--update FILE` writes a table between the lines

    \b
    <!-- ganzoo leaderboard runs/digits --metric fid -->
    <!-- end -->

    each time anew, the folder being relative to the file; `--check FILE` fails where it is out of date.
    """
    asked = Asked(**which)
    if form and as_json:
        raise InputError("--json", f"is --format json; leave one of --json and --format {form} out")
    with _no_collection():
        if check or update:
            _embed(asked, check, update, other=out or form or as_json)
        else:
            _answer(asked.board(), out, "json" if as_json else form)


def _answer(board: "Board", out: Path | None, form: str | None) -> None:
    """Into files, in the format that was asked for, or else to be read here."""
    if out:
        write_all(board, out)
    if form:
        click.echo(_writers()[form](board), nl=False)
    elif out:
        click.echo(click.format_filename(out / "index.html"))
    else:
        _print(board)


def write_all(board: "Board", folder: Path) -> None:
    """Every format into a folder, which is made."""
    from ganzoo.leaderboard.page import write_page
    from ganzoo.records.files import write_text

    endings = {"markdown": "md", "csv": "csv", "json": "json", "latex": "tex"}
    for form, write in _writers().items():
        write_text(folder / f"board.{endings[form]}", write(board))
    write_page(board, folder / "index.html")


def _writers() -> "dict[str, Callable[[Board], str]]":
    from ganzoo.leaderboard.data_files import csv_text, json_text
    from ganzoo.leaderboard.text import latex, markdown

    return {"markdown": markdown, "csv": csv_text, "json": json_text, "latex": latex}


def _print(board: "Board") -> None:
    from ganzoo.leaderboard.cells import READING, shown_footnotes
    from ganzoo.leaderboard.text import UNREADABLE

    for table in board.tables:
        _print_table(table)
        _say(table.notes)
    _say([*board.notes, READING if board.tables else "There are no runs."])
    if board.footnotes:
        _say([UNREADABLE, *shown_footnotes(board)])


def _print_table(table: "Table") -> None:
    """As wide as the terminal; without one, every column, and their names in a line that begins with #."""
    from ganzoo.leaderboard.cells import cells_of, fitting
    from ganzoo.terminal import print_table

    cells = cells_of(table)
    title, left_out = cells.title, list[str]()
    if sys.stdout.isatty():
        cells, left_out = fitting(cells, get_terminal_size().columns)
    else:
        title += "\n# " + "\t".join(cells.columns)
    print_table(title, tuple(cells.columns), [tuple(row) for row in cells.rows])
    if left_out:
        _say([f"No room for: {', '.join(left_out)}. --out and --format have them."])


def _say(lines: Sequence[str]) -> None:
    """Without a terminal, what is no row begins with #."""
    from ganzoo.errors import visible

    for line in lines:
        shown = visible(line, limit=2000)
        click.echo(shown if sys.stdout.isatty() else f"# {shown}")


def _embed(asked: Asked, check: Path | None, update: Path | None, other: object) -> None:
    """--check and --update: each marker in the file says which runs, and how they are compared."""
    from ganzoo.leaderboard import embedding

    if (check and update) or other or asked != Asked((), (), (), (), None):
        option, file = ("--check", check) if check else ("--update", update)
        raise InputError(option, f"goes alone with a file: the lines in {file} say which runs, and how to compare them")
    if check:
        return embedding.check(check, "leaderboard", lambda words: _for_file(words, check))
    assert update is not None
    changed = embedding.update(update, "leaderboard", lambda words: _for_file(words, update))
    for marker in changed:
        click.echo(f"{update}: written anew: {shorten(marker, limit=200)}")


def _for_file(words: list[str], file: Path) -> str:
    """The Markdown for a marker's words."""
    from ganzoo.leaderboard.text import markdown

    board = _asked_by(words, file).board(file.parent)
    footnotes = [replace(note, source=_relative(note.source, file.parent)) for note in board.footnotes]
    return markdown(replace(board, footnotes=footnotes), level=0)


def _relative(source: str, folder: Path) -> str:
    return source if source.startswith(WANDB) else os.path.relpath(source, folder)


def _asked_by(words: list[str], file: Path) -> Asked:
    try:
        context = leaderboard.make_context("leaderboard", list(words))
    except click.exceptions.Exit:  # --help
        raise InputError(file, f"`{' '.join(words)}` says nothing about runs") from None
    except click.ClickException as error:
        raise InputError(file, f"`ganzoo leaderboard {' '.join(words)}`: {error.format_message()}") from None
    told: dict[str, Any] = dict(context.params)
    names = ("runs", "where", "group_by", "metric", "sort")
    asked = Asked(*(told.pop(name) for name in names))
    if extra := [name for name, value in told.items() if value]:
        option = {"form": "format", "as_json": "json"}.get(extra[0], extra[0])
        raise InputError(file, f"`ganzoo leaderboard {' '.join(words)}`: a table in a file takes no --{option}")
    return asked
