"""Scores of nearest neighbours: precision and recall, density and coverage; exact, in bounded memory.

A result is that of distances summed from differences in float64, every pair in the same order: copies are at 0, equal
distances compare as equal. Tile by tile, a matrix product gives |x|^2 - 2 x.y + |y|^2 with a bound on its error; only
pairs for which that leaves a decision open are computed so.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor

from ganzoo.evaluation.metrics.estimate import Estimate, interval_of_mean, interval_of_share
from ganzoo.evaluation.metrics.neighbour_trees import MOST_FEATURES, exact_distances, tree_counts, tree_radii
from ganzoo.evaluation.metrics.numerics import OtherFeatures, checked
from ganzoo.shapes import Features, PerSample

MEMORY = 256 * 2**20  # bytes for one tile and all that it is made from
SIDE = 1024  # samples on a tile's side at most: a larger one leaves the processor's cache
BLOCK = 2**19  # numbers in a block of exact differences, for the same reason
LARGEST = 1e150  # of a feature: the square of a distance must not overflow
EPS = torch.finfo(torch.float64).eps


class Nearest(NamedTuple):
    """(n, count) distances, ascending, and whose they are; of equal distances the lower index comes first."""

    distances: Tensor
    indices: Tensor


class PrecisionRecall(NamedTuple):
    """Precision's interval is over the fakes, given the reals' balls; recall's over the reals, given the fakes'."""

    precision: Estimate
    recall: Estimate


class DensityCoverage(NamedTuple):
    """Density's interval is over the fakes, given the reals' balls; coverage's over these balls, given the fakes."""

    density: Estimate
    coverage: Estimate


class NeighbourScores(NamedTuple):
    """None for what was not asked for."""

    precision_recall: PrecisionRecall | None
    density_coverage: DensityCoverage | None


def neighbour_radii(features: Features, k: int, *, memory: int = MEMORY) -> Tensor:
    """(n,) float64 distances of every sample to its k-th nearest other. Raises ValueError as `nearest_among` does."""
    return radii(features, [k], memory=memory)[k]


def radii(features: Features, ks: Collection[int], *, memory: int = MEMORY) -> dict[int, Tensor]:
    """The `neighbour_radii` of several k, for the price of one."""
    if not ks:
        return {}
    if features.shape[1] <= MOST_FEATURES and len(features) > max(ks):
        _check(features)
        return tree_radii(features.double(), ks)
    every = torch.arange(len(features))
    distances = nearest_among(features, features, max(ks), own=every, memory=memory).distances
    return {k: distances[:, k - 1].clone() for k in ks}


def neighbour_scores(
    real: Features,
    fake: OtherFeatures,
    *,
    precision_recall_k: int | None = None,
    density_coverage_k: int | None = None,
    real_radii: Mapping[int, PerSample] = MappingProxyType({}),
    memory: int = MEMORY,
) -> NeighbourScores:
    """Both pairs of scores, each where it has a k, in one pass over the distances between any two sets.

    `real_radii` has the `neighbour_radii` of the reals by k, as far as they are at hand. `memory` bounds what is held
    at a time beside the features and some numbers a sample, in bytes; the result does not depend on it. One or two
    features are compared by trees, which hold about a million pairs.
    Raises ValueError where a set has no more than k samples, and for features that are NaN, infinite or beyond 1e150.
    """
    ks = {k for k in (precision_recall_k, density_coverage_k) if k is not None}
    known = {**real_radii, **radii(real, ks - real_radii.keys(), memory=memory)}
    balls = []
    if precision_recall_k is not None:
        fake_radii = neighbour_radii(fake, precision_recall_k, memory=memory)
        balls += [_Balls(known[precision_recall_k][:, None], closed=True), _Balls(fake_radii[None, :], closed=True)]
    if density_coverage_k is not None:
        balls += [_Balls(known[density_coverage_k][:, None], closed=False)]
    counts = _inside_counts(real, fake, balls, memory)
    return NeighbourScores(
        None if precision_recall_k is None else PrecisionRecall(_share(counts[0][1] > 0), _share(counts[1][0] > 0)),
        None if density_coverage_k is None else _density_coverage(*counts[-1], density_coverage_k),
    )


def precision_recall(
    real: Features, fake: OtherFeatures, *, k: int = 3, real_radii: PerSample | None = None, memory: int = MEMORY
) -> PrecisionRecall:
    """Precision: the share of fakes inside a real sample's ball; recall: of reals inside a fake sample's ball.

    A sample's ball reaches to its k-th nearest neighbour of its own kind, and includes its surface (eq. 1 of the
    paper). Both are in [0, 1], higher is better. `real_radii` is `neighbour_radii(real, k)`, if at hand.
    Kynkäänniemi et al. 2019, arXiv:1904.06991.
    """
    known = {} if real_radii is None else {k: real_radii}
    found = neighbour_scores(real, fake, precision_recall_k=k, real_radii=known, memory=memory).precision_recall
    assert found is not None  # it was asked for
    return found


def density_coverage(
    real: Features, fake: OtherFeatures, *, k: int = 5, real_radii: PerSample | None = None, memory: int = MEMORY
) -> DensityCoverage:
    """Density: how many real samples' balls a fake lies in, over k; coverage: the share of such balls with a fake.

    A ball reaches to the k-th nearest other real sample, without its surface (as in the authors' code). Density is in
    [0, n / k] and 1 in expectation for equal distributions; coverage is in [0, 1], and about 1 - (n / (n + m))^k
    for n reals and m fakes of equal distributions. Higher is better. `real_radii` as above.
    Naeem et al. 2020, arXiv:2002.09797.
    """
    known = {} if real_radii is None else {k: real_radii}
    found = neighbour_scores(real, fake, density_coverage_k=k, real_radii=known, memory=memory).density_coverage
    assert found is not None  # it was asked for
    return found


def _density_coverage(within: Tensor, around: Tensor, k: int) -> DensityCoverage:
    """Of how many fakes are within every real's ball (n,), and how many such balls are around every fake (m,)."""
    density, found = around.sum().item() / (k * len(around)), interval_of_mean(around.double() / k)
    interval = found and found._replace(low=max(0.0, found.low))
    return DensityCoverage(Estimate(density, interval), _share(within > 0))


def _share(hits: Tensor) -> Estimate:
    share = hits.double().mean().item()
    return Estimate(share, interval_of_share(share, len(hits)))


def nearest_among(
    queries: Features, references: OtherFeatures, count: int, *, own: Tensor | None = None, memory: int = MEMORY
) -> Nearest:
    """The `count` nearest references of every query; where queries are references themselves, `own` (n,) says which.

    Raises ValueError where there are too few references, and for features that are NaN, infinite or beyond 1e150.
    """
    _check(queries, references)
    fewest = count if own is None else count + 1
    if len(references) < fewest:
        raise ValueError(f"nearest neighbour number {count} needs at least {fewest} samples, got {len(references)}")
    side, centre, parts = _side(memory, references.shape[1]), _centre(references), []
    for rows in _parts(len(queries), side):
        shape = (rows.stop - rows.start, count)
        near = Nearest(torch.full(shape, torch.inf, dtype=torch.float64), torch.full(shape, -1))
        for tile in _tiles(queries[rows], references, centre, side):
            if own is not None:
                tile.hide(own[rows])
            near = _with_tile(near, tile)
        parts.append(near)
    return Nearest(torch.cat([part.distances for part in parts]), torch.cat([part.indices for part in parts]))


def _with_tile(near: Nearest, tile: "_Tile") -> Nearest:
    """The nearest of those found so far and those in a tile."""
    reach, count = near.distances[:, -1], near.distances.shape[1]
    limit = reach.square()
    if tile.upper.shape[1] >= count and reach.isinf().any():
        limit = torch.minimum(limit, tile.upper.topk(count, largest=False).values[:, -1])
    limit[reach == 0] = -torch.inf  # `count` copies are found, and nothing is nearer: collapsed samples end here
    candidates = tile.lower <= limit[:, None]
    row, column = candidates.nonzero(as_tuple=True)
    if not len(row):
        return near
    in_row = row.bincount(minlength=len(candidates))
    place = torch.arange(len(row)) - (in_row.cumsum(0) - in_row)[row]
    distances = torch.full((len(candidates), int(in_row.max())), torch.inf, dtype=torch.float64)
    indices = torch.full(distances.shape, -1)
    distances[row, place] = tile.distances(candidates)
    indices[row, place] = column + tile.columns.start
    ordered, order = torch.cat([near.distances, distances], dim=1).sort(dim=1, stable=True)
    return Nearest(ordered[:, :count], torch.cat([near.indices, indices], dim=1).gather(1, order[:, :count]))


class _Balls(NamedTuple):
    """Around the reals (radii are (n, 1)) or the fakes ((1, m)), with their surface or without."""

    radii: Tensor
    closed: bool

    def inside(self, tile: "_Tile") -> Tensor:
        """Which pairs of the tile are closer than the ball reaches: bool, of the tile's shape."""
        reach = self.radii[tile.rows] if self.radii.shape[1] == 1 else self.radii[:, tile.columns]
        squares = reach.square()
        inside = tile.upper < squares
        doubtful = inside ^ (tile.lower <= squares)
        if doubtful.any():
            distances, limits = tile.distances(doubtful), reach.expand(doubtful.shape)[doubtful]
            inside[doubtful] = distances <= limits if self.closed else distances < limits
        return inside


def _inside_counts(real: Tensor, fake: Tensor, balls: Sequence[_Balls], memory: int) -> list[tuple[Tensor, Tensor]]:
    """Of all pairs inside some balls, how many are each real's (n,) and each fake's (m,)."""
    _check(real, fake)
    if real.shape[1] <= MOST_FEATURES and (found := _counts_by_trees(real.double(), fake.double(), balls)) is not None:
        return found
    counts = [(torch.zeros(len(real)).long(), torch.zeros(len(fake)).long()) for _ in balls]
    for tile in _tiles(real, fake, _centre(real), _side(memory, real.shape[1])):
        for some, (of_real, of_fake) in zip(balls, counts, strict=True):
            inside = some.inside(tile).float()  # sums of bool are ten times slower; these are small, so exact
            of_real[tile.rows] += inside.sum(dim=1).long()
            of_fake[tile.columns] += inside.sum(dim=0).long()
    return counts


def _counts_by_trees(real: Tensor, fake: Tensor, balls: Sequence[_Balls]) -> list[tuple[Tensor, Tensor]] | None:
    counts = []
    for some in balls:
        around_reals, radii = some.radii.shape[1] == 1, some.radii.flatten()
        centres, others = (real, fake) if around_reals else (fake, real)
        if (found := tree_counts(centres, others, radii, closed=some.closed)) is None:
            return None
        counts.append(found if around_reals else found[::-1])
    return counts


class _Tile(NamedTuple):
    """A part of the matrix of distances: bounds on their squares, and the samples for the distances themselves."""

    x: Tensor
    y: Tensor
    rows: slice
    columns: slice
    lower: Tensor
    upper: Tensor

    def hide(self, own: Tensor) -> None:
        """Makes no candidate of every row's own column."""
        column = own - self.columns.start
        here = ((column >= 0) & (column < len(self.y))).nonzero()[:, 0]
        self.lower[here, column[here]] = torch.nan  # at most nothing
        self.upper[here, column[here]] = torch.inf

    def distances(self, where: Tensor) -> Tensor:
        """The exact distances of some pairs, row by row."""
        pairs = where.nonzero(as_tuple=True)
        if 8 * len(pairs[0]) > where.numel():  # to gather a pair takes about eight times as long as to pass by one
            parts = self.x.split(max(1, BLOCK // self.y.numel()))
            return torch.cat([exact_distances(x[:, None], self.y[None]) for x in parts])[where]
        parts = zip(*(indices.split(max(1, BLOCK // self.x.shape[1])) for indices in pairs), strict=True)
        return torch.cat([exact_distances(self.x[row], self.y[column]) for row, column in parts])


def _tiles(x: Features, y: OtherFeatures, centre: Tensor, side: int) -> Iterator[_Tile]:
    """All tiles, row by row.

    With u = 2^-53, centred samples of squared norms a and b, and d features: the product errs by less than
    2 (d + 2) u (a + b), the norms by d u (a + b), the centring by 4 u (a + b), the bounds themselves by 5 u (a + b);
    the exact distance, whose square is at most 2 (a + b), by 2 (d + 3) u (a + b), its root and the square of that by
    8 u (a + b): in all (5 d + 27) u (a + b) to first order. The bounds allow 8 (d + 8) u (a + b), and the smallest
    normal number for what underflows.
    """
    for rows in _parts(len(x), side):
        x_part, x_centred, x_low, x_error, ones = _about(x[rows], centre)
        x_lifted = torch.cat([-2 * x_centred, x_low, ones], dim=1)
        for columns in _parts(len(y), side):
            y_part, y_centred, y_low, y_error, ones = _about(y[columns], centre)
            lower = x_lifted @ torch.cat([y_centred, ones, y_low], dim=1).mT
            upper = (lower + 2 * x_error).add_(2 * y_error.mT)
            yield _Tile(x_part, y_part, rows, columns, lower, upper)


def _about(part: Tensor, centre: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Samples in float64, and centred; (n, 1) each: their squared norms less the error, that error, and ones."""
    part = part.double()
    centred = part - centre
    squares = centred.square().sum(dim=1, keepdim=True)
    error = 4 * (part.shape[1] + 8) * EPS * squares + torch.finfo(torch.float64).tiny
    return part, centred, squares - error, error, torch.ones_like(squares)


def _parts(n: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def _side(memory: int, width: int) -> int:
    """How many samples a side fit: about 6 numbers a pair, and 10 a feature with its two further columns."""
    columns = 5 * (width + 2)
    return min(SIDE, max(1, int(((columns**2 + 6 * memory / 8) ** 0.5 - columns) / 6)))


def _centre(features: Features) -> Tensor:
    """Somewhere amid the features, since norms from there bound the error: a median, which outliers do not move."""
    some = features[:: max(1, len(features) // 100)].double()
    return some.sort(dim=0).values[len(some) // 2]  # Tensor.median reads garbage of expanded tensors (torch 2.15)


def _check(*sets: Tensor) -> None:
    for features in sets:
        if not len(features):
            raise ValueError("there are no samples")
        furthest = checked(torch.stack([features.amin(dim=1), features.amax(dim=1)], dim=1)).abs().max().item()
        if furthest > LARGEST:
            raise ValueError(f"features reach {furthest:.3g}: the squares of their distances overflow")
