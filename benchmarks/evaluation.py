"""The evaluation loop against the bare forward of its extractor, on the same images: medians of interleaved repeats.

python benchmarks/evaluation.py [--repeats 3] [--inception WEIGHTS.pth]

The loop reads, rounds, checks and collects; the bare forward does not. Without a file of Inception's weights, random
ones are used: they take as long.
"""

import argparse
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from ganzoo.data import digits
from ganzoo.data.samples import to_network_range
from ganzoo.evaluation.extraction import Sight
from ganzoo.evaluation.extractors.base import Extractor
from ganzoo.evaluation.extractors.classifier import DIGITS, load_extractor
from ganzoo.evaluation.extractors.fidelity import load_fidelity
from ganzoo.evaluation.opening import open_source
from ganzoo.evaluation.sources import HeldSource, Source
from ganzoo.sampling import save_samples


def inception(file: str | None, folder: Path) -> Extractor:
    if file is not None:
        return load_fidelity("inception-v3-compat", file=Path(file))
    from unittest.mock import patch

    from torch_fidelity import feature_extractor_inceptionv3 as theirs

    name, path = "inception-v3-compat", folder / "random.pth"
    network = theirs.FeatureExtractorInceptionV3
    with patch.object(network, "load_state_dict"), patch.object(theirs, "load_state_dict_from_url"):
        torch.save(network(name, ["2048"]).state_dict(), path)
    return load_fidelity(name, file=path)


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


@torch.no_grad()
def bare(extractor: Extractor, pixels: Tensor) -> None:
    for batch in pixels.split(extractor.batch_size):
        extractor(batch)


def row(name: str, extractor: Extractor, pixels: Tensor, source: Source, repeats: int) -> str:
    sight = Sight(extractor, torch.device("cpu"), extractor.batch_size)
    indices = torch.arange(len(pixels))
    pairs = [
        (seconds(lambda: bare(extractor, pixels)), seconds(lambda: sight.see(source, indices)))
        for _ in range(repeats + 1)
    ][1:]  # the first is a warm-up
    alone, loop = (len(pixels) / statistics.median(times) for times in zip(*pairs, strict=True))
    return f"| {name} | {len(pixels):,} | {alone:,.0f} | {loop:,.0f} | {100 * loop / alone:.0f} % |"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--inception")
    asked = parser.parse_args()
    print(f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}\n")
    print(
        "| images, extractor | images | bare forward, images/s | loop, images/s | loop / bare |\n|---|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory() as folder:
        small = digits.load(digits.Config(resolution=32), "train").values.repeat(4, 1, 1, 1)
        colour = small[:128].expand(-1, 3, -1, -1).contiguous()
        save_samples(to_network_range(small), Path(folder) / "small.zip")
        save_samples(to_network_range(colour), Path(folder) / "colour.zip")
        ours, theirs = load_extractor(DIGITS)[0], inception(asked.inception, Path(folder))
        for name, extractor, pixels, zipped in (
            ("digits", ours, small, "small.zip"),
            ("Inception", theirs, colour, "colour.zip"),
        ):
            held = HeldSource("memory", pixels)
            print(row(f"in memory, {name}", extractor, pixels, held, asked.repeats), flush=True)
            print(row(f"PNG in a zip, {name}", extractor, pixels, open_source(Path(folder) / zipped), asked.repeats))


if __name__ == "__main__":
    main()
