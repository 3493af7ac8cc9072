"""The command `sweep`."""

import json
import re
from dataclasses import asdict
from functools import partial
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganzoo.errors import InputError, shorten
from ganzoo.packing.alike import MOST_PACKED
from ganzoo.terminal import print_table

if TYPE_CHECKING:
    from ganzoo.sweeping.states import States, TrialState
    from ganzoo.sweeping.trials import Sweep
    from ganzoo.sweeping.working import Source

ENGINES = ("local", "wandb", "slurm")


def _sweep_files(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    files = sorted(str(path) for path in Path("sweeps").glob("**/*.yaml"))
    return [file for file in files if file.startswith(incomplete)]


def _numbers(context: click.Context, parameter: click.Parameter, text: str | None) -> range | None:
    """`3` or `4-7` as the trial numbers that they mean."""
    if text is None:
        return None
    found = re.fullmatch(r"([0-9]{1,9})(?:-([0-9]{1,9}))?", text)
    if found is None or int(found[2] or found[1]) < int(found[1]):
        raise InputError("--trials", f"{shorten(text)} must be a trial's number or a range of them, such as 4-7")
    return range(int(found[1]), int(found[2] or found[1]) + 1)


@click.command()
@click.argument("sweep", type=click.Path(path_type=Path), shell_complete=_sweep_files)
@click.option("--engine", type=click.Choice(ENGINES), default="local", show_default=True, help="What runs the trials.")
@click.option("--workers", type=click.IntRange(1, 1024), help="Trials at a time; default: one a GPU, or a core (<= 8).")
@click.option("--threads", type=click.IntRange(1, 1024), help="CPU threads of a worker; default: the cores, divided.")
@click.option("--pack", type=click.IntRange(1, MOST_PACKED), help="Trials of a worker at once; default: the file's.")
@click.option("--count", type=click.IntRange(1, 1_000_000), help="At most that many trials: the first ones.")
@click.option(
    "--trials", "numbers", metavar="A-B", callback=_numbers, help="Only these trials of a grid or random search."
)
@click.option("--runs", type=click.Path(path_type=Path), help="Where runs go; default: runs.")
@click.option("--dry-run", is_flag=True, help="Print the trials (engine slurm: the job script) and stop.")
@click.option("--retry-failed", is_flag=True, help="Trials that failed or diverged go on from their last checkpoints.")
@click.option("--status", is_flag=True, help="Print how the sweep stands and stop.")
@click.option("--page", type=click.Path(path_type=Path), metavar="FILE", help="Write plots as one HTML page and stop.")
@click.option("--json", "as_json", is_flag=True, help="Print the sweep and its trials as JSON.")
@click.option("--storage", metavar="URL", help="bayes: Optuna's storage; default: a file in the sweep's folder.")
@click.option(
    "--sampler", type=click.Choice(("tpe", "gp")), default="tpe", show_default=True, help="bayes: Optuna's sampler."
)
@click.option(
    "--per-task", type=click.IntRange(1, 10_000), default=1, show_default=True, help="slurm: trials of a task."
)
@click.option("--sbatch", multiple=True, metavar="LINE", help="slurm: an option of sbatch, such as --sbatch=--time=60.")
@click.option("--site", type=click.Path(path_type=Path), metavar="FILE", help="slurm: what jobs need; or $GANZOO_SITE.")
def sweep(sweep: Path, **options: Any) -> None:
    """Runs a W&B sweep file: on this machine, by W&B's agents, or as a SLURM job array.

    The last line on stdout is the sweep's folder. The same command finishes a sweep that was stopped or killed.

    \b
    ganzoo sweep sweeps/digits_wgan_gp.yaml --dry-run
    ganzoo sweep sweeps/digits_wgan_gp.yaml --workers 2
    ganzoo sweep sweeps/digits_wgan_gp.yaml --workers 2 --pack 8
    ganzoo sweep sweeps/digits_wgan_gp.yaml --status
    ganzoo sweep sweeps/digits_wgan_gp.yaml --page sweep.html
    ganzoo sweep sweeps/digits_wgan_gp.yaml --engine wandb
    ganzoo sweep sweeps/digits_wgan_gp.yaml --engine slurm --sbatch=--partition=main --dry-run

    Exit codes: 0 all trials are done, 1 some failed, 3 none failed and some diverged, 2 bad input, 130 or 143 stopped.
    """
    from ganzoo.sweeping.reading import read_sweep
    from ganzoo.sweeping.states import States
    from ganzoo.sweeping.trials import Sweep, retry_failed

    runs = options["runs"] or (sweep.parent if sweep.is_dir() else Path("runs"))
    opened = Sweep(read_sweep(sweep / "sweep.yaml" if sweep.is_dir() else sweep), runs, options["count"])
    _refuse(opened, options)
    options["pack"] = options["pack"] or opened.file.pack
    if options["status"]:
        return _print_status(States(opened), options["as_json"])
    if options["page"] is not None:
        return _write_page(States(opened), options["page"])
    _check(opened, options["numbers"], options["pack"])
    if options["dry_run"] and options["engine"] != "slurm":
        return _print_trials(opened, options["numbers"], options["as_json"])
    if options["retry_failed"]:
        numbers = options["numbers"]
        retry_failed(trial for trial in opened.begun() if numbers is None or trial.number in numbers)
    engines = {"local": _run_here, "wandb": _run_on_wandb, "slurm": _run_on_slurm}
    click.get_current_context().exit(engines[options["engine"]](opened, options))


def _refuse(opened: "Sweep", options: dict[str, Any]) -> None:
    """Options that do not go together, or not with this sweep."""
    bayes = opened.file.method == "bayes"
    if bayes and options["numbers"] is not None:
        raise InputError("--trials", "a trial of a bayes search depends on those before it; say how many by --count")
    if not bayes and options["storage"]:
        raise InputError("--storage", f"is of bayes search; the trials of a {opened.file.method} need none")
    given = {"--sbatch": options["sbatch"], "--site": options["site"], "--per-task": options["per_task"] > 1}
    if (of_slurm := [name for name, there in given.items() if there]) and options["engine"] != "slurm":
        raise InputError(of_slurm[0], "is of engine slurm: add --engine slurm")
    if options["pack"] and options["engine"] == "wandb":
        raise InputError("--pack", "W&B's agents read it from the file: parameters: {pack: {value: N}}")
    if options["numbers"] is not None and options["numbers"][-1] >= len(opened):
        raise InputError("--trials", f"this sweep has trials 0 to {len(opened) - 1}, and no {options['numbers'][-1]}")


def _check(opened: "Sweep", numbers: range | None, pack: int) -> None:
    from ganzoo.sweeping.checking import check
    from ganzoo.terminal import progress_bars

    with progress_bars() as tell:
        check(opened, tell, numbers, pack)


def _print_status(states: "States", as_json: bool) -> None:
    from ganzoo.sweeping import report
    from ganzoo.sweeping.slurm import queue_of

    queue = queue_of(states.sweep)
    if as_json:
        told = [{**asdict(task), "trials": list(task.trials)} for task in queue or []]
        return click.echo(json.dumps({**report.as_json(states), "queue": told}))
    report.print_status(states)
    if queue:
        rows = [(f"{each.job}_{each.task}", each.state, each.reason, _range(each.trials)) for each in queue]
        print_table("in SLURM's queue", ("task", "state", "reason", "trials"), rows)


def _range(numbers: range) -> str:
    return f"{numbers[0]}-{numbers[-1]}" if len(numbers) > 1 else str(numbers[0]) if numbers else ""


def _write_page(states: "States", path: Path) -> None:
    from ganzoo.sweeping.page import write_page

    write_page(states, path)
    click.echo(path)


def _print_trials(opened: "Sweep", numbers: range | None, as_json: bool) -> None:
    """What would be run; of a bayes search nobody knows."""
    if opened.file.method == "bayes":
        raise InputError("--dry-run", "a bayes search chooses its trials as it goes; nothing is known before")
    trials = [opened[number] for number in numbers or range(len(opened))]
    if as_json:
        told = [{"number": each.number, "words": each.words, "run_dir": str(each.directory)} for each in trials]
        return click.echo(json.dumps(told))
    rows = [(str(each.number), " ".join(each.words), str(each.directory)) for each in trials]
    print_table(f"{len(trials)} trials", ("trial", "parameters", "run directory"), rows)


def _run_here(opened: "Sweep", options: dict[str, Any]) -> int:
    from ganzoo.sweeping import report
    from ganzoo.sweeping.places import places_for
    from ganzoo.sweeping.pool import Pool
    from ganzoo.sweeping.states import States
    from ganzoo.sweeping.table import LiveTable

    numbers = options["numbers"]
    trials = len(opened) if numbers is None else len(numbers)
    trainer, packs = opened.file.settled.get("trainer") or {}, ceil(trials / options["pack"])
    places = places_for(trainer, packs, options["workers"], options["threads"])
    pack = min(options["pack"], ceil(trials / len(places)))  # so that every worker has some
    opened.keep_files()
    states = States(opened)
    make_source = partial(source_of, opened, numbers, options["storage"], options["sampler"])
    make_source()  # what is wrong with a storage is told once, and here
    with LiveTable(states) as table:
        Pool(opened, make_source, places, table, lambda: states.summary().target_reached, pack).run()
    if options["as_json"]:
        click.echo(json.dumps(report.as_json(states)))
    else:
        report.print_outcome(states)
    return _code_of([state for state in states.refresh() if numbers is None or state.trial.number in numbers])


def source_of(opened: "Sweep", numbers: range | None, storage: str | None, sampler: str) -> "Source":
    if opened.file.method == "bayes":
        from ganzoo.sweeping.search import Search

        return Search(opened, storage, sampler)
    from ganzoo.sweeping.working import Listed

    return Listed(opened, numbers)


def _code_of(states: "list[TrialState]") -> int:
    """Of the trials that were asked for: another's failure is not this call's."""
    found = {state.status for state in states}
    return 1 if "failed" in found else 3 if "diverged" in found else 0


def _run_on_wandb(opened: "Sweep", options: dict[str, Any]) -> int:
    from ganzoo.sweeping.wandb_engine import run_on_wandb

    return run_on_wandb(opened, agents=options["workers"] or 1, count=options["count"])


def _run_on_slurm(opened: "Sweep", options: dict[str, Any]) -> int:
    from ganzoo.cluster.site import Site
    from ganzoo.sweeping.places import refuse_many_devices
    from ganzoo.sweeping.slurm import JobArray, script_of, submit

    refuse_many_devices(opened.file.settled.get("trainer") or {})
    array = JobArray(
        per_task=max(options["per_task"], options["pack"]),
        pack=options["pack"],
        at_once=options["workers"],
        numbers=options["numbers"],
        lines=options["sbatch"],
        storage=options["storage"],
        sampler=options["sampler"],
        site=Site.chosen(options["site"]),
    )
    if options["dry_run"]:
        click.echo(script_of(opened, array), nl=False)
        return 0
    job = submit(opened, array)
    click.echo(f"submitted job {job}" if job else "nothing to submit: all has ended, or is in the queue", err=True)
    click.echo(opened.folder)
    return 0
