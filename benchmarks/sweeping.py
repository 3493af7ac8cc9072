"""How much of a sweep's time is training, and how it compares with a process for every trial, as an agent starts them.

    python benchmarks/sweeping.py [--seconds 10] [--trials 24] [--alone 12] [--workers 2]

The trials are DCGAN on digits, sized on the spot so that one trains for about --seconds on one thread. First the sweep
runs them with --workers; then the first --alone of them are run again by `ganzoo train` with the same words, one
process a trial: one after the other, with all threads and with one, and as many at a time as there are workers. Work is
the time of training and of evaluation as the records tell it; everything else is overhead. Run it on an idle machine.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean, median
from typing import Any

ROOT = Path(__file__).parent.parent
EXPERIMENT = ROOT / "experiments" / "digits" / "dcgan.yaml"
WORDS = {
    "data.resolution": 16,
    "generator.width": 8,
    "discriminator.width": 8,
    "tracking.wandb": "disabled",
    "samples.every_generator_updates": 1_000_000,
    "evaluation.every_generator_updates": 1_000_000,  # at the start and at the end
}


def ganzoo(*words: object, threads: int) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": str(threads)}
    command = [sys.executable, "-m", "ganzoo", *map(str, words)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)


def record_of(run: Path) -> dict[str, Any]:
    return json.loads((run / "record.json").read_text())


def work_of(run: Path) -> float:
    """Seconds of training and evaluation."""
    record = record_of(run)
    return record["seconds"] + record["evaluation"]["seconds"]


def words_of(values: dict[str, Any]) -> list[str]:
    return [f"{key}={value}" for key, value in values.items()]


def updates_for(seconds: float, folder: Path) -> int:
    """Generator updates that take about so long on one thread."""
    ganzoo("train", EXPERIMENT, *words_of(WORDS), "budget.generator_updates=200", "--run-dir", folder, threads=1)
    return round(200 * seconds / record_of(folder)["seconds"])


def swept(folder: Path, updates: int, trials: int, workers: int) -> tuple[float, list[Path]]:
    """Seconds of the whole command, and the run directories."""
    parameters = {**WORDS, "budget.generator_updates": updates}
    sweep = {
        "program": str(EXPERIMENT),
        "method": "grid",
        "metric": {"name": "evaluation/fid"},
        "parameters": {"seed": {"min": 0, "max": trials - 1}, **{key: {"value": v} for key, v in parameters.items()}},
    }
    (folder / "sweep.yaml").write_text(json.dumps(sweep))
    started = time.perf_counter()
    ganzoo("sweep", folder / "sweep.yaml", "--runs", folder / "runs", "--workers", workers, threads=1)
    seconds = time.perf_counter() - started
    return seconds, sorted(path.parent for path in folder.glob("runs/*/*/record.json"))


def alone(folder: Path, updates: int, trials: int, *, at_a_time: int, threads: int) -> float:
    """Seconds of one process a trial."""

    def train(seed: int) -> None:
        words = [*words_of({**WORDS, "budget.generator_updates": updates}), f"seed={seed}"]
        ganzoo("train", EXPERIMENT, *words, "--run-dir", folder / f"{at_a_time}-{seed}", threads=threads)

    started = time.perf_counter()
    with ThreadPoolExecutor(at_a_time) as processes:
        list(processes.map(train, range(trials)))
    return time.perf_counter() - started


def overheads(runs: list[Path], workers: int) -> list[float]:
    """Seconds of every trial but each worker's first that were neither training nor evaluation.

    They begin when the worker's trial before it ended: the time of its record.
    """
    ends: dict[int, float] = {}
    found = []
    for run in sorted(runs, key=lambda run: (run / "trial.json").stat().st_mtime):
        worker = json.loads(next((run / "claims").glob("*.json")).read_text())["process"]
        ended = (run / "record.json").stat().st_mtime
        if worker in ends:
            found.append(ended - ends[worker] - work_of(run))
        ends[worker] = ended
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="training of a trial")
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--alone", type=int, default=12, help="trials that are run again, each in its own process")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    cores = os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        updates = updates_for(options.seconds, folder / "pace")
        seconds, runs = swept(folder, updates, options.trials, options.workers)
        work = [work_of(run) for run in runs]
        print(f"{len(runs)} trials of {updates} updates, {mean(work):.2f} s of work each; {options.workers} workers:")
        print(f"  wall {seconds:.1f} s = {seconds / (sum(work) / options.workers):.3f} x work / workers")
        over = overheads(runs, options.workers)
        print(f"  overhead a trial after the first: median {median(over):.3f} s, largest {max(over):.3f} s")
        rate = len(runs) / seconds * 60
        print(f"  {rate:.1f} trials a minute")
        for at_a_time, threads in ((1, cores), (1, 1), (options.workers, 1)):
            slow = alone(folder / f"{threads}", updates, options.alone, at_a_time=at_a_time, threads=threads)
            other = options.alone / slow * 60
            how = f"a process a trial, {at_a_time} at a time, {threads} threads"
            print(f"{how}: {other:.1f} trials a minute; the sweep does {rate / other:.2f} times as many")


if __name__ == "__main__":
    main()
