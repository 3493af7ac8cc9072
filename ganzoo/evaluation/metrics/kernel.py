"""The kernel distance between two sets of features (KID)."""

import torch
from torch import Tensor

from ganzoo.evaluation.metrics.estimate import Interval, interval_of_splits
from ganzoo.evaluation.metrics.numerics import OtherFeatures, refuse_broken
from ganzoo.shapes import Features

FEWEST_BLOCKS = 3  # with fewer, Student's t reaches too far to say anything


def kernel_distance(
    real: Features, fake: OtherFeatures, *, subsets: int, subset_size: int, generator: torch.Generator
) -> float:
    """KID: the unbiased squared MMD with kernel (x.y / d + 1)^3, averaged over random subsets of both sets.

    0 in expectation for equal distributions, so that small negative values happen; lower is better. The kernel mixes
    moments of three orders: features should have a mean square of about 1.
    A subset is drawn without replacement and holds all samples where there are no more than `subset_size`.
    Bińkowski et al. 2018, arXiv:1801.01401.

    Raises ValueError for fewer than two samples of a kind, and for features that are NaN or infinite.
    """
    refuse_broken(real)
    refuse_broken(fake)
    size = min(subset_size, len(real), len(fake))
    if size < 2:
        raise ValueError(f"a kernel distance needs at least 2 samples of each kind, got {size}")
    return sum(_mmd(_draw(real, size, generator), _draw(fake, size, generator)) for _ in range(subsets)) / subsets


def kernel_interval(real: Features, fake: OtherFeatures, *, block_size: int) -> Interval | None:
    """Where the distance of other samples, as many of both kinds, would fall: by Student's t over disjoint blocks.

    Block i holds the i-th `block_size` samples of both sets, which must be in no particular order. The distances of
    blocks are independent and unbiased, so that the interval's centre is a (less precise) estimate of the same. Subsets
    drawn from all samples overlap, and their spread says how large they are, not how many samples there were.
    None where the smaller set has fewer than three blocks.

    Raises ValueError for blocks of fewer than two samples, and for features that are NaN or infinite.
    """
    if block_size < 2:
        raise ValueError(f"a kernel distance needs at least 2 samples of each kind, got blocks of {block_size}")
    refuse_broken(real)
    refuse_broken(fake)
    blocks = min(len(real), len(fake)) // block_size
    if blocks < FEWEST_BLOCKS:
        return None
    pairs = zip(real.split(block_size), fake.split(block_size), strict=False)  # one of them may be longer
    distances = [_mmd(x.double(), y.double()) for x, y in list(pairs)[:blocks]]
    return interval_of_splits(distances, f"blocks of {block_size}")


def _draw(features: Tensor, size: int, generator: torch.Generator) -> Tensor:
    return features[torch.randperm(len(features), generator=generator)[:size]].double()


def _mmd(real: Tensor, fake: Tensor) -> float:
    """The U-statistic: the diagonals, a sample with itself, are left out. Both are (m, d)."""
    m = len(real)
    within = sum((kernel := _cubic(x, x)).sum() - kernel.diagonal().sum() for x in (real, fake))
    return (within / (m * (m - 1)) - 2 * _cubic(real, fake).mean()).item()


def _cubic(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T / x.shape[1] + 1) ** 3
