"""The metrics against closed forms, against other implementations, and against the definitions written plainly."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch_fidelity.metric_fid import fid_statistics_to_metric
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.inception import InceptionScore
from torchmetrics.image.kid import KernelInceptionDistance, poly_mmd

from ganzoo.evaluation import metrics
from ganzoo.evaluation.metrics import Gaussian


class Features(nn.Module):
    """Hands the features through, where torchmetrics expects an Inception network."""

    num_features = 8

    def forward(self, features):
        return features


keeps_features = pytest.mark.filterwarnings("ignore:Metric .* will save all extracted features")  # torchmetrics warns


def random(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(n: int, d: int, seed: int) -> torch.Tensor:
    return torch.randn(n, d, generator=random(seed), dtype=torch.float64)


def gaussian(mean, covariance) -> Gaussian:
    return Gaussian(torch.tensor(mean, dtype=torch.float64), torch.tensor(covariance, dtype=torch.float64))


# Fréchet distance

moderate = st.floats(-10, 10)
variances = st.floats(0, 100)


@given(st.lists(st.tuples(moderate, moderate, variances, variances), min_size=1, max_size=6))
@settings(max_examples=50, deadline=None)
def test_frechet_distance_of_diagonal_gaussians(axes):
    """|a - b|^2 + sum (s - t)^2 for standard deviations s and t (Dowson & Landau 1982, eq. 16)."""
    a, b, v, w = np.array(axes).T
    expected = np.sum((a - b) ** 2) + np.sum((np.sqrt(v) - np.sqrt(w)) ** 2)
    found = metrics.frechet_distance(gaussian(a, np.diag(v)), gaussian(b, np.diag(w)))
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_frechet_distance_of_shifted_unit_gaussians():
    unit = np.eye(3)
    shifted = metrics.frechet_distance(gaussian([0, 0, 0], unit), gaussian([1, 2, -2], unit))
    assert shifted == pytest.approx(9.0, abs=1e-12)


@pytest.mark.parametrize("n", [5, 300], ids=["singular covariance", "full covariance"])
def test_frechet_distance_is_symmetric_zero_with_itself_and_never_negative(n):
    x, y = metrics.gaussian_statistics(normal(n, 16, 1)), metrics.gaussian_statistics(3 * normal(n, 16, 2) + 1)
    assert metrics.frechet_distance(x, y) == pytest.approx(metrics.frechet_distance(y, x), rel=1e-12)
    assert 0 <= metrics.frechet_distance(x, x) < 1e-12


def test_frechet_distance_equals_torchmetrics_and_torch_fidelity():
    real, fake = normal(200, 8, 1), normal(150, 8, 2) @ normal(8, 8, 3) + 0.5
    x, y = metrics.gaussian_statistics(real), metrics.gaussian_statistics(fake)
    found = metrics.frechet_distance(x, y)
    theirs = FrechetInceptionDistance(feature=Features()).set_dtype(torch.float64)
    theirs.update(real, real=True)
    theirs.update(fake, real=False)
    assert found == pytest.approx(theirs.compute().item(), rel=1e-6)
    statistics = [{"mu": g.mean.numpy(), "sigma": g.covariance.numpy()} for g in (x, y)]
    fidelity = fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]
    assert found == pytest.approx(fidelity, rel=1e-6)


def test_gaussian_statistics_are_those_of_numpy_in_float64():
    features = normal(7, 3, 0).float() + 1000  # in float32 the covariance would be mostly rounding
    found = metrics.gaussian_statistics(features)
    exact = features.double().numpy()
    assert np.allclose(found.mean.numpy(), exact.mean(0), rtol=1e-14)
    assert np.allclose(found.covariance.numpy(), np.cov(exact, rowvar=False), rtol=1e-10)


def test_features_that_cannot_be_used_are_refused():
    with pytest.raises(ValueError, match="at least 2 samples, got 1"):
        metrics.gaussian_statistics(torch.zeros(1, 3))
    broken = torch.zeros(5, 3)
    broken[1, 2], broken[4, 0] = math.nan, math.inf
    with pytest.raises(ValueError, match="2 of 5 samples have features that are NaN or infinite"):
        metrics.gaussian_statistics(broken)


# Kernel distance


def kid(real, fake, subsets=1, subset_size=10**9, seed=0) -> float:
    return metrics.kernel_distance(real, fake, subsets=subsets, subset_size=subset_size, generator=random(seed))


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


# Inception score


def test_inception_score_goes_from_one_to_the_number_of_classes():
    certain = 200 * torch.eye(10)  # saturated: torchmetrics gives NaN here
    assert metrics.inception_score(certain.repeat(5, 1), splits=5) == pytest.approx((10, 0), abs=1e-9)
    assert metrics.inception_score(certain[:1].expand(50, 10), splits=5) == pytest.approx((1, 0), abs=1e-9)
    assert metrics.inception_score(torch.zeros(50, 10), splits=1) == pytest.approx((1, 0), abs=1e-9)


@pytest.mark.parametrize("size", [1e3, 1e30])
def test_inception_score_of_saturated_logits_is_finite(size):
    mean, deviation = metrics.inception_score(size * normal(40, 5, 0), splits=4)
    assert 1 <= mean <= 5 and 0 <= deviation < 5


@keeps_features
@pytest.mark.filterwarnings("ignore:std")  # of its one split
def test_inception_score_equals_torchmetrics():
    logits = 3 * normal(100, 8, 0)
    theirs = InceptionScore(feature=Features(), splits=1).set_dtype(torch.float64)
    theirs.update(logits)
    assert metrics.inception_score(logits, splits=1)[0] == pytest.approx(theirs.compute()[0].item(), rel=1e-6)


def test_inception_score_deviation_is_that_of_the_population():
    """Two splits with scores 1 and 4: mean 2.5, deviation 1.5 (with n - 1 it would be 2.12)."""
    logits = torch.cat([torch.zeros(4, 4), 200 * torch.eye(4)])
    assert metrics.inception_score(logits, splits=2) == pytest.approx((2.5, 1.5), abs=1e-9)
    with pytest.raises(ValueError, match="8 samples cannot be split 9 times"):
        metrics.inception_score(logits, splits=9)


# Precision, recall, density, coverage


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
    monkeypatch.setattr(metrics, "CHUNK", chunk)
    real, fake = normal(45, 3, 1), 0.7 * normal(30, 3, 2) + 0.4
    precision, recall, density, coverage = naive(real.numpy(), fake.numpy(), k)
    assert metrics.precision_recall(real, fake, k=k) == pytest.approx((precision, recall), abs=1e-12)
    assert metrics.density_coverage(real, fake, k=k) == pytest.approx((density, coverage), abs=1e-12)
    given_radii = metrics.neighbour_radii(real, k)
    assert metrics.precision_recall(real, fake, k=k, real_radii=given_radii) == pytest.approx((precision, recall))


def test_density_and_coverage_of_equal_distributions():
    """E density = 1, E coverage = 1 - C(n-1, k) / C(n-1+m, k), about 1 - 2^-k for n = m (Naeem et al., section 3.3)."""
    found = np.array([metrics.density_coverage(normal(200, 4, s), normal(200, 4, s + 99), k=5) for s in range(60)])
    expected = np.array([1.0, 1 - math.comb(199, 5) / math.comb(399, 5)])
    assert expected[1] == pytest.approx(1 - 2**-5, abs=2e-3)
    errors = found.std(axis=0) / math.sqrt(len(found))
    assert np.all(np.abs(found.mean(axis=0) - expected) < 4 * errors)
    assert np.all(errors < 0.01)


def test_collapsed_fakes_are_precise_but_cover_nothing():
    real = normal(100, 4, 0)
    fake = real[:1].expand(50, 4)
    precision, recall = metrics.precision_recall(real, fake)
    _, coverage = metrics.density_coverage(real, fake)
    assert precision == 1 and recall == 0.01 and coverage < 0.2


def test_copies_of_the_reals_have_precision_recall_and_coverage_one():
    real = normal(100, 4, 0)
    assert metrics.precision_recall(real, real) == (1, 1)
    assert metrics.density_coverage(real, real)[1] == 1


def test_neighbours_need_samples():
    with pytest.raises(ValueError, match="needs more than 3 samples, got 3"):
        metrics.neighbour_radii(torch.zeros(3, 2), 3)


def test_no_metric_touches_the_global_generator():
    before = torch.get_rng_state()
    real, fake = normal(50, 4, 1), normal(50, 4, 2)
    kid(real, fake, subsets=2, subset_size=10)
    metrics.precision_recall(real, fake)
    metrics.inception_score(real, splits=2)
    assert torch.equal(torch.get_rng_state(), before)
