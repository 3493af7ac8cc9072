"""Kills parts of a sweep at random moments, calls it again, and compares it with one that was left alone.

    python benchmarks/chaos.py [--kills 30] [--seed 0] [--trials 12] [--updates 2500]

What is killed, by SIGKILL: a worker, the parent, the fork server, or everything. A kill comes at a random time after
some trial has logged something new, so that all get further. After the last kill one clean call finishes the sweep.
Then every trial must be done, no record may have changed after it said so (nothing is done twice), and all checkpoints
and logs must be those of the other sweep, to the last bit.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from exactness import ROOT, compared

SWEEP = """
name: chaos
program: {experiment}
method: grid
metric: {{name: evaluation/fid}}
parameters:
  seed: {{min: 0, max: {last}}}
  data.resolution: {{value: 8}}
  data.batch_size: {{value: 16}}
  variant.latent_dim: {{value: 4}}
  generator.width: {{value: 4}}
  discriminator.width: {{value: 4}}
  ema.halflife_images: {{value: 100}}
  tracking.wandb: {{value: disabled}}
  tracking.every_generator_updates: {{value: 5}}
  evaluation.every_generator_updates: {{value: 100}}
  samples.every_generator_updates: {{value: 150}}
  checkpoint.every_generator_updates: {{value: 40}}
  budget.generator_updates: {{value: {updates}}}
"""
VICTIMS = ("worker", "worker", "parent", "server", "everything")


class SweepUnderFire:
    """A sweep file and the folder that its runs go to."""

    def __init__(self, folder: Path, trials: int, updates: int):
        self.file, self.runs = folder / "chaos.yaml", folder / "runs"
        experiment = ROOT / "experiments" / "digits" / "dcgan.yaml"
        self.file.write_text(SWEEP.format(experiment=experiment, last=trials - 1, updates=updates))
        self.done: dict[Path, bytes] = {}  # records that said done when they were first seen

    def start(self, runs: Path | None = None) -> subprocess.Popen:
        words = [sys.executable, "-m", "ganzoo", "sweep", self.file, "--runs", runs or self.runs, "--workers", "2"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen([*map(str, words)], env=environment, **pipes)

    def finish(self, runs: Path | None = None) -> None:
        process = self.start(runs)
        _, errors = process.communicate()
        if process.returncode:
            raise SystemExit(f"the sweep ended with {process.returncode}: {errors}")

    def trials(self, runs: Path | None = None) -> list[Path]:
        return sorted(path.parent for path in (runs or self.runs).glob("chaos-*/*/trial.json"))

    def lines(self) -> int:
        """Logged so far; a run that goes on from a checkpoint may take some back."""
        return sum(path.read_bytes().count(b"\n") for path in self.runs.glob("chaos-*/*/metrics.jsonl"))

    def note_done(self) -> None:
        """Raises SystemExit where a finished trial's record has changed."""
        for record in self.runs.glob("chaos-*/*/record.json"):
            content = record.read_bytes()
            if b'"status": "done"' in content and self.done.setdefault(record, content) != content:
                raise SystemExit(f"{record}: a trial that was done was trained again")


def children_of(process: int) -> Iterator[int]:
    """All processes below one, the nearest first."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:  # gone meanwhile
            continue
    nearest = [process]
    while nearest:
        nearest = [child for child, parent in parents.items() if parent in nearest]
        yield from nearest


def kill(parent: int, victim: str, chance: random.Random) -> None:
    """The fork server is the parent's child that has children of its own: the workers."""
    servers = [child for child in children_of(parent) if [*children_of(child)]]
    workers = [worker for server in servers for worker in children_of(server)]
    everything = [parent, *children_of(parent)]
    chosen = {
        "worker": chance.sample(workers, min(1, len(workers))),
        "parent": [parent],
        "server": servers,
        "everything": everything,
    }[victim]
    for process in chosen:
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            continue


def killed_until_enough(sweep: SweepUnderFire, kills: int, chance: random.Random) -> dict[str, int]:
    """Starts and kills the sweep until it has been hit so often, or is done. Returns what was hit how often."""
    hit = dict.fromkeys(VICTIMS, 0)
    process = sweep.start()
    while sum(hit.values()) < kills:
        lines = sweep.lines()
        while process.poll() is None and sweep.lines() <= lines:
            time.sleep(0.02)
        time.sleep(chance.expovariate(1 / 1.5))
        sweep.note_done()
        if process.poll() is not None and process.poll() >= 0:  # it has ended by itself
            break
        if process.poll() is None:
            victim = chance.choice(VICTIMS)
            kill(process.pid, victim, chance)
            hit[victim] += 1
        time.sleep(0.1)
        if process.poll() is not None:
            process.communicate()
            process = sweep.start()
    process.kill()
    process.communicate()
    return hit


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--updates", type=int, default=2500, help="generator updates of a trial")
    options = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as folder:
        sweep = SweepUnderFire(Path(folder), options.trials, options.updates)
        hit = killed_until_enough(sweep, options.kills, random.Random(options.seed))
        sweep.finish()
        sweep.note_done()
        sweep.finish(quiet := Path(folder) / "left alone")
        killed, whole = sweep.trials(), sweep.trials(quiet)
        wrong = {pair[0].name: found for pair in zip(whole, killed, strict=True) if (found := compared(*pair))}
        kills = ", ".join(f"{number} {victim}" for victim, number in hit.items())
        print(f"{sum(hit.values())} kills ({kills}); {len(sweep.done)} of {options.trials} trials done, none twice;")
        print(f"{len(wrong)} of {len(whole)} differ from the sweep that was left alone", wrong or "")
    return 1 if wrong or len(sweep.done) != options.trials or len(whole) != options.trials else 0


if __name__ == "__main__":
    sys.exit(main())
