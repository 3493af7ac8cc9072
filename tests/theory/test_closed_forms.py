"""Parallel lines, the best discriminator and the saddle against their closed forms."""

import math

import line_distances as lines
import numpy as np
import pytest
import saddle
import torch
import two_gaussians as two
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

# Parallel lines: Arjovsky, Chintala & Bottou 2017, arXiv:1701.07875, example 1.


@settings(max_examples=20)
@given(st.integers(-20, 20).filter(bool), st.integers(0, 1000))
def test_samples_of_two_lines_have_the_distances_of_the_formula(steps, seed):
    theta, stream = steps * lines.BIN, np.random.default_rng(seed)
    wanted = lines.closed_form(theta)
    found = lines.from_samples(lines.line(0, 100, stream), lines.line(theta, 100, stream))
    assert wanted == {"w1": abs(theta), "js": math.log(2), "kl": math.inf, "tv": 1.0}
    assert {**found, "w1": None} == pytest.approx({**wanted, "w1": None}, abs=1e-12)
    assert abs(theta) - 1e-12 <= found["w1"] <= abs(theta) + 0.12  # no pairing crosses in less; uneven samples add


def test_on_one_line_sampling_is_all_that_is_measured():
    assert lines.closed_form(0.0) == {"w1": 0, "js": 0, "kl": 0, "tv": 0}
    n, stream = 400, np.random.default_rng(0)
    several = [lines.from_samples(lines.line(0, n, stream), lines.line(0, n, stream)) for _ in range(40)]
    means = {name: np.mean([it[name] for it in several]) for name in ("w1", "js", "tv")}
    # W1: sqrt(2 / n) E|B|, B a Brownian bridge, on average over the unit interval sqrt(2 / pi) pi / 8.
    # JS: about an eighth of the sum of (p - q)^2 / p over ten bins. TV: five times E|N(0, 2 * 0.1 * 0.9 / n)|.
    wanted = {
        "w1": math.sqrt(2 / n) * math.sqrt(2 / math.pi) * math.pi / 8,
        "js": 9 / (4 * n),
        "tv": 5 * math.sqrt(2 / math.pi) * math.sqrt(0.18 / n),
    }
    assert means == pytest.approx(wanted, rel=0.15)


def test_divergences_of_two_histograms():
    found = lines.divergences(np.array([0.5, 0.5, 0.0]), np.array([0.25, 0.25, 0.5]))
    js = (math.log(4 / 3) + (0.5 * math.log(2 / 3) + 0.5 * math.log(2))) / 2
    assert found == pytest.approx({"js": js, "kl": math.log(2), "tv": 0.5})
    assert lines.divergences(np.array([0.5, 0.5]), np.array([1.0, 0.0]))["kl"] == math.inf


def test_networks_side_by_side_are_networks():
    torch.manual_seed(0)
    three = lines.SideBySide(3, width=5)
    points = torch.randn(12, 2, requires_grad=True)
    together = three(points).unflatten(0, (3, 4))
    for i, own in enumerate(points.unflatten(0, (3, 4))):
        values = own
        for weight, bias in list(zip(three.weights, three.biases, strict=True))[:-1]:
            values = (values @ weight[i] + bias[i]).relu()
        assert torch.allclose(together[i], (values @ three.weights[-1][i] + three.biases[-1][i]).squeeze(1), atol=1e-6)


def test_trained_networks_tell_w1_and_js():
    told = lines.told_by_networks([-1.0, 0.0, 1.0], updates=200, seed=0)
    for theta in (-1.0, 1.0):
        assert told[theta]["w1"] == pytest.approx(1 + 1 / 20, abs=0.06)  # the two-sided penalty's 1 / (2 lambda)
        assert told[theta]["js"] == pytest.approx(math.log(2), abs=0.01)
        assert told[theta]["w1_gradient"] == pytest.approx(theta * 1.05, abs=0.1)
        assert told[theta]["js_gradient"] == pytest.approx(0, abs=0.01)
    assert (told[0.0]["w1"], told[0.0]["js"]) == pytest.approx((0, 0), abs=0.03)


# The best discriminator: Goodfellow et al. 2014, arXiv:1406.2661.


def density(x, normal):
    return math.exp(-0.5 * ((x - normal.mean) / normal.std) ** 2) / (normal.std * math.sqrt(2 * math.pi))


def test_the_best_logit_is_that_of_proposition_1():
    for x in (-4.0, -1.0, 0.3, 2.0):
        p, q = density(x, two.REAL), density(x, two.FAKE)
        best = two.best_logit(torch.tensor([x], dtype=torch.float64)).sigmoid()
        assert best.item() == pytest.approx(p / (p + q), rel=1e-9)


def test_its_loss_is_that_of_theorem_1():
    def integrand(x):
        p, q = density(x, two.REAL), density(x, two.FAKE)
        return 0.5 * (p * math.log(2 * p / (p + q)) + q * math.log(2 * q / (p + q)))

    js = quad(integrand, -8, 14, points=[-1, 1], limit=200)[0]
    assert two.jensen_shannon() == pytest.approx(js, abs=1e-7)
    assert two.expected_loss(two.best_logit) == pytest.approx(2 * math.log(2) - 2 * js, abs=2e-5)


@settings(max_examples=20)
@given(st.floats(-1, 1), st.floats(-1, 1))
def test_no_other_discriminator_has_a_smaller_loss(shift, tilt):
    other = two.expected_loss(lambda x: two.best_logit(x) + shift + tilt * x, n=2000)
    assert other >= two.expected_loss(two.best_logit, n=2000) - 1e-4


def test_a_network_learns_it():
    network, losses = two.trained(updates=300, batch_size=256, seed=0)
    assert len(losses) == 300 and losses[0] == pytest.approx(2 * math.log(2), abs=0.15)
    x = torch.linspace(-2, 3, 101, dtype=torch.float64)
    with torch.no_grad():
        difference = network(x.unsqueeze(1)).sigmoid() - two.best_logit(x).sigmoid()
    assert difference.abs().mean() < 0.03
    found = two.expected_loss(lambda points: network(points.unsqueeze(1)))
    assert found == pytest.approx(2 * math.log(2) - 2 * two.jensen_shannon(), abs=0.01)


# TTUR's saddle: Heusel et al. 2017, arXiv:1706.08500.


@pytest.mark.parametrize("rates", [(1e-3, 1e-3), (1e-4, 1e-2)])
def test_the_distance_that_noise_keeps_up(rates):
    path = saddle.simulate(*rates, steps=3000, runs=200, seed=1)
    assert saddle.result(path, *rates)["final"] == pytest.approx(saddle.floor(*rates), rel=0.05)


def test_a_fast_rate_for_x_is_worse_than_a_slow_one():
    """x is multiplied by -1 + 0.02 y^2: its noise adds up as long as y is near 0."""
    assert saddle.floor(1e-2, 1e-2) is None and saddle.floor(1e-2, 1e-4) is None
    final = {
        name: saddle.result(saddle.simulate(*rates, steps=3000, runs=50, seed=0), *rates)["final"]
        for name, rates in saddle.RATES.items()
    }
    fast, slow, ttur, reverse = final.values()
    assert min(fast, reverse) > 4 * max(slow, ttur)
