"""Nearest training samples and authenticity, against their definitions and closed forms."""

import math

import pytest
import torch
from drawn import normal
from hypothesis import given, settings
from hypothesis import strategies as st

from ganzoo.evaluation.metrics.estimate import interval_of_share
from ganzoo.evaluation.metrics.memorisation import authenticity, nearest

ROWS = st.lists(st.lists(st.integers(-2, 2), min_size=2, max_size=2), min_size=3, max_size=12)


@settings(max_examples=40, deadline=None)
@given(ROWS, ROWS, st.integers(1, 3), st.sampled_from([900, 3000, 2**20]))
def test_nearest_is_the_sorted_list_with_the_lower_index_first(queries, references, count, memory):
    found = nearest(torch.tensor(queries).float(), torch.tensor(references).float(), count=count, memory=memory)
    for query, distances, indices in zip(queries, *(part.tolist() for part in found), strict=True):
        expected = sorted((math.dist(query, one), index) for index, one in enumerate(references))[:count]
        assert list(zip(distances, indices, strict=True)) == expected


def plain_authenticity(real: list, fake: list) -> float:
    new = 0
    for one in fake:
        away, index = min((math.dist(one, r), i) for i, r in enumerate(real))
        new += away > min(math.dist(real[index], r) for i, r in enumerate(real) if i != index)
    return new / len(fake)


@settings(max_examples=40, deadline=None)
@given(ROWS, ROWS, st.sampled_from([900, 3000, 2**20]))
def test_authenticity_is_its_definition(real, fake, memory):
    found = authenticity(torch.tensor(real).float(), torch.tensor(fake).float(), memory=memory)
    expected = plain_authenticity(real, fake)
    assert found == (pytest.approx(expected), interval_of_share(expected, len(fake)))


@pytest.mark.parametrize(
    ("d", "mutual"), [(1, 2 / 3), (2, 6 * math.pi / (8 * math.pi + 3 * math.sqrt(3)))], ids=["1-D", "2-D"]
)
def test_authenticity_of_fresh_samples_is_that_two_neighbours_are_not_each_other_s(d, mutual):
    """The share of points that are their nearest neighbour's nearest: Clark & Evans 1955, Science 121:397."""
    found = authenticity(normal(6000, d, 1), normal(6000, d, 2)).value
    assert found == pytest.approx(1 - mutual, abs=0.03)  # 4 standard errors, of 0.0063


def test_authenticity_of_fresh_samples_in_many_dimensions():
    assert authenticity(normal(2000, 64, 1), normal(2000, 64, 2)).value == pytest.approx(0.82, abs=0.04)


def test_copies_are_not_authentic_and_strangers_are():
    real = normal(300, 16, 0)
    assert authenticity(real, real[:200]).value == 0
    assert authenticity(real, real[:200] + 1e-6).value == 0
    assert authenticity(real, normal(200, 16, 1) + 100).value == 1
    half = torch.cat([real[:100], normal(100, 16, 1) + 100])
    assert authenticity(real, half) == (0.5, interval_of_share(0.5, 200))


def test_copies_are_found_with_their_index():
    real = normal(500, 32, 0).float()
    chosen = torch.tensor([3, 499, 3, 0])
    distances, indices = nearest(real[chosen], real, memory=200_000)
    assert torch.equal(indices[:, 0], chosen) and not distances.any()


def test_memorisation_needs_references():
    with pytest.raises(ValueError, match="number 2 needs at least 2 samples, got 1"):
        nearest(torch.zeros(3, 2), torch.zeros(1, 2), count=2)
    with pytest.raises(ValueError, match="number 1 needs at least 2 samples, got 1"):
        authenticity(torch.zeros(1, 2), torch.zeros(3, 2))
