"""The data sets in the plane against their closed forms."""

import math
from importlib import import_module

import pytest
import torch

from ganzoo.data import grid25, ring8, swiss_roll

MIXTURES = [
    # module, scaling, modes, sigma, distance of the outermost centre from 0
    # WGAN-GP: igul222/improved_wgan_training:gan_toy.py; VEEGAN: the numbers of its table 1 as PacGAN runs them
    ("ring8", "wgan_gp", 8, 0.02 / 1.414, 2 / 1.414),
    ("ring8", "veegan", 8, 0.01, 1.0),
    ("grid25", "wgan_gp", 25, 0.05 / 2.828, math.sqrt(32) / 2.828),
    ("grid25", "veegan", 25, 0.05, math.sqrt(32)),
]


@pytest.mark.parametrize(("name", "scaling", "count", "sigma", "radius"), MIXTURES)
def test_declared_modes(name, scaling, count, sigma, radius):
    config = import_module(f"ganzoo.data.{name}").Config(scaling=scaling)
    centres, declared_sigma = config.modes
    assert len(set(centres)) == len(centres) == config.num_classes == count
    assert declared_sigma == pytest.approx(sigma, rel=1e-12)
    assert max(math.hypot(*centre) for centre in centres) == pytest.approx(radius, rel=1e-12)
    assert [sum(axis) for axis in zip(*centres, strict=True)] == pytest.approx([0, 0], abs=1e-12)


@pytest.mark.parametrize(("name", "scaling", "count", "sigma", "radius"), MIXTURES)
@pytest.mark.parametrize("split", ["train", "heldout"])
def test_points_follow_the_modes(name, scaling, count, sigma, radius, split):
    module = import_module(f"ganzoo.data.{name}")
    config = module.Config(scaling=scaling, num_points=25_000)
    samples = module.load(config, split)
    centres = torch.tensor(config.modes[0])
    offsets = samples.values - centres[samples.labels]
    for mode in range(count):
        mine = offsets[samples.labels == mode]
        expected = 25_000 / count
        assert abs(len(mine) - expected) < 5 * math.sqrt(expected)  # binomial, 5 standard errors
        assert mine.mean(0).abs().max() < 5 * sigma / math.sqrt(len(mine))
        relative_error = (mine.std(0) / sigma - 1).abs().max()
        assert relative_error < 5 / math.sqrt(2 * len(mine))
    assert torch.equal(torch.cdist(samples.values, centres).argmin(1), samples.labels)  # 5 sigma is far from a middle


def test_ring_begins_on_the_axis_and_turns_left():
    centres, _ = ring8.Config(scaling="veegan").modes
    assert centres[0] == pytest.approx((1, 0))
    assert centres[1] == pytest.approx((math.sqrt(0.5), math.sqrt(0.5)))
    assert centres[2] == pytest.approx((0, 1))


def test_grid_is_ordered_by_its_first_coordinate():
    centres, _ = grid25.Config(scaling="veegan").modes
    assert centres[:6] == ((-4, -4), (-4, -2), (-4, 0), (-4, 2), (-4, 4), (-2, -4))


def test_swiss_roll_keeps_to_its_spiral():
    points = 7.5 * swiss_roll.load(swiss_roll.Config(num_points=20_000), "train").values
    angles = torch.linspace(1.5 * math.pi, 4.5 * math.pi, 20_001)
    spiral = torch.stack([angles * angles.cos(), angles * angles.sin()], dim=1)
    nearest = torch.cdist(points[:500], spiral).amin(1)
    # the distance from a nearly straight curve is the noise across it: E[d^2] = .25^2
    assert nearest.square().mean().sqrt().item() == pytest.approx(0.25, rel=0.12)
    # E[radius^2] = E[t^2] + 2 * .25^2, t uniform in [1.5 pi, 4.5 pi]: (4.5^2 + 4.5 * 1.5 + 1.5^2) pi^2 / 3
    assert points.square().sum(1).mean().item() == pytest.approx(9.75 * math.pi**2 + 0.125, rel=0.02)


def test_swiss_roll_is_unlabelled():
    samples = swiss_roll.load(swiss_roll.Config(num_points=10), "train")
    assert swiss_roll.Config().num_classes == 0
    assert samples.class_names == ()
    assert samples.labels.tolist() == [0] * 10


@pytest.mark.parametrize("module", [ring8, grid25, swiss_roll])
def test_points_are_the_same_every_time_and_differ_between_splits(module):
    config = module.Config(num_points=1000)
    train, again, heldout = (module.load(config, split) for split in ("train", "train", "heldout"))
    assert torch.equal(train.values, again.values)
    assert train.values.dtype == torch.float32
    assert not set(map(tuple, train.values.tolist())) & set(map(tuple, heldout.values.tolist()))
    torch.manual_seed(1)  # an experiment's seed changes nothing
    assert torch.equal(train.values, module.load(config, "train").values)
