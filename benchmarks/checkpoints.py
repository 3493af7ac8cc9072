"""How long training waits for a checkpoint of 100 MB that is written in the background, and in the foreground.

    python benchmarks/checkpoints.py [--checkpoints 10] [--threads 2]

Two MLPs on ring8, Adam's moments and the averaged generator included. Both ways take turns in one run: a checkpoint,
then so many updates that it is on the disk long before the next. The stall of a checkpoint is by how much the longest
update from its copying until it has its name is longer than the median of those while nothing is written.
"""

import argparse
import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from time import perf_counter

import lightning
import torch

from ganzoo.experiment import load_experiment
from ganzoo.records.metrics_log import MetricsLog
from ganzoo.records.run_directory import RunDirectory
from ganzoo.training.build import begin_gan, build_data
from ganzoo.training.callbacks.checkpoint import Checkpoints
from ganzoo.training.callbacks.guard import Guard
from ganzoo.training.clock import Clock
from ganzoo.training.config import TrainerConfig
from ganzoo.training.gan import GAN
from ganzoo.training.process import prepare_process

ROOT = Path(__file__).parent.parent
NETWORK = "{name: mlp, width: %d, depth: 8}"
BETWEEN = 20  # generator updates from one checkpoint to the next
FIRST = 3  # checkpoints that are not counted: memory is found, Adam's moments appear


@dataclass(kw_only=True)
class Written:
    """One checkpoint: moments of perf_counter, and whether training waited until it was on the disk."""

    foreground: bool
    begun: float
    acted: float = 0.0
    named: float = 0.0


class Timed(Checkpoints):
    """In the background and in the foreground, in turns."""

    written: tuple[Written, ...] = ()

    def act(self, trainer: lightning.Trainer, gan: GAN) -> None:
        this = Written(foreground=len(self.written) % 2 == 1, begun=perf_counter())
        self.written += (this,)
        super().act(trainer, gan)
        self.io.background.then(lambda: setattr(this, "named", perf_counter()))
        if this.foreground:
            self.io.background.wait()
        this.acted = perf_counter()


class Stopwatch(lightning.Callback):
    """When each batch began; a checkpoint is part of the batch before."""

    def __init__(self, updates: int):
        self.updates = updates
        self.moments: list[float] = []

    def on_train_batch_start(self, trainer: lightning.Trainer, gan: GAN, *args) -> None:  # type: ignore[override]
        self.moments.append(perf_counter())
        trainer.should_stop = gan.generator_updates >= self.updates


def trained(folder: Path, width: int, updates: int) -> tuple[list[float], list[Written], int]:
    """Moments at which batches began, the checkpoints, and the bytes of one."""
    networks = [f"{network}={NETWORK % width}" for network in ("generator", "discriminator")]
    experiment = load_experiment(ROOT / "experiments" / "ring8" / "dcgan.yaml", [*networks, "data.batch_size=64"])
    run, clock, stopwatch = RunDirectory.create(experiment, folder / "run"), Clock(), Stopwatch(updates)
    checkpoints = Timed(BETWEEN, run, Guard(), clock)
    trainer = lightning.Trainer(
        accelerator="cpu", max_epochs=-1, callbacks=[stopwatch, checkpoints], logger=MetricsLog(run, clock),
        plugins=[checkpoints.io], enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    data = build_data(experiment)
    data.setup()
    trainer.fit(begin_gan(experiment), datamodule=data)
    return stopwatch.moments, list(checkpoints.written[FIRST:]), run.last_checkpoint.stat().st_size


def stalls_of(moments: list[float], written: list[Written], usual: float) -> list[float]:
    """By how much the longest batch that a checkpoint has touched is longer than usual, for each checkpoint."""
    batches = list(pairwise(moments))
    touched = ([end - start for start, end in batches if end > each.begun and start < each.named] for each in written)
    return [max(lengths) - usual for lengths in touched]


def milliseconds(seconds: list[float]) -> str:
    return f"{1e3 * median(seconds):.1f} ({1e3 * max(seconds):.1f})"


def report(moments: list[float], written: list[Written]) -> None:
    def is_quiet(start: float, end: float) -> bool:
        return start > written[0].begun and not any(end > each.begun and start < each.named for each in written)

    quiet = [end - start for start, end in pairwise(moments) if is_quiet(start, end)]
    print(f"\nan update while nothing is written: {milliseconds(quiet)} ms, median (longest)\n")
    print("| ms, median (longest) | training waits in the call | stall | until it has its name |\n|---|---|---|---|")
    for name, foreground in {"in the background": False, "in the foreground": True}.items():
        some = [each for each in written if each.foreground == foreground]
        calls = [each.acted - each.begun for each in some]
        whole = [each.named - each.begun for each in some]
        stalls = stalls_of(moments, some, median(quiet))
        print(f"| {name} | {milliseconds(calls)} | {milliseconds(stalls)} | {milliseconds(whole)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoints", type=int, default=10, help="of each way")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--width", type=int, default=720)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    prepare_process(TrainerConfig())
    with tempfile.TemporaryDirectory() as folder:
        updates = BETWEEN * (FIRST + 2 * options.checkpoints)
        moments, written, size = trained(Path(folder), options.width, updates)
    print(f"{size / 1e6:.1f} MB, {options.threads} threads, torch {torch.__version__}")
    report(moments, written)


if __name__ == "__main__":
    main()
