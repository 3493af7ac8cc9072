"""A sweep as a job array of a real SLURM on this machine, whose tasks are requeued and lose nodes while they train.

    python benchmarks/arrays.py [--trials 20] [--hits 5] [--seed 0]

Four tasks at a time on four virtual nodes. Every second hit is a node's death, the others are `scontrol requeue`. At
the end every trial must be done, begun once (those that were hit: twice), and equal to the local engine's to the last
bit.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "slurm"), str(ROOT / "benchmarks")]

import torch  # noqa: E402
from exactness import differences  # noqa: E402
from mini_cluster import MiniCluster  # noqa: E402

from ganzoo.records.starts import starts_of  # noqa: E402
from ganzoo.sweeping.reading import read_sweep  # noqa: E402
from ganzoo.sweeping.trials import Sweep  # noqa: E402

SWEEP = """
program: {program}
method: random
run_cap: {trials}
parameters:
  optimizer.generator.lr: {{distribution: log_uniform_values, min: 1.0e-4, max: 1.0e-2}}
  data: {{value: {{resolution: 8, batch_size: 16}}}}
  generator.width: {{value: 8}}
  discriminator.width: {{value: 8}}
  budget.generator_updates: {{value: 600}}
  checkpoint.every_generator_updates: {{value: 20}}
  evaluation.protocol: {{value: null}}
  samples.every_generator_updates: {{value: null}}
  tracking.wandb: {{value: disabled}}
"""


class Cluster:
    """`ganzoo sweep` on a mini cluster."""

    def __init__(self, slurm: MiniCluster, folder: Path):
        self.slurm, self.folder = slurm, folder
        self.environment = {**slurm.variables(), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}

    def sweep(self, *words: object) -> str:
        command = [sys.executable, "-m", "ganzoo", "sweep", "rates.yaml", *map(str, words)]
        done = self.slurm.run(*command, env=self.environment, cwd=self.folder, timeout=1800)
        if done.returncode:
            raise SystemExit(f"ganzoo sweep failed: {done.stderr}")
        return done.stdout

    def hit(self, task: str, *, node: bool) -> None:
        if node:
            name = self.slurm.show(task)["NodeList"]
            self.slurm.crash_node(name)
            self.slurm.revive_node(name)
        else:
            self.slurm.run("scontrol", "requeue", task)
        self.slurm.hurry(task)


def in_training(sweep: Sweep, but: set[int]) -> list[int]:
    """Trials that have written a checkpoint and no record yet."""
    there = [trial for trial in sweep if trial.number not in but and trial.run.last_checkpoint.exists()]
    return [trial.number for trial in there if not trial.run.record.exists()]


def under_fire(cluster: Cluster, sweep: Sweep, hits: int, chance: random.Random) -> set[int]:
    """Runs the sweep as an array; the trials that were hit."""
    cluster.sweep("--engine", "slurm", "--workers", 4)
    (job,) = json.loads((sweep.folder / "slurm.json").read_text())["jobs"]
    done: set[int] = set()
    while len(done) < hits and not all(trial.run.record.exists() for trial in sweep):
        if there := in_training(sweep, but=done):
            done.add(number := chance.choice(there))
            cluster.hit(f"{job['id']}_{number}", node=len(done) % 2 == 0)
        time.sleep(0.1)
    cluster.slurm.wait(job["id"], {"COMPLETED", "FAILED"}, timeout=1800)
    return done


def checkpoint(run: Path) -> dict[str, Any]:
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--hits", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, MiniCluster(nodes=4, cpus=1) as slurm:
        folder = Path(name)
        program = ROOT / "experiments" / "digits" / "dcgan.yaml"
        (folder / "rates.yaml").write_text(SWEEP.format(program=program, trials=asked.trials))
        cluster, file = Cluster(slurm, folder), read_sweep(folder / "rates.yaml")
        sweep, local = Sweep(file, folder / "runs"), Sweep(file, folder / "local")
        started = time.monotonic()
        hit = under_fire(cluster, sweep, asked.hits, random.Random(asked.seed))
        seconds = time.monotonic() - started
        told = json.loads(cluster.sweep("--status", "--json"))
        cluster.sweep("--runs", "local", "--workers", 2, "--threads", 1)
        starts = {trial.number: [start.restart for start in starts_of(trial.run)] for trial in sweep}
        right = sum(starts[number] == ([0, 1] if number in hit else [0]) for number in starts)
        pairs = zip(sweep, local, strict=True)
        apart = sum(bool(differences(checkpoint(a.directory), checkpoint(b.directory))) for a, b in pairs)
    done, all_of_them = told["counts"]["done"], f"of {asked.trials} trials"
    print(f"{len(hit)} hits in {seconds:.0f} s; {done} {all_of_them} done, {right} begun as often as they should;")
    print(f"{apart} of {asked.trials} differ from the local engine's")
    return 0 if (done, right, apart) == (asked.trials, asked.trials, 0) else 1


if __name__ == "__main__":
    sys.exit(main())
