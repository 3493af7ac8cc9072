"""A sweep against its experiment: every mistake of every trial, once, before anything is trained."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import DIGITS, RING, ROOT
from sweep_texts import read_with

from ganzoo.errors import InputError
from ganzoo.experiment import load_experiment
from ganzoo.records.run_directory import RunDirectory
from ganzoo.sweeping import checking
from ganzoo.sweeping.checking import check
from ganzoo.sweeping.logged import logged_by
from ganzoo.sweeping.trials import Sweep
from ganzoo.training.run import train

FID = "metric: {name: evaluation/fid}"


def opened(folder: Path, *lines: str, count: int | None = None) -> Sweep:
    return Sweep(read_with(folder, *lines), folder / "runs", count)


def mistakes(folder: Path, *lines: str, count: int | None = None) -> list[str]:
    with pytest.raises(InputError) as caught:
        check(opened(folder, *lines, count=count))
    assert caught.value.source.endswith("sweep.yaml")
    return [str(problem) for problem in caught.value.problems]


def test_a_sweep_that_is_right(tmp_path):
    told = []
    grid = opened(tmp_path, FID, "parameters: {variant.n_critic: {values: [1, 2]}, seeds: {value: 3}}")
    check(grid, lambda *words: told.append(words))
    assert told == [("checking the trials", 1, 2), ("checking the trials", 2, 2)]  # points; seeds differ in the seed
    assert not (tmp_path / "runs").exists()
    check(opened(tmp_path, "method: random", "run_cap: 5"))
    check(opened(tmp_path, "method: bayes", "metric: {name: evaluation/coverage, goal: maximize}"))


WRONG = [
    ("variant.n_critc: {values: [5, 6]}", "variant.n_critc: (= 5) there is no key 'n_critc'; did you mean 'n_critic'?"),
    ("variant.n_critic: {values: [5, 0]}", "variant.n_critic: 0 must be at least 1"),
    ("variant.n_critic: {values: [5, wide]}", "variant.n_critic: 'wide' must be a whole number (trial 1)"),
    ("variant.name: {values: [gan, gann]}", "variant.name: there is no variant 'gann'; did you mean 'gan'?"),
    ("generator: {values: [{name: dcgan}]}", "generator: dcgan networks are for images"),
    ("generator: {values: [3]}", "generator: 3 must be a section of keys"),
    ("_pair: {values: [3]}", "_pair: 3 must be a section of keys: several overrides in one"),
    ("_pair: {values: [{seed: -1}]}", "seed: -1 must be at least 0"),
    ("optimizer: {parameters: {generator: {parameters: {lr: {values: [-1, 1]}}}}}", "optimizer.generator.lr: -1"),
    ("name: {values: ['a', 'a/b']}", "name: 'a/b' must be 1 to 100 letters"),
    ("seed: {values: ['[1,']}", "seed: '[1,' is not a value"),
    ("seed: {values: ['${no.such}']}", "seed: '${no.such}' refers to 'no.such', and there is no such key"),
]


@pytest.mark.parametrize(("parameter", "says"), WRONG, ids=[parameter for parameter, _ in WRONG])
def test_a_parameter_that_the_experiment_does_not_take(tmp_path, parameter, says):
    told = mistakes(tmp_path, f"parameters: {{{parameter}}}")
    assert any(says in line for line in told), told


def test_each_mistake_once_with_where_it_is(tmp_path):
    told = mistakes(
        tmp_path,
        "parameters: {variant.n_critic: {values: [1, 0, -1]}, data.batch_size: {values: [0, 16]}, a: {value: 1}}",
    )
    assert [line for line in told if line.startswith("variant.n_critic")] == [
        "variant.n_critic: 0 must be at least 1 and at most 10000 (2 trials, the first is trial 2)",
        "variant.n_critic: -1 must be at least 1 and at most 10000 (2 trials, the first is trial 4)",
    ]
    assert any(
        line.startswith("data.batch_size") and line.endswith("(3 trials, the first is trial 0)") for line in told
    )
    assert not any("trial" in line for line in told if line.startswith("a: "))  # all of them
    assert len(told) == 4
    unknown = mistakes(tmp_path, "parameters: {variant.n_critc: {values: [1, 2]}}")
    assert len(unknown) == 1 and "trial" not in unknown[0]  # whatever its value
    seeds = mistakes(tmp_path, "parameters: {variant.n_critic: {values: [1, 0]}, seeds: {value: 2}}")
    assert seeds == ["variant.n_critic: 0 must be at least 1 and at most 10000 (2 trials, the first is trial 2)"]
    assert mistakes(tmp_path, "parameters: {variant.n_critic: {values: [0, 1]}}", count=1)  # one trial only


def test_of_a_range_one_mistake_is_told_once(tmp_path):
    rate = "parameters: {optimizer.generator.lr: {distribution: normal, mu: 0.1, sigma: 0.2}}"
    told = mistakes(tmp_path, rate, "method: random", "run_cap: 50")
    assert len(told) == 1 and told[0].startswith("optimizer.generator.lr: -0.") and "trials, the first is" in told[0]


def test_bayes_is_checked_at_the_ends(tmp_path):
    search = ("method: bayes", FID)
    check(opened(tmp_path, *search, "parameters: {variant.n_critic: {min: 1, max: 10000}}"))
    told = mistakes(tmp_path, *search, "parameters: {seed: {values: [1, 2]}, variant.n_critic: {min: 1, max: 10001}}")
    assert told == ["variant.n_critic: 10001 must be at least 1 and at most 10000 (with variant.n_critic=10001)"]
    told = mistakes(tmp_path, *search, "parameters: {seed: {values: [1, 2]}, variant.name: {values: [gan, gann]}}")
    assert len(told) == 1 and "gann" in told[0]


def test_a_large_grid_is_checked_in_part_and_every_choice_of_it(tmp_path, monkeypatch):
    monkeypatch.setattr(checking, "MOST_POINTS", 3)
    told = mistakes(tmp_path, "parameters: {variant.n_critic: {values: [1, 2, 0]}, seed: {min: 1, max: 99}}")
    assert told == ["variant.n_critic: 0 must be at least 1 and at most 10000 (with variant.n_critic=0)"]


def test_a_random_search_without_an_end_is_told(tmp_path):
    with pytest.raises(InputError, match="has no end: add run_cap, or give --count N"):
        check(opened(tmp_path, "method: random"))


@pytest.mark.parametrize(
    ("metric", "says"),
    [
        ("{name: fid}", "metric.name: 'fid' is no value that runs log; did you mean 'evaluation/fid'?"),
        ("{name: evaluation/kid}", "metric.name: there is no value"),
        ("{name: generator/los}", "did you mean 'generator/loss'?"),
        ("{name: evaluation/coverag}", "did you mean 'evaluation/coverage'?"),
        ("{name: discriminator/penalty}", "metric.name: there is no value"),
        ("{name: evaluation/fid, goal: maximize}", "metric.goal: must not be maximize: of evaluation/fid, lower"),
        ("{name: evaluation/coverage}", "metric.goal: must not be minimize: of evaluation/coverage, higher"),
    ],
)
def test_a_metric_that_cannot_be_optimised(tmp_path, metric, says):
    assert says in mistakes(tmp_path, f"metric: {metric}")[0]


def test_the_metric_is_one_of_all_trials(tmp_path):
    penalty = "metric: {name: discriminator/penalty}"
    check(opened(tmp_path, penalty, "parameters: {variant.name: {values: [r1gan, wgan_gp]}}"))
    told = mistakes(tmp_path, penalty, "parameters: {variant.name: {values: [r1gan, gan]}}")
    assert len(told) == 1 and told[0].endswith("(trial 1)")
    protocols = "parameters: {evaluation.protocol: {values: [toy2d-v1, null]}}"
    told = mistakes(tmp_path, FID, protocols)
    assert len(told) == 1 and "no evaluation.protocol, so nothing is scored (trial 1)" in told[0]


def test_losses_that_come_too_late_are_no_metric(tmp_path):
    loss, few = "metric: {name: generator/loss}", "parameters: {budget.generator_updates: {values: [49, 50]}}"
    told = mistakes(tmp_path, loss, few)
    assert len(told) == 1
    assert "losses are logged every 50 generator updates, and the budget is 49 (trial 0)" in told[0]


SMALL = ("data.resolution=8", "generator.width=4", "discriminator.width=4", "data.batch_size=16")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        pytest.param(RING, (), id="points"),
        pytest.param(RING, ("data={name: swiss_roll, batch_size: 64}",), id="no modes"),
        pytest.param(RING.with_name("wgan_gp.yaml"), (), id="a penalty"),
        pytest.param(DIGITS, SMALL, id="images", marks=pytest.mark.slow),
        pytest.param(DIGITS.with_name("acgan.yaml"), SMALL, id="classes", marks=pytest.mark.slow),
    ],
)
def test_what_runs_log_is_what_they_are_said_to_log(tmp_path, path, words):
    tiny = ("budget.generator_updates=1", "tracking.wandb=disabled", "tracking.every_generator_updates=1")
    experiment = load_experiment(path, (*tiny, *words))
    train(experiment, run_dir=tmp_path / "run")
    lines = RunDirectory(tmp_path / "run").metrics.read_text().splitlines()
    keys = {key for line in lines for key in json.loads(line)}
    assert keys - {"generator_updates", "images_seen", "seconds"} == set(logged_by(experiment))


def test_checking_needs_no_torch(tmp_path):
    """Nor the other packages that take long: a mistake is told at once."""
    read_with(tmp_path, FID)
    code = (
        "import sys\nfrom pathlib import Path\nfrom ganzoo.sweeping.checking import check\n"
        "from ganzoo.sweeping.reading import read_sweep\nfrom ganzoo.sweeping.trials import Sweep\n"
        "check(Sweep(read_sweep(Path(sys.argv[1])), Path('runs')))\n"
        "slow = {'torch', 'lightning', 'optuna', 'plotly', 'wandb', 'scipy', 'numpy', 'rich'}\n"
        "print(sorted(slow & sys.modules.keys()))"
    )
    words = [sys.executable, "-c", code, str(tmp_path / "sweep.yaml")]
    assert subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=True).stdout == "[]\n"
