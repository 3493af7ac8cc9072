"""The kernel distance between two sets of features (KID)."""

import torch
from torch import Tensor

from ganzoo.evaluation.metrics.numerics import OtherFeatures, checked
from ganzoo.shapes import Features


def kernel_distance(
    real: Features, fake: OtherFeatures, *, subsets: int, subset_size: int, generator: torch.Generator
) -> float:
    """KID: the unbiased squared MMD with kernel (x.y / d + 1)^3, averaged over random subsets of both sets.

    0 in expectation for equal distributions, so that small negative values happen; lower is better. The kernel mixes
    moments of three orders: features should have a mean square of about 1.
    A subset is drawn without replacement and holds all samples where there are no more than `subset_size`.
    Bińkowski et al. 2018, arXiv:1801.01401.
    """
    real, fake = checked(real), checked(fake)
    size = min(subset_size, len(real), len(fake))
    if size < 2:
        raise ValueError(f"a kernel distance needs at least 2 samples of each kind, got {size}")
    return sum(_mmd(_draw(real, size, generator), _draw(fake, size, generator)) for _ in range(subsets)) / subsets


def _draw(features: Tensor, size: int, generator: torch.Generator) -> Tensor:
    return features[torch.randperm(len(features), generator=generator)[:size]]


def _mmd(real: Tensor, fake: Tensor) -> float:
    """The U-statistic: the diagonals, a sample with itself, are left out. Both are (m, d)."""
    m = len(real)
    within = sum((kernel := _cubic(x, x)).sum() - kernel.diagonal().sum() for x in (real, fake))
    return (within / (m * (m - 1)) - 2 * _cubic(real, fake).mean()).item()


def _cubic(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T / x.shape[1] + 1) ** 3
