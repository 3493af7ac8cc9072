"""The kernel distance by hand, against torchmetrics, and its unbiasedness."""

import math

import numpy as np
import pytest
import torch
from drawn import Features, normal, random
from torchmetrics.image.kid import KernelInceptionDistance, poly_mmd

from ganzoo.evaluation.metrics import kernel

keeps_features = pytest.mark.filterwarnings("ignore:Metric .* will save all extracted features")  # torchmetrics warns


def kid(real, fake, subsets=1, subset_size=10**9, seed=0) -> float:
    return kernel.kernel_distance(real, fake, subsets=subsets, subset_size=subset_size, generator=random(seed))


def test_kernel_distance_of_two_points_each():
    """By hand, d = 1: reals 0 and 1, fakes 0 and 2: k(0, 1) = 1, k(0, 2) = 1, across 1, 1, 1 and (1 * 2 + 1)^3 = 27."""
    found = kid(torch.tensor([[0.0], [1.0]]), torch.tensor([[0.0], [2.0]]))
    assert found == pytest.approx(1 + 1 - 2 * (1 + 1 + 1 + 27) / 4)


@keeps_features
def test_kernel_distance_equals_torchmetrics():
    real, fake = normal(60, 8, 1), normal(60, 8, 2) + 0.3
    assert kid(real, fake) == pytest.approx(poly_mmd(real, fake).item(), rel=1e-12)
    theirs = KernelInceptionDistance(feature=Features(), subsets=1, subset_size=60).set_dtype(torch.float64)
    theirs.update(real, real=True)
    theirs.update(fake, real=False)
    assert kid(real, fake) == pytest.approx(theirs.compute()[0].item(), rel=1e-6)


def test_kernel_distance_is_unbiased():
    """Equal distributions: the mean over 400 independent pairs is 0 within 4 standard errors."""
    found = np.array([kid(normal(20, 4, seed), normal(20, 4, seed + 1000)) for seed in range(400)])
    assert abs(found.mean()) < 4 * found.std() / math.sqrt(len(found))


def test_kernel_distance_subsets_are_a_function_of_the_generator():
    real, fake = normal(50, 4, 1), normal(50, 4, 2)
    some = [kid(real, fake, subsets=3, subset_size=20, seed=seed) for seed in (0, 0, 1)]
    assert some[0] == some[1] != some[2]
    with pytest.raises(ValueError, match="at least 2 samples of each kind, got 1"):
        kid(real[:1], fake)
