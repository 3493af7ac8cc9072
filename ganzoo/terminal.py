"""What the command prints: tables, and bars for what takes long. rich is imported when it is needed."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import click


@contextmanager
def progress_bar(what: str, unit: str = "") -> Iterator[Callable[[int, int], None]]:
    """A function to call with (done, total): a bar on stderr, where that is a terminal. A `unit`: with its rate."""
    with progress_bars(unit) as tell:
        yield lambda done, total: tell(what, done, total)


@contextmanager
def progress_bars(unit: str = "") -> Iterator[Callable[[str, int, int], None]]:
    """A function to call with (what, done, total): a bar for every `what`, one after the other."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    speed = (TextColumn("{task.fields[speed]}"),) if unit else ()
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), *speed)
    with Progress(
        *columns, TimeRemainingColumn(), console=Console(stderr=True), disable=not sys.stderr.isatty()
    ) as bar:
        tasks = {}

        def tell(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, speed="")
            rate = bar.tasks[tasks[what]].speed
            bar.update(tasks[what], completed=done, total=total, speed=f"{rate:,.0f} {unit}/s" if rate else "")

        yield tell


def print_table(title: str, columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """A table for a terminal; plain lines with tabs where the output is none, so that cut and awk can read it."""
    if not sys.stdout.isatty():
        click.echo(f"# {title}")
        for row in rows:
            click.echo("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, title=Text(title), title_justify="left", box=None)
    for row in rows:
        table.add_row(*map(Text, row))  # as it stands: "[enforce fail at ...]" is no colour
    Console().print(table)
