"""A sweep as a job array on a real SLURM: whatever its tasks are put through, every trial is done once."""

import json
import random
import sys
import time
from pathlib import Path

import pytest
from conftest import DIGITS, ROOT, checkpoint_of, differences
from mini_cluster import MiniCluster

from ganzoo.records.starts import starts_of
from ganzoo.sweeping.reading import read_sweep
from ganzoo.sweeping.trials import Sweep

pytest_plugins = ["slurm_fixtures"]
pytestmark = pytest.mark.slow

SWEEP = """
program: {program}
method: random
run_cap: 20
parameters:
  optimizer.generator.lr: {{distribution: log_uniform_values, min: 1.0e-4, max: 1.0e-2}}
  plugins: {{value: [troubled_plugin]}}
  variant: {{value: {{name: troubled, latent_dim: 4, seconds: 0.02}}}}
  data: {{value: {{resolution: 8, batch_size: 16}}}}
  generator.width: {{value: 4}}
  discriminator.width: {{value: 4}}
  budget.generator_updates: {{value: 60}}
  checkpoint.every_generator_updates: {{value: 5}}
  evaluation.protocol: {{value: null}}
  samples.every_generator_updates: {{value: null}}
  tracking: {{value: {{wandb: disabled, every_generator_updates: 1}}}}
"""


@pytest.fixture
def sweep(tmp_path: Path) -> Sweep:
    (tmp_path / "rates.yaml").write_text(SWEEP.format(program=DIGITS))
    return Sweep(read_sweep(tmp_path / "rates.yaml"), tmp_path / "runs")


def ganzoo(cluster: MiniCluster, folder: Path, *words: object, code: int = 0) -> str:
    path = f"{ROOT}:{ROOT / 'tests'}"
    variables = {**cluster.variables(), "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    command = (sys.executable, "-m", "ganzoo", "sweep", "rates.yaml", *map(str, words))
    done = cluster.run(*command, env=variables, cwd=folder, timeout=280)
    assert done.returncode == code, done.stderr
    return done.stdout


def training_of(sweep: Sweep) -> list[int]:
    """Trials that have written a checkpoint and no record yet."""
    return [trial.number for trial in sweep if trial.run.last_checkpoint.exists() and not trial.run.record.exists()]


@pytest.mark.timeout(900)
def test_twenty_trials_four_at_a_time_under_fire(slurm, sweep, tmp_path):
    with MiniCluster(nodes=4, cpus=1) as cluster:
        ganzoo(cluster, tmp_path, "--engine", "slurm", "--workers", 4)
        (job,) = json.loads((sweep.folder / "slurm.json").read_text())["jobs"]
        chance, hit, crashed, end = random.Random(0), set(), False, time.monotonic() + 600
        while len(hit) < 4 or not crashed:
            assert time.monotonic() < end
            if fresh := [number for number in training_of(sweep) if number not in hit]:
                number = chance.choice(fresh)
                hit.add(number)
                if len(hit) == 3:  # the node that it is on
                    node = cluster.show(f"{job['id']}_{number}")["NodeList"]
                    cluster.crash_node(node)
                    cluster.revive_node(node)
                    crashed = True
                else:
                    cluster.run("scontrol", "requeue", f"{job['id']}_{number}")
                cluster.hurry(f"{job['id']}_{number}")
            time.sleep(0.2)
        cluster.wait(job["id"], {"COMPLETED", "FAILED"}, timeout=600)
        told = json.loads(ganzoo(cluster, tmp_path, "--status", "--json"))
        ganzoo(cluster, tmp_path, "--runs", "local", "--workers", 2, "--threads", 1)
    assert told["counts"]["done"] == 20 and told["queue"] == []
    starts = {trial.number: [start.restart for start in starts_of(trial.run)] for trial in sweep}
    assert starts == {number: [0, 1] if number in hit else [0] for number in range(20)}
    for ours, theirs in zip(sweep, Sweep(sweep.file, tmp_path / "local"), strict=True):
        assert differences(checkpoint_of(ours.directory), checkpoint_of(theirs.directory)) == []
