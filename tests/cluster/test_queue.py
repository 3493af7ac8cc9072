"""What SLURM's programs say, and the list of submitted jobs. The answers are those of SLURM 22.05."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from slurm_stand_in import answering, queue_line, stand_in

from ganzoo.cluster.jobs import SubmittedJob, add_job, ids_for, jobs_of, submitting
from ganzoo.cluster.queue import JobEnd, QueuedJob, comment_for, queued_jobs, sbatch, scancel, told_end
from ganzoo.errors import GanzooError, InputError


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    return stand_in(tmp_path, monkeypatch)


def test_jobs_arrays_and_names_of_any_kind(slurm):
    folder = "/runs/a |b 'c'"
    notes = slurm(
        "squeue",
        answering(
            queue_line("4711_3", comment=f"ganzoo:{folder}"),
            queue_line("4712", "PENDING", reason="Priority", left="UNLIMITED", start="N/A", nodes="", name="na|me"),
            "second line of somebody's comment",
            queue_line("4713", comment="mine", name=""),
        ),
    )
    runs = {"state": "RUNNING", "reason": "None", "time_left": "1:58", "start": "2026-11-22T10:00:00", "nodes": "node1"}
    waits = {"state": "PENDING", "reason": "Priority", "time_left": "UNLIMITED", "start": None, "nodes": ""}
    assert queued_jobs() == [
        QueuedJob(id="4711_3", array_job="4711", task=3, name="ganzoo-x", folder=Path(folder), **runs),
        QueuedJob(id="4712", name="na|me", folder=None, **waits),
        QueuedJob(id="4713", name="", folder=None, **runs),
    ]
    assert notes.read_text().startswith("--noheader --array --user=")


def test_the_user_s_habits_hide_no_jobs(slurm, monkeypatch):
    monkeypatch.setenv("SQUEUE_STATES", "RUNNING")
    monkeypatch.setenv("SLURM_TIME_FORMAT", "relative")
    slurm("squeue", '[ -z "$SQUEUE_STATES" ] && [ "$SLURM_TIME_FORMAT" = standard ] || exit 1')
    assert queued_jobs() == []


def test_no_answer_is_not_an_empty_queue(slurm, monkeypatch, tmp_path):
    slurm("squeue", "exit 1")
    assert queued_jobs() is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert queued_jobs() is None and told_end("4711") is None


SHOWN = (
    "JobId=4711 JobName=a b UserId=me(1000) Account=(null) QOS=normal JobState={} Reason={} Dependency=(null) "
    "Requeue=1 Restarts=0 BatchFlag=1 Reboot=0 ExitCode={} RunTime=00:00:03 Comment=ganzoo:/runs ExitCode=9:9"
)


@pytest.mark.parametrize(
    ("said", "end", "shown"),
    [
        (("TIMEOUT", "TimeLimit", "0:15"), ("TIMEOUT", "0:15", "TimeLimit"), "TIMEOUT (TimeLimit), exit code 0:15"),
        (("FAILED", "NonZeroExitCode", "3:0"), ("FAILED", "3:0", "NonZeroExitCode"), None),
        (("NODE_FAIL", "Node unexpectedly rebooted", "1:0"), ("NODE_FAIL", "1:0", "Node unexpectedly rebooted"), None),
        (("COMPLETED", "None", "0:0"), ("COMPLETED", "0:0", None), "COMPLETED"),
        (("CANCELLED", "Resources", "0:0"), ("CANCELLED", "0:0", None), "CANCELLED"),  # it had waited for them
    ],
)
def test_how_a_job_ended(slurm, said, end, shown):
    notes = slurm("scontrol", answering(SHOWN.format(*said)))
    told = told_end("4711_3")
    assert told is not None and (told.state, told.exit_code, told.reason) == end
    assert shown is None or str(told) == shown
    assert notes.read_text() == "show job -o 4711_3\n"


@pytest.mark.parametrize(
    ("said", "end"),
    [
        ("FAILED|1:0", JobEnd(state="FAILED", exit_code="1:0", reason=None)),
        ("CANCELLED by 1000|0:15", JobEnd(state="CANCELLED", exit_code="0:15", reason="by 1000")),
        ("RUNNING|0:0", None),
        ("", None),
        ("nonsense", None),
    ],
)
def test_what_scontrol_has_forgotten_the_accounts_may_know(slurm, said, end):
    slurm("scontrol", "echo Job 4711 not found; exit 1")
    notes = slurm("sacct", answering(said))
    assert told_end("4711") == end
    assert "--jobs=4711" in notes.read_text()


def test_a_job_that_has_come_back_into_the_queue_has_not_ended(slurm):
    slurm("scontrol", answering(SHOWN.format("PENDING", "BeginTime", "0:0")))
    slurm("sacct", "echo 'Slurm accounting storage is disabled' >&2; exit 1")
    assert told_end("4711") is None


def test_cancelling(slurm, monkeypatch, tmp_path):
    notes = slurm("scancel")
    scancel(["4711_3", "4712"])
    assert notes.read_text() == "4711_3 4712\n"
    slurm("scancel", "echo 'scancel: error: Kill job error on job id 4711: Access/permission denied' >&2; exit 1")
    with pytest.raises(InputError, match=r"SLURM did not cancel 4711: Kill job error .* denied"):
        scancel(["4711"])
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="scancel: 4711 cannot be cancelled"):
        scancel(["4711"])


def test_submitting_names_who_asked(slurm, tmp_path):
    slurm("sbatch", "echo 'sbatch: error: invalid partition' >&2; exit 1")
    with pytest.raises(InputError, match=r"^ganzoo submit: sbatch refused the job: invalid partition$"):
        sbatch(tmp_path / "x.sbatch", "ganzoo submit")


def test_a_comment_names_the_folder_from_everywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert comment_for(Path("runs/x")) == f"ganzoo:{tmp_path}/runs/x"


def test_jobs_are_listed_in_the_folder(tmp_path):
    assert jobs_of(tmp_path) == [] == ids_for(tmp_path)
    run, sweep = SubmittedJob(id="4711"), SubmittedJob(id="4712", tasks="0-3,7", per_task=2)
    for job in (run, sweep):
        with submitting(tmp_path) as folder:
            add_job(tmp_path, job)
    assert folder == tmp_path / "slurm" and jobs_of(tmp_path) == [run, sweep]
    listed = json.loads((tmp_path / "slurm.json").read_text())
    assert listed["jobs"][0] == {"id": "4711", "submitted": run.submitted}
    listed["jobs"][0]["nodes"] = 2  # somebody's who knows more
    (tmp_path / "slurm.json").write_text(json.dumps(listed))
    add_job(tmp_path, run)
    assert json.loads((tmp_path / "slurm.json").read_text())["jobs"][0]["nodes"] == 2


def test_the_tasks_of_a_trial(tmp_path):
    for name in ("sweep.yaml", "experiment.yaml"):
        (tmp_path / name).touch()
    add_job(tmp_path, SubmittedJob(id="1", tasks="0-3", per_task=4))
    add_job(tmp_path, SubmittedJob(id="2", tasks="6", per_task=1))
    add_job(tmp_path, SubmittedJob(id="3", tasks="0-3"))  # of a bayes search: any worker may have it
    assert ids_for(tmp_path / "0123abcd-0006") == ["1_1", "2_6"]
    assert ids_for(tmp_path) == ["1", "2", "3"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[" * 100_000,
        "[]",
        '{"jobs": 3}',
        '{"jobs": [3]}',
        '{"jobs": [{"id": "1"}]}',
        '{"jobs": [{"id": "-u root", "submitted": ""}]}',
        '{"jobs": [{"id": 1, "submitted": ""}]}',
        '{"jobs": [{"id": "1", "submitted": "", "per_task": "2"}]}',
        '{"jobs": [{"id": "1", "submitted": "", "tasks": "0-"}]}',
    ],
)
def test_a_spoilt_list_is_told(tmp_path, text):
    (tmp_path / "slurm.json").write_text(text)
    with pytest.raises(GanzooError, match=r"slurm.json: this is not what ganzoo wrote"):
        jobs_of(tmp_path)


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="the folder cannot be made"), submitting(tmp_path / "file"):
        pass


def test_slow_answers_are_not_waited_for(slurm, monkeypatch):
    monkeypatch.setattr("ganzoo.cluster.queue.PATIENCE_SECONDS", 0.2)
    slurm("squeue", "exec sleep 5")
    slurm("scancel", "exec sleep 5")
    assert queued_jobs() is None
    with pytest.raises(InputError, match="cannot be cancelled"):
        scancel(["4711"])
