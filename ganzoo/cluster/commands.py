"""The commands `status` and `cancel`. No torch: they are called often, on login nodes."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from ganzoo.errors import GanzooError, InputError, Problem

DEFAULT = Path("runs")


@click.command()
@click.argument("runs", nargs=-1, type=click.Path(path_type=Path))
@click.option("--slurm", is_flag=True, help="All your jobs in SLURM's queue instead, and which folders they are for.")
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON.")
def status(runs: tuple[Path, ...], slurm: bool, as_json: bool) -> None:
    """Tells what is queued, running, done, failed, and why.

    RUNS are run directories, sweeps' folders, or folders above them; without any, the folder runs. All is read out of
    the run directories and SLURM's queue, from any machine that sees them.

    \b
    ganzoo status
    ganzoo status runs/digits-dcgan --json
    ganzoo status --slurm
    """
    if slurm:
        return _print_queue(runs, as_json)
    from ganzoo.cluster.folders import found_in_all
    from ganzoo.cluster.report import as_json as told
    from ganzoo.cluster.report import print_standings
    from ganzoo.cluster.standing import standings

    folders = runs or ((DEFAULT,) if DEFAULT.is_dir() else ())
    found = standings(found_in_all(folders))
    return click.echo(json.dumps(told(found))) if as_json else print_standings(found)


def _print_queue(runs: tuple[Path, ...], as_json: bool) -> None:
    from ganzoo.cluster.queue import queued_jobs
    from ganzoo.cluster.report import print_queue, queue_as_json

    if runs:
        raise InputError("--slurm", f"shows the whole queue; leave {runs[0]} out, or --slurm")
    queue = queued_jobs()
    if queue is None:
        raise InputError("--slurm", "squeue is not on this machine, or SLURM does not answer it: `ganzoo doctor` tells")
    return click.echo(json.dumps(queue_as_json(queue))) if as_json else print_queue(queue)


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def cancel(runs: tuple[Path, ...], as_json: bool) -> None:
    """Cancels runs and sweeps: their jobs in SLURM's queue, and what this machine trains of them.

    RUN is a run directory or a sweep's folder. A process on this machine writes a checkpoint and ends, and so does a
    job that runs. What was cancelled goes on when it is resumed or submitted again. Of a sweep's trial, the task of the
    job array that has it is cancelled.

    \b
    ganzoo cancel runs/digits-dcgan/20261122-101500-a1b2c3
    ganzoo cancel runs/digits-wgan-gp-fbd48d64
    ganzoo cancel runs/digits-wgan-gp-fbd48d64/fbd48d64-0003 --json
    """
    from ganzoo.cluster import cancelling

    for folder in runs:
        cancelling.check(folder)  # all of them, before anything is done
    done, errors = [], []
    for folder in runs:
        try:
            for each in cancelling.cancel(folder):
                done.append({**asdict(each), "folder": str(folder)})
                if not as_json:
                    click.echo(each)
        except GanzooError as error:
            errors.append(error)
    if as_json:
        click.echo(json.dumps(done))
    if errors:
        raise errors[0] if len(errors) == 1 else InputError("cancel", [Problem("", str(error)) for error in errors])
