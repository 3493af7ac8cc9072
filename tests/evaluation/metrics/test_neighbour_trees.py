"""Points in one and two dimensions score by trees as they do pair by pair."""

import pytest
import torch
from drawn import normal, random
from test_neighbours import WILD, scores

from ganzoo.evaluation.metrics import neighbour_trees, neighbours
from ganzoo.evaluation.metrics.neighbour_trees import tree_counts, tree_radii

KINDS = {**WILD, "lattice": lambda n, d, seed: torch.randint(-9, 9, (n, d), generator=random(seed)).double()}


@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize(("reals", "fakes"), [*((kind, kind) for kind in KINDS), ("normal", "many copies")])
def test_they_score_as_pair_by_pair(reals, fakes, d, monkeypatch):
    real, fake = KINDS[reals](150, d, 1), KINDS[fakes](130, d, 2)
    by_trees, radii = scores(real, fake, 3), neighbours.radii(real, {1, 5})
    monkeypatch.setattr(neighbours, "MOST_FEATURES", 0)
    assert by_trees == scores(real, fake, 3)
    pair_by_pair = neighbours.radii(real, {1, 5})
    assert all(torch.equal(radii[k], pair_by_pair[k]) for k in (1, 5))


@pytest.mark.parametrize("closed", [True, False])
def test_the_surface_of_a_ball_belongs_to_it_or_not(closed):
    """Balls of radius 5 around points of a lattice, with (3, 4) and (5, 0) on the surface: 81 of its points, or 69."""
    axis = torch.arange(-20.0, 21.0).double()
    lattice, centres = torch.cartesian_prod(axis, axis), torch.tensor([[0.0, 0.0], [2.0, -3.0]]).double()
    in_ball, around = tree_counts(centres, lattice, torch.full((2,), 5.0).double(), closed=closed)
    assert in_ball.tolist() == ([81, 81] if closed else [69, 69])
    assert around.sum() == in_ball.sum() and around.max() == 2


def test_pairs_are_held_a_part_at_a_time(monkeypatch):
    centres, others = normal(300, 2, 1), normal(400, 2, 2)
    radii = tree_radii(centres, [5])[5]
    whole = tree_counts(centres, others, radii, closed=True)
    monkeypatch.setattr(neighbour_trees, "PAIRS", 100)
    parts = tree_counts(centres, others, radii, closed=True)
    assert whole[0].sum() > 1000 and all(map(torch.equal, whole, parts))


def test_where_most_pairs_count_all_are_looked_at():
    centres = normal(50, 2, 1)
    assert tree_counts(centres, normal(60, 2, 2), torch.full((50,), 9.0).double(), closed=True) is None
