"""`ganzoo submit` without SLURM: the script, what is refused, and what is left behind."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import DIGITS, ROOT
from slurm_stand_in import answering, queue_line, stand_in

from ganzoo.cli import main
from ganzoo.records.run_directory import RunDirectory
from ganzoo.records.starts import NoProgress, Start, note_start, starts_of

DIGITS_2 = (str(DIGITS), "trainer.accelerator=cpu", "evaluation.protocol=null")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GANZOO_SITE", raising=False)
    for name in [name for name in os.environ if name.startswith("SLURM_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    program = stand_in(tmp_path, monkeypatch)
    program("squeue")
    return program


def told(*words: object):
    return CliRunner().invoke(main, ["submit", *map(str, words)])


def options_of(script: str) -> list[str]:
    return [shlex.split(line)[1] for line in script.splitlines() if line.startswith("#SBATCH")]


def test_the_script_has_a_task_a_device(tmp_path):
    done = told(*DIGITS_2, "--nodes", 2, "trainer.devices=4", "--time", "1:00:00", "--run-dir", "r", "--dry-run")
    assert done.exit_code == 0, done.output
    assert options_of(done.stdout) == [
        "--job-name=ganzoo-digits-dcgan",
        f"--comment=ganzoo:{tmp_path}/r",
        f"--output={tmp_path}/r/slurm/%j.out",
        "--open-mode=append",
        "--requeue",
        "--signal=B:USR1@120",
        "--nodes=2",
        "--ntasks-per-node=4",
        "--time=1:00:00",
    ]
    words = f"srun --kill-on-bad-exit=1 {sys.executable} -m ganzoo train --resume {tmp_path}/r"
    assert f"\ncommand=({words})\n" in done.stdout and "tasks=4 " in done.stdout
    assert not (tmp_path / "r").exists()


def test_gpus_are_asked_for_as_generic_resources():
    done = told(*DIGITS_2, "--gpus-per-node", 4, "--gpu-type", "a100", "--nodes", 2, "--dry-run")
    options = options_of(done.stdout)
    assert {"--nodes=2", "--ntasks-per-node=4", "--gres=gpu:a100:4"} <= set(options)
    script = told(str(DIGITS), "trainer.accelerator=gpu", "trainer.devices=2", "--dry-run").stdout
    assert "--gres=gpu:2" in options_of(script)
    assert not any("gres" in option for option in options_of(told(*DIGITS_2, "--dry-run").stdout))


def test_options_of_the_site_come_before_the_users(tmp_path, monkeypatch):
    site = tmp_path / "site.yaml"
    site.write_text(
        "sbatch: [--partition=gpu, --account=us]\nsrun: [--cpu-bind=cores]\npython: python3.11\n"
        'setup: |\n  module load cuda\n  export A="b c"\n'
    )
    done = told(*DIGITS_2, "--partition", "cpu", "--sbatch=--nice=9", "--site", site, "--dry-run", "--run-dir", "r")
    assert options_of(done.stdout)[-4:] == ["--partition=gpu", "--account=us", "--partition=cpu", "--nice=9"]
    assert f'cd -- {tmp_path} || exit\nmodule load cuda\nexport A="b c"\nset +eu' in done.stdout
    assert "command=(srun --kill-on-bad-exit=1 --cpu-bind=cores python3.11 -m ganzoo train" in done.stdout
    monkeypatch.setenv("GANZOO_SITE", str(site))
    assert "--account=us" in options_of(told(*DIGITS_2, "--dry-run").stdout)


@pytest.mark.parametrize("site", sorted((ROOT / "slurm" / "sites").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_sites_that_are_examples_are_right(site):
    done = told(*DIGITS_2, "--site", site, "--dry-run")
    assert done.exit_code == 0, done.output
    assert subprocess.run(["bash", "-n"], input=done.stdout, text=True, check=False).returncode == 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sbtach: []", "there is no key 'sbtach'; did you mean 'sbatch'?"),
        ("sbatch: --partition=x", "sbatch"),
        ("- 1", "site.yaml"),
        ("sbatch: [--array=1-2]", "ganzoo sweep FILE --engine slurm"),
    ],
)
def test_a_wrong_site_is_told(text, says, tmp_path):
    (tmp_path / "site.yaml").write_text(text)
    done = told(*DIGITS_2, "--site", "site.yaml", "--dry-run")
    assert done.exit_code == 2 and says in done.stderr and "Traceback" not in done.stderr
    assert told(*DIGITS_2, "--site", "nowhere.yaml", "--dry-run").exit_code == 2


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("--array=0-9", "ganzoo sweep FILE"),
        ("-N2", "--nodes"),
        ("-n 4", "trainer.devices"),
        ("--ntasks-per-node=2", "trainer.devices"),
        ("--gres=gpu:1", "--gpus-per-node"),
        ("--comment=x", "folder"),
        ("--wrap=ls", "script"),
        ("nice=9", "one option of sbatch"),
        ("--nice=9\n#SBATCH --array=1", "one option of sbatch"),
    ],
)
def test_options_that_are_the_jobs_own_are_refused(line, says):
    done = told(*DIGITS_2, f"--sbatch={line}", "--dry-run")
    assert done.exit_code == 2 and says in done.stderr


ODD = "a 'b' \"c\" $(touch hurt) `touch hurt` %A ü"


def test_any_value_arrives_unchanged_and_nothing_is_executed(tmp_path, slurm):
    """The script, run by bash with another srun, which tells its words."""
    (tmp_path / ODD).mkdir()
    slurm("sbatch", "echo 4711")
    slurm("srun", 'printf "%s\\0" "$@" > told')
    project = "p $(touch hurt) 'x'\nline two ü"
    words = (*DIGITS_2, f"tracking.project={json.dumps(project)}", "--constraint", "a&b|c $(touch hurt) 'q'")
    done = told(*words, "--run-dir", tmp_path / ODD / "run")
    assert done.exit_code == 0, done.output
    script = tmp_path / ODD / "run" / "slurm" / "job.sbatch"
    assert "--constraint=a&b|c $(touch hurt) 'q'" in options_of(script.read_text())
    env = {**os.environ, "SLURM_JOB_ID": "1"}
    assert subprocess.run(["bash", str(script)], env=env, capture_output=True, text=True, check=False).returncode == 0
    assert (tmp_path / "told").read_text().split("\0")[-3:] == ["--resume", str(tmp_path / ODD / "run"), ""]
    assert RunDirectory(tmp_path / ODD / "run").experiment().tracking.project == project
    assert not list(tmp_path.glob("**/hurt"))


def test_a_run_is_complete_before_its_job_is(tmp_path, slurm):
    notes = slurm("sbatch", "echo '4711;cluster'")
    done = told(*DIGITS_2, "seed=7", "--run-dir", "run", "--json")
    assert json.loads(done.stdout) == {"job": "4711", "run_dir": "run"}
    assert notes.read_text() == "--parsable run/slurm/job.sbatch\n"
    assert RunDirectory("run").experiment().seed == 7
    assert json.loads(Path("run/slurm.json").read_text())["jobs"][0]["id"] == "4711"
    again = told(*DIGITS_2, "--run-dir", "run")
    assert again.exit_code == 2 and "there is a run here already" in again.stderr


def test_a_run_is_submitted_again_but_not_twice_at_once(slurm):
    slurm("sbatch", "echo 4711")
    told(*DIGITS_2, "--run-dir", "run")
    slurm("squeue", answering(queue_line("4711", "PENDING")))
    done = told("--resume", "run")
    assert done.exit_code == 2 and "in the queue already, as job 4711 (PENDING)" in done.stderr
    slurm("squeue", answering(queue_line("4712")))
    slurm("sbatch", "echo 4713")
    done = told("--resume", "run", "budget.generator_updates=9", "trainer.devices=2", "--time", "5")
    assert done.exit_code == 0 and done.stdout == "run\n" and "job 4713" in done.stderr
    assert RunDirectory("run").experiment().budget.generator_updates == 9
    assert {"--ntasks-per-node=2", "--time=5"} <= set(options_of(Path("run/slurm/job.sbatch").read_text()))
    assert told("--resume", "run", "seed=8").exit_code == 2
    record = {"status": "done", "budget": {"generator_updates": 9}}
    Path("run/record.json").write_text(json.dumps(record))
    done = told("--resume", "run")
    assert done.exit_code == 0 and "nothing to submit" in done.stderr


def test_what_sbatch_refuses_leaves_nothing_behind(tmp_path, slurm):
    slurm("sbatch", "echo 'sbatch: error: invalid partition specified: x' >&2; exit 1")
    done = told(*DIGITS_2, "--partition", "x", "--run-dir", "run")
    assert done.exit_code == 2
    assert done.stderr == "ganzoo: submit: sbatch refused the job: invalid partition specified: x\n"
    assert not (tmp_path / "run").exists()


def test_without_slurm(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    done = told(*DIGITS_2, "--run-dir", "run")
    assert done.exit_code == 2 and "there is no sbatch on this machine" in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "words",
    [(), (*DIGITS_2, "seeds=3"), (*DIGITS_2, "variant.latnt_dim=3"), ("--resume", "r", "--run-dir", "s"), ("x.yaml",)],
)
def test_mistakes_are_one_paragraph(words):
    done = told(*words, "--dry-run")
    assert done.exit_code == 2 and done.stderr.startswith("ganzoo: ") and done.stderr.count("\n") <= 3


class TestProgress:
    """A job that is queued again and again without progress ends."""

    @pytest.fixture
    def run(self, tmp_path):
        (tmp_path / "checkpoints").mkdir()
        return RunDirectory(tmp_path)

    def start(self, run, monkeypatch, restart: int, job: str = "4711") -> None:
        monkeypatch.setenv("SLURM_JOB_ID", job)
        monkeypatch.setenv("SLURM_RESTART_COUNT", str(restart))
        note_start(run)

    def test_outside_of_slurm_nothing_is_noted(self, run):
        note_start(run)
        assert list(starts_of(run)) == []

    def test_two_restarts_without_a_checkpoint_are_enough(self, run, monkeypatch):
        self.start(run, monkeypatch, 0)
        self.start(run, monkeypatch, 1)  # once may be chance
        with pytest.raises(NoProgress, match=r"job 4711 was queued again 2 times.*no checkpoint"):
            self.start(run, monkeypatch, 2)
        assert [start.restart for start in starts_of(run)] == [0, 1, 2]

    def test_a_checkpoint_is_progress(self, run, monkeypatch):
        for restart in range(5):
            run.last_checkpoint.write_text("x" * restart)
            self.start(run, monkeypatch, restart)

    def test_another_job_begins_anew(self, run, monkeypatch):
        self.start(run, monkeypatch, 0)
        self.start(run, monkeypatch, 1)
        self.start(run, monkeypatch, 2, job="4712")

    def test_an_arrays_task_is_a_job_of_its_own(self, run, monkeypatch):
        monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "99")
        monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
        self.start(run, monkeypatch, 1)
        (start,) = starts_of(run)
        assert isinstance(start, Start) and start.job == "99_3"

    def test_damaged_lines_are_passed_over(self, run, monkeypatch):
        self.start(run, monkeypatch, 0)
        with (run.path / "slurm" / "starts.jsonl").open("a") as file:
            file.write('{"job": "1"}\n[]\n\xff{\n{"job": 1, "restart": ')
        assert len(list(starts_of(run))) == 1
