"""Sweeps whose trials are trained several at once."""

import json
import os
import signal
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import RING, metrics_of
from sweep_texts import read_with
from test_pool import OFTEN_SAVED, Command, checkpointed, claims_of, process_of

from ganzoo.cli import main
from ganzoo.errors import InputError
from ganzoo.sweeping.checking import check
from ganzoo.sweeping.slurm import JobArray, script_of
from ganzoo.sweeping.trials import Sweep, Trial
from ganzoo.sweeping.working import Listed, work

pytestmark = pytest.mark.usefixtures("warm")
TINY = (
    "data.num_points=100",
    "data.batch_size=16",
    "generator.width=8",
    "discriminator.width=8",
    "tracking.wandb=disabled",
    "tracking.every_generator_updates=1",
    "evaluation.protocol=null",
    "samples.every_generator_updates=null",
)
COMMAND = ["${env}", "ganzoo", "train", "${program}", *TINY, "${args_no_hyphens}"]
LONG = {"budget.generator_updates": {"value": 3000}, **OFTEN_SAVED}


class Rings(Command):
    def write(self, parameters, **more):
        super().write(parameters, program=str(RING), command=COMMAND, **more)


@pytest.fixture
def sweep(tmp_path: Path) -> Rings:
    return Rings(tmp_path)


def opened(folder: Path, parameters: str, *lines: str) -> Sweep:
    return Sweep(read_with(folder, f"parameters: {parameters}", f"command: {json.dumps(COMMAND)}", *lines), folder)


def test_a_packed_sweep_is_the_same_sweep(sweep):
    """Other rates and seeds at once; a run that diverges is one of them."""
    rates = {"optimizer.generator.lr": {"values": [1e-3, 1e-4]}, "seeds": {"value": 2}}
    sweep.write({**rates, "budget.generator_updates": {"value": 4}})
    code, _, errors = sweep.run("--workers", "1", "--pack", "4")
    assert code == 0, errors
    packed = {trial.name: metrics_of(trial) for trial in sweep.trials()}
    assert [record["status"] for record in sweep.records()] == ["done"] * 4
    assert len({process_of(trial) for trial in sweep.trials()}) == 1
    assert [claims_of(trial) for trial in sweep.trials()] == [["000001.json"]] * 4
    first, second = sweep.trials()[:2]
    assert f"../{first.name}/output.log" in (second / "output.log").read_text()
    sweep.runs = sweep.folder / "alone"
    assert sweep.run("--workers", "1")[0] == 0
    for trial in sweep.trials():
        for line, other in zip(metrics_of(trial), packed[trial.name], strict=True):
            assert line == pytest.approx(other, rel=1e-4)


def test_trials_go_together_where_they_can(tmp_path):
    parameters = "{variant.n_critic: {values: [1, 2]}, budget.generator_updates: {value: 2}, seeds: {value: 3}}"
    found = opened(tmp_path, parameters)
    taken: list[list[int]] = []

    def beginning(trials: list[Trial]) -> None:
        taken.append([trial.number for trial in trials])

    work(found, Listed(found), beginning=beginning, pack=2, alone=[4])
    assert taken == [[0, 1], [2], [3, 5], [4]]
    assert [json.loads((trial.directory / "record.json").read_text())["status"] for trial in found] == ["done"] * 6


def test_the_file_may_say_so_and_is_no_other_sweep_for_it(tmp_path):
    plain, packed = (opened(tmp_path, f"{{seed: {{values: [1, 2]}}{more}}}") for more in ("", ", pack: {value: 2}"))
    assert (plain.file.pack, packed.file.pack) == (1, 2)
    assert plain.file.identity == packed.file.identity
    assert packed[0].words == ("seed=1",)
    for wrong in ("{values: [2, 4]}", "{value: 0}", "{value: many}"):
        with pytest.raises(InputError, match=r"parameters\.pack: must be {value: N}, N being a whole number"):
            opened(tmp_path, f"{{seed: {{values: [1, 2]}}, pack: {wrong}}}")


def test_what_is_never_packed_is_refused_before_anything_is_trained(tmp_path):
    found = opened(tmp_path, "{variant.name: {values: [nsgan, unrolled]}}")
    check(found)
    with pytest.raises(InputError) as caught:
        check(found, pack=2)
    (problem,) = caught.value.problems
    assert "unrolled cannot be trained in a pack" in str(problem) and "(trial 1)" in str(problem)
    file = str(found.file.source)
    done = CliRunner().invoke(main, ["sweep", file, "--pack=2", f"--runs={tmp_path / 'runs'}"])
    assert done.exit_code == 2 and done.output.count("\n") == 1 and not (tmp_path / "runs").exists()


def test_other_engines(tmp_path):
    found = opened(tmp_path, "{seed: {values: [1, 2, 3]}}")
    assert "--workers 1 --pack 8" in script_of(found, JobArray(per_task=8, pack=8))
    assert "--pack" not in script_of(found, JobArray())
    done = CliRunner().invoke(main, ["sweep", str(found.file.source), "--pack=2", "--engine=wandb"])
    assert done.exit_code == 2 and "parameters: {pack: {value: N}}" in done.output


@pytest.mark.slow
def test_a_signal_stops_a_pack_after_checkpoints_and_the_same_command_goes_on(sweep):
    sweep.write({"seeds": {"value": 4}, **LONG})
    process = sweep.start("--workers", "1", "--pack", "4")
    sweep.until(checkpointed, 4)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 143, errors
    assert [record["status"] for record in sweep.records()] == ["stopped"] * 4
    reached = [record["budget"]["generator_updates"] for record in sweep.records()]
    assert max(reached) - min(reached) <= 1  # side by side
    process = sweep.start("--workers", "1", "--pack", "4")
    sweep.until(lambda trial: claims_of(trial) == ["000002.json"], 4)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=240)
    assert [record["status"] for record in sweep.records()] == ["stopped"] * 4


@pytest.mark.slow
def test_a_killed_worker_takes_no_trial_of_its_pack_with_it(sweep):
    """Afterwards each is trained alone: one of them may be what ends processes."""
    sweep.write({"seeds": {"value": 3}, "budget.generator_updates": {"value": 300}, **OFTEN_SAVED})
    process = sweep.start("--workers", "1", "--pack", "3")
    sweep.until(checkpointed, 3)
    killed = process_of(sweep.trials()[0])
    os.kill(killed, signal.SIGKILL)
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors
    assert [record["status"] for record in sweep.records()] == ["done"] * 3
    assert [claims_of(trial) for trial in sweep.trials()] == [["000002.json"]] * 3


@pytest.mark.slow
def test_trials_that_break_down_are_no_others_trouble(sweep):
    sweep.write(
        {
            "optimizer": {"values": [_rates(1e-3), _rates(1000.0), _rates(1e-4)]},
            "budget.generator_updates": {"value": 60},
        }
    )
    code, _, errors = sweep.run("--workers", "1", "--pack", "3")
    assert code == 3, errors
    assert [record["status"] for record in sweep.records()] == ["done", "diverged", "done"]


def _rates(lr: float) -> dict[str, dict[str, object]]:
    return {network: {"name": "sgd", "lr": lr} for network in ("generator", "discriminator")}
