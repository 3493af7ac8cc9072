"""The `ganzoo` command. Heavy imports happen inside the command that needs them: --help takes no torch."""

import json
from pathlib import Path
from typing import Any

import click

from ganzoo import __version__
from ganzoo.cluster.commands import cancel, status
from ganzoo.cluster.submit_command import submit
from ganzoo.components import DATASETS, DISCRIMINATORS, GENERATORS, VARIANTS
from ganzoo.errors import GanzooError, InputError, did_you_mean
from ganzoo.evaluation.commands import evaluate, extractor
from ganzoo.importing import importing
from ganzoo.leaderboard.commands import leaderboard
from ganzoo.reproducing.commands import reproduce
from ganzoo.sweeping.commands import sweep
from ganzoo.terminal import print_table
from ganzoo.training.commands import train


class Commands(click.Group):
    """Answers every foreseen error with one paragraph on stderr and its exit code; --debug shows tracebacks."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except GanzooError as error:
            if context.params.get("debug"):
                raise
            click.echo(f"ganzoo: {error}", err=True)
            context.exit(error.exit_code)
        except click.UsageError as error:
            click.echo(f"ganzoo: {error.format_message()}", err=True)
            context.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("ganzoo: stopped", err=True)
            context.exit(130)

    def resolve_command(self, context: click.Context, args: list[str]) -> Any:
        try:
            return super().resolve_command(context, args)
        except click.UsageError:
            raise InputError("command", did_you_mean(args[0], self.list_commands(context), "command")) from None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="ganzoo")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def main(debug: bool) -> None:
    """Trains, compares and reproduces generative adversarial networks.

    \b
    ganzoo train experiments/digits/dcgan.yaml
    ganzoo evaluate runs/digits-dcgan/20261122-101500-a1b2c3
    ganzoo list variants
    """


main.add_command(train)
main.add_command(evaluate)
main.add_command(extractor)
main.add_command(sweep)
main.add_command(submit)
main.add_command(status)
main.add_command(cancel)
main.add_command(leaderboard)
main.add_command(reproduce)


FORMATS = (".png", ".npz", ".zip", "")  # the last: a folder


def _in_a_format(context: click.Context, parameter: click.Parameter, out: Path) -> Path:
    if out.suffix not in FORMATS:
        raise InputError("--out", f"{str(out)!r} must end in .png, .npz or .zip; without an ending it is a folder")
    return out


@main.command()
@click.argument("run_dir", type=click.Path(path_type=Path))
@click.option("-n", "--number", type=click.IntRange(1, 10_000_000), default=64, show_default=True, help="How many.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True)
@click.option("--class", "label", type=click.IntRange(0), help="All of this class; else of random classes.")
@click.option("--truncation", type=click.FloatRange(0, min_open=True), help="Latents beyond this are drawn again.")
@click.option("--best", is_flag=True, help="The checkpoint with the best score instead of the last.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    callback=_in_a_format,
    required=True,
    help="A .png grid, an .npz, a .zip or a folder.",
)
def sample(
    run_dir: Path, number: int, seed: int, label: int | None, truncation: float | None, best: bool, out: Path
) -> None:
    """Writes samples of a run's averaged generator.

    \b
    ganzoo sample runs/digits-dcgan/20261122-101500-a1b2c3 -n 64 --out grid.png
    ganzoo sample runs/digits-dcgan/20261122-101500-a1b2c3 -n 10000 --seed 1 --out samples.npz
    """
    from ganzoo.records.run_directory import RunDirectory

    RunDirectory.open(run_dir)
    with importing():
        from ganzoo.sampling import sample_to_file

    sample_to_file(run_dir, out, number=number, seed=seed, label=label, truncation=truncation, best=best)
    click.echo(out)


def _kinds(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    return [kind for kind in KINDS if kind.startswith(incomplete)]


KINDS = ("variants", "datasets", "networks", "metrics", "protocols", "tables")


@main.command("list")
@click.argument("kind", required=False, metavar=f"[{'|'.join(KINDS)}]", shell_complete=_kinds)
@click.option("--json", "as_json", is_flag=True, help="Print names and summaries as JSON.")
def list_(kind: str | None, as_json: bool) -> None:
    """Lists what there is, one line each with its paper.

    \b
    ganzoo list
    ganzoo list variants
    """
    if kind is not None and kind not in KINDS:
        raise InputError("list", did_you_mean(kind, KINDS, "kind"))
    found = {each: _summaries(each) for each in ([kind] if kind else KINDS)}
    if as_json:
        return click.echo(json.dumps(found))
    for each, summaries in found.items():
        print_table(each, ("name", "what it is"), list(summaries.items()))


def _summaries(kind: str) -> dict[str, str]:
    from ganzoo.evaluation.protocol import protocol_names, protocol_summary
    from ganzoo.evaluation.scores import SCORES

    if kind == "metrics":
        return {name: score.summary for name, score in SCORES.items()}
    if kind == "tables":
        from ganzoo.reproducing.table_file import table_files, table_summary

        return {name: table_summary(path) for name, path in sorted(table_files().items())}
    if kind == "protocols":
        return {name: protocol_summary(name) for name in protocol_names()}
    choices = {"variants": [VARIANTS], "datasets": [DATASETS], "networks": [GENERATORS, DISCRIMINATORS]}[kind]
    return {name: choice.summary(name) for choice in choices for name in choice.names()}


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def doctor(as_json: bool) -> None:
    """Tells what this machine can do, and what to do about what is missing.

    \b
    ganzoo doctor
    """
    from ganzoo.doctor import findings

    found = findings()
    if as_json:
        return click.echo(json.dumps([finding.__dict__ for finding in found]))
    print_table("this machine", ("", "what", "found", "what to do"), [finding.row() for finding in found])
