"""Neighbours of points on a line or in a plane, by k-d trees (scipy's): there hardly any pair has to be looked at.

Trees only tell which pairs may count. Whether they do is decided, as for samples with more features, by distances that
are summed from differences in float64, so that copies are at 0 and equal distances compare as equal.
"""

from collections.abc import Collection

import numpy as np
import torch
from scipy.spatial import KDTree
from torch import Tensor

MOST_FEATURES = (
    2  # with more, trees look at more pairs, and scipy may sum a distance otherwise and take another nearest
)
SLACK = 1e-12  # relative, of a ball: much more than the rounding of a distance
PAIRS = 2**20  # about as many are held at a time


def tree_radii(points: Tensor, ks: Collection[int]) -> dict[int, Tensor]:
    """For every k, (n,) distances to the k-th nearest other; `points` are float64 and more than k."""
    _, indices = KDTree(points.numpy()).query(points.numpy(), k=np.arange(1, max(ks) + 2))
    # A point is among its nearest itself, at 0, or there are enough copies of it, at 0 as well.
    distances = exact_distances(points[:, None], points[torch.from_numpy(indices)]).sort(dim=1).values
    return {k: distances[:, k].clone() for k in ks}


def tree_counts(centres: Tensor, others: Tensor, radii: Tensor, *, closed: bool) -> tuple[Tensor, Tensor] | None:
    """How many others are in each centre's ball (n,), and in how many balls each other is (m,).

    Args:
        centres, others: (n, d) and (m, d), float64.
        radii: (n,) of the balls.
        closed: whether a ball has its surface.

    Returns None where so many pairs may count that to look at all of them is quicker.
    """
    tree, reach = KDTree(others.numpy()), (radii * (1 + SLACK)).numpy()
    found = tree.query_ball_point(centres.numpy(), reach, return_length=True)
    if found.sum() > len(centres) * len(others) / 8:
        return None
    in_ball, around = torch.zeros(len(centres)).long(), torch.zeros(len(others)).long()
    for part in np.array_split(np.arange(len(centres)), 1 + int(found.sum()) // PAIRS):
        lists = tree.query_ball_point(centres[part].numpy(), reach[part], return_sorted=False)
        other = torch.from_numpy(np.concatenate(lists).astype(np.int64))
        centre = torch.from_numpy(np.repeat(part, found[part]))
        distances = exact_distances(centres[centre], others[other])
        inside = distances <= radii[centre] if closed else distances < radii[centre]
        in_ball += centre[inside].bincount(minlength=len(centres))
        around += other[inside].bincount(minlength=len(others))
    return in_ball, around


def exact_distances(x: Tensor, y: Tensor) -> Tensor:
    """Euclidean distances along the last dimension, the same for a pair whatever else is in the tensors."""
    squares = (x - y).square_()
    if squares.shape[:-1].numel() == 1:  # a long sum alone is shared among threads, and rounds otherwise
        return torch.cat([squares, squares]).sum(dim=-1).sqrt_()[:1]
    return squares.sum(dim=-1).sqrt_()
