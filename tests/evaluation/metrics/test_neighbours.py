"""Precision, recall, density and coverage against their definitions written plainly, with ties, copies and outliers."""

import math
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from drawn import normal, random
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_fidelity.metric_prc import calculate_precision_recall_full, calculate_precision_recall_part

from ganzoo.evaluation.metrics import neighbours
from ganzoo.evaluation.metrics.estimate import interval_of_mean, interval_of_share
from ganzoo.evaluation.metrics.neighbours import density_coverage, neighbour_radii, neighbour_scores, precision_recall


def memory_for(side: int, width: int) -> int:
    """Bytes that allow tiles of exactly that side."""
    memory = 8 * (6 * side**2 + 10 * (width + 2) * side) + 8
    assert neighbours._side(memory, width) == side
    return memory


def plain(squares: SimpleNamespace, k: int) -> tuple[float, float, float, float]:
    """The four definitions, one pair of samples at a time; `squares` has lists of squared distances."""

    def radii(within):
        return [sorted(row[:i] + row[i + 1 :])[k - 1] for i, row in enumerate(within)]

    real_radii, fake_radii, apart = radii(squares.real), radii(squares.fake), squares.apart
    n, m = len(real_radii), len(fake_radii)
    pairs = [(i, j) for i in range(n) for j in range(m)]
    precise = {j for i, j in pairs if apart[i][j] <= real_radii[i]}
    recalled = {i for i, j in pairs if apart[i][j] <= fake_radii[j]}
    inside = [(i, j) for i, j in pairs if apart[i][j] < real_radii[i]]
    return len(precise) / m, len(recalled) / n, len(inside) / (k * m), len({i for i, _ in inside}) / n


def exactly(real: torch.Tensor, fake: torch.Tensor) -> SimpleNamespace:
    """All squared distances, without rounding where the tensors hold whole numbers."""

    def squares(xs, ys):
        return [[sum((a - b) ** 2 for a, b in zip(x, y, strict=True)) for y in ys] for x in xs]

    reals, fakes = real.tolist(), fake.tolist()
    return SimpleNamespace(real=squares(reals, reals), fake=squares(fakes, fakes), apart=squares(reals, fakes))


def as_tiles_do(real: torch.Tensor, fake: torch.Tensor) -> SimpleNamespace:
    """The same in float64, without any screening."""

    def distances(x, y):
        return neighbours.exact_distances(x.double()[:, None], y.double()[None]).tolist()

    return SimpleNamespace(real=distances(real, real), fake=distances(fake, fake), apart=distances(real, fake))


def scores(real: torch.Tensor, fake: torch.Tensor, k: int, **settings) -> tuple[float, ...]:
    found = neighbour_scores(real, fake, precision_recall_k=k, density_coverage_k=k, **settings)
    return tuple(estimate.value for pair in found for estimate in pair)


@pytest.mark.parametrize(("k", "side"), [(3, 1), (1, 7), (3, 7), (5, 7), (1, 1024), (3, 1024), (5, 1024)])
def test_all_four_are_their_definitions(k, side):
    real, fake = normal(25, 3, 1), 0.7 * normal(18, 3, 2) + 0.4
    expected = plain(exactly(real, fake), k)
    memory = memory_for(side, 3)
    assert scores(real, fake, k, memory=memory) == pytest.approx(expected, abs=1e-12)
    one_pair, other_pair = precision_recall(real, fake, k=k), density_coverage(real, fake, k=k)
    assert [one.value for one in (*one_pair, *other_pair)] == pytest.approx(expected, abs=1e-12)
    at_hand = neighbour_radii(real, k, memory=memory)
    assert precision_recall(real, fake, k=k, real_radii=at_hand) == one_pair
    assert density_coverage(real, fake, k=k, real_radii=at_hand) == other_pair


@st.composite
def grids(draw):
    """Two sets of whole numbers, with ties and copies."""
    d = draw(st.integers(1, 4))
    rows = st.lists(st.lists(st.integers(-2, 2), min_size=d, max_size=d), min_size=5, max_size=11)
    return torch.tensor(draw(rows)), torch.tensor(draw(rows))


@settings(max_examples=60, deadline=None)
@given(
    grids(),
    st.integers(1, 4),
    st.sampled_from([2, 5, 1024]),
    st.sampled_from([0, 3, 2**30]),
    st.sampled_from([2.0**-40, 1.0, 2.0**90]),
)
def test_ties_and_copies_are_decided_as_in_exact_arithmetic(sets, k, side, shift, scale):
    """Shifted and scaled so that float64 still holds the differences exactly."""
    exact, memory = exactly(*sets), memory_for(side, sets[0].shape[1])
    real, fake = (scale * (one.double() + shift) for one in sets)
    assert scores(real, fake, k, memory=memory) == plain(exact, k)
    radii = neighbour_radii(real, k, memory=memory).tolist()
    assert radii == [scale * math.sqrt(sorted(row[:i] + row[i + 1 :])[k - 1]) for i, row in enumerate(exact.real)]


def clusters(n: int, d: int, seed: int) -> torch.Tensor:
    """Five far points, each many times with a jitter that is below the rounding error of a product."""
    return 100 * normal(5, d, 0)[torch.arange(n) % 5] + 1e-9 * normal(n, d, seed)


def outliers(n: int, d: int, seed: int) -> torch.Tensor:
    return torch.cat([normal(n - 3, d, seed), 1e30 * normal(3, d, seed + 1)])


WILD = {
    "normal": normal,
    "float32": lambda n, d, seed: normal(n, d, seed).float() + 1000,
    "huge offset": lambda n, d, seed: normal(n, d, seed) + 1e9,
    "features of other scales": lambda n, d, seed: normal(n, d, seed) * 10.0 ** torch.arange(-d, d, 2),
    "outliers": outliers,
    "clusters": clusters,
    "many copies": lambda n, d, seed: normal(9, d, 0)[torch.randint(9, (n,), generator=random(seed))],
    "all the same": lambda n, d, seed: normal(1, d, 0).expand(n, d),
    "zeros": lambda n, d, seed: torch.zeros(n, d),
    "tiny": lambda n, d, seed: 1e-160 * normal(n, d, seed),
}


@pytest.mark.parametrize(
    ("reals", "fakes"), [*zip(WILD, WILD, strict=True), *product(WILD, ["normal"]), *product(["normal"], WILD)]
)
def test_wild_features_score_as_without_screening(reals, fakes):
    real, fake = WILD[reals](60, 24, 1), WILD[fakes](50, 24, 2)
    assert scores(real, fake, 3, memory=memory_for(25, 24)) == plain(as_tiles_do(real, fake), 3)


@pytest.mark.parametrize("kind", WILD)
def test_bounds_enclose_every_distance_and_are_tight(kind):
    x, y = WILD[kind](40, 24, 1), WILD[kind](40, 24, 3)
    (tile,) = neighbours._tiles(x, y, neighbours._centre(x), 64)
    squares = neighbours.exact_distances(x.double()[:, None], y.double()[None]).square()
    assert torch.all(tile.lower <= squares) and torch.all(squares <= tile.upper)
    if kind in ("normal", "float32", "huge offset", "outliers"):  # of those, only pairs with an outlier are in doubt
        assert torch.all((tile.upper - tile.lower)[:37, :37] < 1e-11 * squares[:37, :37])


@pytest.mark.parametrize("width", [1, 3, 40, 40_000])
def test_a_pair_has_one_distance_however_it_is_computed(width):
    """Alone, among gathered pairs, in a whole tile; 40,000 numbers alone would be summed by two threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        x, y = normal(6, width, 1), normal(5, width, 2)
        tile = neighbours.exact_distances(x[:, None], y[None])
        pairs = neighbours.exact_distances(x[torch.arange(5)], y)
        alone = torch.cat([neighbours.exact_distances(x[i : i + 1], y[i : i + 1]) for i in range(5)])
        assert torch.equal(pairs, tile.diag()) and torch.equal(alone, pairs)
        assert torch.equal(neighbours.exact_distances(y[:, None], x[None]), tile.mT)
        assert pairs.tolist() == pytest.approx([math.dist(a, b) for a, b in zip(x.tolist(), y.tolist(), strict=False)])
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("d", [64, 2048])
def test_precision_and_recall_are_torch_fidelity_s(d):
    """Its first argument is the fakes; its kthvalue(k + 1) counts the sample itself."""
    real, fake = normal(400, d, 1), 0.98 * normal(300, d, 2) + 0.01
    found = precision_recall(real, fake, memory=memory_for(128, d))
    for theirs in (calculate_precision_recall_full, calculate_precision_recall_part):
        expected = theirs(fake, real, neighborhood=3)
        assert (found.precision.value, found.recall.value) == pytest.approx(expected, abs=1e-7)  # theirs are float32
        assert min(expected) > 0.05 and max(expected) < 0.95


def test_all_four_are_the_formulas_of_prdc():
    """The lines of clovaai/generative-evaluation-prdc, prdc/prdc.py, in other words; it is strict everywhere."""
    real, fake, k = normal(300, 16, 1).numpy(), 0.9 * normal(200, 16, 2).numpy(), 5

    def distances(x, y):
        return np.linalg.norm(x[:, None] - y[None], axis=2)

    real_radii, fake_radii = (np.partition(distances(x, x), k, axis=1)[:, k] for x in (real, fake))
    apart = distances(real, fake)
    expected = (
        (apart < real_radii[:, None]).any(axis=0).mean(),
        (apart < fake_radii[None]).any(axis=1).mean(),
        (apart < real_radii[:, None]).sum(axis=0).mean() / k,
        (apart.min(axis=1) < real_radii).mean(),
    )
    assert scores(torch.from_numpy(real), torch.from_numpy(fake), k) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("k", "measured"), [(5, (0.744, 0.727, 1.058, 0.973)), (3, (0.636, 0.623, 1.02, 0.877))])
def test_two_normal_sets_score_what_prdc_gave(k, measured):
    """One draw of N = M = 1000 at d = 64, measured with prdc; so is ours, but for the spread between draws."""
    found = np.array([scores(normal(1000, 64, seed), normal(1000, 64, seed + 50), k) for seed in range(5)])
    spread = found.std(axis=0, ddof=1)
    assert np.all(spread < [0.05, 0.05, 0.25, 0.05])  # whole hubs of samples are in many balls or in few
    assert np.all(np.abs(found.mean(axis=0) - measured) < 4 * spread)


def test_density_and_coverage_of_equal_distributions():
    """E density = 1, E coverage = 1 - C(n-1, k) / C(n-1+m, k), about 1 - 2^-k for n = m (Naeem et al., section 3.3)."""
    pairs = [density_coverage(normal(200, 4, s), normal(200, 4, s + 99), k=5) for s in range(60)]
    found = np.array([[one.value for one in pair] for pair in pairs])
    expected = np.array([1.0, 1 - math.comb(199, 5) / math.comb(399, 5)])
    assert expected[1] == pytest.approx(1 - 2**-5, abs=2e-3)
    errors = found.std(axis=0) / math.sqrt(len(found))
    assert np.all(np.abs(found.mean(axis=0) - expected) < 4 * errors)
    assert np.all(errors < 0.01)


def test_intervals_hold_what_they_say_fixed():
    """Precision and density of 200 other fakes, the reals' balls kept: 95 of 100 intervals have the long-run value."""
    real = normal(100, 4, 0)

    def both(m, seed):
        found = neighbour_scores(real, 0.8 * normal(m, 4, seed), precision_recall_k=3, density_coverage_k=5)
        return found.precision_recall.precision, found.density_coverage.density

    truth = [estimate.value for estimate in both(5000, 1)]
    drawn = [both(200, seed) for seed in range(2, 102)]
    for held, true in zip(zip(*drawn, strict=True), truth, strict=True):
        hits = sum(one.interval.low <= true <= one.interval.high for one in held)
        assert 87 <= hits <= 100  # 87 and fewer: 1 in 500 of Binomial(100, 0.95)
        assert max(one.interval.high - one.interval.low for one in held) < 0.4


def test_intervals_are_over_the_samples_that_are_counted():
    real, fake = normal(80, 3, 1), normal(50, 3, 2)
    (precision, recall), (density, coverage) = neighbour_scores(real, fake, precision_recall_k=3, density_coverage_k=5)
    assert precision.interval == interval_of_share(precision.value, 50)
    assert recall.interval == interval_of_share(recall.value, 80)
    assert coverage.interval == interval_of_share(coverage.value, 80)
    balls = (torch.cdist(real, fake) < neighbour_radii(real, 5)[:, None]).sum(dim=0) / 5
    assert density.interval == pytest.approx((*interval_of_mean(balls)[:2], "normal over 50 samples"))


def test_both_pairs_share_three_passes(monkeypatch):
    passes, real, fake = [], normal(40, 3, 1), normal(30, 3, 2)
    tiles = neighbours._tiles
    monkeypatch.setattr(neighbours, "_tiles", lambda x, y, *rest: passes.append((len(x), len(y))) or tiles(x, y, *rest))
    both = neighbour_scores(real, fake, precision_recall_k=3, density_coverage_k=5)
    assert passes == [(40, 40), (30, 30), (40, 30)]
    passes.clear()
    at_hand = neighbours.radii(real, {3, 5})
    given_radii = neighbour_scores(real, fake, precision_recall_k=3, density_coverage_k=5, real_radii=at_hand)
    assert passes == [(40, 40), (30, 30), (40, 30)] and given_radii == both
    assert neighbour_scores(real, fake, density_coverage_k=5) == (None, both.density_coverage)
    assert neighbours.radii(real, []) == {}


@settings(max_examples=100, deadline=None)
@given(st.integers(10_000, 2**32), st.integers(1, 50_000))
def test_tiles_fit_in_the_memory_that_is_given(memory, width):
    side = neighbours._side(memory, width)
    assert 1 <= side <= neighbours.SIDE
    assert side == 1 or 8 * (6 * side**2 + 10 * (width + 2) * side) <= memory


def test_collapsed_fakes_are_precise_but_cover_nothing(monkeypatch):
    """And cost little: once k copies of a sample are found, no tile has a nearer one."""
    real = normal(100, 4, 0)
    fake = real[:1].expand(300, 4)
    precision, recall = precision_recall(real, fake)
    assert precision.value == 1 and recall.value == 0.01 and density_coverage(real, fake).coverage.value < 0.2
    computed, distances = [], neighbours.exact_distances
    monkeypatch.setattr(neighbours, "exact_distances", lambda x, y: computed.append(distances(x, y)) or computed[-1])
    assert torch.equal(neighbour_radii(fake, 3, memory=memory_for(10, 4)), torch.zeros(300).double())
    assert sum(one.numel() for one in computed) <= 300 * 10


def test_copies_of_the_reals_have_precision_recall_and_coverage_one():
    real = normal(100, 4, 0)
    precision, recall, _, coverage = scores(real, real, 3)
    assert precision == recall == coverage == 1


def test_what_has_no_neighbours_is_refused():
    with pytest.raises(ValueError, match="number 3 needs at least 4 samples, got 3"):
        neighbour_radii(torch.zeros(3, 2), 3)
    with pytest.raises(ValueError, match="there are no samples"):
        density_coverage(normal(9, 2, 0), torch.zeros(0, 2))
    with pytest.raises(ValueError, match="1 of 9 samples have features that are NaN"):
        precision_recall(normal(9, 2, 0), torch.cat([normal(8, 2, 1), torch.full((1, 2), torch.nan)]))
    with pytest.raises(ValueError, match=r"reach 2e\+200: the squares of their distances overflow"):
        neighbour_radii(torch.tensor([[0.0], [-2e200]], dtype=torch.float64), 1)
