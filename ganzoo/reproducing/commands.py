"""The command `reproduce`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganzoo.errors import InputError
from ganzoo.terminal import print_table

if TYPE_CHECKING:
    from ganzoo.reproducing.outcomes import Outcome
    from ganzoo.reproducing.running import Computing, Training
    from ganzoo.reproducing.table_file import Scale

SCALES = ("smoke", "cpu", "gpu", "paper")


def _tables(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    from ganzoo.reproducing.table_file import table_files

    return [name for name in sorted(table_files()) if name.startswith(incomplete)]


@click.command()
@click.argument("table", shell_complete=_tables)
@click.option("--scale", type=click.Choice(SCALES), default="cpu", show_default=True, help="How large; see above.")
@click.option("--runs", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, help="Where runs go.")
@click.option("--engine", type=click.Choice(("local", "slurm")), default="local", show_default=True)
@click.option("--workers", type=click.IntRange(1, 1024), help="Trainings at a time; default: as `ganzoo sweep`.")
@click.option("--threads", type=click.IntRange(1, 1024), help="CPU threads of a worker; default: the cores, divided.")
@click.option("--dry-run", is_flag=True, help="Print what would be run and stop.")
@click.option("--retry-failed", is_flag=True, help="Runs that failed or diverged go on from their last checkpoints.")
@click.option("--json", "as_json", is_flag=True, help="Print the table as JSON.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Write the page, Markdown and JSON there.")
@click.option(
    "--update", type=click.Path(path_type=Path), metavar="FILE", help="Write the table between its markers in there."
)
def reproduce(table: str, **options: Any) -> None:
    """Runs what is missing of a paper's table, and shows ours beside the published numbers.

    TABLE is a name, of those that `ganzoo list tables` shows, or a file. Scale smoke checks the plumbing in a minute;
    cpu is the largest honest version for two cores in an hour, gpu for one GPU; paper is the paper's own setting. The
    same command goes on with a table that was stopped or killed.

    \b
    ganzoo reproduce dirac_gan --scale smoke
    ganzoo reproduce dirac_gan --out dirac
    ganzoo reproduce dirac_gan --scale paper --dry-run
    ganzoo reproduce dirac_gan --update docs/results.md

    Exit codes: 0 all is done, 1 some runs failed, 3 none failed and some diverged, 2 bad input, 130 or 143 stopped.
    """
    from ganzoo.reproducing.reading import read_table
    from ganzoo.reproducing.report import Report, as_json, print_report
    from ganzoo.reproducing.running import Computing, Training
    from ganzoo.reproducing.table_file import find_table
    from ganzoo.reproducing.verdicts import judge
    from ganzoo.reproducing.writing import update, write_all

    file = read_table(find_table(table))
    scale = file.scale(options["scale"])
    if options["engine"] == "slurm":
        raise InputError(
            "--engine", "a table is run on one machine so far; as a job this command goes on where it stopped"
        )
    work = (Computing if file.program else Training)(file, scale, options["runs"])
    if options["dry_run"]:
        return _print_listed(work, scale, options["as_json"])
    if options["retry_failed"]:
        work.retry_failed()
    work.finish(options["workers"], options["threads"])
    outcomes = work.outcomes()
    report = Report(table=file, scale=scale, outcomes=outcomes, judgement=judge(file, scale, outcomes))
    if options["as_json"]:
        click.echo(json.dumps(as_json(report)))
    else:
        print_report(report)
    if options["out"] is not None:
        write_all(report, options["out"])
        click.echo(f"written: {options['out'] / 'index.html'}", err=True)
    if options["update"] is not None:
        changed = update(report, options["update"])
        click.echo(f"{options['update']}: {'written anew' if changed else 'up to date'}", err=True)
    click.get_current_context().exit(_code_of(outcomes))


def _print_listed(work: "Training | Computing", scale: "Scale", as_json: bool) -> None:
    """What would be run."""
    from ganzoo.leaderboard.answer import counted

    rows = work.listed()
    if as_json:
        return click.echo(json.dumps([dict(zip(work.columns, row, strict=True)) for row in rows]))
    minutes = f", about {scale.minutes:g} minutes" if scale.minutes else ""
    print_table(f"{counted(len(rows), 'run')}{minutes}: {scale.says}", work.columns, rows)


def _code_of(outcomes: "list[Outcome]") -> int:
    found = {status for outcome in outcomes for status in outcome.counts}
    return 1 if "failed" in found else 3 if "diverged" in found else 0
