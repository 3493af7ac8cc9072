"""The SLURM that the other tests here run on: it must do what a real one does, and leave nothing behind."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cluster_keeper
import mini_cluster
import pytest
from mini_cluster import ENDED, ClusterError, MiniCluster

pytest_plugins = ["slurm_fixtures"]
pytestmark = pytest.mark.slow
SCRIPT = Path(mini_cluster.__file__)


def run_script(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, text=True, timeout=120, **options)


def processes_of(folder: str | Path) -> list[int]:
    return cluster_keeper.carriers(f"{folder}/slurm.conf")


def test_a_job_has_two_nodes_and_their_gpus(cluster: MiniCluster, tmp_path: Path) -> None:
    wrap = "--wrap=srun --label bash -c 'echo $SLURMD_NODENAME $CUDA_VISIBLE_DEVICES'"
    comment = "two  nodes, JobState=FAILED"
    arguments = ("--nodes=2", "--gpus-per-node=2", f"--comment={comment}", "--output=out", wrap)
    shown = cluster.wait(cluster.submit(*arguments, cwd=tmp_path), ENDED)
    assert (shown["JobState"], shown["ExitCode"], shown["Comment"]) == ("COMPLETED", "0:0", comment)
    lines = sorted((tmp_path / "out").read_text().splitlines())
    assert lines == [f"{number}: {name} 0,1" for number, name in enumerate(cluster.nodes)]


def test_two_of_an_arrays_tasks_run_at_once(cluster: MiniCluster, tmp_path: Path) -> None:
    lines = 'echo + >> log; sleep 0.2; echo - >> log; exit "$SLURM_ARRAY_TASK_ID"'
    job = cluster.submit("--array=0-3%2", "--output=/dev/null", f"--wrap={lines}", cwd=tmp_path)
    cluster.wait(job, ENDED)
    assert cluster.show(f"{job}_0")["JobState"] == "COMPLETED"
    assert [cluster.show(f"{job}_{task}")["ExitCode"] for task in range(4)] == ["0:0", "1:0", "2:0", "3:0"]
    running, most = 0, 0
    for line in (tmp_path / "log").read_text().split():
        running += 1 if line == "+" else -1
        most = max(most, running)
    assert most == 2


@pytest.mark.parametrize("which", [0, 1], ids=["that of the script", "another"])
def test_a_job_survives_the_crash_of_a_node(cluster: MiniCluster, tmp_path: Path, which: int) -> None:
    # No srun: one whose node dies before its step is there fails by itself, and the script would go on to its end.
    # Two seconds for what SLURM still had to tell the dead node.
    lines = '[ -n "$SLURM_RESTART_COUNT" ] && sleep 2 || sleep 60; echo "$SLURM_RESTART_COUNT"'
    job = cluster.submit("--nodes=2", "--output=out", f"--wrap={lines}", cwd=tmp_path)
    cluster.wait(job, "RUNNING")
    node = cluster.nodes[which]
    cluster.crash_node(node)
    cluster.revive_node(node)
    cluster.hurry(job)
    shown = cluster.wait(job, ENDED)
    assert (shown["JobState"], shown["Restarts"]) == ("COMPLETED", "1")
    assert (tmp_path / "out").read_text() == "1\n"


def test_a_job_of_partition_high_preempts(slurm: None) -> None:
    with MiniCluster(nodes=1, cpus=1, grace_seconds=0) as cluster:
        low = cluster.submit("--output=/dev/null", "--wrap=sleep 60")
        cluster.wait(low, "RUNNING")
        high = cluster.submit("--partition=high", "--output=/dev/null", "--wrap=true")
        assert cluster.wait(high, ENDED)["JobState"] == "COMPLETED"
        assert cluster.show(low)["Restarts"] == "1"


def test_clusters_side_by_side_do_not_meet(cluster: MiniCluster) -> None:
    with MiniCluster(nodes=1) as other:
        assert not {*cluster.nodes} & {*other.nodes}
        job = other.submit("--output=/dev/null", "--wrap=true")
        assert other.wait(job, ENDED)["JobState"] == "COMPLETED"
        with pytest.raises(ClusterError, match="Invalid job id"):
            cluster.show(job)
    assert cluster.run("srun", "hostname").returncode == 0


def test_waiting_ends_with_what_the_job_is(cluster: MiniCluster) -> None:
    job = cluster.submit("--output=/dev/null", "--hold", "--wrap=true")
    with pytest.raises(TimeoutError, match="JobHeldUser"):
        cluster.wait(job, "RUNNING", timeout=0.1)
    assert cluster.run("scancel", job).returncode == 0


def test_the_command_line_gives_back_the_commands_exit_code(cluster: MiniCluster) -> None:
    lines = "srun --nodes=2 hostname; echo $SLURM_CONF; exit 7"
    done = run_script("--nodes", "2", "--", "bash", "-c", lines)
    assert (done.returncode, done.stderr) == (7, "")
    *names, configuration = done.stdout.splitlines()
    assert len(names) == 2
    assert not Path(configuration).parent.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_behind(cluster: MiniCluster, number: signal.Signals) -> None:
    """Not even where the one who started the cluster has no time to take it down; nor of a job that hides."""
    sleep = f"sleep 345.{os.getpid()}{number:02d}"  # told from every other test's by its arguments
    hides = f"env --ignore-environment setsid {sleep}"
    lines = f"sbatch --output=/dev/null --wrap='{hides}'; echo $SLURM_CONF; sleep 60"
    words = [sys.executable, str(SCRIPT), "bash", "-c", lines]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        folder = Path(process.stdout.readline().strip()).parent
        end = time.monotonic() + 60
        while not is_running(sleep) and time.monotonic() < end:
            time.sleep(0.05)
        assert is_running(sleep) and processes_of(folder)
        process.send_signal(number)
    while folder.exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert not folder.exists()
    assert not processes_of(folder)
    assert not is_running(sleep)


def is_running(command: str) -> bool:
    return subprocess.run(["pgrep", "--full", f"^{re.escape(command)}"], stdout=subprocess.DEVNULL).returncode == 0


def test_a_machine_without_slurm_is_told_what_to_install() -> None:
    done = run_script("true", env={"PATH": ""})
    assert done.returncode == 2
    assert re.fullmatch(
        r"mini_cluster: SLURM is not .* there is no .*srun.*apt-get install .* slurmd .*\n", done.stderr
    )


def test_what_cannot_be_is_refused(cluster: MiniCluster) -> None:
    with pytest.raises(ValueError, match="nodes must be 1 to 24, got 25"):
        MiniCluster(nodes=25)
    with pytest.raises(ClusterError, match="GPUs a node, not 1000"):
        MiniCluster(gpus=1000)
    with pytest.raises(ClusterError, match="invalid partition"):
        cluster.submit("--partition=nowhere", "--wrap=true")


def test_logs_and_failures_say_what_the_daemons_said(cluster: MiniCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "slurmctld version" in cluster.logs()
    monkeypatch.setattr(mini_cluster, "CONFIGURATION", mini_cluster.CONFIGURATION + "Nonsense=1\n")
    with pytest.raises(ClusterError, match="Nonsense"), MiniCluster(nodes=1):
        pass


def test_the_help_has_an_example() -> None:
    assert "Example: python slurm/mini_cluster.py" in run_script("--help").stdout
