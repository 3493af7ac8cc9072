"""Engine slurm without SLURM: the script, run by bash as a task would be; submission, to an sbatch that notes it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import RING, ROOT
from slurm_stand_in import stand_in

from ganzoo.cluster.jobs import jobs_of
from ganzoo.errors import GanzooError, InputError
from ganzoo.sweeping.reading import read_sweep
from ganzoo.sweeping.slurm import JobArray, QueuedTask, all_tasks, queue_of, script_of, submit
from ganzoo.sweeping.trials import Sweep

GRID = """
program: {program}
method: grid
parameters:
  variant.latent_dim: {{values: [2, 3, 4]}}
  seeds: {{value: 2}}
  budget.generator_updates: {{value: 2}}
  data: {{value: {{batch_size: 8, num_points: 2500}}}}
  generator.width: {{value: 4}}
  discriminator.width: {{value: 4}}
  evaluation.protocol: {{value: null}}
  samples.every_generator_updates: {{value: null}}
  tracking.wandb: {{value: disabled}}
"""
BAYES = """
program: {program}
method: bayes
metric: {{name: generator/loss}}
parameters: {{optimizer.generator.lr: {{min: 1.0e-4, max: 1.0e-2}}}}
run_cap: 10
"""


def opened(folder: Path, text: str = GRID, **options: int) -> Sweep:
    (folder / "tiny.yaml").write_text(text.format(program=RING))
    return Sweep(read_sweep(folder / "tiny.yaml"), folder / "runs", **options)


def options_of(script: str) -> list[str]:
    return [line.removeprefix("#SBATCH ") for line in script.splitlines() if line.startswith("#SBATCH")]


def test_the_script_of_a_grid(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sweep = opened(tmp_path)
    script = script_of(sweep, JobArray(per_task=4, at_once=3, lines=("--partition=main", "--time 60", "-A us")))
    assert script.startswith("#!/bin/bash\n#SBATCH --job-name=ganzoo-tiny\n") and "#SBATCH --array=0-1%3\n" in script
    assert options_of(script)[1] == f"--comment=ganzoo:{sweep.folder}"
    assert options_of(script)[2:] == [
        f"--output={sweep.folder}/slurm/%A_%a.out",
        "--open-mode=append",
        "--requeue",
        "--signal=B:USR1@120",
        "--array=0-1%3",
        "--nodes=1",
        "--ntasks=1",
        "--partition=main",
        "--time 60",
        "-A us",
    ]
    assert f"cd -- {tmp_path} || exit\n" in script
    assert (
        "first=$((SLURM_ARRAY_TASK_ID * 4)) last=$((SLURM_ARRAY_TASK_ID * 4 + 3))\n((last <= 5)) || last=5\n" in script
    )
    command = f"{sys.executable} -m ganzoo sweep {sweep.folder}/sweep.yaml --runs {tmp_path}/runs --workers 1 --trials"
    assert f'command=({command} "$first-$last" --threads ' in script
    assert script.endswith('exit "$code"\n')


def test_the_script_of_a_bayes_search_has_workers(tmp_path):
    sweep = opened(tmp_path, BAYES)
    assert "--array=0" in options_of(script_of(sweep, JobArray()))
    script = script_of(sweep, JobArray(at_once=4, per_task=3, storage="mysql://me:a b@host/db", sampler="gp"))
    assert "--array=0-3" in options_of(script)
    assert "--workers 1 --sampler gp --storage 'mysql://me:a b@host/db' --threads" in script
    assert "--trials" not in script and "first=" not in script
    assert list(all_tasks(sweep, JobArray(at_once=99))) == list(range(10))  # no more workers than trials


def test_some_of_the_trials(tmp_path):
    sweep = opened(tmp_path, count=5)
    script = script_of(sweep, JobArray(per_task=2, numbers=range(3, 5)))
    assert "--array=1-2" in options_of(script) and "--count 5" in script
    assert "((first >= 3)) || first=3\n((last <= 4)) || last=4\n" in script
    assert "--array=0,2-3%1" in options_of(script_of(sweep, JobArray(at_once=1), tasks=[0, 2, 3]))


def run_by_bash(script: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """In a folder that is not the one of submission, as SLURM's own copy of the script is."""
    (folder / "elsewhere").mkdir(exist_ok=True)
    (folder / "elsewhere" / "slurm_script").write_text(script)
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **environment}
    words = ["bash", "slurm_script"]
    return subprocess.run(words, cwd=folder / "elsewhere", env=variables, capture_output=True, text=True, timeout=120)


ODD = "a 'b' \"c\" $(touch hurt) `x` %A"


def test_any_path_is_quoted(tmp_path, monkeypatch):
    """Run with another `python`, which tells its words and folder."""
    python = tmp_path / ODD / "python"
    (tmp_path / ODD / "runs").mkdir(parents=True)
    python.write_text('#!/bin/bash\npwd; printf "%s\\n" "$@"\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.chdir(tmp_path / ODD)
    sweep = opened(tmp_path / ODD)
    script = script_of(sweep, JobArray(per_task=4, lines=("--mail-user=$(touch hurt) 'x' #",)))
    assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0
    done = run_by_bash(script, tmp_path, SLURM_ARRAY_TASK_ID="1", SLURM_CPUS_PER_TASK="3")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        str(tmp_path / ODD),
        *("-m", "ganzoo", "sweep", str(sweep.folder / "sweep.yaml"), "--runs", str(tmp_path / ODD / "runs")),
        *("--workers", "1", "--trials", "4-5", "--threads", "3"),
    ]
    assert not list(tmp_path.glob("**/hurt"))
    assert "%%A/runs" in script  # of the output file: no replacement by sbatch


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("--array=0-9", "--per-task"),
        ("-a 0-9", "--per-task"),
        ("-a0-9", "--per-task"),
        ("--wrap=ls", "the script"),
        ("--comment=mine", "the job's folder is in it"),
        ("partition=main", "--partition=main"),
        ("--comment=a\nrm -rf /", "--partition=main"),
        ("", "--partition=main"),
    ],
)
def test_lines_that_sbatch_must_not_get(line, says):
    with pytest.raises(InputError) as caught:
        JobArray(lines=("--time=60", line, "--wrap=ls"))
    assert caught.value.source == "--sbatch" and says in str(caught.value.problems[0])
    assert len(caught.value.problems) == 2  # --wrap is told too, and --time is nothing to tell


def test_a_path_that_sbatch_cannot_write_to_is_refused(tmp_path):
    (tmp_path / "a\\b").mkdir()
    with pytest.raises(InputError, match=r"sbatch cannot write to .*no line breaks and backslashes"):
        script_of(opened(tmp_path / "a\\b"), JobArray())


def test_a_search_without_end_is_refused(tmp_path):
    sweep = opened(tmp_path, GRID.replace("grid", "random"))
    with pytest.raises(InputError, match="--count N"):
        script_of(sweep, JobArray())


def test_the_frozen_sweep_has_the_same_trials(tmp_path):
    sweep = opened(tmp_path)
    sweep.keep_files()
    frozen = Sweep(read_sweep(sweep.folder / "sweep.yaml"), tmp_path / "runs")
    assert frozen.file.experiment == sweep.folder / "experiment.yaml" != sweep.file.experiment
    assert list(frozen) == list(sweep) and len(frozen) == 6
    assert [trial.seed for trial in frozen] == [0, 1, 0, 1, 0, 1]
    assert [frozen.experiment_of(trial) for trial in frozen] == [sweep.experiment_of(trial) for trial in sweep]


@pytest.mark.slow
def test_a_task_trains_its_trials_and_no_others(tmp_path):
    sweep = opened(tmp_path)
    sweep.keep_files()
    (tmp_path / "tiny.yaml").unlink()  # the originals may be gone when the task begins
    script = script_of(sweep, JobArray(per_task=2))
    done = run_by_bash(script, tmp_path, SLURM_ARRAY_TASK_ID="1")
    assert done.returncode == 0, done.stderr
    trained = {path.parent.name: json.loads(path.read_text()) for path in sweep.folder.glob("*/record.json")}
    assert trained.keys() == {sweep[2].directory.name, sweep[3].directory.name}
    for number in (2, 3):
        record = trained[sweep[number].directory.name]
        assert (record["status"], record["config"]["seed"]) == ("done", number % 2)
        assert record["config"]["variant"]["latent_dim"] == 3


STOPPABLE = '#!/bin/bash\ntrap "echo stopped; exit 143" TERM\necho ready $$\nfor i in {1..300}; do sleep 0.1; done\n'


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    return stand_in(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("number", "ending", "code", "requeued"),
    [
        (signal.SIGUSR1, "exit 143", 143, True),
        (signal.SIGUSR1, "kill -KILL $$", 137, True),  # as SLURM does to the process that takes longer than KillWait
        (signal.SIGUSR1, "exit 1", 1, False),
        (signal.SIGTERM, "exit 143", 143, False),
    ],
)
def test_only_ahead_of_the_time_limit_a_task_queues_itself_again(
    number, ending, code, requeued, tmp_path, monkeypatch, slurm
):
    """USR1 comes to the shell alone; TERM to all processes of the task, and once to each."""
    notes = slurm("scontrol", "exit 1")  # refuses, so that the script ends at once
    python = tmp_path / "python"
    python.write_text(STOPPABLE.replace("exit 143", ending))
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    script = script_of(opened(tmp_path), JobArray())
    variables = {**os.environ, "SLURM_ARRAY_TASK_ID": "0", "SLURM_ARRAY_JOB_ID": "4711", "SLURM_JOB_ID": "4711"}
    with subprocess.Popen(["bash", "-c", script], env=variables, stdout=subprocess.PIPE, text=True) as task:
        assert task.stdout is not None
        word, process = task.stdout.readline().split()
        assert word == "ready"
        if number == signal.SIGTERM:
            os.kill(int(process), number)
        os.kill(task.pid, number)
        assert task.stdout.read() == "stopped\n"
    assert task.returncode == code
    assert (notes.read_text() if notes.exists() else "") == ("requeue 4711_0\n" if requeued else "")


def test_submission(tmp_path, slurm):
    notes = slurm("sbatch", "echo '4711;cluster'")
    queue = slurm("squeue", "echo '4711|1|PENDING|Priority'; echo '4711|0|RUNNING|None'; echo '9|0|RUNNING|None'")
    sweep = opened(tmp_path)
    sweep[2].directory.mkdir(parents=True)
    sweep[2].run.record.write_text('{"status": "done"}')
    sweep[5].directory.mkdir(parents=True)
    sweep[5].run.record.write_text('{"status": "stopped"}')
    assert queue_of(sweep) == [] and not queue.exists()  # nothing was submitted: SLURM is not asked
    assert submit(sweep, JobArray(numbers=range(1, 4))) == "4711"
    script = sweep.folder / "slurm" / "sweep.sbatch"
    assert notes.read_text() == f"--parsable {script}\n"
    assert "--array=1,3" in options_of(script.read_text())  # 2 has ended
    assert script.stat().st_mode & 0o077 == 0
    assert (sweep.folder / "sweep.yaml").exists() and (sweep.folder / "experiment.yaml").exists()
    (job,) = jobs_of(sweep.folder)
    assert (job.id, job.per_task, job.tasks) == ("4711", 1, "1,3")
    assert queue_of(sweep) == [
        QueuedTask("4711", 0, "RUNNING", "None", range(1)),
        QueuedTask("4711", 1, "PENDING", "Priority", range(1, 2)),
    ]
    assert submit(sweep, JobArray()) == "4711" and len(jobs_of(sweep.folder)) == 2
    assert "--array=3-5" in options_of(script.read_text())  # 0 and 1 are in the queue; a stopped trial is open


def test_nothing_is_submitted_when_all_have_ended(tmp_path, slurm):
    notes = slurm("sbatch", "echo 1")
    slurm("squeue")
    sweep = opened(tmp_path)
    for trial in sweep:
        trial.directory.mkdir(parents=True)
        trial.run.record.write_text('{"status": "failed"}')
    assert submit(sweep, JobArray()) is None and not notes.exists()


def test_what_sbatch_says_is_told_in_a_paragraph(tmp_path, slurm):
    slurm("sbatch", "echo 'sbatch: error: invalid partition specified: x\nsbatch: error: Batch job failed' >&2; exit 1")
    sweep = opened(tmp_path)
    with pytest.raises(InputError) as caught:
        submit(sweep, JobArray(lines=("--partition=x",)))
    says = "--engine slurm: sbatch refused the job: invalid partition specified: x Batch job failed"
    assert str(caught.value) == says and jobs_of(sweep.folder) == []
    slurm("sbatch", "echo 'sbatch: error: Batch job submission failed: Invalid job array specification' >&2; exit 1")
    with pytest.raises(InputError, match="smaller array: --per-task N"):
        submit(sweep, JobArray())


def test_without_slurm(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    sweep = opened(tmp_path)
    with pytest.raises(InputError, match=r"--engine: there is no sbatch .* --dry-run"):
        submit(sweep, JobArray())
    assert not sweep.folder.exists()


def test_a_spoilt_list_of_jobs_is_told(tmp_path):
    sweep = opened(tmp_path)
    sweep.folder.mkdir(parents=True)
    for text in ("{", "[]", '{"jobs": [{"id": "1"}]}', '{"jobs": 3}'):
        (sweep.folder / "slurm.json").write_text(text)
        with pytest.raises(GanzooError, match="not what ganzoo wrote"):
            jobs_of(sweep.folder)


def test_a_queue_that_does_not_answer_is_not_told_as_empty(tmp_path, slurm):
    sweep = opened(tmp_path)
    sweep.folder.mkdir(parents=True)
    job = {"id": "1", "per_task": 1, "tasks": "0", "submitted": "2026-11-22T00:00:00Z"}
    (sweep.folder / "slurm.json").write_text(json.dumps({"jobs": [job]}))
    slurm("squeue", "exit 1")
    assert queue_of(sweep) is None
