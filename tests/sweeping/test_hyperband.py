"""W&B's hyperband: the rule against W&B's own, and the judge that applies it to a run while it trains."""

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from conftest import RING

from ganzoo.sweeping.hyperband import Judge, stops
from ganzoo.sweeping.reading import read_sweep
from ganzoo.sweeping.sweep_file import Hyperband
from ganzoo.sweeping.trials import Sweep

# Which of nine runs, all still running, wandb/sweeps 0.3.0 stops (sweeps/hyperband_stopping.py, hyperband_stop_runs),
# for the histories of `histories(0)` to `histories(5)`; by early_terminate and goal.
GOLDEN = [
    ({"min_iter": 1, "eta": 2, "strict": True}, "minimize", ["138", "146", "678", "167", "", "0257"]),
    ({"min_iter": 1, "eta": 2, "strict": True}, "maximize", ["2457", "0357", "123", "058", "048", "38"]),
    ({"min_iter": 1, "eta": 2, "strict": False}, "minimize", ["", "6", "", "", "", "25"]),
    ({"min_iter": 1, "eta": 2, "strict": False}, "maximize", ["47", "", "12", "05", "0", ""]),
    ({"min_iter": 2, "eta": 3, "strict": False}, "minimize", ["3", "18", "", "", "345", "45"]),
    ({"min_iter": 2, "eta": 3, "strict": False}, "maximize", ["", "03", "2", "0", "28", ""]),
    ({"max_iter": 9, "s": 3, "eta": 2, "strict": True}, "minimize", ["1358", "1246", "678", "1467", "23", "01257"]),
    ({"max_iter": 9, "s": 3, "eta": 2, "strict": True}, "maximize", ["2467", "357", "123", "058", "048", "38"]),
    ({"max_iter": 9, "s": 2, "eta": 1.5, "strict": False}, "minimize", ["", "", "", "", "", ""]),
    ({"max_iter": 9, "s": 2, "eta": 1.5, "strict": False}, "maximize", ["", "", "2", "0", "", ""]),
    ({"min_iter": 2, "eta": 1.3, "strict": True}, "minimize", ["", "1", "", "12", "45", ""]),
    ({"min_iter": 2, "eta": 1.3, "strict": True}, "maximize", ["47", "38", "2", "0", "", "8"]),
]
LOSS = "generator/loss"


def histories(seed: int) -> list[list[int]]:
    """Nine runs, each with a level of its own and up to nine values; Random.random is the same in every Python."""
    rng = Random(seed)
    levels = (rng.random() for _ in range(9))
    return [[int(20 * level + 30 * rng.random()) for _ in range(int(10 * rng.random()))] for level in levels]


def sweep_with(folder: Path, early_terminate: dict[str, Any] | None, goal: str = "minimize") -> Sweep:
    values = {
        "program": str(RING),
        "method": "random",
        "run_cap": 12,
        "metric": {"name": LOSS, "goal": goal},
        "parameters": {"seed": {"min": 0, "max": 1000}},
    }
    if early_terminate:
        values["early_terminate"] = {"type": "hyperband", **early_terminate}
    path = folder / "sweep.yaml"
    path.write_text(json.dumps(values))  # JSON is YAML
    return Sweep(read_sweep(path), folder / "runs")


def write(sweep: Sweep, number: int, history: list[Any], cut: str = "") -> None:
    """metrics.jsonl of a trial: a value every ten generator updates, other losses between them."""
    lines = []
    for place, value in enumerate(history):
        lines.append({"generator_updates": 10 * place, "images_seen": 0, "seconds": 0.0, "discriminator/loss": 0.0})
        lines.append({"generator_updates": 10 * place, "images_seen": 0, "seconds": 0.0, LOSS: value})
    folder = sweep.directory(number)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + cut)


# The rule


@pytest.mark.parametrize(("early_terminate", "goal", "stopped"), GOLDEN)
def test_stops_as_wandb_does(tmp_path, early_terminate, goal, stopped):
    rule = sweep_with(tmp_path, early_terminate, goal).file.early_terminate
    for seed, expected in enumerate(stopped):
        runs = histories(seed)
        found = [
            str(index)
            for index, history in enumerate(runs)
            if stops(history, runs[:index] + runs[index + 1 :], rule, goal) is not None
        ]
        assert "".join(found) == expected, seed


def test_the_example_of_wandb(tmp_path):
    """The doctest of hyperband_stop_runs: b is stopped and says why; a, which is above the threshold too, has ended."""
    rule = sweep_with(tmp_path, {"max_iter": 5, "eta": 2, "s": 2}).file.early_terminate
    assert rule is not None and rule.bands == (1, 2)
    runs = {"a": [10, 9], "b": [10, 10], "c": [10, 8, 8], "d": [10, 7, 7], "e": [10, 6, 6]}
    reasons = {
        name: stops(history, [other for key, other in runs.items() if key != name], rule, "minimize", "loss")
        for name, history in runs.items()
    }
    assert reasons == {
        "a": "hyperband: loss is 9 after 2 values; to be among the best 1/2 of 5 runs takes 8",
        "b": "hyperband: loss is 10 after 2 values; to be among the best 1/2 of 5 runs takes 8",
        "c": None,
        "d": None,
        "e": None,
    }


def test_nobody_is_stopped_before_the_first_band_or_alone():
    rule = Hyperband(bands=(3, 9), eta=3.0, strict=True)
    assert stops([9.0, 9.0], [[1.0] * 9], rule, "minimize") is None
    assert stops([9.0, 9.0, 9.0], [[1.0] * 9], rule, "minimize") is not None
    assert stops([9.0, 9.0, 9.0], [[1.0] * 2, []], rule, "minimize") is None  # nobody else has come there
    assert stops([9.0, 9.0, 9.0], [], rule, "minimize") is None


def test_a_reason_names_the_values_as_they_were_logged():
    reason = stops([0.5, 0.25], [[0.75, 0.875]], Hyperband((2,), 4.0, False), "maximize", "evaluation/recall")
    assert reason == (
        "hyperband: evaluation/recall has come to 0.5 after 2 values; to be among the best 1/4 of 2 runs takes 0.875"
    )


# The judge


@pytest.fixture
def sweep(tmp_path) -> Sweep:
    """Bands after 2, 4 and 8 values; two of the others are good, one is bad and one has nothing to compare with."""
    sweep = sweep_with(tmp_path, {"min_iter": 2, "eta": 2})
    write(sweep, 1, [5.0, 4.0, 3.0, 2.0, 1.0])
    write(sweep, 2, [5.0, 4.5, 3.5, 2.5])
    write(sweep, 3, [9.0, "nan", 9.0, "inf", 9.0, 9.0])
    write(sweep, 4, ["nan"], cut='{"generator_updates": 10, "generator/lo')
    return sweep


def verdicts(judge: Judge, sweep: Sweep, history: list[float]) -> list[str | None]:
    """What the judge says to each value, asked as training does: the line is in the file before the judge sees it."""
    found = []
    for place, value in enumerate(history):
        write(sweep, 0, history[: place + 1])
        assert judge(10 * place, {"discriminator/loss": 100.0, "images_seen": 1}) is None
        found.append(judge(10 * place, {LOSS: value, "images_seen": 1}))
    return found


def test_a_run_is_judged_when_it_reaches_a_band(sweep):
    judge = Judge(sweep, sweep[0])
    assert verdicts(judge, sweep, [9.0, 4.5, 9.0, 2.5, 9.0, 9.0]) == [None] * 6
    reasons = verdicts(Judge(sweep, sweep[0]), sweep, [4.0, 9.5, 1.0])
    assert [bool(reason) for reason in reasons] == [False, True, False]
    assert reasons[1] == f"hyperband: {LOSS} is 9.5 after 2 values; to be among the best 1/2 of 4 runs takes 9"
    assert verdicts(Judge(sweep, sweep[0]), sweep, [9.0, 4.5, 9.0, 2.6])[3] is None  # 3rd of 4, as place 2 of 0 to 3
    assert verdicts(Judge(sweep, sweep[0]), sweep, [9.0, 4.5, 9.0, 9.1])[3] is not None


def test_values_that_are_none_do_not_count(sweep):
    judge = Judge(sweep, sweep[0])
    write(sweep, 0, [])
    for updates in range(5):
        assert judge(updates, {LOSS: float("nan")}) is None
    assert judge(5, {LOSS: 9.5}) is None
    assert judge(6, {LOSS: float("inf")}) is None
    assert judge(7, {LOSS: 9.5}) is not None


def test_a_resumed_run_is_judged_as_one_that_was_not_stopped(sweep):
    """Its values before the checkpoint are read from the file, and those that it logs again count once."""
    history = [9.0, 4.5, 9.0, 9.5]
    whole = verdicts(Judge(sweep, sweep[0]), sweep, history)
    assert [bool(reason) for reason in whole] == [False, False, False, True]
    write(sweep, 0, history[:3])  # all that came after the checkpoint was forgotten when it was resumed
    judge = Judge(sweep, sweep[0])
    assert judge(21, {"discriminator/loss": 1.0}) is None
    write(sweep, 0, history)
    assert judge(30, {LOSS: 9.5}) == whole[3]
    judge = Judge(sweep, sweep[0])  # the first that it sees is a value whose line is there already
    assert judge(30, {LOSS: 9.5}) == whole[3]
    assert judge(30, {LOSS: 9.5}) is None  # once is enough


def test_a_kill_before_the_judgement_does_not_spare_a_run(sweep):
    write(sweep, 0, [9.0, 9.5])
    assert Judge(sweep, sweep[0])(11, {"discriminator/loss": 1.0}) is not None
    write(sweep, 0, [9.0, 4.0])
    assert Judge(sweep, sweep[0])(11, {"discriminator/loss": 1.0}) is None


def test_others_are_read_as_they_are_at_that_moment(sweep):
    judge = Judge(sweep, sweep[0])
    assert verdicts(judge, sweep, [9.0, 9.0]) == [None, None]
    for number in (3, 4, 5):
        write(sweep, number, [5.0, 5.0, 2.0, 2.0])
    assert judge(20, {LOSS: 3.0}) is None
    assert "of 6 runs" in (judge(30, {LOSS: 3.0}) or "")


def test_without_early_terminate_every_run_goes_on(tmp_path):
    sweep = sweep_with(tmp_path, None)
    write(sweep, 1, [1.0] * 9)
    assert verdicts(Judge(sweep, sweep[0]), sweep, [9.0] * 9) == [None] * 9
