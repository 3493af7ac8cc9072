"""How many runs an hour packs make of one tiny experiment with several seeds: 64 units wide on a ring of Gaussians.

    python benchmarks/packing.py [--runs 16] [--updates 2000] [--pack 8] [--workers 2] [--repeats 3]

`ganzoo sweep` trains the same seeds in each of these ways, one way after the other in every repeat: one run after the
other with all threads and with one, as many at a time as there are workers, and the workers with a pack each. Told is
the median over the repeats, and of the ratios to the quicker of the first two. Run it on an idle machine.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parent.parent
EXPERIMENT = ROOT / "experiments" / "ring8" / "nsgan.yaml"
WORDS = {
    "generator.width": 64,
    "discriminator.width": 64,
    "data.batch_size": 64,
    "tracking.wandb": "disabled",
    "samples.every_generator_updates": 1_000_000,
    "evaluation.every_generator_updates": 1_000_000,  # at the start and at the end
    "checkpoint.every_generator_updates": 1_000_000,
}


def seconds_of(folder: Path, runs: int, updates: int, *, workers: int, threads: int, pack: int) -> float:
    """Of the whole command."""
    parameters = {**WORDS, "budget.generator_updates": updates, "seeds": runs}
    sweep = {
        "program": str(EXPERIMENT),
        "method": "grid",
        "parameters": {key: {"value": value} for key, value in parameters.items()},
    }
    (folder / "sweep.yaml").write_text(json.dumps(sweep))
    options = {"--runs": folder / "runs", "--workers": workers, "--threads": threads, "--pack": pack}
    words = [str(word) for option in options.items() for word in option]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": str(threads)}
    command = [sys.executable, "-m", "ganzoo", "sweep", str(folder / "sweep.yaml"), *words]
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=16)
    parser.add_argument("--updates", type=int, default=2000)
    parser.add_argument("--pack", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    several, cores = options.workers, os.cpu_count() or 1
    ways = {
        f"one after the other, {cores} threads": {"workers": 1, "threads": cores, "pack": 1},
        "one after the other, 1 thread": {"workers": 1, "threads": 1, "pack": 1},
        f"{several} workers": {"workers": several, "threads": 1, "pack": 1},
        f"{several} workers, packs of {options.pack}": {"workers": several, "threads": 1, "pack": options.pack},
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(options.repeats):
        for name, way in ways.items():
            with tempfile.TemporaryDirectory() as folder:
                seconds[name].append(seconds_of(Path(folder), options.runs, options.updates, **way))
    first = min(list(ways)[:2], key=lambda name: median(seconds[name]))
    print(f"{options.runs} runs of {options.updates} generator updates, {options.repeats} repeats; against: {first}")
    for name, taken in seconds.items():
        ratio = median(slow / quick for slow, quick in zip(seconds[first], taken, strict=True))
        rate = options.runs / median(taken) * 3600
        print(f"{name}: {rate:.0f} runs an hour ({min(taken):.1f} to {max(taken):.1f} s), {ratio:.2f} times as many")


if __name__ == "__main__":
    main()
