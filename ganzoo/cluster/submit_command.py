"""The command `submit`. No torch: jobs are submitted on login nodes."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganzoo.errors import InputError
from ganzoo.training.commands import yaml_files

if TYPE_CHECKING:
    from ganzoo.cluster.submitting import Request

PASSED_ON = ("cpus_per_task", "mem", "time", "partition", "account", "qos", "constraint")  # options of sbatch


@click.command()
@click.argument("experiment", required=False, shell_complete=yaml_files)
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--run-dir", type=click.Path(path_type=Path), help="Where to write; default: runs/NAME/RUN_ID.")
@click.option("--resume", "resumed", type=click.Path(path_type=Path), metavar="RUN_DIR", help="Go on with a run.")
@click.option("--nodes", type=click.IntRange(1, 10_000), help="The same as trainer.num_nodes=N.")
@click.option("--gpus-per-node", type=click.IntRange(1, 1024), help="The same as trainer.devices=N, on GPUs.")
@click.option("--gpu-type", metavar="TYPE", help="As the cluster names it: a100.")
@click.option("--cpus-per-task", metavar="N", help="Cores of every device's process.")
@click.option("--mem", metavar="SIZE", help="Memory of a node: 32G.")
@click.option("--time", metavar="LIMIT", help="4:00:00; a run that is not done then goes on in the same job by itself.")
@click.option("--partition", metavar="NAME")
@click.option("--account", metavar="NAME")
@click.option("--qos", metavar="NAME")
@click.option("--constraint", metavar="FEATURES")
@click.option("--sbatch", multiple=True, metavar="LINE", help="Any other option of sbatch, such as --sbatch=--nice=9.")
@click.option("--site", type=click.Path(path_type=Path), metavar="FILE", help="What jobs need here; or $GANZOO_SITE.")
@click.option("--dry-run", is_flag=True, help="Print the job script and stop.")
@click.option("--json", "as_json", is_flag=True, help="Print the job and the run's directory as JSON.")
def submit(experiment: str | None, overrides: tuple[str, ...], resumed: Path | None, **options: Any) -> None:
    """Trains an experiment as a SLURM job; the last line on stdout is the run directory.

    The job has a task a device: trainer.devices of them on each of trainer.num_nodes nodes. The complete configuration
    is in the run directory before the job is, so a later change of the file changes no job. A job that meets its time
    limit, is preempted or loses a node goes on from its last checkpoint.

    \b
    ganzoo submit experiments/digits/dcgan.yaml --time 1:00:00 --partition main
    ganzoo submit experiments/cifar10/sngan.yaml --nodes 2 --gpus-per-node 4 --time 8:00:00
    ganzoo submit experiments/cifar10/sngan.yaml --dry-run
    ganzoo submit --resume runs/cifar10-sngan/20261122-101500-a1b2c3 budget.generator_updates=200000
    """
    words = (*((experiment,) if experiment and resumed else ()), *overrides, *_meant_by(options))
    if resumed is None and experiment is None:
        raise InputError("EXPERIMENT", "name an experiment's YAML file, or a run to go on with: --resume RUN_DIR")
    if resumed is not None and options["run_dir"] is not None:
        raise InputError("--run-dir", "a resumed run stays in its directory; leave it out")
    if any(word.startswith("seeds=") for word in words):
        raise InputError("seeds", "a job has one run; several seeds are a sweep, or as many jobs")
    job, run_dir = _go_on(resumed, words, options) if resumed else _begin(str(experiment), words, options)
    if options["dry_run"]:
        return
    if options["as_json"]:
        return click.echo(json.dumps({"job": job, "run_dir": str(run_dir)}))
    click.echo(f"submitted job {job}" if job else "nothing to submit: its budget is spent", err=True)
    click.echo(run_dir)


def _begin(file: str, words: tuple[str, ...], options: Mapping[str, Any]) -> tuple[str | None, Path]:
    from ganzoo.cluster.submitting import script_of, submit
    from ganzoo.experiment import load_experiment
    from ganzoo.records.run_directory import RunDirectory

    experiment = load_experiment(file, words)
    request = _request(experiment.trainer.devices, experiment.trainer.accelerator, options)
    if options["dry_run"]:
        run = RunDirectory(options["run_dir"] or RunDirectory.fresh_path(experiment))
        click.echo(str(script_of(experiment, run, request)), nl=False)
        return None, run.path
    run, job = submit(experiment, options["run_dir"], request)
    return job, run.path


def _go_on(run_dir: Path, words: tuple[str, ...], options: Mapping[str, Any]) -> tuple[str | None, Path]:
    from ganzoo.cluster.submitting import script_of, submit_again
    from ganzoo.records.run_directory import RunDirectory

    run = RunDirectory.open(run_dir)
    experiment = run.resumed_experiment(words)
    request = _request(experiment.trainer.devices, experiment.trainer.accelerator, options)
    if options["dry_run"]:
        click.echo(str(script_of(experiment, run, request)), nl=False)
        return None, run.path
    return submit_again(run, words, request), run.path


def _meant_by(options: Mapping[str, Any]) -> list[str]:
    """Options that are keys of the experiment under another name."""
    words = [] if options["nodes"] is None else [f"trainer.num_nodes={options['nodes']}"]
    if options["gpus_per_node"] is not None:
        words += [f"trainer.devices={options['gpus_per_node']}", "trainer.accelerator=gpu"]
    return words


def _request(devices: int, accelerator: str, options: Mapping[str, Any]) -> "Request":
    from ganzoo.cluster.site import Site
    from ganzoo.cluster.submitting import Request

    if accelerator == "auto":
        click.echo("no GPU is asked for: say --gpus-per-node N, or trainer.accelerator=cpu to train on CPUs", err=True)
    named = {name: options[name] for name in PASSED_ON if options[name] is not None}
    lines = tuple(f"--{name.replace('_', '-')}={value}" for name, value in named.items())
    request = Request(
        lines=(*lines, *options["sbatch"]),
        gpus_per_node=devices if accelerator == "gpu" else 0,
        gpu_type=options["gpu_type"],
        site=Site.chosen(options["site"]),
    )
    request.check()
    return request
