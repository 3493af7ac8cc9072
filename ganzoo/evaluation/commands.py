"""`ganzoo evaluate` and `ganzoo extractor`. Heavy imports happen inside, after what can be told without them."""

import json
from pathlib import Path

import click

from ganzoo.errors import InputError
from ganzoo.importing import importing
from ganzoo.terminal import print_table, progress_bar, progress_bars


def _protocols(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    from ganzoo.evaluation.protocol import protocol_names

    return [name for name in protocol_names() if name.startswith(incomplete)]


@click.command()
@click.argument("source")
@click.option(
    "--protocol",
    "protocols",
    multiple=True,
    shell_complete=_protocols,
    help="How to score; default: as the run was scored. Repeatable; `ganzoo list protocols` shows them.",
)
@click.option("--against", help="The reference: a data set, a folder, a zip, an .npz of samples or of mu and sigma.")
@click.option(
    "--extractor", "extractors", multiple=True, metavar="FILE", help="Weights of a protocol's extractor. Repeatable."
)
@click.option("--best", is_flag=True, help="Of a run, the checkpoint with the best score.")
@click.option("--floor/--no-floor", default=True, help="Score other real samples too, to compare with.")
@click.option("--batch-size", type=click.IntRange(1, 65536), help="Images at a time; default: what suits.")
@click.option(
    "--neighbours", type=click.Path(path_type=Path), metavar="FILE.png", help="Draw fakes beside the nearest reals."
)
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def evaluate(
    source: str,
    protocols: tuple[str, ...],
    against: str | None,
    extractors: tuple[str, ...],
    best: bool,
    floor: bool,
    batch_size: int | None,
    neighbours: Path | None,
    as_json: bool,
) -> None:
    """Scores a run, a folder of images, a StyleGAN data set zip, or an .npz of samples.

    \b
    ganzoo evaluate runs/digits-dcgan/20261122-101500-a1b2c3
    ganzoo evaluate samples.npz --protocol digits-v1 --json
    ganzoo evaluate fakes/ --against cifar10 --protocol sngan-v1 --protocol ada-v1
    ganzoo evaluate fakes.zip --against fid_stats_cifar10_train.npz --protocol ttur-v1
    """
    _check_evaluation(source, protocols, neighbours)
    with importing():
        from ganzoo.evaluation.evaluate import evaluate_by

    with progress_bars("images") as tell:
        answers = evaluate_by(
            source,
            protocols,
            against=against,
            extractors=extractors,
            best=best,
            floor=floor,
            batch_size=batch_size,
            neighbours=neighbours,
            tell=tell,
        )
    if as_json:
        return click.echo(json.dumps(answers if len(answers) > 1 else answers[0]))
    from ganzoo.evaluation.report import tables

    for title, columns, rows in tables(answers):
        print_table(title, columns, rows)


def _check_evaluation(source: str, protocols: tuple[str, ...], neighbours: Path | None) -> None:
    """Mistakes that can be told before torch is imported."""
    from ganzoo.evaluation.protocol import load_protocol

    for protocol in protocols:
        try:
            load_protocol(protocol)
        except LookupError as error:
            raise InputError("--protocol", str(error.args[0])) from None
    if not Path(source).exists():
        raise InputError(source, "there is no such run directory, folder, zip or .npz")
    if not protocols and not (Path(source) / "config.yaml").is_file():
        raise InputError(source, "this is no run directory, so the protocol must be named: --protocol NAME")
    if neighbours is not None and neighbours.suffix != ".png":
        raise InputError("--neighbours", f"{str(neighbours)!r} must end in .png")


@click.group()
def extractor() -> None:
    """Feature extractors and classifiers for your own data."""


@extractor.command("train")
@click.argument("settings", nargs=-1, metavar="data=NAME [KEY=VALUE]...")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The .safetensors file to write.")
@click.option("--epochs", type=click.IntRange(1), help="Passes over the data; default: enough for small data.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True)
def extractor_train(settings: tuple[str, ...], out: Path, epochs: int | None, seed: int) -> None:
    """Trains a small classifier on labelled images; protocols use it as their feature extractor.

    \b
    ganzoo extractor train data=digits --out digits.safetensors
    ganzoo extractor train data=zip path=cifar10.zip resolution=32 --out cifar10.safetensors
    """
    from ganzoo.experiment import data_from_settings

    data = data_from_settings(settings)
    from ganzoo.evaluation.extractors.training import train_extractor

    with progress_bar("training the extractor", "updates") as progress:
        report = train_extractor(data, out, epochs=epochs, seed=seed, progress=progress)
    click.echo(json.dumps(report, default=str))
