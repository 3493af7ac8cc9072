"""The Fréchet distance between Gaussians fitted to two sets of features (FID), in float64.

Float32 statistics move it by percents and can make it negative.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy import stats
from scipy.linalg import blas, eigvalsh, lapack
from torch import Tensor

from ganzoo.evaluation.metrics.estimate import LEVEL, Estimate, Interval, interval_of_mean
from ganzoo.evaluation.metrics.numerics import OtherFeatures, refuse_broken
from ganzoo.shapes import Features, Labels

ROWS = 4096  # of the features that are in memory in float64 at a time
TOLERANCE = 1e-8  # of the distance: what the fast way may be wrong by
EPSILON = torch.finfo(torch.float64).eps


class Gaussian(NamedTuple):
    """Mean and unbiased covariance of a set of features.

    Attributes:
        mean: (d,).
        covariance: (d, d).
        factor: (r, d) with factor.T @ factor the covariance, or None. The distance of few samples in many dimensions
            is faster with it, and exact where the covariance alone is singular.
    """

    mean: Float[Tensor, "d"]
    covariance: Float[Tensor, "d d"]
    factor: Float[Tensor, "r d"] | None = None


def gaussian_statistics(features: Features) -> Gaussian:
    """Mean and covariance, with n - 1 as the divisor; with the factor where there are no more samples than dimensions.

    Two passes over the samples, so that a large mean does not cancel the covariance. Raises ValueError for fewer than
    two samples, and for features that are NaN or infinite.
    """
    n, d = features.shape
    if n < 2:
        raise ValueError(f"a covariance needs at least 2 samples, got {n}")
    refuse_broken(features)
    mean = sum((part.double().sum(dim=0) for part in features.split(ROWS)), torch.zeros(d, dtype=torch.float64)) / n
    covariance = torch.zeros(d, d, dtype=torch.float64)
    for centred in _centred(features, mean):
        covariance.addmm_(centred.T, centred)
    return Gaussian(mean, covariance.div_(n - 1), _factor_of_samples(features, mean) if n <= d else None)


def _centred(features: Tensor, mean: Tensor) -> Iterator[Tensor]:
    return (part.double() - mean for part in features.split(ROWS))


def _factor_of_samples(features: Tensor, mean: Tensor) -> Tensor:
    """(n - 1, d): n centred samples sum to zero, and one reflection makes their first row that sum, to be left out.

    It takes (1, ..., 1) / sqrt(n) to (1, 0, ..., 0), and leaves A^T A as it is.
    """
    n = len(features)
    centred = features.double() - mean
    return (centred[1:] + centred[0] / (n**0.5 - 1)) / (n - 1) ** 0.5


def frechet_distance(real: Gaussian, fake: Gaussian) -> float:
    """|m_r - m_f|^2 + tr(C_r + C_f - 2 (C_r C_f)^(1/2)), the squared 2-Wasserstein distance of two Gaussians.

    In [0, inf), lower is better, symmetric; biased upwards by finite samples, about as 1/n.
    Heusel et al. 2017, arXiv:1706.08500; Dowson and Landau 1982.

    The trace of the root is the sum of the singular values of A B^T for any A^T A = C_r and B^T B = C_f: real, never
    negative, and exact to rounding also for singular covariances, where the eigenvalues of C_r C_f are not. Where
    they are far enough from singular, the square roots of the eigenvalues of (A B^T) (A B^T)^T are as good and cheaper.

    >>> unit = torch.eye(2, dtype=torch.float64)
    >>> frechet_distance(Gaussian(torch.zeros(2), unit), Gaussian(torch.tensor([3.0, 4.0]), unit))
    25.0
    """
    real, fake = _double(real), _double(fake)
    apart = ((real.mean - fake.mean).square().sum() + real.covariance.trace() + fake.covariance.trace()).item()
    if (squared := _squared(real, fake)) is not None:
        roots, error = _roots(squared)
        distance = apart - 2 * roots
        if error <= TOLERANCE * distance:
            return distance
    shorter, longer = sorted((_factor(real), _factor(fake)), key=len)
    roots = torch.linalg.svdvals(longer @ shorter.T).sum().item()  # LAPACK takes twice the time for a wide matrix
    return max(0.0, apart - 2 * roots)


def _double(gaussian: Gaussian) -> Gaussian:
    mean, covariance, factor = gaussian
    return Gaussian(mean.double(), covariance.double(), None if factor is None else factor.double())


def _squared(real: Gaussian, fake: Gaussian) -> np.ndarray | None:
    """The upper triangle of (A B^T) (A B^T)^T, in SciPy's order; None where no factor is at hand or cheap.

    BLAS and LAPACK know that the result is symmetric and that Cholesky's factor is triangular: a quarter of the work.
    """
    if fake.factor is not None:
        real, fake = fake, real
    if real.factor is not None and fake.factor is not None:
        shorter, longer = sorted((real.factor, fake.factor), key=len)
        cross = blas.dgemm(1.0, longer.numpy().T, shorter.numpy().T, trans_a=True)  # all by one library: the threads of
        return blas.dsyrk(1.0, cross, trans=True)  # two get in each other's way
    if real.factor is not None:
        return (real.factor @ fake.covariance @ real.factor.T).numpy().T
    upper = _cholesky(real.covariance)
    if upper is None:
        return None
    return lapack.dsygst(fake.covariance.numpy().T, upper.numpy(), itype=2)[0]


def _roots(squared: np.ndarray) -> tuple[float, float]:
    """The sum of the square roots of the eigenvalues, and how wrong twice that may be.

    Forming and solving moves an eigenvalue w by rounding, of the size of the matrix (its trace is more), its root by
    that over 2 sqrt(w): much where w is nearly zero, infinitely much where it is zero.
    """
    size = float(np.trace(squared))
    if size == 0:
        return 0.0, 0.0
    eigenvalues = eigvalsh(squared, lower=False, driver="evd", overwrite_a=True, check_finite=False).clip(min=0)
    roots = np.sqrt(eigenvalues)
    with np.errstate(divide="ignore"):
        return float(roots.sum()), float(EPSILON * size * (1 / roots).sum())


def _cholesky(covariance: Tensor) -> Tensor | None:
    """The upper triangular A with A^T A = covariance; None where that is singular, or was before rounding."""
    upper, failed = lapack.dpotrf(covariance.numpy().T)
    rounding = len(upper) * EPSILON * covariance.diagonal().max().item()
    return None if failed or upper.diagonal().min() ** 2 <= rounding else torch.from_numpy(upper)


def _factor(gaussian: Gaussian) -> Tensor:
    """A of any (r, d) with A^T A = C; that of a singular covariance leaves out the eigenvalues that are rounding."""
    if gaussian.factor is not None:
        return gaussian.factor
    upper = _cholesky(gaussian.covariance)
    if upper is not None:
        return upper
    eigenvalues, vectors = torch.linalg.eigh(gaussian.covariance)
    kept = _is_more_than_rounding(eigenvalues)
    return (vectors[:, kept] * eigenvalues[kept].sqrt()).T


def frechet_interval(real: Gaussian, fake_features: Features) -> Interval | None:
    """Where the distance of other fakes, as many, to the same reals would fall: the spread, not the bias in 1/n.

    By the delta method, from what each fake x adds to the distance to first order, for c = x - m_f:
    2 (m_f - m_r).c + c^T (I - T) c, less its mean, with T = C_f^(-1/2) (C_f^(1/2) C_r C_f^(1/2))^(1/2) C_f^(-1/2), the
    optimal transport from the fakes to the reals. Rippl, Munk and Sturm 2016, arXiv:1507.04090. Too wide by a third at
    worst: where both distributions are the same, and there are few fakes for so many dimensions.

    Where the fakes leave dimensions out (a feature that is always 0), only those that they do not are transported.
    None for no more fakes than twice the dimensions, and for fakes that are all the same.
    """
    fake, real = gaussian_statistics(fake_features), _double(real)
    basis = _support(fake.covariance)
    if len(fake_features) <= 2 * basis.shape[1] or not basis.numel():
        return None
    within = Gaussian(basis.T @ real.mean, basis.T @ real.covariance @ basis)
    upper = torch.linalg.cholesky(basis.T @ fake.covariance @ basis, upper=True)
    root, shift = _root_of_transport(upper, within.covariance), basis.T @ fake.mean - within.mean
    parts = [_influence(centred @ basis, shift, root) for centred in _centred(fake_features, fake.mean)]
    influences = torch.cat(parts)
    found = interval_of_mean(influences - influences.mean() + frechet_distance(real, fake))
    how = f"delta method over {len(fake_features)} fakes (Rippl et al. 2016)"
    return found and Interval(max(0.0, found.low), found.high, how)


def _support(covariance: Tensor) -> Tensor:
    """An orthonormal basis (d, k) of the directions in which there is any variance."""
    if _cholesky(covariance) is not None:
        return torch.eye(len(covariance), dtype=covariance.dtype)
    eigenvalues, vectors = torch.linalg.eigh(covariance)
    return vectors[:, _is_more_than_rounding(eigenvalues)]


def _is_more_than_rounding(eigenvalues: Tensor) -> Tensor:
    return eigenvalues > len(eigenvalues) * EPSILON * eigenvalues[-1]


def _root_of_transport(upper: Tensor, covariance: Tensor) -> Tensor:
    """R with R R^T = T = U^-1 (U C U^T)^(1/2) U^-T, which is the only symmetric T >= 0 with T U^T U T = C."""
    eigenvalues, vectors = torch.linalg.eigh(upper @ covariance @ upper.T)
    return torch.linalg.solve_triangular(upper, vectors * eigenvalues.clamp_min(0).pow(0.25), upper=True)


def _influence(centred: Tensor, shift: Tensor, root: Tensor) -> Tensor:
    return 2 * centred @ shift + centred.square().sum(dim=1) - (centred @ root).square().sum(dim=1)


def frechet_infinity(
    real: Gaussian, fake_features: Features, *, sizes: int = 15, smallest: int, generator: torch.Generator
) -> Estimate:
    """The distance that infinitely many fakes would have: the intercept of a line through distances over 1/n.

    The distances are of random subsets of the fakes, at `sizes` sizes evenly from `smallest` to all of them. Lower is
    better; 0 for the distribution of the reals but for the bias of the reals' own number, and a little negative by
    chance. The interval is that of the fit's intercept, which takes the points as independent; subsets overlap, and
    in simulations it held the truth 70 to 80 times in 100.
    Chong and Forsyth 2020, arXiv:1911.07023.

    Raises ValueError for fewer than 3 sizes, and for `smallest` that is below 2 or leaves no room for as many sizes.
    """
    n = len(fake_features)
    if sizes < 3 or not 2 <= smallest <= n - sizes + 1:
        raise ValueError(f"no line through {sizes} sizes from {smallest} to {n} samples")
    real = _double(real)
    if _cholesky(real.covariance) is None:
        real = real._replace(factor=_factor(real))  # once for all sizes: it is slow
    counts = np.linspace(smallest, n, sizes).round().astype(int)
    distances = []
    for count in counts.tolist():
        chosen = torch.randperm(n, generator=generator)[:count]
        distances.append(frechet_distance(real, gaussian_statistics(fake_features[chosen])))
    line = stats.linregress(1 / counts, distances)
    reach = float(stats.t.ppf((1 + LEVEL) / 2, sizes - 2) * line.intercept_stderr)
    value = float(line.intercept)
    return Estimate(value, Interval(value - reach, value + reach, f"Student t of the intercept over {sizes} sizes"))


def class_frechet(real: Features, real_labels: Labels, fake: OtherFeatures, fake_labels: Int[Tensor, "m"]) -> Estimate:
    """The mean over classes of the distance within the class (intra-FID). In [0, inf), lower is better.

    Without an interval: the classes are not a sample of classes. The bias in 1/n is that of n samples of one class.
    Miyato and Koyama 2018, arXiv:1802.05637.

    Raises ValueError that names a class with fewer than two samples on either side.
    """
    distances = []
    for label in torch.cat([real_labels, fake_labels]).unique().tolist():
        sides = {"real": real[real_labels == label], "fake": fake[fake_labels == label]}
        for side, features in sides.items():
            if len(features) < 2:
                raise ValueError(f"class {label} has {len(features)} {side} samples, its covariance needs at least 2")
        distances.append(frechet_distance(*map(gaussian_statistics, sides.values())))
    return Estimate(sum(distances) / len(distances))
