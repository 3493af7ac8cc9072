"""How runs stand, as their directories tell. Trials have more of it in tests/sweeping/test_states.py."""

import json
import os

import pytest

from ganzoo.records.claim import Claim, process_here
from ganzoo.records.run_directory import RunDirectory
from ganzoo.records.run_files import LAST_LINES, MetricsFile
from ganzoo.records.run_state import FollowedRun


def line(updates, **more):
    return (
        json.dumps({"generator_updates": updates, "images_seen": 8 * updates, "seconds": updates / 10, **more}) + "\n"
    )


@pytest.fixture
def run(tmp_path):
    """A run that was submitted, and has not begun."""
    (tmp_path / "config.yaml").write_text("name: x\nbudget:\n  generator_updates: 100\n")
    return RunDirectory(tmp_path)


def record(run, status, updates=None, **more):
    run.record.write_text(json.dumps({"status": status, "budget": {"generator_updates": updates}, **more}))


def test_a_run_without_a_trace_of_training_waits(run):
    state = FollowedRun(run).state()
    assert (state.status, state.budget, state.left, state.seconds_left) == ("waiting", 100, 100, None)
    assert FollowedRun(RunDirectory(run.path / "none")).state().status == "waiting"


@pytest.mark.parametrize("trace", ["metrics.jsonl", "claims", "checkpoints/last.ckpt", "record.json"])
def test_what_has_begun_and_tells_no_end_was_interrupted(run, trace):
    (run.path / trace).mkdir(parents=True)
    assert FollowedRun(run).state().status == "interrupted"


@pytest.mark.parametrize(
    ("status", "updates", "expected"),
    [
        ("stopped", 20, "stopped"),
        ("stopped", 25, "stopped"),  # lines are logged now and then, the record is exact
        ("stopped", None, "stopped"),
        ("stopped", 10, "interrupted"),  # it went on after that, and was killed
        ("failed", 20, "failed"),
        ("something newer", 20, "interrupted"),
    ],
)
def test_the_record_says_how_it_ended(run, status, updates, expected):
    run.metrics.write_text(line(10) + line(20))
    record(run, status, updates, reason="why not")
    state = FollowedRun(run).state()
    assert (state.status, state.reason, state.ended) == (expected, "why not", expected == "failed")
    assert state.generator_updates == (updates if expected != "interrupted" and updates else 20)


def test_a_run_that_is_stopped_goes_on(run):
    followed = FollowedRun(run)
    run.metrics.write_text(line(10))
    record(run, "stopped", 10, reason="SIGTERM")
    assert followed.state().status == "stopped"
    claim = Claim.take(run.path)
    run.metrics.write_text(line(10) + line(40))
    state = followed.state()
    assert (state.status, state.reason, state.host) == ("running", None, os.uname().nodename)
    assert (state.generator_updates, state.left, state.seconds_left) == (40, 60, pytest.approx(6.0))
    claim.release()
    assert followed.state().status == "interrupted"


def test_who_knows_that_a_folder_is_gone_need_not_look(run):
    followed = FollowedRun(run)
    record(run, "done", 100)
    assert followed.state().status == "done"
    assert followed.state(there=False).status == "waiting"
    assert followed.state().status == "done"


def test_the_history_is_of_the_metric(run):
    run.metrics.write_text(line(10, fid=3.0) + line(20, fid="nan") + line(30, fid=2.0))
    state = FollowedRun(run, "fid").state()
    assert (state.history, state.value) == (((10, 3.0), (30, 2.0)), 2.0)
    assert FollowedRun(run).state().history == ()


def test_without_a_metric_only_the_end_of_a_long_file_is_read(run):
    run.metrics.write_text(line(10) + line(20, text="x" * LAST_LINES) + line(30))
    metrics = MetricsFile(run.metrics, None)
    metrics.read()
    assert metrics.generator_updates == 30
    with run.metrics.open("a") as file:
        file.write(line(40))
    metrics.read()
    assert metrics.generator_updates == 40
    run.metrics.write_text(line(10))  # resumed from an early checkpoint
    metrics.read()
    assert metrics.generator_updates == 10


def test_the_process_that_has_a_claim(run):
    assert process_here(run.path) is None
    claim = Claim.take(run.path)
    assert process_here(run.path) == os.getpid()
    claim.release()
    assert process_here(run.path) is None


@pytest.mark.parametrize("process", [1, 2**40, -1, "x", None, "../../etc"])
def test_a_number_that_is_another_process_here_is_never_signalled(run, process):
    """As of another container on the same machine, whose processes have the same numbers."""
    (run.path / "claims").mkdir()
    said = {"host": "node3", "kernel": "another", "process": process, "since": "2026-01-02T03:04:05+00:00"}
    (run.path / "claims" / "000001.json").write_text(json.dumps(said))
    assert process_here(run.path) is None
    assert FollowedRun(run).state().status == ("running" if isinstance(process, int) else "interrupted")


NO_CLAIMS = [b"", b"\0", b"[" * 100_000, b"[]", b'"x"', b"{}", b'{"host": [], "process": {}, "since": 0}', b"\xff"]


@pytest.mark.parametrize("content", NO_CLAIMS)
def test_no_claim_is_too_broken_to_look_at(run, content):
    (run.path / "claims").mkdir()
    (run.path / "claims" / "000001.json").write_bytes(content)
    assert FollowedRun(run).state().status == "interrupted"
    assert process_here(run.path) is None


def test_a_claim_in_a_folder_that_is_only_for_reading(run, monkeypatch):
    """A colleague's run on another machine."""
    (run.path / "claims").mkdir()
    said = {"host": "node3", "kernel": "another", "process": 7, "since": "2026-01-02T03:04:05+00:00"}
    (run.path / "claims" / "000001.json").write_text(json.dumps(said))
    monkeypatch.setattr("tempfile.NamedTemporaryFile", lambda **_: (_ for _ in ()).throw(PermissionError()))
    assert FollowedRun(run).state().host == "node3"
