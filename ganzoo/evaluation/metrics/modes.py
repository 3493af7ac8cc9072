"""How many modes of a mixture of Gaussians the samples reach, and how well: the scores of VEEGAN and PacGAN.

Srivastava et al. 2017, arXiv:1705.07761; Lin et al. 2017, arXiv:1712.04086, section 4.1.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from ganzoo.evaluation.metrics.numerics import OtherFeatures, checked
from ganzoo.shapes import Features

HIGH_QUALITY_SIGMAS = 3.0


class ModeCoverage(NamedTuple):
    """The three scores of samples from a mixture of k Gaussians.

    Attributes:
        modes: modes that are the nearest of at least one sample within 3 sigma; 0 to k, higher is better.
        high_quality: share of the samples within 3 sigma of their nearest mode. Higher is better up to what the
            mixture itself has, 1 - e^-4.5 = 0.9889 in the plane; more is a sampler that is too narrow.
        reverse_kl: KL(samples | uniform) over the modes, in nats, every sample counted at its nearest mode, the bad
            ones too; 0 to log k, lower is better. n samples of the mixture itself have about (k - 1) / 2n.
    """

    modes: int
    high_quality: float
    reverse_kl: float


def mode_coverage(points: Features, centres: OtherFeatures, sigma: float) -> ModeCoverage:
    """Scores `points` (n, d) against equally likely modes at `centres` (k, d), each with deviation `sigma` an axis.

    Raises ValueError for no points, and for points that are NaN or infinite.

    >>> mode_coverage(torch.zeros(10, 2), torch.tensor([[0.0, 0.0], [5.0, 0.0]]), 0.1)
    ModeCoverage(modes=1, high_quality=1.0, reverse_kl=0.6931471805599453)
    """
    if len(points) == 0:
        raise ValueError("no points to score")
    distance, nearest = torch.cdist(checked(points), checked(centres), compute_mode="donot_use_mm_for_euclid_dist").min(
        dim=1
    )
    good = distance < HIGH_QUALITY_SIGMAS * sigma
    return ModeCoverage(
        modes=len(nearest[good].unique()),
        high_quality=good.double().mean().item(),
        reverse_kl=kl_from_uniform(nearest.bincount(minlength=len(centres))),
    )


def kl_from_uniform(counts: Int[Tensor, "bins"]) -> float:
    """sum q log(q k) of the histogram q over k bins, in nats; an empty bin adds nothing. In [0, log k]."""
    share = counts.double() / counts.sum()
    return max(0.0, math.log(len(counts)) - torch.special.entr(share).sum().item())
