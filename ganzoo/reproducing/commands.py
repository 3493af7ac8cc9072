"""The command `reproduce`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganzoo.errors import InputError
from ganzoo.terminal import print_table

if TYPE_CHECKING:
    from ganzoo.reproducing.outcomes import Outcome
    from ganzoo.reproducing.report import Report
    from ganzoo.reproducing.running import Computing, Training
    from ganzoo.reproducing.table_file import Scale, TableFile

SCALES = ("smoke", "cpu", "gpu", "paper")


def _tables(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    from ganzoo.reproducing.table_file import table_files

    return [name for name in sorted(table_files()) if name.startswith(incomplete)]


@click.command()
@click.argument("table", shell_complete=_tables)
@click.option("--scale", type=click.Choice(SCALES), default="cpu", show_default=True, help="How large; see above.")
@click.option("--runs", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, help="Where runs go.")
@click.option("--workers", type=click.IntRange(1, 1024), help="Trainings at a time; default: as `ganzoo sweep`.")
@click.option("--threads", type=click.IntRange(1, 1024), help="CPU threads of a training; default: cores, divided.")
@click.option("--dry-run", is_flag=True, help="Print what is done and what would be run, and stop.")
@click.option("--retry-failed", is_flag=True, help="Trainings that failed or diverged go on from their checkpoints.")
@click.option("--json", "as_json", is_flag=True, help="Print the table as JSON.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Write the page, Markdown and JSON there.")
@click.option("--update", type=click.Path(path_type=Path), metavar="FILE", help="Write the table into FILE; see above.")
@click.option(
    "--check", type=click.Path(path_type=Path), metavar="FILE", help="Run nothing; fail if FILE is out of date."
)
def reproduce(table: str, **options: Any) -> None:
    """Runs what is missing of a paper's table, and shows ours beside the published numbers.

    TABLE is a name, of those that `ganzoo list tables` shows, or a file. Scale smoke checks the plumbing in a minute;
    cpu is the largest honest version for two cores in an hour, gpu for one GPU; paper is as near to the paper's own
    setting as ganzoo comes. The same command goes on with a table that was stopped or killed. --workers, --threads and
    --retry-failed are for tables whose rows are trained; those that a program computes pass them over.

    \b
    ganzoo reproduce dirac_gan --scale smoke
    ganzoo reproduce dirac_gan --out dirac
    ganzoo reproduce dirac_gan --scale paper --dry-run
    ganzoo reproduce dirac_gan --update docs/results.md

    In a Markdown file, `--update FILE` writes the table between the lines

    \b
    <!-- ganzoo reproduce TABLE --scale SCALE -->
    <!-- end -->

    each time anew.

    Exit codes: 0 all is done, 1 some runs failed, or --check found FILE out of date, 3 none failed and some diverged,
    2 bad input, 130 or 143 stopped.
    """
    click.get_current_context().exit(_reproduce(table, options))


def _reproduce(table: str, options: dict[str, Any]) -> int:
    """The exit code."""
    from ganzoo.reproducing.reading import read_table
    from ganzoo.reproducing.report import Report
    from ganzoo.reproducing.running import Computing, Training
    from ganzoo.reproducing.table_file import find_table
    from ganzoo.reproducing.verdicts import judge
    from ganzoo.reproducing.writing import check

    file = read_table(find_table(table))
    scale = file.scale(options["scale"])
    _check_places(file, scale, options)
    work = (Computing if file.program else Training)(file, scale, options["runs"])
    if options["dry_run"]:
        _print_listed(work, scale, options["as_json"])
        return 0
    if options["retry_failed"]:
        work.retry_failed()
    if options["check"] is None:
        work.finish(options["workers"], options["threads"])
    outcomes = work.outcomes()
    report = Report(table=file, scale=scale, outcomes=outcomes, judgement=judge(file, scale, outcomes))
    if options["check"] is not None:
        check(report, options["check"])
        return 0
    _show(report, options)
    return _code_of(outcomes)


def _check_places(table: "TableFile", scale: "Scale", options: dict[str, Any]) -> None:
    """What cannot be written is told before the work and not after. Raises InputError."""
    from ganzoo.reproducing.writing import check_markers

    if options["check"] is not None:
        others = [name for name in ("update", "out", "as_json", "dry_run", "retry_failed") if options[name]]
        if others:
            option = "json" if others[0] == "as_json" else others[0].replace("_", "-")
            raise InputError("--check", f"runs and writes nothing: leave it or --{option} out")
    for option in ("runs", "out"):
        path = options[option]
        for part in [] if path is None else [path, *path.parents]:
            if _is_file(part):
                raise InputError(f"--{option}", f"{part} is a file; a folder goes there")
    for option in ("update", "check"):
        if options[option] is not None:
            check_markers(table, scale, options[option])


def _is_file(path: Path) -> bool:
    try:
        return path.exists() and not path.is_dir()
    except OSError:  # a name that is too long
        return False


def _show(report: "Report", options: dict[str, Any]) -> None:
    """On the terminal, and where it is asked for in files."""
    from ganzoo.reproducing.report import as_json, print_report
    from ganzoo.reproducing.writing import update, write_all

    if options["as_json"]:
        click.echo(json.dumps(as_json(report), allow_nan=False))
    else:
        print_report(report)
    if options["out"] is not None:
        write_all(report, options["out"])
        click.echo(f"written: {options['out'] / 'index.html'}", err=True)
    if options["update"] is not None:
        changed = update(report, options["update"])
        click.echo(f"{options['update']}: {'written anew' if changed else 'up to date'}", err=True)


def _print_listed(work: "Training | Computing", scale: "Scale", as_json: bool) -> None:
    """What is done and what would be run; minutes are of the latter."""
    from ganzoo.leaderboard.answer import counted

    rows = work.listed()
    if as_json:
        return click.echo(json.dumps([dict(zip(work.columns, row, strict=True)) for row in rows]))
    left = f"{work.left or 'none'} to run"
    if scale.minutes and work.left:
        left += f", about {scale.minutes * work.left / len(rows):.2g} minutes"
    print_table(f"{counted(len(rows), 'run')}, {left}: {scale.says}", work.columns, rows)


def _code_of(outcomes: "list[Outcome]") -> int:
    found = {status for outcome in outcomes for status in outcome.counts}
    return 1 if "failed" in found else 3 if "diverged" in found else 0
