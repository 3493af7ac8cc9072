"""The Fréchet distance between Gaussians fitted to two sets of features (FID), in float64.

Float32 statistics move it by percents and can make it negative.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from ganzoo.evaluation.metrics.numerics import checked
from ganzoo.shapes import Features


class Gaussian(NamedTuple):
    """Mean (d,) and unbiased covariance (d, d) of a set of features."""

    mean: Tensor
    covariance: Tensor


def gaussian_statistics(features: Features) -> Gaussian:
    """Mean and covariance, with n - 1 as the divisor. Raises ValueError for fewer than two samples."""
    if len(features) < 2:
        raise ValueError(f"a covariance needs at least 2 samples, got {len(features)}")
    features = checked(features)
    mean = features.mean(dim=0)
    centred = features - mean
    return Gaussian(mean, centred.T @ centred / (len(features) - 1))


def frechet_distance(real: Gaussian, fake: Gaussian) -> float:
    """|m_r - m_f|^2 + tr(C_r + C_f - 2 (C_r C_f)^(1/2)), the squared 2-Wasserstein distance of two Gaussians.

    In [0, inf), lower is better, symmetric; biased upwards by finite samples, about as 1/n.
    Heusel et al. 2017, arXiv:1706.08500; Dowson and Landau 1982.

    The trace of the root is the sum of the singular values of C_r^(1/2) C_f^(1/2): real and never negative, and
    exact to rounding also for singular covariances, where the eigenvalues of C_r C_f are not.

    >>> unit = torch.eye(2, dtype=torch.float64)
    >>> frechet_distance(Gaussian(torch.zeros(2), unit), Gaussian(torch.tensor([3.0, 4.0]), unit))
    25.0
    """
    shift = (real.mean.double() - fake.mean.double()).square().sum()
    roots = torch.linalg.svdvals(_root(real.covariance) @ _root(fake.covariance)).sum()
    spread = real.covariance.double().trace() + fake.covariance.double().trace()
    return max(0.0, (shift + spread - 2 * roots).item())


def _root(covariance: Tensor) -> Tensor:
    """The symmetric square root of a covariance; its tiny negative eigenvalues are rounding, and become zero."""
    eigenvalues, vectors = torch.linalg.eigh(covariance.double())
    return vectors * eigenvalues.clamp_min(0).sqrt() @ vectors.T
