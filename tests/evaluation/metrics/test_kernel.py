"""The kernel distance by hand, against other implementations, its unbiasedness and its interval."""

import math

import numpy as np
import pytest
import torch
from drawn import Features, normal, random
from torch_fidelity.metric_kid import kernel_mmd, kid_features_to_metric
from torchmetrics.image.kid import KernelInceptionDistance, poly_mmd

from ganzoo.evaluation.metrics import kernel
from ganzoo.evaluation.metrics.estimate import interval_of_splits

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


@pytest.mark.parametrize(("n", "d"), [(50, 64), (1000, 64), (1000, 2048)])
def test_kernel_distance_equals_torch_fidelity_on_all_samples(n, d):
    """One subset of all samples: the order, which is drawn differently, does not matter."""
    real, fake = normal(n, d, 1), 1.1 * normal(n, d, 2) + 0.1
    theirs = kid_features_to_metric(real, fake, kid_subsets=1, kid_subset_size=n, verbose=False)
    assert kid(real, fake) == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-6)


def test_kernel_distance_equals_torch_fidelity_on_the_same_subsets():
    real, fake, draws, subsets = normal(80, 64, 1), 1.1 * normal(70, 64, 2), random(3), []
    for _ in range(5):
        x, y = (some[torch.randperm(len(some), generator=draws)[:40]].numpy() for some in (real, fake))
        subsets.append(kernel_mmd(x, y))
    assert kid(real, fake, subsets=5, subset_size=40, seed=3) == pytest.approx(np.mean(subsets), rel=1e-6)


def test_kernel_distance_of_single_precision_features_is_computed_in_double():
    real, fake = normal(50, 64, 1).float(), normal(50, 64, 2).float()
    assert kid(real, fake) == kid(real.double(), fake.double())


def test_kernel_distance_is_unbiased():
    """Equal distributions: the mean over 400 independent pairs is 0 within 4 standard errors."""
    found = np.array([kid(normal(20, 4, seed), normal(20, 4, seed + 1000)) for seed in range(400)])
    assert abs(found.mean()) < 4 * found.std() / math.sqrt(len(found))


def test_kernel_distance_subsets_are_a_function_of_the_generator():
    real, fake = normal(50, 4, 1), normal(50, 4, 2)
    some = [kid(real, fake, subsets=3, subset_size=20, seed=seed) for seed in (0, 0, 1)]
    assert some[0] == some[1] != some[2]


def test_features_that_cannot_be_used_are_refused():
    real, fake = normal(50, 4, 1), normal(50, 4, 2)
    with pytest.raises(ValueError, match="at least 2 samples of each kind, got 1"):
        kid(real[:1], fake)
    with pytest.raises(ValueError, match="at least 2 samples of each kind, got blocks of 1"):
        kernel.kernel_interval(real, fake, block_size=1)
    fake[[3, 49], 2] = torch.tensor([math.nan, -math.inf], dtype=torch.float64)
    for found in (lambda: kid(real, fake), lambda: kernel.kernel_interval(real, fake, block_size=10)):
        with pytest.raises(ValueError, match="2 of 50 samples have features that are NaN or infinite"):
            found()


@pytest.mark.parametrize("more", [0, 5, 30], ids=["as many", "a part of a block more", "more blocks of fakes"])
def test_kernel_interval_is_students_t_over_the_blocks(more):
    real, fake = normal(45, 6, 1), normal(40 + more, 6, 2) + 0.2
    blocks = [kid(real[start : start + 10], fake[start : start + 10]) for start in (0, 10, 20, 30)]
    found = kernel.kernel_interval(real, fake, block_size=10)
    expected = interval_of_splits(blocks)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-12)
    assert found.how == "Student t over 4 blocks of 10"


def test_kernel_interval_needs_three_blocks():
    real, fake = normal(30, 4, 1), normal(30, 4, 2)
    assert kernel.kernel_interval(real, fake, block_size=10) is not None
    assert kernel.kernel_interval(real[:29], fake, block_size=10) is None
    assert kernel.kernel_interval(real, fake[:29], block_size=10) is None


def test_kernel_interval_holds_the_truth_95_times_in_100():
    """Equal distributions, so that it is 0: 200 intervals of 10 blocks, 4 standard errors of 3 in 200."""
    found = [
        kernel.kernel_interval(normal(100, 4, seed), normal(100, 4, seed + 1000), block_size=10) for seed in range(200)
    ]
    assert 0.95 - 0.062 <= np.mean([interval.low <= 0 <= interval.high for interval in found]) < 1
