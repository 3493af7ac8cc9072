"""Precision, recall, density and coverage against their definitions written plainly."""

import math

import numpy as np
import pytest
import torch
from drawn import normal

from ganzoo.evaluation.metrics import neighbours


def naive(real: np.ndarray, fake: np.ndarray, k: int) -> tuple[float, float, float, float]:
    """The four definitions, one pair of samples at a time."""

    def radii(x):
        return [sorted(np.linalg.norm(x - one, axis=1))[k] for one in x]  # position 0 is the sample itself

    real_radii, fake_radii = radii(real), radii(fake)
    apart = [[np.linalg.norm(r - f) for f in fake] for r in real]
    pairs = [(i, j) for i in range(len(real)) for j in range(len(fake))]
    precise = {j for i, j in pairs if apart[i][j] <= real_radii[i]}
    recalled = {i for i, j in pairs if apart[i][j] <= fake_radii[j]}
    inside = [(i, j) for i, j in pairs if apart[i][j] < real_radii[i]]
    density, coverage = len(inside) / (k * len(fake)), len({i for i, _ in inside}) / len(real)
    return len(precise) / len(fake), len(recalled) / len(real), density, coverage


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("chunk", [7, 1024])
def test_precision_recall_density_coverage_are_their_definitions(k, chunk, monkeypatch):
    monkeypatch.setattr(neighbours, "CHUNK", chunk)
    real, fake = normal(45, 3, 1), 0.7 * normal(30, 3, 2) + 0.4
    precision, recall, density, coverage = naive(real.numpy(), fake.numpy(), k)
    assert neighbours.precision_recall(real, fake, k=k) == pytest.approx((precision, recall), abs=1e-12)
    assert neighbours.density_coverage(real, fake, k=k) == pytest.approx((density, coverage), abs=1e-12)
    given_radii = neighbours.neighbour_radii(real, k)
    assert neighbours.precision_recall(real, fake, k=k, real_radii=given_radii) == pytest.approx((precision, recall))


def test_density_and_coverage_of_equal_distributions():
    """E density = 1, E coverage = 1 - C(n-1, k) / C(n-1+m, k), about 1 - 2^-k for n = m (Naeem et al., section 3.3)."""
    found = np.array([neighbours.density_coverage(normal(200, 4, s), normal(200, 4, s + 99), k=5) for s in range(60)])
    expected = np.array([1.0, 1 - math.comb(199, 5) / math.comb(399, 5)])
    assert expected[1] == pytest.approx(1 - 2**-5, abs=2e-3)
    errors = found.std(axis=0) / math.sqrt(len(found))
    assert np.all(np.abs(found.mean(axis=0) - expected) < 4 * errors)
    assert np.all(errors < 0.01)


def test_collapsed_fakes_are_precise_but_cover_nothing():
    real = normal(100, 4, 0)
    fake = real[:1].expand(50, 4)
    precision, recall = neighbours.precision_recall(real, fake)
    _, coverage = neighbours.density_coverage(real, fake)
    assert precision == 1 and recall == 0.01 and coverage < 0.2


def test_copies_of_the_reals_have_precision_recall_and_coverage_one():
    real = normal(100, 4, 0)
    assert neighbours.precision_recall(real, real) == (1, 1)
    assert neighbours.density_coverage(real, real)[1] == 1


def test_neighbours_need_samples():
    with pytest.raises(ValueError, match="needs more than 3 samples, got 3"):
        neighbours.neighbour_radii(torch.zeros(3, 2), 3)
