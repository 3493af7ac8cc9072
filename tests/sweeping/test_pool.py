"""Engine local: warm workers, trials that break down, signals, parents side by side. Every sweep is a real command."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import DIGITS, ROOT, TINY, checkpoint_of, differences, metrics_of

from ganzoo.records.claim import holder

pytestmark = pytest.mark.usefixtures("warm")
SWEEP = {
    "name": "little",
    "program": str(DIGITS),
    "method": "grid",
    "metric": {"name": "generator/loss"},
    "command": ["${env}", "ganzoo", "train", "${program}", *TINY, "${args_no_hyphens}"],
}
OFTEN_SAVED = {"checkpoint.every_generator_updates": {"value": 10}}
SLOWLY = {"budget.generator_updates": {"value": 3000}, **OFTEN_SAVED}


class Command:
    """`ganzoo sweep` on a file of its own, in the folder that it is run from."""

    def __init__(self, folder: Path):
        self.folder, self.file, self.runs = folder, folder / "little.yaml", folder / "runs"

    def write(self, parameters: dict[str, Any], **more: Any) -> None:
        self.file.write_text(json.dumps({**SWEEP, "parameters": parameters, **more}))  # JSON is YAML

    def start(self, *words: object, cwd: Path | None = None, **how: Any) -> subprocess.Popen:
        paths = f"{ROOT}{os.pathsep}{ROOT / 'tests'}"
        environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "ganzoo", "sweep", self.file, "--runs", self.runs, *words]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(list(map(str, command)), cwd=cwd or self.folder, env=environment, **pipes, **how)

    def run(self, *words: object) -> tuple[int, str, str]:
        process = self.start(*words)
        out, errors = process.communicate(timeout=240)
        return process.returncode, out, errors

    def trials(self) -> list[Path]:
        return sorted(path.parent for path in self.runs.glob("little-*/*/trial.json"))

    def records(self) -> list[dict[str, Any]]:
        return [json.loads((trial / "record.json").read_text()) for trial in self.trials()]

    def until(self, there: Callable[[Path], bool], number: int = 1) -> None:
        deadline = time.monotonic() + 120
        while sum(map(there, self.trials())) < number:
            assert time.monotonic() < deadline, "nothing happens"
            time.sleep(0.05)


@pytest.fixture
def sweep(tmp_path: Path) -> Command:
    return Command(tmp_path)


def claims_of(trial: Path) -> list[str]:
    return [path.name for path in (trial / "claims").iterdir()]


def process_of(trial: Path) -> int:
    return json.loads(next((trial / "claims").glob("*.json")).read_text())["process"]


def checkpointed(trial: Path) -> bool:
    return (trial / "checkpoints" / "last.ckpt").exists()


def checkpoint_time(trial: Path) -> int:
    return (trial / "checkpoints" / "last.ckpt").stat().st_mtime_ns


@pytest.mark.slow
def test_trials_are_trained_in_warm_processes_as_by_themselves(sweep):
    sweep.write({"seed": {"values": [3, 1, 2, 0]}, "budget.generator_updates": {"value": 4}})
    code, out, errors = sweep.run("--workers", "2")
    assert code == 0, errors
    assert [record["status"] for record in sweep.records()] == ["done"] * 4
    assert [record["seed"] for record in sweep.records()] == [3, 1, 2, 0]
    assert out.splitlines()[-1] == str(sweep.trials()[0].parent)
    assert len({process_of(trial) for trial in sweep.trials()}) == 2  # for four trials
    assert [claims_of(trial) for trial in sweep.trials()] == [["000001.json"]] * 4
    from ganzoo.training.run import train

    alone = train(DIGITS, [*TINY, "budget.generator_updates=4", "seed=2"], run_dir=sweep.folder / "alone").path
    assert differences(checkpoint_of(alone), checkpoint_of(sweep.trials()[2])) == []
    assert metrics_of(alone) == metrics_of(sweep.trials()[2])
    code, _, _ = sweep.run()  # all is done: nothing is trained again
    assert code == 0 and [claims_of(trial) for trial in sweep.trials()] == [["000001.json"]] * 4


@pytest.mark.slow
def test_trials_that_break_down_are_recorded_and_the_others_finish(sweep):
    troubles = ["none", "diverge", "raise", "allocate", "killed"]
    troubled = {"name": "troubled", "latent_dim": 4}
    sweep.write(
        {
            "plugins": {"value": ["troubled_plugin"]},
            "variant": {"values": [{**troubled, "trouble": trouble} for trouble in troubles]},
            "budget.generator_updates": {"value": 40},
        }
    )
    code, out, _ = sweep.run("--workers", "2")
    records = sweep.records()
    assert code == 1
    assert [record["status"] for record in records] == ["done", "diverged", "failed", "failed", "failed"]
    assert "loss is nan after 20 generator updates" in records[1]["reason"]
    assert records[2]["reason"] == "LookupError: the coffee machine is empty"
    assert re.match(r"its process was killed by SIGKILL [3-9] times before it", records[4]["reason"])
    assert "allocate" in records[3]["reason"] and "takes too much memory" in records[4]["reason"]
    assert "coffee machine" in (sweep.trials()[2] / "output.log").read_text()  # with the traceback
    assert "coffee machine" in out and "SIGKILL" in out
    assert records[4]["config"]["variant"]["trouble"] == "killed" and records[4]["parameters"] is None
    code, _, _ = sweep.run()  # they are not tried again
    assert code == 1 and sweep.records() == records


@pytest.mark.slow
def test_failed_trials_are_run_again_on_request(sweep):
    sweep.write({"seed": {"values": [0, 1]}, "budget.generator_updates": {"value": 3}})
    assert sweep.run("--workers", "1")[0] == 0
    broken = sweep.trials()[1]
    record = json.loads((broken / "record.json").read_text())
    (broken / "record.json").write_text(json.dumps({**record, "status": "failed", "reason": "the disk was full"}))
    assert sweep.run()[0] == 1
    code, _, errors = sweep.run("--retry-failed")
    assert code == 0, errors
    assert [each["status"] for each in sweep.records()] == ["done", "done"]
    assert json.loads((broken / "record.before_retry.json").read_text())["reason"] == "the disk was full"


def test_ctrl_c_stops_after_checkpoints_and_the_same_command_goes_on(sweep):
    sweep.write({"seed": {"values": [0, 1, 2]}, **SLOWLY})
    process = sweep.start("--workers", "2")
    sweep.until(checkpointed, 2)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 130, errors
    assert "the same command goes on" in errors and "Traceback" not in errors
    assert [record["status"] for record in sweep.records()] == ["stopped", "stopped"]
    assert not any(holder(trial) for trial in sweep.trials())
    reached = [record["budget"]["generator_updates"] for record in sweep.records()]
    saved = [checkpoint_time(trial) for trial in sweep.trials()]
    process = sweep.start("--workers", "2")
    sweep.until(lambda trial: checkpoint_time(trial) not in saved, 2)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=240)
    assert process.returncode == 143
    later = [record["budget"]["generator_updates"] for record in sweep.records()]
    assert all(after > before for before, after in zip(reached, later, strict=True))


@pytest.mark.slow
def test_a_second_ctrl_c_stops_at_once(sweep):
    sweep.write({"seed": {"values": [0, 1]}, **SLOWLY})
    process = sweep.start("--workers", "2")
    sweep.until(checkpointed, 2)
    for trial in sweep.trials():
        os.kill(process_of(trial), signal.SIGSTOP)  # they cannot write their checkpoints
    process.send_signal(signal.SIGINT)
    time.sleep(1)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=240)
    assert process.returncode == 130
    assert not any((trial / "record.json").exists() for trial in sweep.trials())


@pytest.mark.slow
def test_two_parents_share_the_trials(sweep):
    sweep.write({"seed": {"values": list(range(6))}, "budget.generator_updates": {"value": 100}})
    elsewhere = sweep.folder / "elsewhere"
    elsewhere.mkdir()
    parents = [sweep.start("--workers", "1"), sweep.start("--workers", "1", cwd=elsewhere)]
    told = [parent.communicate(timeout=240) for parent in parents]
    assert [parent.returncode for parent in parents] == [0, 0], told
    assert [record["status"] for record in sweep.records()] == ["done"] * 6
    assert [claims_of(trial) for trial in sweep.trials()] == [["000001.json"]] * 6  # nobody took one twice
    assert len({process_of(trial) for trial in sweep.trials()}) == 2


@pytest.mark.slow
def test_a_killed_worker_is_replaced_and_its_trial_goes_on(sweep):
    sweep.write({"seed": {"values": [0]}, "budget.generator_updates": {"value": 400}, **OFTEN_SAVED})
    process = sweep.start("--workers", "1")
    sweep.until(checkpointed)
    killed = process_of(sweep.trials()[0])
    os.kill(killed, signal.SIGKILL)
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors
    assert claims_of(sweep.trials()[0]) == ["000002.json"] and process_of(sweep.trials()[0]) != killed
    assert sweep.records()[0]["status"] == "done"


@pytest.mark.slow
def test_a_target_that_is_reached_ends_the_sweep(sweep):
    seeds = {"seed": {"values": list(range(40))}, "budget.generator_updates": {"value": 30}}
    sweep.write(seeds, metric={"name": "generator/loss", "target": 1e9})
    code, _, errors = sweep.run("--workers", "1")
    assert code == 0, errors
    assert len(sweep.trials()) < 40


@pytest.mark.slow
def test_a_signal_to_all_processes_leaves_checkpoints(sweep):
    """As SLURM ends a job: also the fork server gets it."""
    sweep.write({"seed": {"values": [0, 1]}, **SLOWLY})
    process = sweep.start("--workers", "2", start_new_session=True)
    sweep.until(checkpointed, 2)
    os.killpg(process.pid, signal.SIGTERM)
    process.communicate(timeout=240)
    assert process.returncode == 143
    assert [record["status"] for record in sweep.records()] == ["stopped", "stopped"]
