"""Runs as jobs of a real SLURM: two nodes, and everything that can happen to a job. Each ends as if nothing had."""

import json
import resource
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import warm_processes
from conftest import DIGITS, ROOT, TINY, checkpoint_of, differences, metrics_of
from mini_cluster import MiniCluster

from ganzoo.records.run_directory import RunDirectory
from ganzoo.records.run_files import stamp_of
from ganzoo.records.starts import starts_of
from ganzoo.training.run import train

pytest_plugins = ["slurm_fixtures"]
pytestmark = pytest.mark.slow

# 200 updates of 50 ms: long enough to be hit twice on the way, and a checkpoint every 0.5 s
SETTINGS = [
    *TINY,
    "trainer.accelerator=cpu",
    "plugins=[troubled_plugin]",
    "variant={name: troubled, latent_dim: 4, seconds: 0.05}",
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

    def gets_on(self, name: str, *, restart: int = 0) -> None:
        """Waits until the run, queued again so often, has written a checkpoint since."""
        run, end = RunDirectory(self.folder / name), time.monotonic() + 240
        while len(starts := list(starts_of(run))) <= restart or stamp_of(run.last_checkpoint) == starts[-1].checkpoint:
            assert time.monotonic() < end, self.output(name)
            time.sleep(0.05)

    def completes(self, job: str, name: str) -> dict[str, Any]:
        """The run's record, once its job has ended well."""
        shown = self.cluster.wait(job, {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT"}, timeout=400)
        assert shown["JobState"] == "COMPLETED", (shown, self.output(name))
        record = RunDirectory(self.folder / name).read_record()
        assert record is not None and record["status"] == "done"
        return {**record, "restarts": int(shown["Restarts"])}

    def requeued(self, job: str, restarts: int = 1) -> None:
        """Spares a job that SLURM runs again most of the seconds that it lets it wait, unless it runs again already."""
        end = time.monotonic() + 240
        while int((shown := self.cluster.show(job))["Restarts"]) < restarts:
            assert time.monotonic() < end, shown
            time.sleep(0.1)
        if shown["JobState"] == "PENDING":
            self.cluster.run("scontrol", "update", f"JobId={job}", "StartTime=now+1")

    def ids_in_wandb(self, name: str) -> set[str]:
        """Under which the run is known to W&B: one, however often it was begun."""
        return {file.stem for file in (self.folder / name / "wandb").glob("offline-run-*/run-*.wandb")}

    def output(self, name: str) -> str:
        files = sorted((self.folder / name / "slurm").glob("*.out"))
        return "\n".join(file.read_text() for file in files)

    def same_as(self, whole: Path, name: str) -> None:
        assert differences(checkpoint_of(whole), checkpoint_of(self.folder / name)) == []
        assert metrics_of(whole) == metrics_of(self.folder / name)


@pytest.fixture(scope="module")
def cluster(slurm: None) -> Iterator[MiniCluster]:
    """Five nodes: a pair for each of two jobs, and one for what is short."""
    with MiniCluster(nodes=5, cpus=8, grace_seconds=30) as cluster:
        yield cluster


@pytest.fixture
def jobs(cluster: MiniCluster, tmp_path: Path) -> Jobs:
    return Jobs(cluster, tmp_path)


@pytest.fixture(scope="module")
def limited(cluster: MiniCluster, tmp_path_factory: pytest.TempPathFactory) -> tuple[Jobs, str]:
    """A job that is longer than its time limit. What happens to it takes two minutes, in which others are looked at."""
    jobs = Jobs(cluster, tmp_path_factory.mktemp("limited"))
    words = ("--time", 2, "--sbatch=--signal=B:USR1@65", "variant.seconds=0.08", "budget.generator_updates=800")
    return jobs, jobs.submit("limited", *words, f"--sbatch=--nodelist={cluster.nodes[4]}")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, warm_server: socket.socket) -> Path:
    """Two processes of this machine, without SLURM, never stopped."""
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch, warm_processes.warm(warm_server):
        patch.syspath_prepend(str(ROOT / "tests"))
        patch.setenv("OMP_NUM_THREADS", "1")
        return train(DIGITS, [*SETTINGS, "trainer.devices=2"], run_dir=tmp_path_factory.mktemp("whole") / "run").path


ODD = "a 'b' \"c\" $(touch hurt) `touch hurt` %A ü"


@pytest.mark.timeout(900)
def test_whatever_happens_to_a_job_it_ends_as_if_nothing_had(jobs, cluster, whole, limited):
    """Two jobs on two nodes each. One is warned, then loses a node; one is preempted, then cancelled."""
    hit, spare = cluster.nodes[:2], cluster.nodes[2:4]
    first, second = (
        jobs.submit(name, "--nodes", 2, f"--sbatch=--nodelist={','.join(nodes)}", "tracking.wandb=auto")
        for name, nodes in ((ODD, hit), ("preempted", spare))
    )
    jobs.gets_on(ODD)
    cluster.run("scancel", "--batch", "--signal=USR1", first)
    jobs.gets_on("preempted")
    better = f"--nodelist={','.join(spare)}"
    cluster.submit("--partition=high", "--nodes=2", "--exclusive", better, "--output=/dev/null", "--wrap=true")
    jobs.requeued(first, 1)
    jobs.gets_on(ODD, restart=1)
    cluster.crash_node(hit[1])
    cluster.revive_node(hit[1])
    jobs.requeued(second, 1)
    jobs.gets_on("preempted", restart=1)
    jobs.ganzoo("cancel", "preempted")
    jobs.requeued(first, 2)
    cluster.wait(second, "CANCELLED")
    assert RunDirectory(jobs.folder / "preempted").read_record()["status"] == "stopped"
    again = json.loads(jobs.ganzoo("submit", "--resume", "preempted", "--json"))["job"]
    for name, job, restarts in ((ODD, first, 2), ("preempted", again, 0)):
        assert jobs.completes(job, name)["restarts"] == restarts, jobs.output(name)
        jobs.same_as(whole, name)
        assert len(jobs.ids_in_wandb(name)) == 1
    assert not list(jobs.folder.glob("**/hurt"))


def test_a_job_longer_than_its_time_limit_goes_on_until_it_is_done(limited):
    """SLURM warns half a minute to a minute after the start: by itself, since a start beside others takes as long."""
    jobs, job = limited
    jobs.requeued(job)
    assert jobs.completes(job, "limited")["restarts"] >= 1
    assert [line["generator_updates"] for line in metrics_of(jobs.folder / "limited")] == list(range(1, 801))


def test_what_slurm_refuses_and_what_does_not_fit_is_one_paragraph(jobs, cluster):
    said = jobs.ganzoo("submit", DIGITS, *SETTINGS, "--partition", "nowhere", "--run-dir", "run", code=2)
    assert "submit: sbatch refused the job: invalid partition specified: nowhere" in said
    words = [sys.executable, "-m", "ganzoo", "train", str(DIGITS), *SETTINGS, "--run-dir", "run"]
    done = cluster.run("srun", "--nodes=1", "--ntasks=2", *words, env=jobs.environment, cwd=jobs.folder)
    assert done.returncode == 2 and done.stderr.count("ganzoo: ") == 1 and "Traceback" not in done.stderr
    assert "the experiment is for 1 on each of 1 nodes, and slurm has started 2 on 1" in done.stderr
    assert not (jobs.folder / "run" / "config.yaml").exists()


def test_a_full_disk_is_one_paragraph_and_the_last_checkpoint_is_kept(jobs, cluster):
    """No file may be larger than 60 kB, which the second checkpoint, with the optimisers' moments, is."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, limits[1]))  # SLURM gives a job the limits of who submits it
    try:
        job = jobs.submit("run", "--nodes", 2, "generator.width=16", "tracking.every_generator_updates=100")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert cluster.wait(job, {"FAILED", "COMPLETED"}, timeout=280)["JobState"] == "FAILED"
    output = jobs.output("run")
    assert output.count("ganzoo: ") == 1 and "Traceback" not in output
    assert "last.ckpt: cannot be written: File too large. What was there before is unchanged." in output
