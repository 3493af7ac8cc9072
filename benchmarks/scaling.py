"""What grows and what must not: memory and time over a long run, time over the size of the data and the resolution.

    python benchmarks/scaling.py [--updates 20000] [--repeats 3]

First one run of the tiny 2-D experiment with all that a run has: scores, grids, checkpoints. Its resident memory and
the time of its updates are looked at every 500 updates; "after" is after the first 1,000. Then the time of an update by
the number of points to draw batches from, and of an image by its side, of short runs in turns.
"""

import argparse
import json
import resource
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, median

from ganzoo.experiment import load_experiment
from ganzoo.records.run_directory import RunDirectory
from ganzoo.training.run import train, train_claimed

ROOT = Path(__file__).parent.parent
TINY = ["generator.width=64", "discriminator.width=64", "tracking.wandb=disabled", "trainer.progress=false"]
OFF = ["evaluation.protocol=null", "samples.every_generator_updates=null", "checkpoint.every_generator_updates=1000000"]
LOOK_EVERY, SETTLED = 500, 1000


def resident_megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


@dataclass
class Look:
    """At the memory, whenever the run logs."""

    memory: dict[int, float] = field(default_factory=dict)

    def __call__(self, generator_updates: int, values: Mapping[str, float]) -> None:
        self.memory[generator_updates] = resident_megabytes()


def milliseconds(run: RunDirectory) -> dict[int, float]:
    """Of an update between two lines of the log, by the second line's generator updates."""
    lines = [json.loads(line) for line in run.metrics.read_text().splitlines()]
    times = {0: 0.0} | {line["generator_updates"]: line["seconds"] for line in lines if "generator/loss" in line}
    pairs = zip(times.items(), list(times.items())[1:], strict=False)
    return {after: 1e3 * (later - sooner) / (after - before) for (before, sooner), (after, later) in pairs}


def long_run(updates: int) -> None:
    words = [*TINY, f"budget.generator_updates={updates}", f"tracking.every_generator_updates={LOOK_EVERY}"]
    experiment, look = load_experiment(ROOT / "experiments/ring8/dcgan.yaml", words), Look()
    with tempfile.TemporaryDirectory() as folder:
        run = RunDirectory.create(experiment, Path(folder) / "run")
        with run.claimed():
            train_claimed(experiment, run, look)
        times = milliseconds(run)
    print("| updates | resident, MB | an update, ms (median of the stretch) |\n|---|---|---|")
    stretch = max(updates // 10, LOOK_EVERY)
    for end in range(stretch, updates + 1, stretch):
        within = [time for update, time in times.items() if end - stretch < update <= end]
        print(f"| {end:,} | {look.memory[end]:.1f} | {median(within):.3f} |")
    after = [megabytes for update, megabytes in look.memory.items() if update >= SETTLED]
    early, late = (
        [time for update, time in times.items() if (update > updates // 2) is half] for half in (False, True)
    )
    print(
        f"\nAfter {SETTLED:,}: {min(after):.1f} to {max(after):.1f} MB, a spread of {max(after) - min(after):.1f} MB."
    )
    print(f"Second half / first half, medians of an update's time: {median(late) / median(early):.3f}\n")


def seconds_an_update(file: str, words: list[str], updates: int) -> float:
    experiment = load_experiment(
        ROOT / "experiments" / file, [*OFF, *words, "tracking.wandb=disabled", f"budget.generator_updates={updates}"]
    )
    with tempfile.TemporaryDirectory() as folder:
        return mean(list(milliseconds(train(experiment, run_dir=Path(folder) / "run")).values())[1:])


def by_setting(file: str, words: list[str], key: str, values: tuple[int, ...], updates: int, repeats: int) -> None:
    """A table of the time of an update against one setting."""
    every = f"tracking.every_generator_updates={updates // 5}"
    found: dict[int, list[float]] = {value: [] for value in values}
    for _ in range(repeats):
        for value in values:
            found[value].append(seconds_an_update(file, [*words, every, f"{key}={value}"], updates))
    print(f"| {key} | an update, ms |\n|---|---|")
    for value in values:
        print(f"| {value:,} | {median(found[value]):.3f} |", flush=True)
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--updates", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    long_run(asked.updates)
    by_setting("ring8/dcgan.yaml", TINY, "data.num_points", (1_000, 10_000, 100_000, 1_000_000), 1000, asked.repeats)
    narrow = ["generator.width=16", "discriminator.width=16", "data.batch_size=16"]
    by_setting("digits/dcgan.yaml", narrow, "data.resolution", (16, 32, 64), 40, asked.repeats)


if __name__ == "__main__":
    main()
