"""`ganzoo status`: what the run directories say together with what SLURM says, and folders that say nothing."""

import json
import resource
import shutil
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import RING
from slurm_stand_in import answering, queue_line, stand_in

from ganzoo.cli import main
from ganzoo.records.claim import Claim
from ganzoo.sweeping.reading import read_sweep
from ganzoo.sweeping.trials import Sweep

CONFIG = "name: x\nbudget:\n  generator_updates: 100\n"
ENDED = "JobId={} JobState=TIMEOUT Reason=TimeLimit Dependency=(null) ExitCode=0:15 RunTime=00:00:03"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    (tmp_path / "runs").mkdir()
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    program = stand_in(tmp_path, monkeypatch)
    for name in ("scontrol", "sacct"):  # a real one would look for its cluster for a while
        program(name, "exit 1")
    return program


def run_in(folder: Path, record: str | None = None, *, updates: int = 40, job: str | None = None, **more) -> Path:
    """A run directory; updates of 0: it has not begun."""
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(CONFIG)
    if updates:
        line = {"generator_updates": updates, "images_seen": 8 * updates, "seconds": 10.0 * updates}
        (folder / "metrics.jsonl").write_text(json.dumps(line) + "\n")
    if record:
        told = {"status": record, "budget": {"generator_updates": updates}, **more}
        (folder / "record.json").write_text(json.dumps(told))
    if job:
        jobs = [{"id": "1", "submitted": "2026-11-22T10:00:00Z"}, {"id": job, "submitted": "2026-11-23T10:00:00Z"}]
        (folder / "slurm.json").write_text(json.dumps({"jobs": jobs}))
    return folder


def sweep_in(folder: Path) -> Sweep:
    parameters = {"variant.latent_dim": {"values": [2, 3, 4, 5]}}
    values = {"program": str(RING), "name": "rates", "method": "grid", "parameters": parameters}
    (folder / "rates.yaml").write_text(json.dumps(values))
    sweep = Sweep(read_sweep(folder / "rates.yaml"), folder / "runs")
    sweep.keep_files()
    return sweep


def status(*words: object) -> list[list[str]]:
    """The rows."""
    done = CliRunner().invoke(main, ["status", *map(str, words)])
    assert done.exit_code == 0, done.output
    return [line.split("\t") for line in done.output.splitlines() if not line.startswith("#")]


def told(*words: object) -> dict:
    done = CliRunner().invoke(main, ["status", "--json", *map(str, words)])
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


def refused(*words: object) -> str:
    done = CliRunner().invoke(main, ["status", *map(str, words)])
    assert (done.exit_code, done.stdout) == (2, "")
    return done.stderr


def test_a_row_a_run_without_slurm(monkeypatch):
    monkeypatch.setenv("PATH", "")
    run_in(Path("runs/a/0"), "done", updates=100)
    run_in(Path("runs/a/1"), "diverged", reason="NaN in the\tloss")
    run_in(Path("runs/a/2"), "stopped", reason="SIGTERM after 40 generator updates")
    run_in(Path("runs/a/3"), job="4711")
    run_in(Path("runs/b"), updates=0, job="4711")
    claim = Claim.take(run_in(Path("runs/c")))
    rows = status()
    assert rows[:5] == [
        ["runs/a/0", "done", "100/100", "", "", "", ""],
        ["runs/a/1", "diverged", "40/100", "", "", "", "NaN in the\\tloss"],
        ["runs/a/2", "stopped", "40/100", "", "", "", "SIGTERM after 40 generator updates"],
        ["runs/a/3", "interrupted", "40/100", "", "", "", ""],
        ["runs/b", "waiting", "0/100", "", "", "", ""],
    ]
    assert rows[5][0] == "runs/c" and rows[5][1].startswith("running on ") and rows[5][2:4] == ["40/100", "10 min"]
    claim.release()


def test_the_queue(slurm):
    run_in(Path("runs/a"), updates=0, job="4711")
    run_in(Path("runs/b"), job="4712")
    run_in(Path("runs/c"), job="4713")
    run_in(Path("runs/d"), "done", updates=100, job="4714")
    waits = {"state": "PENDING", "nodes": ""}
    slurm(
        "squeue",
        answering(
            queue_line("4711", **waits, reason="Priority", start="N/A"),
            queue_line("4712", **waits, reason="Resources"),
            queue_line("4713"),
            queue_line("4799"),
        ),
    )
    assert [row[1:2] + row[4:] for row in status()] == [
        ["queued", "4711", "PENDING Priority", ""],
        ["interrupted", "4712", "PENDING Resources, starts 2026-11-22T10:00:00", ""],
        ["interrupted", "4713", "RUNNING", ""],  # it has only just begun
        ["done", "", "", ""],
    ]


def test_json(slurm):
    run_in(Path("runs/a"), updates=0, job="4711")
    slurm("squeue", answering(queue_line("4711", "PENDING", reason="Priority", start="N/A", nodes="")))
    (run,) = told()["runs"]
    (queued,) = run.pop("queued")
    nothing = dict.fromkeys(("reason", "seconds_left", "host", "end"))
    done = {"generator_updates": 0, "budget": 100, "seconds": 0.0, "jobs": ["1", "4711"]}
    assert run == {"run_dir": "runs/a", "status": "queued", **nothing, **done}
    nothing = dict.fromkeys(("array_job", "task", "start", "folder"))
    told_by_slurm = {"name": "ganzoo-x", "state": "PENDING", "reason": "Priority", "time_left": "1:58", "nodes": ""}
    assert queued == {"id": "4711", **told_by_slurm, **nothing}


def test_slurm_tells_how_a_job_ended_that_left_its_run_undone(slurm):
    run_in(Path("runs/a"), updates=0, job="4711")
    run_in(Path("runs/b"), "stopped", job="4712", reason="SIGTERM after 40 generator updates")
    run_in(Path("runs/c"), "failed", job="4713", reason="RuntimeError: out of memory")
    claim = Claim.take(run_in(Path("runs/d"), job="4714"))
    slurm("squeue")
    notes = slurm("scontrol", answering(ENDED.format("$4")))
    says = "SLURM's job {}: TIMEOUT (TimeLimit), exit code 0:15"
    assert [row[6] for row in status()] == [
        says.format(4711),
        f"SIGTERM after 40 generator updates; {says.format(4712)}",
        "RuntimeError: out of memory",
        "",
    ]
    assert notes.read_text() == "show job -o 4711\nshow job -o 4712\n"
    assert told("runs/a")["runs"][0]["end"] == {"state": "TIMEOUT", "exit_code": "0:15", "reason": "TimeLimit"}
    claim.release()


def test_slurm_is_asked_about_few_of_many_dead_jobs(slurm, monkeypatch):
    monkeypatch.setattr("ganzoo.cluster.standing.MOST_ENDS", 2)
    for number in range(8, 12):
        run_in(Path(f"runs/{number}"), job=str(number))
    slurm("squeue")
    notes = slurm("scontrol", answering(ENDED))
    assert sum(bool(row[6]) for row in status()) == 2
    assert notes.read_text() == "show job -o 10\nshow job -o 11\n"


def test_slurm_is_not_asked_where_nothing_was_submitted(slurm):
    run_in(Path("runs/a"))
    run_in(Path("runs/b"), "done", job="4711")
    notes = slurm("squeue")
    status()
    assert not notes.exists()


def test_a_sweep_is_one_row(slurm, tmp_path):
    sweep = sweep_in(tmp_path)
    run_in(sweep[0].directory, "done", updates=100)
    run_in(sweep[1].directory)
    run_in(sweep[2].directory, "stopped")
    run_in(Path("runs/single"), "done", updates=100)
    job = {"id": "4711", "submitted": "2026-11-22T10:00:00Z", "per_task": 1, "tasks": "0-3"}
    (sweep.folder / "slurm.json").write_text(json.dumps({"jobs": [job]}))
    waits = queue_line("4711_3", "PENDING", reason="Priority")
    slurm("squeue", answering(queue_line("4711_1"), queue_line("4711_2"), waits))
    folder = f"runs/{sweep.folder.name}"
    counts = "sweep: 1 waiting, 2 interrupted, 1 done"
    queue = "2 RUNNING, 1 PENDING"
    assert status()[0] == [folder, counts, "", "", "4711", queue, f"each: ganzoo sweep {folder} --status"]
    assert status(folder) == status()[:1] == status(sweep.folder)
    found = told()
    (about,) = found["sweeps"]
    assert len(found["runs"]) == 1 and about["folder"] == folder and about["trouble"] is None
    assert about["counts"]["interrupted"] == 2 and about["queued"][0]["id"] == "4711_1"
    trial = f"{folder}/{sweep[3].directory.name}"
    run_in(Path(trial), updates=0)
    assert status(trial) == [
        [trial, "queued", "0/100", "", "4711_3", "PENDING Priority, starts 2026-11-22T10:00:00", ""]
    ]


def test_the_folder_itself(tmp_path, monkeypatch):
    sweep = sweep_in(tmp_path)
    monkeypatch.chdir(sweep.folder)
    assert status(".")[0][:2] == [".", "sweep: 4 waiting"]


def test_a_sweep_that_cannot_be_read_is_a_row_too(tmp_path):
    sweep = sweep_in(tmp_path)
    moved = shutil.copytree(sweep.folder, sweep.folder.with_name("moved"))
    (row,) = status(moved)
    assert row[1] == "sweep" and "give the folder that name again" in row[6]
    for text in ("", "[", "method: nonsense", "\0"):
        (moved / "sweep.yaml").write_text(text)
        (row,) = status(moved)
        assert row[:2] == ["runs/moved", "sweep"] and "sweep.yaml" in row[6]


NO_FILES = [
    b"",
    b"\0" * 100,
    b"\xff\xfe",
    b"[" * 100_000,
    b"[1]\n",
    b'{"jobs": 3}',
    b'{"status": ["done"], "budget": 3}',
]


@pytest.mark.parametrize("content", NO_FILES)
def test_no_folder_is_too_broken_to_look_at(slurm, content):
    slurm("squeue")
    for name in ("config.yaml", "record.json", "metrics.jsonl", "slurm.json", "trial.json", "claims/000001.json"):
        folder = Path("runs") / name.replace("/", "-")
        run_in(folder, "stopped", job="4711")
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
        run_in(Path(f"{folder}-as-folder"), updates=0)
        if not (Path(f"{folder}-as-folder") / name).exists():
            (Path(f"{folder}-as-folder") / name).mkdir(parents=True)
    assert len(status()) == 12
    reasons = {row[0]: row[6] for row in status()}
    assert "slurm.json: this is not what ganzoo wrote" in reasons["runs/slurm.json"]


def test_folders_of_others_are_not_looked_into(tmp_path):
    for name in ("runs/.hidden/a", "runs/wandb/run-1/files", "runs/x/deeper/and/deeper"):
        run_in(Path(name))
    Path("runs/x/circle").symlink_to(tmp_path / "runs")
    Path("runs/a file").touch()
    assert [row[0] for row in status()] == ["runs/x/deeper/and/deeper"]


def test_which_folders(tmp_path, monkeypatch):
    run_in(Path("runs/a/1"))
    run_in(Path("runs/b/1"))
    assert [row[0] for row in status("runs/b", "runs/a", "runs/b/1", tmp_path / "runs")] == ["runs/b/1", "runs/a/1"]
    monkeypatch.chdir(tmp_path / "runs" / "a")
    assert status("../b")[0][0] == "../b/1"  # as it was typed
    assert status() == []  # nobody has trained here
    assert "nowhere: no such folder" in refused("nowhere")
    Path("empty").mkdir()
    assert "empty: there is no run directory and no sweep" in refused("1", "empty")


def test_the_whole_queue(slurm, tmp_path):
    ours = queue_line("4711_3", comment=f"ganzoo:{tmp_path}/runs/a", name="ganzoo-a")
    slurm("squeue", answering(ours, queue_line("4712", "PENDING", reason="Priority", start="N/A", name="bash")))
    assert status("--slurm") == [
        ["4711_3", "ganzoo-a", "RUNNING", "None", "1:58", "2026-11-22T10:00:00", "node1", "runs/a"],
        ["4712", "bash", "PENDING", "Priority", "1:58", "", "node1", ""],
    ]
    assert [job["folder"] for job in told("--slurm")] == [f"{tmp_path}/runs/a", None]
    assert "leave runs out" in refused("--slurm", "runs")
    slurm("squeue", "exit 1")
    assert refused("--slurm").startswith("ganzoo: --slurm: squeue is not on this machine, or SLURM does not answer")


def test_on_a_terminal(monkeypatch, capsys):
    from ganzoo.cluster.folders import found_in_all
    from ganzoo.cluster.report import print_standings
    from ganzoo.cluster.standing import standings

    run_in(Path("runs/a"), "failed", reason="RuntimeError: [enforce fail] \x1b[31mred")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "200")
    print_standings(standings(found_in_all([Path("runs")])))
    out = capsys.readouterr().out
    assert "run directory" in out and "[enforce fail] \\x1b[31mred" in out and "#" not in out


def test_two_thousand_runs_are_told_in_two_seconds(slurm, command):
    records = [None, "done", "failed", "stopped"]
    for number in range(2000):
        run_in(Path(f"runs/{number % 20}/{number:06d}"), records[number % 4], job=str(number))
    slurm("squeue")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert len(command("status").stdout.splitlines()) == 2001
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 2  # others may be busy here
