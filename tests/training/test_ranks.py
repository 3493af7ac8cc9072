"""Several processes train one run: as one process would, exactly resumable, and with one voice when it goes wrong."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import DIGITS, ROOT, TINY, checkpoint_of, differences, metrics_of

from ganzoo.errors import InputError
from ganzoo.experiment import load_experiment
from ganzoo.ranks import average_, drawn, mean_of_ranks, means_of_ranks
from ganzoo.records.run_directory import RunDirectory
from ganzoo.training.run import resume, train
from ganzoo.training.world import World

pytestmark = pytest.mark.usefixtures("warm")
TWO = [*TINY, "trainer.devices=2", "trainer.accelerator=cpu"]
SCORED = ["evaluation.protocol=digits-v1", "evaluation.every_generator_updates=100"]
TROUBLED = ["plugins=[troubled_plugin]", "variant={name: troubled, latent_dim: 4}"]


def budget(updates: int) -> str:
    return f"budget.generator_updates={updates}"


def losses_of(run: Path) -> list[dict[str, Any]]:
    return [line for line in metrics_of(run) if "generator/loss" in line]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 20 updates on two processes, never stopped."""
    torch.set_num_threads(1)
    return train(DIGITS, [*TWO, budget(20)], run_dir=tmp_path_factory.mktemp("two") / "whole").path


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same on one."""
    torch.set_num_threads(1)
    return train(DIGITS, [*TINY, budget(20)], run_dir=tmp_path_factory.mktemp("one") / "whole").path


@pytest.mark.slow
def test_two_processes_have_the_losses_of_one(whole, alone):
    """DCGAN's generator has BatchNorm, which is synchronised."""
    for ours, theirs in zip(losses_of(whole), losses_of(alone), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-5)
    record = RunDirectory(whole).read_record()
    assert record is not None and record["ranks"] == [{"from_generator_update": 0, "ranks": 2}]
    assert record["budget"] == RunDirectory(alone).read_record()["budget"]


@pytest.mark.slow
def test_a_run_goes_on_exactly_on_two_processes(whole, tmp_path):
    train(DIGITS, [*TWO, budget(7)], run_dir=tmp_path / "parts")
    resume(tmp_path / "parts", [budget(20)])
    assert differences(checkpoint_of(whole), checkpoint_of(tmp_path / "parts")) == []
    assert metrics_of(whole) == metrics_of(tmp_path / "parts")


@pytest.mark.slow
def test_the_number_of_processes_may_change_on_the_way(alone, tmp_path):
    """One, two, one: the counts are exact, and the losses those of one process all the way."""
    run = train(DIGITS, [*TINY, budget(6)], run_dir=tmp_path / "run")
    resume(run.path, [budget(14), "trainer.devices=2", "trainer.accelerator=cpu"])
    resume(run.path, [budget(20), "trainer.devices=1"])
    record = run.read_record()
    assert [(part["from_generator_update"], part["ranks"]) for part in record["ranks"]] == [(0, 1), (6, 2), (14, 1)]
    assert record["budget"] == RunDirectory(alone).read_record()["budget"]
    for ours, theirs in zip(losses_of(run.path), losses_of(alone), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-5)


def test_parts_of_a_batch_add_up_to_it(tmp_path):
    """Without BatchNorm, which would normalise each part by itself."""
    plain = [*TINY, "generator.norm=none", "discriminator.norm=none", budget(6)]
    train(DIGITS, plain, run_dir=tmp_path / "whole")
    train(DIGITS, [*plain, "trainer.accumulate=4"], run_dir=tmp_path / "parts")
    for ours, theirs in zip(losses_of(tmp_path / "parts"), losses_of(tmp_path / "whole"), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-5)


PATIENCE = 200  # seconds for what takes ten: two processes start, and others may be at the same cores


def start(*arguments: object) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-m", "ganzoo", "train", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(words, text=True, env=environment, start_new_session=True, **pipes)


def wait_for(path: Path, lines: int, process: subprocess.Popen[str]) -> None:
    while not path.exists() or path.read_text().count("\n") < lines:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


def living(session: int) -> list[int]:
    """The processes of a session, which are a run's, that have not ended."""
    told = subprocess.run(["ps", "-o", "pid=,stat=", "-s", str(session)], capture_output=True, text=True, check=False)
    return [int(line.split()[0]) for line in told.stdout.splitlines() if "Z" not in line.split()[1]]


ENDLESS = [budget(10**6), "checkpoint.every_generator_updates=5"]


@pytest.mark.slow
def test_a_signal_to_one_of_them_stops_all_after_a_checkpoint(tmp_path):
    run = tmp_path / "run"
    process = start(DIGITS, *TWO, *ENDLESS, "--run-dir", run)
    wait_for(run / "metrics.jsonl", 8, process)
    (other,) = [each for each in living(process.pid) if each != process.pid]
    os.kill(other, signal.SIGTERM)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 143 and "--resume" in err and err.count("\n") == 1, err
    counters = checkpoint_of(run)["ganzoo"]["counters"]
    assert metrics_of(run)[-1]["generator_updates"] == counters["generator_updates"] >= 8
    assert counters["images_seen"] == 16 * counters["discriminator_updates"]
    assert living(process.pid) == []


@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, 1])
def test_where_one_is_killed_none_is_left_behind(killed, tmp_path):
    run = tmp_path / "run"
    process = start(DIGITS, *TWO, *ENDLESS, "--run-dir", run)
    wait_for(run / "metrics.jsonl", 8, process)
    os.kill(sorted(living(process.pid))[killed], signal.SIGKILL)
    _, err = process.communicate(timeout=PATIENCE)
    end = time.monotonic() + 20
    while living(process.pid):
        assert time.monotonic() < end
        time.sleep(0.1)
    assert (run / "checkpoints" / "last.ckpt").exists()
    if killed == 1:
        assert process.returncode == 1 and "Traceback" not in err and "has gone" in err
        assert RunDirectory(run).read_record()["status"] == "failed"


@pytest.mark.slow
def test_what_happens_to_one_of_them_is_told_by_the_first(tmp_path):
    run = tmp_path / "run"
    trouble = ["variant.trouble=raise", "variant.on_rank=1", "variant.after_updates=2"]
    process = start(DIGITS, *TWO, *TROUBLED, *trouble, budget(9), "--run-dir", run)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert err.count("Traceback") == 1 and "the coffee machine is empty" in err  # of the one that it happened to
    assert "rank 1 on" in err.splitlines()[-1]
    record = RunDirectory(run).read_record()
    assert record["status"] == "failed" and "LookupError: the coffee machine is empty" in record["reason"]


LEFT_ALONE = """
import sys
from ganzoo.training import meeting
from ganzoo.training.run import train

meeting.LOSS_SECONDS = 1.0
train(sys.argv[1], sys.argv[3:], run_dir=sys.argv[2])
"""


@pytest.mark.slow
def test_who_waits_for_one_that_has_gone_does_not_wait_for_ever(tmp_path):
    """As NCCL does: the first process is busy for an hour while the other one is killed."""
    run = tmp_path / "run"
    trouble = ["variant.trouble=sleep", "variant.on_rank=0", "variant.after_updates=2", budget(9)]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-c", LEFT_ALONE, str(DIGITS), str(run), *TWO, *TROUBLED, *trouble]
    process = subprocess.Popen(words, env=environment, start_new_session=True)
    while not any(line["generator_updates"] == 2 for line in RunDirectory(run).lines()):
        assert process.poll() is None
        time.sleep(0.05)
    os.kill(next(each for each in living(process.pid) if each != process.pid), signal.SIGKILL)
    assert process.wait(timeout=120) == 1
    assert "has gone without a word" in RunDirectory(run).read_record()["reason"]


@pytest.mark.slow
def test_scores_of_two_processes_are_those_of_one(tmp_path):
    train(DIGITS, [*TWO, *SCORED, budget(0)], run_dir=tmp_path / "two")
    train(DIGITS, [*TINY, *SCORED, budget(0)], run_dir=tmp_path / "one")
    two, one = (RunDirectory(tmp_path / name).read_record()["evaluation"]["last"]["scores"] for name in ("two", "one"))
    assert two == pytest.approx(one, rel=1e-9, abs=1e-9)


def test_more_than_one_machine_needs_somebody_who_starts_them(tmp_path):
    with pytest.raises(InputError, match=r"trainer\.num_nodes: 2 nodes: .*`ganzoo submit` or under srun or torchrun"):
        train(DIGITS, [*TINY, "trainer.num_nodes=2", budget(1)], run_dir=tmp_path / "run")
    assert not (tmp_path / "run" / "config.yaml").exists()


SLURM = {"SLURM_STEP_ID": "0", "SLURM_PROCID": "3", "SLURM_STEP_NUM_TASKS": "4", "SLURM_LOCALID": "1"}
TORCHRUN = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "MASTER_ADDR": "here", "MASTER_PORT": "4711"}


class TestWorld:
    @pytest.fixture(autouse=True)
    def nobody(self, monkeypatch):
        for name in list(os.environ):
            if name.startswith(("SLURM", "WANDB")) or name in TORCHRUN:
                monkeypatch.delenv(name)

    def set(self, monkeypatch, variables: dict[str, str]) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    def test_alone(self, monkeypatch):
        assert World.around() == World()
        self.set(monkeypatch, {"SLURM_PROCID": "0", "SLURM_JOB_ID": "7", "SLURM_NTASKS": "2"})  # a batch script's shell
        assert World.around() == World()

    def test_of_srun_and_torchrun(self, monkeypatch):
        self.set(monkeypatch, {**SLURM, "SLURM_STEP_NUM_NODES": "2"})
        assert World.around() == World(by="slurm", rank=3, size=4, local_rank=1, nodes=2)
        self.set(monkeypatch, TORCHRUN)  # inside of srun
        assert World.around() == World(by="torchrun", rank=1, size=2, local_rank=1, address="here", port=4711)

    def test_an_agents_run_is_alone_whatever_the_agent_was_started_with(self, monkeypatch):
        self.set(monkeypatch, {**SLURM, "WANDB_SWEEP_ID": "s", "WANDB_RUN_ID": "r"})
        assert World.around() == World()

    @pytest.mark.parametrize("devices, nodes, fits", [(2, 2, True), (4, 1, False), (1, 1, False), (2, 1, False)])
    def test_what_is_there_must_be_what_is_wanted(self, devices, nodes, fits):
        settings = load_experiment(DIGITS, [f"trainer.devices={devices}", f"trainer.num_nodes={nodes}"]).trainer
        world = World(by="slurm", size=4, nodes=2)
        if fits:
            return world.check(settings)
        with pytest.raises(InputError, match=rf"{devices} on each of {nodes} nodes, and slurm has started 4 on 2"):
            world.check(settings)


def test_of_one_process_everything_is_its_own():
    value = torch.randn(3, requires_grad=True)
    assert mean_of_ranks(value) is value and means_of_ranks([value])[0] is value
    assert torch.equal(average_(value.detach().clone()), value) and drawn(lambda n, _: torch.zeros(n), 2).shape == (2,)
