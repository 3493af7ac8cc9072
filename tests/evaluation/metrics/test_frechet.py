"""The Fréchet distance against closed forms and against other implementations."""

import math

import numpy as np
import pytest
import torch
from drawn import Features, normal
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_fidelity.metric_fid import fid_statistics_to_metric
from torchmetrics.image.fid import FrechetInceptionDistance

from ganzoo.evaluation.metrics import frechet
from ganzoo.evaluation.metrics.frechet import Gaussian


def gaussian(mean, covariance) -> Gaussian:
    return Gaussian(torch.tensor(mean, dtype=torch.float64), torch.tensor(covariance, dtype=torch.float64))


moderate = st.floats(-10, 10)
variances = st.floats(0, 100)


@given(st.lists(st.tuples(moderate, moderate, variances, variances), min_size=1, max_size=6))
@settings(max_examples=50, deadline=None)
def test_frechet_distance_of_diagonal_gaussians(axes):
    """|a - b|^2 + sum (s - t)^2 for standard deviations s and t (Dowson & Landau 1982, eq. 16)."""
    a, b, v, w = np.array(axes).T
    expected = np.sum((a - b) ** 2) + np.sum((np.sqrt(v) - np.sqrt(w)) ** 2)
    found = frechet.frechet_distance(gaussian(a, np.diag(v)), gaussian(b, np.diag(w)))
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_frechet_distance_of_shifted_unit_gaussians():
    unit = np.eye(3)
    shifted = frechet.frechet_distance(gaussian([0, 0, 0], unit), gaussian([1, 2, -2], unit))
    assert shifted == pytest.approx(9.0, abs=1e-12)


@pytest.mark.parametrize("n", [5, 300], ids=["singular covariance", "full covariance"])
def test_frechet_distance_is_symmetric_zero_with_itself_and_never_negative(n):
    x, y = frechet.gaussian_statistics(normal(n, 16, 1)), frechet.gaussian_statistics(3 * normal(n, 16, 2) + 1)
    assert frechet.frechet_distance(x, y) == pytest.approx(frechet.frechet_distance(y, x), rel=1e-12)
    assert 0 <= frechet.frechet_distance(x, x) < 1e-12


def test_frechet_distance_equals_torchmetrics_and_torch_fidelity():
    real, fake = normal(200, 8, 1), normal(150, 8, 2) @ normal(8, 8, 3) + 0.5
    x, y = frechet.gaussian_statistics(real), frechet.gaussian_statistics(fake)
    found = frechet.frechet_distance(x, y)
    theirs = FrechetInceptionDistance(feature=Features()).set_dtype(torch.float64)
    theirs.update(real, real=True)
    theirs.update(fake, real=False)
    assert found == pytest.approx(theirs.compute().item(), rel=1e-6)
    statistics = [{"mu": g.mean.numpy(), "sigma": g.covariance.numpy()} for g in (x, y)]
    fidelity = fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]
    assert found == pytest.approx(fidelity, rel=1e-6)


def test_gaussian_statistics_are_those_of_numpy_in_float64():
    features = normal(7, 3, 0).float() + 1000  # in float32 the covariance would be mostly rounding
    found = frechet.gaussian_statistics(features)
    exact = features.double().numpy()
    assert np.allclose(found.mean.numpy(), exact.mean(0), rtol=1e-14)
    assert np.allclose(found.covariance.numpy(), np.cov(exact, rowvar=False), rtol=1e-10)


def test_features_that_cannot_be_used_are_refused():
    with pytest.raises(ValueError, match="at least 2 samples, got 1"):
        frechet.gaussian_statistics(torch.zeros(1, 3))
    broken = torch.zeros(5, 3)
    broken[1, 2], broken[4, 0] = math.nan, math.inf
    with pytest.raises(ValueError, match="2 of 5 samples have features that are NaN or infinite"):
        frechet.gaussian_statistics(broken)
