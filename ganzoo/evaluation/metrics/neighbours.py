"""Scores of nearest neighbours: precision and recall, density and coverage. Distances come in chunks."""

from collections.abc import Iterator

import torch
from torch import Tensor

from ganzoo.evaluation.metrics.numerics import OtherFeatures, checked
from ganzoo.shapes import Features

CHUNK = 1024  # rows of a distance matrix in memory at a time


def neighbour_radii(features: Features, k: int) -> Tensor:
    """(n,) distances from every sample to its k-th nearest other sample. Raises ValueError for n <= k."""
    if len(features) <= k:
        raise ValueError(f"the {k}-th nearest neighbour needs more than {k} samples, got {len(features)}")
    radii = []
    for start, distances in _distances(features, features):
        rows = torch.arange(len(distances))
        distances[rows, start + rows] = torch.inf  # not its own neighbour
        radii.append(distances.topk(k, dim=1, largest=False).values[:, -1])
    return torch.cat(radii)


def _distances(x: Features, y: OtherFeatures) -> Iterator[tuple[int, Tensor]]:
    """The Euclidean distance matrix in chunks of rows, each with the index of its first row.

    Not by |x|^2 - 2 x.y + |y|^2: a sample and its copy must be at 0, and equal distances must compare as equal.
    """
    x, y = checked(x), checked(y)
    for start in range(0, len(x), CHUNK):
        yield start, torch.cdist(x[start : start + CHUNK], y, compute_mode="donot_use_mm_for_euclid_dist")


def precision_recall(
    real: Features, fake: OtherFeatures, *, k: int = 3, real_radii: Tensor | None = None
) -> tuple[float, float]:
    """Precision: the share of fakes inside a real sample's ball; recall: of reals inside a fake sample's ball.

    A sample's ball reaches to its k-th nearest neighbour of its own kind, and includes its surface (eq. 1 of the
    paper). Both are in [0, 1], higher is better. `real_radii` is `neighbour_radii(real, k)`, if at hand.
    Kynkäänniemi et al. 2019, arXiv:1904.06991.
    """
    real_radii = neighbour_radii(real, k) if real_radii is None else real_radii
    fake_radii = neighbour_radii(fake, k)
    precise = torch.zeros(len(fake), dtype=torch.bool)
    recalled = 0
    for start, distances in _distances(real, fake):
        precise |= (distances <= real_radii[start : start + CHUNK, None]).any(dim=0)
        recalled += int((distances <= fake_radii).any(dim=1).sum())
    return precise.double().mean().item(), recalled / len(real)


def density_coverage(
    real: Features, fake: OtherFeatures, *, k: int = 5, real_radii: Tensor | None = None
) -> tuple[float, float]:
    """Density: how many real samples' balls a fake lies in, over k; coverage: the share of such balls with a fake.

    A ball reaches to the k-th nearest other real sample, without its surface (as in the authors' code). Density is in
    [0, n / k] and 1 in expectation for equal distributions; coverage is in [0, 1], and about 1 - (n / (n + m))^k
    for n reals and m fakes of equal distributions. Higher is better. `real_radii` as above.
    Naeem et al. 2020, arXiv:2002.09797.
    """
    real_radii = neighbour_radii(real, k) if real_radii is None else real_radii
    balls = covered = 0
    for start, distances in _distances(real, fake):
        inside = distances < real_radii[start : start + CHUNK, None]
        balls += int(inside.sum())
        covered += int(inside.any(dim=1).sum())
    return balls / (k * len(fake)), covered / len(real)
