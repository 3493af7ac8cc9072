"""Runs as jobs of a real SLURM: two nodes, and everything that can happen to a job. Each ends as if nothing had."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import DIGITS, ROOT, TINY, checkpoint_of, differences, metrics_of
from mini_cluster import MiniCluster

from ganzoo.records.run_directory import RunDirectory
from ganzoo.training.run import train

pytest_plugins = ["slurm_fixtures"]
pytestmark = pytest.mark.slow

# 200 updates of 30 ms: long enough to be hit on the way, and a checkpoint every 0.3 s
SETTINGS = [
    *TINY,
    "trainer.accelerator=cpu",
    "plugins=[troubled_plugin]",
    "variant={name: troubled, latent_dim: 4, seconds: 0.03}",
    "checkpoint.every_generator_updates=10",
    "budget.generator_updates=200",
]


class Jobs:
    """`ganzoo` on the cluster, in a folder."""

    def __init__(self, cluster: MiniCluster, folder: Path):
        self.cluster, self.folder = cluster, folder
        path = f"{ROOT}:{ROOT / 'tests'}"
        self.environment = {**cluster.variables(), "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "WANDB_MODE": "offline"}

    def ganzoo(self, *words: object, code: int = 0) -> str:
        done = self.cluster.run(
            sys.executable, "-m", "ganzoo", *map(str, words), env=self.environment, cwd=self.folder, timeout=120
        )
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr

    def submit(self, name: str, *words: object) -> str:
        told = self.ganzoo("submit", DIGITS, *SETTINGS, *words, "--run-dir", name, "--json")
        return json.loads(told)["job"]

    def reaches(self, name: str, updates: int, *, restart: int = 0) -> None:
        """Waits until the run has logged so many updates, after so many starts before."""
        run, end = RunDirectory(self.folder / name), time.monotonic() + 120
        starts = run.path / "slurm" / "starts.jsonl"
        while True:
            begun = starts.exists() and starts.read_text().count("\n") > restart
            if begun and any(line["generator_updates"] >= updates for line in run.lines()):
                return
            assert time.monotonic() < end, self.output(name)
            time.sleep(0.05)

    def completes(self, job: str, name: str) -> dict[str, Any]:
        """The run's record, once its job has ended well."""
        shown = self.cluster.wait(job, {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT"}, timeout=200)
        assert shown["JobState"] == "COMPLETED", (shown, self.output(name))
        record = RunDirectory(self.folder / name).read_record()
        assert record is not None and record["status"] == "done"
        return {**record, "restarts": int(shown["Restarts"])}

    def requeued(self, job: str) -> None:
        self.cluster.hurry(job)

    def output(self, name: str) -> str:
        files = sorted((self.folder / name / "slurm").glob("*.out"))
        return "\n".join(file.read_text() for file in files)

    def same_as(self, whole: Path, name: str) -> None:
        assert differences(checkpoint_of(whole), checkpoint_of(self.folder / name)) == []
        assert metrics_of(whole) == metrics_of(self.folder / name)


@pytest.fixture
def jobs(cluster: MiniCluster, tmp_path: Path) -> Jobs:
    return Jobs(cluster, tmp_path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two processes of this machine, without SLURM, never stopped."""
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "tests"))
        patch.setenv("OMP_NUM_THREADS", "1")
        return train(DIGITS, [*SETTINGS, "trainer.devices=2"], run_dir=tmp_path_factory.mktemp("whole") / "run").path


def test_everything_that_can_happen_to_a_job_of_two_nodes(jobs, cluster, whole):
    """Requeued by somebody, warned of its time limit, cancelled and submitted again; and left alone."""
    names = ("undisturbed", "requeued", "warned", "cancelled")
    ids = {name: jobs.submit(name, "--nodes", 2) for name in names}
    for name in names:
        jobs.reaches(name, 30)
    cluster.run("scontrol", "requeue", ids["requeued"])
    cluster.run("scancel", "--batch", "--signal=USR1", ids["warned"])
    jobs.ganzoo("cancel", "cancelled")
    for name in ("requeued", "warned"):
        jobs.requeued(ids[name])
    assert cluster.wait(ids["cancelled"], "CANCELLED")["Restarts"] == "0"
    assert RunDirectory(jobs.folder / "cancelled").read_record()["status"] == "stopped"
    again = json.loads(jobs.ganzoo("submit", "--resume", "cancelled", "--json"))["job"]
    assert jobs.completes(ids["undisturbed"], "undisturbed")["restarts"] == 0
    jobs.same_as(whole, "undisturbed")
    for name in ("requeued", "warned"):
        assert jobs.completes(ids[name], name)["restarts"] == 1
        jobs.same_as(whole, name)
    jobs.completes(again, "cancelled")
    jobs.same_as(whole, "cancelled")


def test_a_node_dies(jobs, cluster, whole):
    job = jobs.submit("run", "--nodes", 2, "tracking.wandb=auto")
    jobs.reaches("run", 30)
    cluster.crash_node(cluster.nodes[1])
    cluster.revive_node(cluster.nodes[1])
    jobs.requeued(job)
    assert jobs.completes(job, "run")["restarts"] == 1
    jobs.same_as(whole, "run")
    offline = sorted((jobs.folder / "run" / "wandb").glob("offline-run-*/run-*.wandb"))
    assert len(offline) == 2 and {file.name for file in offline} == {"run-run.wandb"}  # one id, as the folder's name
