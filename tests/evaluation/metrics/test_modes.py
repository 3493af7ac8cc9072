"""Mode coverage against examples by hand and against what a perfect sampler has."""

import math

import pytest
import torch

from ganzoo.evaluation.metrics.modes import mode_coverage

CENTRES = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])


def test_by_hand():
    """Two good points at mode 0, one good at mode 1, one bad one that is nearest to mode 2: counts 2, 1, 1, 0."""
    points = torch.tensor([[0.1, 0.0], [0.0, -2.9], [10.0, 0.5], [1.0, 13.1]])
    modes, high_quality, reverse_kl = mode_coverage(points, CENTRES, sigma=1.0)
    assert modes == 2
    assert high_quality == 3 / 4
    assert reverse_kl == pytest.approx(0.5 * math.log(0.5 * 4) + 2 * 0.25 * math.log(0.25 * 4), abs=1e-12)


def test_three_sigma_itself_is_not_within():
    """PacGAN's code compares with <."""
    assert mode_coverage(torch.tensor([[3.0, 0.0]]), CENTRES, sigma=1.0).high_quality == 0
    assert mode_coverage(torch.tensor([[2.999, 0.0]]), CENTRES, sigma=1.0).high_quality == 1


def test_a_perfect_sampler_has_98_89_percent_high_quality():
    """1 - e^-4.5 of a round Gaussian in the plane lies within 3 sigma; reverse KL is about (k - 1) / 2n."""
    n, random = 100_000, torch.Generator().manual_seed(0)
    nearest = torch.randint(4, (n,), generator=random)
    points = CENTRES[nearest] + 0.05 * torch.randn(n, 2, generator=random)
    modes, high_quality, reverse_kl = mode_coverage(points, CENTRES, sigma=0.05)
    expected = 1 - math.exp(-4.5)
    assert modes == 4
    assert abs(high_quality - expected) < 4 * math.sqrt(expected * (1 - expected) / n)
    assert 0 <= reverse_kl < 5 * 3 / (2 * n)


def test_extremes():
    """All in one mode: log k. Nothing near any mode: no mode, and the KL still counts where the points are."""
    collapsed = mode_coverage(CENTRES[:1].expand(50, 2), CENTRES, sigma=1.0)
    assert (collapsed.modes, collapsed.high_quality) == (1, 1)
    assert collapsed.reverse_kl == pytest.approx(math.log(4), abs=1e-12)
    balanced = mode_coverage(CENTRES, CENTRES, sigma=1.0)
    assert (balanced.modes, balanced.high_quality, balanced.reverse_kl) == (4, 1, 0)
    far = mode_coverage(torch.full((5, 2), 1e30), CENTRES, sigma=1.0)
    assert (far.modes, far.high_quality) == (0, 0)
    assert far.reverse_kl <= math.log(4) + 1e-12


def test_points_that_cannot_be_scored():
    with pytest.raises(ValueError, match="no points"):
        mode_coverage(torch.zeros(0, 2), CENTRES, sigma=1.0)
    with pytest.raises(ValueError, match="1 of 2 samples"):
        mode_coverage(torch.tensor([[0.0, math.nan], [0.0, 0.0]]), CENTRES, sigma=1.0)
