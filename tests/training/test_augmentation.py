"""DiffAugment: what each kind does to an image, how far it goes, and that gradients come back through it."""

import pytest
import torch

from ganzoo.errors import InputError
from ganzoo.experiment import load_experiment
from ganzoo.training.augmentation import augmented, cut_out, recoloured, translated


def images(n: int = 400, channels: int = 3, size: int = 16) -> torch.Tensor:
    torch.manual_seed(0)
    return torch.rand(n, channels, size, size) + 0.5  # nowhere zero: what is zero afterwards was put there


def test_a_translation_moves_by_up_to_an_eighth_each_way_and_fills_with_zeros():
    given = images()
    moved, found = translated(given), set()
    for before, after in zip(given, moved, strict=True):
        shifts = [
            (down, right)
            for down in range(-3, 4)
            for right in range(-3, 4)
            if torch.equal(after, shifted(before, down, right))
        ]
        assert len(shifts) == 1
        found.add(shifts[0])
    assert found == {(down, right) for down in range(-2, 3) for right in range(-2, 3)}  # 16 / 8 = 2


def shifted(image: torch.Tensor, down: int, right: int) -> torch.Tensor:
    padded = torch.nn.functional.pad(image, (8, 8, 8, 8))
    return padded[:, 8 - down : 24 - down, 8 - right : 24 - right]


def test_a_cutout_is_a_square_of_half_the_size_anywhere():
    given = images()
    after = cut_out(given)
    holes = (after == 0).all(dim=1)
    assert torch.equal(after[~holes[:, None].expand_as(after)], given[~holes[:, None].expand_as(given)])
    for hole in holes:
        rows, columns = hole.any(dim=1).nonzero().flatten(), hole.any(dim=0).nonzero().flatten()
        assert hole[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
        assert 4 <= len(rows) <= 8 and 4 <= len(columns) <= 8  # half of it may be outside
    assert holes.any(dim=0).all() and holes.flatten(1).sum(dim=1).max() == 64


def test_colours_change_by_brightness_then_saturation_then_contrast():
    given = images(n=2000, size=4)
    after = recoloured(given)
    shift = after.mean(dim=(1, 2, 3)) - given.mean(dim=(1, 2, 3))  # saturation and contrast keep the mean
    assert -0.5 <= shift.min() < -0.48 and 0.48 < shift.max() <= 0.5
    assert shift.mean().abs() < 0.03
    contrast = (after.mean(dim=1) - after.mean(dim=(1, 2, 3))[:, None, None]).flatten(1)
    before = (given.mean(dim=1) - given.mean(dim=(1, 2, 3))[:, None, None]).flatten(1)
    ratio = contrast.norm(dim=1) / before.norm(dim=1)  # of the grey image: saturation keeps that
    assert 0.5 <= ratio.min() < 0.52 and 1.48 < ratio.max() <= 1.5001
    colour = (after - after.mean(dim=1, keepdim=True)).flatten(1).norm(dim=1)
    both = colour / (given - given.mean(dim=1, keepdim=True)).flatten(1).norm(dim=1) / ratio  # saturation alone
    assert 0 <= both.min() < 0.02 and 1.98 < both.max() <= 2.0001


@pytest.mark.parametrize("kinds", [["color"], ["translation"], ["cutout"], ["color", "translation", "cutout"]])
def test_gradients_come_back_and_each_image_has_its_own_chance(kinds):
    given = images(n=8).requires_grad_()
    augmented(given, kinds).sum().backward()
    assert given.grad is not None and given.grad.abs().sum() > 0
    same = images(n=1).expand(16, -1, -1, -1)
    assert len({tuple(image.flatten().tolist()) for image in augmented(same, kinds)}) > 8


def test_nothing_asked_for_is_nothing_done():
    given = images(n=2)
    before = torch.get_rng_state()
    assert augmented(given, []) is given and torch.equal(torch.get_rng_state(), before)


def test_points_cannot_be_augmented(tmp_path):
    from conftest import RING

    with pytest.raises(InputError, match=r"variant\.augment.*images"):
        load_experiment(RING, ["variant.augment=[translation]"])
