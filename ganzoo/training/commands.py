"""`ganzoo train`. Heavy imports happen inside, after what can be told without them."""

import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganzoo.errors import GanzooError, InputError, Stopped
from ganzoo.importing import importing

if TYPE_CHECKING:
    from ganzoo.training.repeated import Planned


def yaml_files(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Experiments whose paths begin with what has been typed, for the shell's completion."""
    files = sorted(str(path) for path in Path("experiments").glob("**/*.yaml"))
    return [file for file in files if file.startswith(incomplete)]


@click.command()
@click.argument("experiment", required=False, shell_complete=yaml_files)
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--run-dir", type=click.Path(path_type=Path), help="Where to write; default: runs/NAME/RUN_ID.")
@click.option(
    "--resume", "resumed", type=click.Path(path_type=Path), metavar="RUN_DIR", help="Go on with a run exactly."
)
@click.option("--print-config", is_flag=True, help="Print the complete experiment and stop.")
@click.option("--json", "as_json", is_flag=True, help="Print the run's record instead of its directory.")
def train(**options: Any) -> None:
    """Trains an experiment; the last line on stdout is the run directory.

    seeds=N trains N runs one after the other, with the experiment's seed and those after it: N directories, one a
    line. A W&B sweep's search sees the first of them only. With pack=M, M of them are trained at once in this process.

    With trainer.devices above 1 as many processes train together, each with its part of every batch: started by this
    command, or all by srun or torchrun; `ganzoo submit` asks a SLURM cluster for them.

    \b
    ganzoo train experiments/digits/dcgan.yaml
    ganzoo train experiments/digits/dcgan.yaml seed=1 budget.generator_updates=5000
    ganzoo train experiments/digits/dcgan.yaml seeds=3
    ganzoo train experiments/ring8/nsgan.yaml seeds=16 pack=8
    ganzoo train --resume runs/digits-dcgan/20261122-101500-a1b2c3 budget.generator_updates=9000
    """
    from ganzoo.training.launching import follow, led
    from ganzoo.training.world import World

    world = World.around()
    if world.rank > 0:
        click.get_current_context().exit(follow(world))
    with led(world):
        _lead(**options)


def _lead(
    experiment: str | None,
    overrides: tuple[str, ...],
    run_dir: Path | None,
    resumed: Path | None,
    print_config: bool,
    as_json: bool,
) -> None:
    """What the only process of a run does, or the first one."""
    if resumed is not None:
        return _go_on(resumed, (experiment, *overrides) if experiment else overrides, run_dir, as_json)
    if experiment is None:
        raise InputError("EXPERIMENT", "name an experiment's YAML file, or a run to go on with: --resume RUN_DIR")
    from ganzoo.training.repeated import plan

    runs = plan(experiment, overrides, run_dir)  # mistakes are told before torch is imported
    if print_config:
        return click.echo(runs[0].experiment.to_yaml(), nl=False)
    _train_all(runs, as_json)


def _train_all(runs: "list[Planned]", as_json: bool) -> None:
    """Ends the command with the exit code of the first run that broke down."""
    from ganzoo.training.repeated import outcomes

    lines, exit_code = [], 0
    try:
        for outcome in outcomes(runs):
            if isinstance(outcome, GanzooError):
                click.echo(f"ganzoo: {outcome}", err=True)
                exit_code = exit_code or outcome.exit_code
                continue
            lines.append(_told(outcome, as_json))
    except Stopped as stopped:
        _end_as_agents_expect(stopped)
        raise
    for line in lines:
        click.echo(line)
    click.get_current_context().exit(exit_code)


def _go_on(run_dir: Path, words: tuple[str, ...], other: Path | None, as_json: bool) -> None:
    if other is not None:
        raise InputError("--run-dir", "a resumed run stays in its directory; leave it out")
    for key, reason in {"seeds": "a resumed run has its seed", "pack": "a resumed run is one run"}.items():
        if any(word.startswith(f"{key}=") for word in words):
            raise InputError(key, f"{reason}; leave it out, and go on with each run by itself")
    from ganzoo.records.run_directory import RunDirectory

    RunDirectory.open(run_dir).resumed_experiment(words)  # mistakes are told before torch is imported
    with importing():
        from ganzoo.training.run import resume

    click.echo(_told(resume(run_dir, words), as_json))


def _told(run: Any, as_json: bool) -> str:
    """Says on stderr what came out of a run; the line that is for stdout."""
    record = run.read_record()
    _tell_outcome(record or {}, sorted(run.samples.glob("*.png")))
    return json.dumps(record) if as_json else str(run.path)


def _tell_outcome(record: dict[str, Any], grids: list[Path]) -> None:
    evaluation = record.get("evaluation")
    if evaluation:
        primary = evaluation["protocol"]["primary"]
        first, last = evaluation["first"][primary], evaluation["last"]["scores"][primary]
        floor = evaluation["floor"].get(primary)  # a path length has none: real images have no latents
        said = "" if floor is None else f", {floor:.4g} for other real samples (the floor)"
        at = f"{primary} by {evaluation['protocol']['name']}"
        click.echo(f"{at}: {first:.4g} at the start, {last:.4g} at the end{said}", err=True)
    if grids:
        click.echo(f"samples: {grids[-1]}", err=True)


def _end_as_agents_expect(stopped: Stopped) -> None:
    """Under a W&B agent, ends the process by the signal that stopped it; a shell sees 130 or 143 either way.

    The agent counts every status above 0 as a failure of ours, and gives up after a few: it would stop working for
    having stopped runs early itself. A process that a signal ended it does not count.
    """
    if "WANDB_SWEEP_ID" not in os.environ:
        return
    click.echo(f"ganzoo: {stopped}", err=True)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    number = stopped.exit_code - 128
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
