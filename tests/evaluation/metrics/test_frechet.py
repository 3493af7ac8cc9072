"""The Fréchet distance against closed forms, against exact arithmetic and against other implementations."""

import math

import mpmath
import numpy as np
import pytest
import scipy
import torch
from drawn import Features, normal, random
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torchmetrics.image.fid import FrechetInceptionDistance

from ganzoo.evaluation.metrics import frechet
from ganzoo.evaluation.metrics.frechet import Gaussian, frechet_distance, gaussian_statistics


def gaussian(mean, covariance) -> Gaussian:
    return Gaussian(torch.as_tensor(mean, dtype=torch.float64), torch.as_tensor(covariance, dtype=torch.float64))


def distance(real, fake) -> float:
    return frechet_distance(gaussian_statistics(real), gaussian_statistics(fake))


moderate = st.floats(-10, 10)
variances = st.floats(0, 100)


@given(st.lists(st.tuples(moderate, moderate, variances, variances), min_size=1, max_size=6))
@settings(max_examples=50, deadline=None)
def test_frechet_distance_of_diagonal_gaussians(axes):
    """|a - b|^2 + sum (s - t)^2 for standard deviations s and t (Dowson & Landau 1982, eq. 16)."""
    a, b, v, w = np.array(axes).T
    expected = np.sum((a - b) ** 2) + np.sum((np.sqrt(v) - np.sqrt(w)) ** 2)
    found = frechet_distance(gaussian(a, np.diag(v)), gaussian(b, np.diag(w)))
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_frechet_distance_of_shifted_unit_gaussians():
    unit = np.eye(3)
    shifted = frechet_distance(gaussian([0, 0, 0], unit), gaussian([1, 2, -2], unit))
    assert shifted == pytest.approx(9.0, abs=1e-12)


@pytest.mark.parametrize("n", [5, 300], ids=["singular covariance", "full covariance"])
@pytest.mark.parametrize("factors", [True, False])
def test_frechet_distance_is_symmetric_zero_with_itself_and_never_negative(n, factors):
    x, y = gaussian_statistics(normal(n, 16, 1)), gaussian_statistics(3 * normal(n, 16, 2) + 1)
    if not factors:
        x, y = x._replace(factor=None), y._replace(factor=None)
    assert frechet_distance(x, y) == pytest.approx(frechet_distance(y, x), rel=1e-12)
    assert 0 <= frechet_distance(x, x) < 1e-12


def exact_distance(x: Gaussian, y: Gaussian) -> float:
    """In 60 digits, by the symmetric form: the roots of the eigenvalues of A^(1/2) B A^(1/2)."""
    with mpmath.workdps(60):
        a, b = mpmath.matrix(x.covariance.tolist()), mpmath.matrix(y.covariance.tolist())
        eigenvalues, vectors = mpmath.eigsy(a)
        half = vectors * mpmath.diag([mpmath.sqrt(max(value, 0)) for value in eigenvalues]) * vectors.T
        roots = sum(mpmath.sqrt(max(value, 0)) for value in mpmath.eigsy(half * b * half, eigvals_only=True))
        shift = sum((p - q) ** 2 for p, q in zip(x.mean.tolist(), y.mean.tolist(), strict=True))
        return float(shift + sum(a[i, i] + b[i, i] for i in range(len(x.mean))) - 2 * roots)


def graded(lowest: float, axes: torch.Tensor) -> torch.Tensor:
    """Symmetric, with eigenvalues from 1 down to 10^lowest."""
    covariance = axes * torch.logspace(0, lowest, len(axes), dtype=torch.float64) @ axes.T
    return (covariance + covariance.T) / 2


@pytest.mark.parametrize("lowest", [0, -4, -6, -8, -10, -12])
@pytest.mark.parametrize("aligned", [True, False])
def test_frechet_distance_is_exact_for_covariances_near_singular(lowest, aligned):
    axes, others = (torch.linalg.qr(normal(8, 8, seed))[0] for seed in (0, 1))
    x = gaussian(np.zeros(8), graded(lowest, axes))
    y = gaussian(np.zeros(8), 1.2 * graded(lowest, axes if aligned else others))
    assert frechet_distance(x, y) == pytest.approx(exact_distance(x, y), rel=1e-8)


def test_frechet_distance_of_few_samples_is_exact_with_the_factors():
    """The reals vary in the first 5 of 12 dimensions and the fakes in others: nothing overlaps, the root is zero.

    From the covariances alone rounding becomes its root, about 1e-8.
    """
    turn = torch.linalg.qr(normal(12, 12, 3))[0]
    real, fake = torch.zeros(6, 12, dtype=torch.float64), torch.zeros(5, 12, dtype=torch.float64)
    real[:, :5], fake[:, 5:9] = normal(6, 5, 1), normal(5, 4, 2)
    x, y = gaussian_statistics(real @ turn), gaussian_statistics(fake @ turn)
    expected = (x.mean - y.mean).square().sum() + x.covariance.trace() + y.covariance.trace()
    assert frechet_distance(x, y) == pytest.approx(expected.item(), rel=1e-14)


@pytest.mark.parametrize("n", [2, 5, 16, 17])
def test_the_factor_is_one_of_the_covariance_for_no_more_samples_than_dimensions(n):
    _, covariance, factor = gaussian_statistics(normal(n, 16, 1) + 5)
    assert (factor is None) == (n > 16)
    if factor is not None:
        assert factor.shape == (n - 1, 16)
        assert torch.allclose(factor.T @ factor, covariance, rtol=1e-13, atol=1e-14)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_frechet_distance_is_the_same_with_the_factors_and_without(data):
    """Whole numbers: copies, constant and dependent columns; every kind of singular covariance."""
    rows = st.lists(st.lists(st.integers(-3, 3), min_size=3, max_size=3), min_size=2, max_size=6)
    real, fake = (torch.tensor(data.draw(rows), dtype=torch.float64) for _ in range(2))
    x, y = gaussian_statistics(real), gaussian_statistics(fake)
    found = frechet_distance(x, y)
    size = 1 + (x.covariance.trace() + y.covariance.trace()).item()
    for p in (x, x._replace(factor=None)):
        for q in (y, y._replace(factor=None)):
            assert frechet_distance(p, q) == pytest.approx(found, rel=1e-9, abs=1e-6 * size)
    assert frechet_distance(y, x) == pytest.approx(found, rel=1e-12, abs=1e-12 * size)
    assert found >= 0


def theirs(real, fake) -> dict[str, float]:
    """The distance by other implementations, each from the same features."""
    metric = FrechetInceptionDistance(feature=SomeFeatures(real.shape[1])).set_dtype(torch.float64)
    metric.update(real, real=True)
    metric.update(fake, real=False)
    statistics = [fid_features_to_statistics(features) for features in (real, fake)]
    (a, b), shift = (s["sigma"] for s in statistics), statistics[0]["mu"] - statistics[1]["mu"]
    root = scipy.linalg.sqrtm(a @ b)
    return {
        "torchmetrics": metric.compute().item(),
        "torch-fidelity": fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"],
        "scipy": float(shift @ shift + np.trace(a) + np.trace(b) - 2 * np.trace(root).real),
    }


class SomeFeatures(Features):
    def __init__(self, count: int) -> None:
        super().__init__()
        self.num_features = count


def skewed(n: int, d: int, seed: int) -> torch.Tensor:
    """Correlated, all above zero, and of decreasing size, like features after a ReLU."""
    mixed = normal(n, d, seed) * torch.arange(1, d + 1).pow(-0.5) @ torch.linalg.qr(normal(d, d, 99))[0]
    return (mixed + 0.1).relu()


@pytest.mark.parametrize(("n", "m"), [(200, 150), (1000, 1000), (70, 5000)])
def test_frechet_distance_equals_other_implementations(n, m):
    real, fake = skewed(n, 64, 1), 1.1 * skewed(m, 64, 2)
    found = distance(real, fake)
    for name, other in theirs(real, fake).items():
        assert found == pytest.approx(other, rel=1e-6), name


singular = pytest.mark.filterwarnings("ignore:Matrix is singular:scipy.linalg.LinAlgWarning")  # sqrtm says so


@singular
def test_frechet_distance_of_fewer_samples_than_dimensions_equals_other_implementations():
    real, fake = skewed(40, 64, 1), 1.1 * skewed(50, 64, 2)
    found = distance(real, fake)
    for name, other in theirs(real, fake).items():
        assert found == pytest.approx(other, rel=1e-6), name


def test_frechet_distance_of_fewer_samples_than_dimensions_is_exact_where_others_are_not():
    """The eigenvalues that are zero come out as about 1e-17 from the covariances, and their roots as 3e-9."""
    real, fake = (skewed(10, 24, seed) for seed in (1, 2))
    with mpmath.workdps(60):
        centred = [mpmath.matrix((x - x.mean(dim=0)).tolist()) for x in (real, fake)]
        cross = centred[0] * centred[1].T / 9
        squares = mpmath.eigsy(cross * cross.T, eigvals_only=True)
        roots = float(sum(mpmath.sqrt(max(value, 0)) for value in squares))
    apart = (real.mean(dim=0) - fake.mean(dim=0)).square().sum() + real.var(dim=0).sum() + fake.var(dim=0).sum()
    exact = apart.item() - 2 * roots
    assert distance(real, fake) == pytest.approx(exact, rel=1e-13)
    assert max(abs(other - exact) for other in theirs(real, fake).values()) > 1e-10


@pytest.mark.slow
@singular
@pytest.mark.parametrize(("n", "d", "draw"), [(500, 1024, normal), (2048, 1024, skewed)])
def test_frechet_distance_in_many_dimensions_equals_other_implementations(n, d, draw):
    """The covariances of 500 samples are singular: the others' error of 5e-6 is to be small beside the distance."""
    real, fake = draw(n, d, 1), 1.1 * draw(n, d, 2)
    found = distance(real, fake)
    for name, other in theirs(real, fake).items():
        assert found == pytest.approx(other, rel=1e-6), name


@pytest.mark.parametrize("offset", [1e3, 1e7])
@pytest.mark.parametrize("n", [7, 2 * frechet.ROWS + 1])
def test_gaussian_statistics_are_those_of_numpy_in_float64(n, offset):
    """In float32, or as E[x x^T] - m m^T in float64, the covariance would be mostly rounding."""
    features = normal(n, 3, 0).float() + offset
    found = gaussian_statistics(features)
    exact = features.double().numpy()
    assert np.allclose(found.mean.numpy(), exact.mean(0), rtol=1e-14)
    assert np.allclose(found.covariance.numpy(), np.cov(exact, rowvar=False), rtol=1e-10)


class Largest(TorchDispatchMode):
    """The most float64 values that any one result within it had."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor) and result.dtype == torch.float64:
            self.count = max(self.count, result.numel())
        return result


def test_gaussian_statistics_never_hold_all_features_in_float64():
    features = normal(3 * frechet.ROWS, 16, 0).float()
    with Largest() as largest:
        gaussian_statistics(features)
    assert 0 < largest.count <= frechet.ROWS * 16


def test_features_that_cannot_be_used_are_refused():
    with pytest.raises(ValueError, match="at least 2 samples, got 1"):
        gaussian_statistics(torch.zeros(1, 3))
    broken = torch.zeros(5, 3)
    broken[1, 2], broken[3, 1], broken[4, 0] = math.nan, -math.inf, math.inf
    with pytest.raises(ValueError, match="3 of 5 samples have features that are NaN or infinite"):
        gaussian_statistics(broken)


@pytest.mark.parametrize("n", [500, 2000, 8000])
def test_the_bias_is_in_proportion_to_one_over_the_number_of_samples(n):
    """Against N(0, I): d / n for the mean and |C - I|^2 / 4 = d (d + 1) / 4n for the covariance; twice for two sets."""
    d = 64
    x, y = gaussian_statistics(normal(n, d, 1)), gaussian_statistics(normal(n, d, 2))
    expected = (d + d * (d + 1) / 4) / n
    assert frechet_distance(gaussian(np.zeros(d), np.eye(d)), y) == pytest.approx(expected, rel=0.06)
    assert frechet_distance(x, y) == pytest.approx(2 * expected, rel=0.06)


def infinity(real, fake, seed, **settings):
    return frechet.frechet_infinity(
        real, fake, smallest=settings.pop("smallest", 400), generator=random(seed), **settings
    )


def test_frechet_infinity_is_zero_for_equal_distributions_where_the_distance_is_not():
    """16 dimensions, 2,000 fakes: the distance is about (16 + 16 * 17 / 4) / 2000 = 0.042."""
    real = gaussian(np.zeros(16), np.eye(16))
    fakes = [normal(2000, 16, seed) for seed in range(20)]
    plain = np.array([frechet_distance(real, gaussian_statistics(fake)) for fake in fakes])
    found = [infinity(real, fake, seed) for seed, fake in enumerate(fakes)]
    values = np.array([estimate.value for estimate in found])
    assert plain.min() > 0.03
    assert abs(values.mean()) < 4 * values.std() / math.sqrt(len(values)) < 0.25 * plain.mean()
    assert sum(estimate.interval.low <= 0 <= estimate.interval.high for estimate in found) >= len(found) / 2


def test_frechet_infinity_of_a_shift_is_its_square():
    found = infinity(gaussian(np.zeros(8), np.eye(8)), normal(5000, 8, 1) + 0.5, 0)
    assert found.value == pytest.approx(8 * 0.25, rel=0.05)
    assert found.interval.low < found.value < found.interval.high


def test_frechet_infinity_is_the_intercept_of_the_line():
    """Against numpy's least squares on the same subsets, and its covariance of the two coefficients."""
    real, fake = gaussian_statistics(normal(300, 4, 1)), normal(205, 4, 2)
    found = infinity(real, fake, 7, sizes=5, smallest=100)
    draws, sizes = random(7), [100, 126, 152, 179, 205]
    subsets = [fake[torch.randperm(205, generator=draws)[:size]] for size in sizes]
    y = [frechet_distance(real, gaussian_statistics(subset)) for subset in subsets]
    (_, intercept), spread = np.polyfit(1 / np.array(sizes), y, 1, cov=True)
    assert found.value == pytest.approx(intercept, rel=1e-9)
    reach = scipy.stats.t.ppf(0.975, 3) * math.sqrt(spread[1, 1])
    assert (found.interval.low, found.interval.high) == pytest.approx((intercept - reach, intercept + reach), rel=1e-9)
    assert found.interval.how == "Student t of the intercept over 5 sizes"


def test_frechet_infinity_of_few_fakes_against_a_wide_reference():
    """Fewer fakes than dimensions, and reals with a factor and without: the same."""
    real, fake = gaussian_statistics(normal(30, 40, 1)), normal(39, 40, 2)
    found = infinity(real, fake, 0, smallest=20)
    assert found.value == pytest.approx(infinity(real._replace(factor=None), fake, 0, smallest=20).value, rel=1e-6)


def test_frechet_infinity_refuses_sizes_that_make_no_line():
    real, fake = gaussian_statistics(normal(30, 4, 1)), normal(30, 4, 2)
    for settings_ in ({"smallest": 17}, {"smallest": 1}, {"smallest": 10, "sizes": 2}):
        with pytest.raises(ValueError, match=r"no line through \d+ sizes from \d+ to 30 samples"):
            infinity(real, fake, 0, **settings_)
    assert infinity(real, fake, 0, smallest=16).interval is not None


@pytest.mark.parametrize("left_out", [0, 1], ids=["all dimensions", "a feature that is always 0, and a sum of two"])
def test_frechet_interval_is_that_of_the_influences(left_out):
    """A fake's influence is the slope of the distance as the fake's weight grows: here by finite differences."""
    real = gaussian_statistics(normal(500, 5, 1) @ normal(5, 5, 2))
    fakes = normal(60, 5, 3) + 0.3
    if left_out:
        fakes[:, 3], fakes[:, 4] = 0, fakes[:, 0] + fakes[:, 1]
    mean, covariance, _ = fake = gaussian_statistics(fakes)
    value, step, slopes = frechet_distance(real, fake), 1e-6, []
    for x in fakes - mean:
        more, less = (
            frechet_distance(real, Gaussian(mean + t * x, (1 - t) * covariance + t * (1 - t) * torch.outer(x, x)))
            for t in (step, -step)
        )
        slopes.append((more - less) / (2 * step))
    reach = 1.959964 * np.std(slopes, ddof=1) / math.sqrt(60)
    found = frechet.frechet_interval(real, fakes)
    assert (found.low, found.high) == pytest.approx((value - reach, value + reach), rel=1e-5)
    assert found.how == "delta method over 60 fakes (Rippl et al. 2016)"


@pytest.mark.parametrize(("shift", "scale"), [(0.3, 1.0), (0.0, 1.3)])
def test_frechet_interval_is_as_wide_as_the_bootstrap(shift, scale):
    real, fakes = gaussian_statistics(normal(5000, 4, 1)), scale * normal(1000, 4, 2) + shift
    draws = random(0)
    resampled = [fakes[torch.randint(1000, (1000,), generator=draws)] for _ in range(400)]
    spread = np.std([frechet_distance(real, gaussian_statistics(sample)) for sample in resampled])
    found = frechet.frechet_interval(real, fakes)
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * spread, rel=0.15)  # the bootstrap itself: 3.5 %


def test_frechet_interval_holds_the_distances_of_other_fakes():
    """95 in 100, and a little more where the distributions are the same (see its docstring)."""
    real = gaussian_statistics(normal(5000, 8, 1))
    values = np.array([frechet_distance(real, gaussian_statistics(normal(400, 8, seed))) for seed in range(2, 202)])
    intervals = [frechet.frechet_interval(real, normal(400, 8, seed)) for seed in range(2, 12)]
    reach = np.mean([(found.high - found.low) / 2 for found in intervals])
    assert np.mean(np.abs(values - values.mean()) < reach) >= 0.93
    assert reach < 1.4 * 1.96 * values.std()


def test_frechet_interval_is_none_where_the_transport_is_unknown():
    real = gaussian_statistics(normal(100, 4, 1))
    assert frechet.frechet_interval(real, normal(8, 4, 2)) is None
    assert frechet.frechet_interval(real, normal(9, 4, 2)) is not None
    assert frechet.frechet_interval(real, torch.ones(100, 4)) is None


def test_frechet_interval_does_not_reach_below_zero():
    same = normal(50, 4, 1)
    assert frechet.frechet_interval(gaussian_statistics(same), same).low == 0


def test_class_frechet_is_the_mean_over_classes():
    real, fake = normal(60, 3, 1), normal(50, 3, 2)
    real_labels, fake_labels = torch.arange(60) % 3, torch.arange(50) % 3
    fake[fake_labels == 1] += 2  # as a whole the fakes could still be right
    parts = [distance(real[real_labels == k], fake[fake_labels == k]) for k in range(3)]
    found = frechet.class_frechet(real, real_labels, fake, fake_labels)
    assert found == (pytest.approx(np.mean(parts), rel=1e-12), None)
    assert parts[1] > 10 > 2 > max(parts[0], parts[2])


@pytest.mark.parametrize(
    ("real_labels", "fake_labels", "message"),
    [
        ([0, 0, 1, 1], [0, 0, 0, 1], "class 1 has 1 fake samples"),
        ([0, 0, 1, 1], [0, 0, 0, 0], "class 1 has 0 fake samples"),
        ([0, 0, 0, 0], [0, 0, 7, 7], "class 7 has 0 real samples"),
    ],
)
def test_class_frechet_names_the_class_with_too_few_samples(real_labels, fake_labels, message):
    with pytest.raises(ValueError, match=message):
        frechet.class_frechet(normal(4, 2, 1), torch.tensor(real_labels), normal(4, 2, 2), torch.tensor(fake_labels))
