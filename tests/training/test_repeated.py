"""`seeds=N`: which runs, where, and what becomes of the others when one breaks down."""

import json

import pytest
from conftest import RING, metrics_of

from ganzoo.errors import InputError
from ganzoo.records.claim import Claim
from ganzoo.training.repeated import plan

pytestmark = pytest.mark.usefixtures("warm")
QUICK = (
    "generator.width=4",
    "discriminator.width=4",
    "budget.generator_updates=3",
    "evaluation.protocol=null",
    "samples.every_generator_updates=null",
    "tracking.wandb=disabled",
    "tracking.every_generator_updates=1",
)


@pytest.fixture(autouse=True)
def no_agent(monkeypatch):
    for name in ("WANDB_SWEEP_ID", "WANDB_RUN_ID", "GANZOO_RUNS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def agent(monkeypatch):
    """What W&B's agent puts into the environment."""
    told = {"SWEEP_ID": "s1", "RUN_ID": "r1", "PROJECT": "toys", "ENTITY": "somebody"}
    for name, value in told.items():
        monkeypatch.setenv(f"WANDB_{name}", value)


def places(runs):
    return [run.directory and str(run.directory) for run in runs]


def test_seeds_begin_with_the_experiments_own(tmp_path):
    runs = plan(RING, ["seed=7", "seeds=3"], tmp_path / "a")
    assert [run.experiment.seed for run in runs] == [7, 8, 9]
    assert places(runs) == [str(tmp_path / name) for name in ("a", "a-seed-1", "a-seed-2")]
    assert [run.experiment.seed for run in plan(RING, ["seeds=2"], None)] == [0, 1]
    assert places(plan(RING, ["seeds=2"], None)) == [None, None]
    assert len(plan(RING, [], None)) == len(plan(RING, ["seeds=5", "seeds=1"], None)) == 1


@pytest.mark.parametrize("wrong", ["0", "1001", "-1", "1.5", "two", "true", "null", "[1]", "'3'x", ""])
def test_what_is_no_number_of_seeds_is_told_with_the_other_mistakes(wrong):
    with pytest.raises(InputError) as caught:
        plan(RING, [f"seeds={wrong}", "budget.generator_updates=none"], None)
    told = [problem.key for problem in caught.value.problems]
    assert "seeds" in told and "budget.generator_updates" in told
    with pytest.raises(InputError, match="seeds"):
        plan(RING, [f"seeds={wrong}"], None)


def test_seeds_beyond_the_last_are_refused():
    assert len(plan(RING, [f"seed={2**31 - 2}", "seeds=2"], None)) == 2
    with pytest.raises(InputError, match="seed"):
        plan(RING, [f"seed={2**31 - 2}", "seeds=3"], None)


def test_an_agents_run_has_the_agents_names(agent, monkeypatch):
    runs = plan(RING, ["name=toy", "seeds=2"], None)
    assert places(runs) == ["runs/toy/s1-r1", "runs/toy/s1-r1-seed-1"]
    assert [(run.mirror.id, run.mirror.project, run.mirror.entity) for run in runs] == [
        ("r1", "toys", "somebody"),
        ("r1-seed-1", "toys", "somebody"),
    ]
    monkeypatch.setenv("GANZOO_RUNS", "/elsewhere")
    assert places(plan(RING, ["name=toy"], None)) == ["/elsewhere/toy/s1-r1"]


def test_an_agents_run_goes_on_and_another_run_is_left_alone(agent, monkeypatch, tmp_path):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    (first,) = plan(RING, QUICK, tmp_path / "run")
    first.check_directory()
    assert not first.begun
    run = first.train()
    again = plan(RING, QUICK, tmp_path / "run")[0]
    again.check_directory()
    assert again.begun and again.train().read_record() == run.read_record()
    monkeypatch.setenv("WANDB_RUN_ID", "r2")
    with pytest.raises(InputError, match="there is a run here already"):
        plan(RING, QUICK, tmp_path / "run")[0].check_directory()


@pytest.mark.slow
def test_seeds_are_runs_like_any_other(command, tmp_path):
    done = command("train", RING, *QUICK, "seeds=2", "--run-dir", "a", "--json")
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(record["run_id"], record["seed"], record["status"]) for record in records] == [
        ("a", 0, "done"),
        ("a-seed-1", 1, "done"),
    ]
    alone = command("train", RING, *QUICK, "seed=1", "--run-dir", "alone")
    assert alone.returncode == 0, alone.stderr
    assert metrics_of(tmp_path / "alone") == metrics_of(tmp_path / "a-seed-1") != metrics_of(tmp_path / "a")
    again = command("train", RING, *QUICK, "seeds=3", "--run-dir", "a")
    assert again.returncode == 2 and "a: there is a run here already" in again.stderr
    assert not (tmp_path / "a-seed-2").exists()


@pytest.mark.slow
def test_seeds_that_diverge_do_not_stop_those_after_them(command, tmp_path):
    wild = ["optimizer.generator.lr=1000", "optimizer.discriminator.lr=1000", "budget.generator_updates=200"]
    done = command("train", RING, *QUICK, *wild, "seeds=2", "--run-dir", "a")
    assert done.returncode == 3, done.stderr
    assert done.stdout == "" and "ganzoo: a: " in done.stderr and "ganzoo: a-seed-1: " in done.stderr
    for name in ("a", "a-seed-1"):
        assert json.loads((tmp_path / name / "record.json").read_text())["status"] == "diverged"


def test_the_exit_code_is_that_of_the_first_seed_that_failed(command, tmp_path):
    claim = Claim.take(tmp_path / "a")
    assert claim is not None
    done = command("train", RING, *QUICK, "seeds=2", "--run-dir", "a")
    claim.release()
    assert (done.returncode, done.stdout) == (1, "a-seed-1\n"), done.stderr
    assert "ganzoo: a: another process is training this run" in done.stderr
    assert json.loads((tmp_path / "a-seed-1" / "record.json").read_text())["status"] == "done"


def test_a_resumed_run_takes_no_seeds(command):
    done = command("train", "--resume", "anywhere", "seeds=2")
    assert done.returncode == 2 and "seeds: a resumed run has its seed" in done.stderr


def test_the_config_that_is_printed_is_the_first_seeds(command):
    several, one = (command("train", RING, *words, "--print-config") for words in (["seed=4", "seeds=2"], ["seed=4"]))
    assert several.returncode == 0 and several.stdout == one.stdout
