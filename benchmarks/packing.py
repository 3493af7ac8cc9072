"""How many runs an hour packs make of one experiment with several seeds.

    python benchmarks/packing.py [--runs 16] [--updates 2000] [--pack 8] [--workers 2] [--repeats 3]
    python benchmarks/packing.py --device cuda --pack 16 [--alone 8]

The experiment is 64 units wide on a ring of Gaussians, on a GPU DCGAN on digits of 32 pixels. `ganzoo sweep` trains the
same seeds in each of several ways, one way after the other in every repeat. On a CPU: one run after the other with all
threads and with one, as many at a time as there are workers, and the workers with a pack each. On a GPU: one after the
other and as a pack, each with CUDA graphs and without. Told is the median over the repeats, and of the ratios to the
first way (on a CPU the quicker of the first two). Run it on an idle machine.
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
from typing import Any

ROOT = Path(__file__).parent.parent
EXPERIMENTS = {"cpu": "ring8/nsgan.yaml", "cuda": "digits/dcgan.yaml"}
TINY = {"generator.width": 64, "discriminator.width": 64, "data.batch_size": 64}
WORDS = {
    "tracking.wandb": "disabled",
    "samples.every_generator_updates": 1_000_000,
    "evaluation.every_generator_updates": 1_000_000,  # at the start and at the end
    "checkpoint.every_generator_updates": 1_000_000,
}


def seconds_of(
    folder: Path, device: str, runs: int, updates: int, *, workers: int, threads: int, pack: int, graphs: bool = False
) -> float:
    """Of the whole command."""
    parameters = {**WORDS, "budget.generator_updates": updates, "seeds": runs, "trainer.cuda_graphs": graphs}
    parameters |= {"trainer.accelerator": "cpu", **TINY} if device == "cpu" else {"trainer.accelerator": "gpu"}
    sweep = {
        "program": str(ROOT / "experiments" / EXPERIMENTS[device]),
        "method": "grid",
        "parameters": {key: {"value": value} for key, value in parameters.items()},
    }
    (folder / "sweep.yaml").write_text(json.dumps(sweep))
    options = {"--runs": folder / "runs", "--workers": workers, "--threads": threads, "--pack": pack}
    words = [str(word) for option in options.items() for word in option]
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": str(threads)}
    command = [sys.executable, "-m", "ganzoo", "sweep", str(folder / "sweep.yaml"), *words]
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    return time.perf_counter() - started


def ways_on_cpu(several: int, pack: int) -> dict[str, dict[str, Any]]:
    cores = os.cpu_count() or 1
    return {
        f"one after the other, {cores} threads": {"workers": 1, "threads": cores, "pack": 1},
        "one after the other, 1 thread": {"workers": 1, "threads": 1, "pack": 1},
        f"{several} workers": {"workers": several, "threads": 1, "pack": 1},
        f"{several} workers, packs of {pack}": {"workers": several, "threads": 1, "pack": pack},
    }


def ways_on_gpu(pack: int) -> dict[str, dict[str, Any]]:
    one = {"workers": 1, "threads": os.cpu_count() or 1}
    return {
        "one after the other, operation by operation": {**one, "pack": 1, "graphs": False},
        "one after the other, graphs": {**one, "pack": 1, "graphs": True},
        f"a pack of {pack}, graphs": {**one, "pack": pack, "graphs": True},
        f"a pack of {pack}, operation by operation": {**one, "pack": pack, "graphs": False},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=16)
    parser.add_argument("--updates", type=int, default=2000)
    parser.add_argument("--pack", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="cpu", choices=EXPERIMENTS)
    parser.add_argument("--ways", type=int, default=4, help="only the first so many of them")
    parser.add_argument("--alone", type=int, help="so many runs one after the other; default: as many as there are")
    options = parser.parse_args()
    on_cpu = options.device == "cpu"
    ways = ways_on_cpu(options.workers, options.pack) if on_cpu else ways_on_gpu(options.pack)
    ways = dict(list(ways.items())[: options.ways])
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(options.repeats):
        for name, way in ways.items():
            with tempfile.TemporaryDirectory() as folder:
                runs = (options.alone or options.runs) if way["pack"] * way["workers"] == 1 else options.runs
                seconds[name].append(seconds_of(Path(folder), options.device, runs, options.updates, **way) / runs)
                print(f"{name}: {runs} runs in {runs * seconds[name][-1]:.1f} s", flush=True)
    first = min(list(ways)[: 2 if on_cpu else 1], key=lambda name: median(seconds[name]))
    print(f"runs of {options.updates} generator updates, {options.repeats} repeats; against: {first}")
    for name, taken in seconds.items():
        ratio = median(slow / quick for slow, quick in zip(seconds[first], taken, strict=True))
        spread = f"{min(taken):.2f} to {max(taken):.2f} s a run"
        print(f"{name}: {3600 / median(taken):.0f} runs an hour ({spread}), {ratio:.2f} times as many")


if __name__ == "__main__":
    main()
