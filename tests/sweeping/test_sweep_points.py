"""The points of a grid and of a random search: pure, complete, drawn as the file says."""

import json
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from conftest import RING, ROOT
from scipy import stats

from ganzoo.sweeping.points import point_of, share_of
from ganzoo.sweeping.reading import read_sweep
from ganzoo.sweeping.sweep_file import SweepFile
from ganzoo.sweeping.trials import Sweep

GRID = """
optimizer:
  parameters:
    generator: {parameters: {lr: {values: [0.1, 0.2]}}}
    discriminator: {parameters: {lr: {value: 0.3}}}
variant.n_critic: {min: 1, max: 3}
generator: {values: [{name: mlp, width: 8}, {name: mlp, width: 16}]}
"""
RANDOM = """
optimizer.generator.lr: {distribution: log_uniform_values, min: 1.0e-5, max: 0.1}
optimizer.discriminator.lr: {distribution: log_uniform_values, min: 1.0e-5, max: 0.1}
variant: {parameters: {latent_dim: {min: 2, max: 9}, instance_noise: {distribution: beta, a: 2, b: 5}}}
data.batch_size: {distribution: q_uniform, min: 8, max: 64, q: 8}
ema.halflife_images: {distribution: log_normal, mu: 6, sigma: 0.5}
samples.count: {values: [1, 2, 4]}
discriminator.width: {values: [4, 8, 16], probabilities: [0.1, 0.3, 0.6]}
budget.generator_updates: {value: 2}
"""


@pytest.fixture
def read(tmp_path):
    def read(method: str, parameters: str, name: str = "sweep") -> SweepFile:
        path = tmp_path / f"{name}.yaml"
        lines = [f"    {line}" for line in parameters.strip().splitlines()]
        path.write_text("\n".join([f"program: {RING}", f"method: {method}", "parameters:", *lines]))
        return read_sweep(path)

    return read


def test_a_grid_has_every_combination_once_the_last_fastest(read):
    file = read("grid", GRID)
    points = [point_of(file, number) for number in range(file.grid_size)]
    combinations = product((0.1, 0.2), (0.3,), (1, 2, 3), ({"name": "mlp", "width": 8}, {"name": "mlp", "width": 16}))
    assert points == [
        {"optimizer": {"generator": {"lr": a}, "discriminator": {"lr": b}}, "variant.n_critic": c, "generator": d}
        for a, b, c, d in combinations
    ]
    with pytest.raises(IndexError, match="no point 12"):
        point_of(file, 12)


def test_the_seeds_of_a_point_follow_one_another(read, tmp_path):
    file = read("grid", "variant.n_critic: {values: [1, 2]}\nseeds: {value: 3}")
    trials = list(Sweep(file, tmp_path))
    assert [(trial.parameters["variant.n_critic"], trial.seed) for trial in trials] == [
        (n_critic, seed) for n_critic in (1, 2) for seed in (0, 1, 2)
    ]
    assert len({trial.directory for trial in trials}) == 6


def test_points_are_the_same_in_every_process_and_in_any_order(read):
    read("grid", GRID, "grid")
    file = read("random", RANDOM, "random")
    code = (
        "import json, sys\nfrom pathlib import Path\nfrom ganzoo.sweeping.points import point_of\n"
        "from ganzoo.sweeping.reading import read_sweep\n"
        "print(json.dumps([point_of(read_sweep(Path(sys.argv[1])), number) for number in (7, 3, 11)]))"
    )
    for path in (file.source.with_name("grid.yaml"), file.source):
        words = [sys.executable, "-c", code, str(path)]
        elsewhere = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=True)
        here = read_sweep(path)
        assert json.loads(elsewhere.stdout) == [point_of(here, number) for number in (7, 3, 11)]


def test_a_draw_depends_on_its_own_parameter_alone(read):
    everything = read("random", RANDOM)
    alone = read("random", RANDOM.strip().splitlines()[0], "alone")
    dotted = read("random", "variant.latent_dim: {min: 2, max: 9}", "dotted")
    for number in range(20):
        point = point_of(everything, number)
        assert point["optimizer.generator.lr"] == point_of(alone, number)["optimizer.generator.lr"]
        assert point["variant"]["latent_dim"] == point_of(dotted, number)["variant.latent_dim"]
    points = [point_of(everything, number) for number in range(200)]
    one, other = ([point[f"optimizer.{network}.lr"] for point in points] for network in ("generator", "discriminator"))
    assert abs(stats.spearmanr(one, other).statistic) < 0.2  # two parameters alike are drawn apart


def test_a_point_has_every_parameter_and_constants_too(read):
    point = point_of(read("random", RANDOM), 0)
    assert point.keys() == {line.partition(":")[0] for line in RANDOM.strip().splitlines()}
    assert point["variant"].keys() == {"latent_dim", "instance_noise"}
    assert point["budget.generator_updates"] == 2


COUNT = 2000


def test_the_shares_of_a_parameter_are_uniform_and_know_nothing_of_one_another():
    shares = np.array([share_of("optimizer.generator.lr", number) for number in range(COUNT)])
    assert stats.kstest(shares, stats.uniform.cdf).pvalue > 0.01
    assert abs(stats.spearmanr(shares[:-1], shares[1:]).statistic) < 0.06
    assert shares.min() > 0 and shares.max() < 1


def test_marginals_are_those_of_the_file(read):
    file = read("random", RANDOM)
    points = [point_of(file, number) for number in range(COUNT)]
    continuous = {
        "optimizer.generator.lr": stats.loguniform(1e-5, 0.1),
        "ema.halflife_images": stats.lognorm(s=0.5, scale=np.exp(6)),
    }
    for key, expected in continuous.items():
        assert stats.kstest([point[key] for point in points], expected.cdf).pvalue > 0.01
        assert stats.kstest([2 * point[key] for point in points], expected.cdf).pvalue < 0.01
    noise = [point["variant"]["instance_noise"] for point in points]
    assert stats.kstest(noise, stats.beta(2, 5).cdf).pvalue > 0.01
    discrete = {
        "samples.count": {1: 1 / 3, 2: 1 / 3, 4: 1 / 3},
        "discriminator.width": {4: 0.1, 8: 0.3, 16: 0.6},
    }
    for key, expected in discrete.items():
        assert chances(point[key] for point in points) == pytest.approx(expected, abs=0.04)
    dimensions = chances(point["variant"]["latent_dim"] for point in points)
    assert dimensions == pytest.approx(dict.fromkeys(range(2, 10), 1 / 8), abs=0.03)
    steps = chances(point["data.batch_size"] for point in points)
    assert steps.keys() == set(range(8, 65, 8))
    assert steps[8] == pytest.approx(1 / 14, abs=0.03) and steps[16] == pytest.approx(1 / 7, abs=0.03)  # ends: half


def chances(values) -> dict[object, float]:
    """How often each value comes."""
    found = list(values)
    return {value: found.count(value) / len(found) for value in set(found)}


def test_bayes_has_no_points_of_its_own(read):
    path = Path(read("grid", GRID).source)
    path.write_text(path.read_text().replace("method: grid", "method: bayes\nmetric: {name: evaluation/fid}"))
    with pytest.raises(ValueError, match="bayes"):
        point_of(read_sweep(path), 0)
