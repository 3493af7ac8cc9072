"""What an update has beside its arithmetic: the batch, the average, the log line; and the memory of a whole training.

    python benchmarks/parts.py [--repeats 200] [--threads 2] [--part data] [--json FILE]

Each is timed beside the usual way to do the same, in turns. Memory is the largest of a process of its own, of the
libraries, the data and some updates: a run of ganzoo's and the loop of raw_loop.py.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from time import perf_counter
from types import SimpleNamespace

import torch
from lightning.pytorch.loggers import CSVLogger
from raw_loop import raw_loop
from torch.utils.data import DataLoader, TensorDataset

from ganzoo.experiment import Experiment, load_experiment
from ganzoo.records.metrics_log import MetricsLog
from ganzoo.records.run_directory import RunDirectory
from ganzoo.training.build import begin_gan, build_data
from ganzoo.training.clock import Clock
from ganzoo.training.ema import MovingAverage
from ganzoo.training.run import train

ROOT = Path(__file__).parent.parent
WORDS = [
    "generator.width=64", "discriminator.width=64", "data.batch_size=64", "tracking.wandb=disabled",
    "evaluation.protocol=null", "samples.every_generator_updates=null", "trainer.progress=false",
]  # fmt: skip
UPDATES = 12  # of the trainings whose memory is looked at
Part = Callable[[], object]


def digits(*words: str) -> Experiment:
    return load_experiment(ROOT / "experiments" / "digits" / "dcgan.yaml", [*WORDS, *words])


def batches() -> Iterator[tuple[str, dict[str, Part]]]:
    """64 images of 32 pixels in [-1, 1]."""
    data = build_data(digits())
    data.setup()
    data.trainer = SimpleNamespace(  # type: ignore[assignment]  # what the loader asks of a trainer
        strategy=SimpleNamespace(root_device=torch.device("cpu")), global_rank=0, world_size=1
    )
    data.train_dataloader()
    assert data.samples is not None
    images = TensorDataset(data.samples.values)

    def usual() -> Iterator[torch.Tensor]:
        while True:
            for (batch,) in DataLoader(images, batch_size=64, shuffle=True, drop_last=True):
                yield batch.float() / 127.5 - 1

    loader = usual()
    yield "a batch", {"ganzoo": data.next_batch, "DataLoader": lambda: next(loader)}


def averages() -> Iterator[tuple[str, dict[str, Part]]]:
    for name in ("dcgan", "resnet"):
        gan = begin_gan(digits(f"generator={{name: {name}, width: 64}}"))
        average, current = gan.ema_generator, gan.generator
        moving = MovingAverage(average, current)

        @torch.no_grad()
        def usual(average: torch.nn.Module = average, current: torch.nn.Module = current) -> None:
            for mean, weight in zip(average.parameters(), current.parameters(), strict=True):
                mean.mul_(0.999).add_(weight, alpha=0.001)
            for mean, buffer in zip(average.buffers(), current.buffers(), strict=True):
                mean.copy_(buffer)

        def ours(moving: MovingAverage = moving) -> None:
            moving.move(images=64, halflife_images=1e5)

        yield f"the average of {name}'s generator", {"ganzoo": ours, "a loop over weights": usual}


def lines() -> Iterator[tuple[str, dict[str, Part]]]:
    """Losses read from the device and written."""
    with tempfile.TemporaryDirectory() as folder:
        gan, run = begin_gan(digits()), RunDirectory.create(digits(), Path(folder) / "run")
        log, csv = MetricsLog(run, Clock()), CSVLogger(folder, flush_logs_every_n_steps=1)
        gan.report({"generator/loss": torch.ones(()), "discriminator/loss": torch.ones(())})

        def write(logger: MetricsLog | CSVLogger) -> Part:
            return lambda: logger.log_metrics(gan.read_losses(), step=0)

        yield "a line of the log", {"ganzoo": write(log), "Lightning's CSVLogger": write(csv)}


PARTS = {"data": batches, "average": averages, "log": lines}


def timed(ways: dict[str, Part], repeats: int) -> dict[str, float]:
    """Microseconds of each, medians."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for repeat in range(repeats + 10):
        for name, act in ways.items():
            started = perf_counter()
            act()
            if repeat >= 10:
                times[name].append(1e6 * (perf_counter() - started))
    return {name: median(some) for name, some in times.items()}


def train_as(way: str) -> None:
    """In a process of its own, which tells the most memory that it has had."""
    if way == "ganzoo":
        with tempfile.TemporaryDirectory() as folder:
            train(digits(f"budget.generator_updates={UPDATES}"), run_dir=Path(folder) / "run")
    else:
        raw_loop(digits())(UPDATES)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def memory_of(way: str, threads: int) -> float:
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONPATH": str(ROOT)}
    words = [sys.executable, __file__, "--threads", str(threads), "--train-as", way]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--part", choices=[*PARTS, "memory"], action="append", help="may be repeated; default: all")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--train-as", choices=["ganzoo", "by hand"], help=argparse.SUPPRESS)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    if asked.train_as:
        return train_as(asked.train_as)
    found = {}
    for name in asked.part or [*PARTS, "memory"]:
        if name == "memory":
            found["memory, MB"] = {way: memory_of(way, asked.threads) for way in ("ganzoo", "by hand")}
        else:
            found |= {f"{what}, microseconds": timed(ways, asked.repeats) for what, ways in PARTS[name]()}
    print(f"{asked.threads} threads, torch {torch.__version__}\n")
    print("| what | ganzoo | the usual way | |\n|---|---|---|---|")
    for what, values in found.items():
        (_, ours), (way, usual) = values.items()
        print(f"| {what} | {ours:,.0f} | {usual:,.0f} | {way} |")
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
