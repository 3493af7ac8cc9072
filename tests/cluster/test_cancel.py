"""`ganzoo cancel`: what it tells SLURM, whom it signals on this machine, and what it leaves alone."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from conftest import DIGITS, RING, ROOT, TINY
from slurm_stand_in import answering, queue_line, stand_in

from ganzoo.cli import main
from ganzoo.records.claim import holder
from ganzoo.sweeping.pools import at_work, pools_of
from ganzoo.sweeping.reading import read_sweep
from ganzoo.sweeping.trials import Sweep

TRAINS = """
import sys, time
from pathlib import Path
from ganzoo.records.claim import Claim
claim = Claim.take(Path(sys.argv[1]))
print("trains", flush=True)
time.sleep(60)
"""
SWEEPS = """
import sys, time
from pathlib import Path
from ganzoo.sweeping.pools import at_work
with at_work(Path(sys.argv[1])):
    print("sweeps", flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    return stand_in(tmp_path, monkeypatch)


@contextmanager
def process(code: str, folder: Path, **variables: str) -> Iterator[subprocess.Popen]:
    """A process that works in a folder, until it is signalled."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    words = [sys.executable, "-c", code, str(folder)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment) as one:
        assert one.stdout is not None and one.stdout.readline()
        yield one
        one.kill()


def run_in(folder: Path, *jobs: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("name: x\nbudget:\n  generator_updates: 100\n")
    listed = [{"id": job, "submitted": "2026-11-22T10:00:00Z"} for job in jobs]
    if jobs:
        (folder / "slurm.json").write_text(json.dumps({"jobs": listed}))
    return folder


@pytest.fixture
def sweep(tmp_path):
    """Four trials, two a task, in two job arrays."""
    parameters = {"variant.latent_dim": {"values": [2, 3, 4, 5]}}
    values = {"program": str(RING), "name": "rates", "method": "grid", "parameters": parameters}
    (tmp_path / "rates.yaml").write_text(json.dumps(values))
    sweep = Sweep(read_sweep(tmp_path / "rates.yaml"), tmp_path / "runs")
    sweep.keep_files()
    job = {"submitted": "2026-11-22T10:00:00Z", "per_task": 2}
    jobs = [{"id": "4711", "tasks": "0-1", **job}, {"id": "4712", "tasks": "1", **job}]
    (sweep.folder / "slurm.json").write_text(json.dumps({"jobs": jobs}))
    return sweep


def cancel(*words: object) -> Result:
    return CliRunner().invoke(main, ["cancel", *map(str, words)])


def done(*words: object) -> list[str]:
    result = cancel(*words)
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def refused(*words: object) -> str:
    result = cancel(*words)
    assert result.exit_code == 2 and result.stderr.startswith("ganzoo: "), result.output
    return result.stderr


def test_the_jobs_of_a_run_that_are_in_the_queue(slurm):
    slurm("squeue", answering(queue_line("4711", "PENDING"), queue_line("4713"), queue_line("4799")))
    notes = slurm("scancel")
    run = run_in(Path("runs/a"), "4710", "4711", "4713")
    assert done(run) == ["runs/a: cancelled SLURM's job 4711", "runs/a: cancelled SLURM's job 4713"]
    assert notes.read_text() == "4711 4713\n"


def test_a_sweep_s_arrays_and_a_trial_s_task(slurm, sweep):
    slurm("squeue", answering(queue_line("4711_0"), queue_line("4711_1"), queue_line("4712_1", "PENDING")))
    notes = slurm("scancel")
    assert len(done(sweep.folder)) == 2
    assert len(done(sweep[1].directory)) == 1  # it has not begun
    assert len(done(sweep[3].directory)) == 2  # the second array has its task again
    assert notes.read_text() == "4711 4712\n4711_0\n4711_1 4712_1\n"


def test_a_process_of_this_machine_is_told_to_stop():
    run = run_in(Path("runs/a"))
    with process(TRAINS, run) as one:
        assert done(run) == [f"runs/a: told process {one.pid} to stop after a checkpoint"]
        assert one.wait(timeout=120) == -signal.SIGTERM
    assert "runs/a: nothing to cancel: it is interrupted, and no job of it is queued" in refused(run)


def test_json_and_several_runs(slurm):
    slurm("squeue", answering(queue_line("4711")))
    slurm("scancel")
    one, other, neither = run_in(Path("runs/a"), "4711"), run_in(Path("runs/b")), run_in(Path("runs/c"))
    with process(TRAINS, other) as trains:
        result = cancel(one, other, neither, "--json")
        assert json.loads(result.stdout) == [
            {"folder": "runs/a", "job": "4711", "process": None},
            {"folder": "runs/b", "job": None, "process": trains.pid},
        ]
        assert result.exit_code == 2 and "runs/c: nothing to cancel: it is waiting" in result.stderr


def test_a_process_inside_of_a_cancelled_job_has_been_told_by_slurm(slurm):
    slurm("squeue", answering(queue_line("4711")))
    slurm("scancel")
    run = run_in(Path("runs/a"), "4711")
    with process(TRAINS, run, SLURM_JOB_ID="4711") as one:
        assert done(run) == ["runs/a: cancelled SLURM's job 4711"]
        assert one.poll() is None
    with process(TRAINS, run):  # by hand, although the job waits
        assert len(done(run)) == 2
    slurm("squeue")
    with process(TRAINS, run, SLURM_JOB_ID="4799"):  # by hand, in an interactive job
        assert len(done(run)) == 1


def elsewhere(folder: Path, **more: str) -> None:
    (folder / "claims").mkdir(parents=True, exist_ok=True)
    said = {"host": "node3", "kernel": "another", "process": os.getpid(), "since": "2026-11-22T10:00:00+00:00", **more}
    (folder / "claims" / "000001.json").write_text(json.dumps(said))


def test_what_another_machine_trains_without_a_job_is_left_to_it(sweep, slurm):
    slurm("squeue")
    run = run_in(Path("runs/a"))
    elsewhere(run)
    where = (
        f"is trained by process {os.getpid()} on node3, since 2026-11-22T10:00:00+00:00: that is no process of yours"
    )
    assert f"runs/a: {where}" in refused(run)
    elsewhere(run, job="4799")
    assert "since 2026-11-22T10:00:00+00:00, in SLURM's job 4799: that is" in refused(run)
    elsewhere(sweep.folder / "pools" / "node3-7")
    assert where in refused(sweep.folder)
    with process(SWEEPS, sweep.folder) as here:
        result = cancel(sweep.folder)
        assert result.exit_code == 2 and where in result.stderr
        assert result.stdout.endswith(f": told process {here.pid} to stop after a checkpoint\n")


def test_a_sweep_that_is_at_work_here(sweep, slurm):
    slurm("squeue")
    assert "nothing to cancel: no job of it is in the queue, and no `ganzoo sweep`" in refused(sweep.folder)
    with process(SWEEPS, sweep.folder) as one, process(SWEEPS, sweep.folder) as other:
        assert len(pools_of(sweep.folder)) == 2
        with process(TRAINS, sweep[0].directory) as worker:
            assert f"would begin it again; stop all: ganzoo cancel {sweep.folder}" in refused(sweep[0].directory)
            assert worker.poll() is None
        assert sorted(line.split()[3] for line in done(sweep.folder)) == sorted([str(one.pid), str(other.pid)])
        assert one.wait(timeout=120) == other.wait(timeout=30) == -signal.SIGTERM
    assert not any(holder(pool) for pool in pools_of(sweep.folder))
    with process(TRAINS, sweep[0].directory):  # by itself, from its last checkpoint
        assert len(done(sweep[0].directory)) == 1


def test_a_pool_leaves_nothing_behind(tmp_path):
    with at_work(tmp_path):
        (pool,) = pools_of(tmp_path)
        told = holder(pool)
        assert told is not None and told.process == os.getpid()
    assert pools_of(tmp_path) == []


def test_slurm_that_does_not_answer(slurm):
    slurm("squeue", "exit 1")
    run = run_in(Path("runs/a"), "4711")
    assert "SLURM does not answer, so job 4711 cannot be cancelled; nothing of it runs here" in refused(run)
    slurm("squeue", answering(queue_line("4711")))
    slurm("scancel", "echo 'scancel: error: Access/permission denied' >&2; exit 1")
    assert "scancel: SLURM did not cancel 4711: Access/permission denied" in refused(run)


def test_what_is_no_run_is_refused_before_anything_is_done(slurm):
    slurm("squeue", answering(queue_line("4711")))
    notes = slurm("scancel")
    run = run_in(Path("runs/a"), "4711")
    assert "runs: this is neither a run directory nor a sweep's folder; name some of those below it: runs/a" in refused(
        run, "runs"
    )
    assert "nowhere: this is neither" in refused("nowhere")
    assert not notes.exists()


def test_a_spoilt_list_of_jobs_is_told(slurm):
    run = run_in(Path("runs/a"))
    (run / "slurm.json").write_text("[")
    result = cancel(run)
    assert result.exit_code == 1 and "slurm.json: this is not what ganzoo wrote" in result.stderr


@pytest.mark.slow
def test_a_training_and_a_sweep_that_really_run(tmp_path):
    """Both are told to stop as soon as they train, and exit as after SIGTERM."""
    words = [*TINY, "budget.generator_updates=100000"]
    values = {"program": str(DIGITS), "name": "x", "method": "grid", "parameters": {"seed": {"values": [1, 2]}}}
    values["command"] = ["ganzoo", "train", "${program}", *words, "${args_no_hyphens}"]
    Path("x.yaml").write_text(json.dumps(values))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    ganzoo = [sys.executable, "-m", "ganzoo"]
    for command, found in (
        (["train", str(DIGITS), *words, "--run-dir", "runs/a"], "runs/a/metrics.jsonl"),
        (["sweep", "x.yaml", "--workers", "1"], "runs/x-*/*/metrics.jsonl"),
    ):
        with subprocess.Popen([*ganzoo, *command], env=environment, stderr=subprocess.PIPE, text=True) as one:
            while not list(tmp_path.glob(found)):
                assert one.poll() is None
                time.sleep(0.1)
            (folder,) = tmp_path.glob("runs/x-*") if command[0] == "sweep" else [Path("runs/a")]
            assert done(folder) == [f"{folder}: told process {one.pid} to stop after a checkpoint"]
            assert one.wait(timeout=240) == 143
        record = json.loads(next(tmp_path.glob(found.replace("metrics.jsonl", "record.json"))).read_text())
        assert record["status"] == "stopped" and record["reason"].startswith("SIGTERM after ")
