"""The pyramid against scipy, the patches against loops, the distance against closed forms and its own floor."""

import math

import numpy as np
import pytest
import torch
from drawn import normal, random
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, stats

from ganzoo.evaluation.metrics import sliced_wasserstein
from ganzoo.evaluation.metrics.sliced_wasserstein import (
    _cut,
    _descriptors,
    doubled,
    halved,
    laplacian_level,
    level_sizes,
    sliced_distance,
)


def noise(n: int, size: int, seed: int, channels: int = 3) -> torch.Tensor:
    return torch.randint(0, 256, (n, channels, size, size), generator=random(seed), dtype=torch.uint8)


def smooth(n: int, size: int, seed: int) -> torch.Tensor:
    """Noise without fine detail."""
    small = torch.rand(n, 3, size // 4, size // 4, generator=random(seed)) * 255
    return torch.nn.functional.interpolate(small, size=(size, size), mode="bicubic").clamp(0, 255).to(torch.uint8)


def score(real, fake, seed=0, patches=32, directions=64):
    return sliced_wasserstein.sliced_wasserstein(
        real, fake, patches=patches, directions=directions, generator=random(seed)
    )


# The pyramid


def reference_levels(images: np.ndarray) -> list[np.ndarray]:
    """Burt & Adelson's pyramid with scipy's convolution, the whole 5x5 window at once."""
    window = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1])[None, None] / 256
    levels = [images.astype(np.float64)]
    while levels[-1].shape[2] >= 32:
        small = ndimage.convolve(levels[-1], window, mode="mirror")[:, :, ::2, ::2]
        large = np.zeros_like(levels[-1])
        large[:, :, ::2, ::2] = small
        levels[-1] = levels[-1] - ndimage.convolve(large, 4 * window, mode="mirror")
        levels.append(small)
    return levels


def test_levels_are_the_laplacian_pyramid():
    images = noise(2, 64, 0)
    expected = reference_levels(images.numpy())
    assert [level.shape[2] for level in expected] == [64, 32, 16]
    for index, level in enumerate(expected):
        assert np.abs(laplacian_level(images, index).numpy() - level).max() < 1e-4


def test_the_levels_together_are_the_images():
    images = noise(2, 64, 0)
    levels = [laplacian_level(images, index) for index in range(3)]
    assert (levels[0] + doubled(levels[1] + doubled(levels[2])) - images.float()).abs().max() < 1e-3


def test_constant_images_have_an_empty_pyramid():
    images = torch.full((1, 3, 64, 64), 77, dtype=torch.uint8)
    assert (laplacian_level(images, 0) == 0).all() and (laplacian_level(images, 2) == 77).all()


def test_halving_keeps_ramps_away_from_the_edges():
    ramp = torch.arange(32.0).expand(1, 1, 32, 32)
    assert torch.equal(halved(ramp)[..., 1:-1], ramp[:, :, ::2, 2:-2:2])


# The patches


def test_patches_are_cut_where_they_are_said_to_be():
    planes = torch.randn(3, 2, 16, 20, generator=random(0))
    rows, columns = torch.tensor([[0, 9], [3, 3], [9, 1]]), torch.tensor([[0, 13], [5, 6], [0, 2]])
    expected = [
        [planes[n, c, rows[n, k] : rows[n, k] + 7, columns[n, k] : columns[n, k] + 7].flatten() for c in range(2)]
        for n in range(3)
        for k in range(2)
    ]
    assert torch.equal(_cut(planes, rows, columns), torch.stack([torch.stack(patch) for patch in expected]))


def test_patches_come_from_everywhere():
    """Of 16 pixels there are 10 places both ways, and the last one is as likely as any other."""
    marked = torch.zeros(1, 1, 16, 16, dtype=torch.uint8)
    marked[..., 15, 15] = 255
    found = _descriptors(marked, 0, 20_000, 16, 16, random(0)).view(-1, 7, 7)
    lit = found > 0  # above the mean
    assert lit[:, 6, 6].sum() == lit.sum()
    assert abs(lit.sum().item() / 20_000 - 1 / 100) < 4 * math.sqrt(0.01 / 20_000)


def test_each_channel_is_standardised_over_the_set(monkeypatch):
    images = torch.cat([noise(20, 16, seed, channels=1) // divisor for seed, divisor in ((0, 1), (1, 3), (2, 9))], 1)
    whole = _descriptors(images, 0, 8, 16, 16, random(0))
    channels = whole.view(-1, 3, 49).double()
    assert channels.mean(dim=(0, 2)).abs().max() < 1e-6
    assert (channels.square().mean(dim=(0, 2)) - 1).abs().max() < 1e-6
    monkeypatch.setattr(sliced_wasserstein, "PIXELS_AT_ONCE", 1)
    monkeypatch.setattr(sliced_wasserstein, "PATCHES_AT_ONCE", 7)
    assert torch.allclose(_descriptors(images, 0, 8, 16, 16, random(0)), whole, atol=1e-6)


# The distance


def distance(real, fake, directions=256, seed=0):
    return sliced_distance(real, fake, directions=directions, generator=random(seed))


@given(st.integers(1, 40), st.integers(1, 5), st.integers(0, 1000))
@settings(max_examples=25)
def test_one_dimension_is_scipys_wasserstein_distance(n, scale, seed):
    real, fake = normal(n, 1, seed), scale * normal(n, 1, seed + 1)
    expected = stats.wasserstein_distance(real[:, 0].numpy(), fake[:, 0].numpy())
    assert distance(real, fake, directions=3) == pytest.approx(expected, rel=1e-12, abs=1e-15)
    assert distance(fake, real, directions=3) == pytest.approx(expected, rel=1e-12, abs=1e-15)


def test_a_set_with_itself_in_any_order_is_0():
    real = normal(100, 6, 0)
    assert distance(real, real[torch.randperm(100, generator=random(1))]) < 1e-15


def test_a_shift_by_a_has_the_mean_of_its_projections():
    """Direction t moves by a.t; over the unit sphere in d dimensions E |a.t| = |a| G(d/2) / (sqrt(pi) G((d+1)/2)).

    Which is |a| for d = 1 and |a| / 2 for d = 3. The standard error of 4,000 directions is below 0.76 |a| / sqrt(d).
    """
    for d in (1, 3, 20):
        real, shift = normal(50, d, d), normal(1, d, 99)
        expected = math.exp(math.lgamma(d / 2) - math.lgamma((d + 1) / 2)) / math.sqrt(math.pi) * shift.norm().item()
        found = distance(real, real + shift, directions=4000)
        assert abs(found - expected) <= 4 * 0.76 * shift.norm().item() / math.sqrt(d * 4000) * (d > 1) + 1e-12


def test_two_samples_of_one_gaussian_have_the_floor():
    """E W1 = integral of E |F_n - G_n|, and F_n - G_n is nearly normal with variance 2 F (1 - F) / n.

    So E W1 = 2 / sqrt(pi n) * integral of sqrt(F (1 - F)) (del Barrio, Giné & Matrán 1999).
    """
    x = np.linspace(-12, 12, 200_001)
    integral = np.trapezoid(np.sqrt(stats.norm.cdf(x) * stats.norm.sf(x)), x)
    n, tries = 4000, 60
    found = np.array([distance(normal(n, 2, s), normal(n, 2, s + 1000), directions=16, seed=s) for s in range(tries)])
    expected = 2 / math.sqrt(math.pi * n) * integral
    assert abs(found.mean() - expected) < 4 * found.std() / math.sqrt(tries)
    assert found.std() / math.sqrt(tries) < 0.05 * expected


def test_float32_is_enough():
    real, fake = normal(500, 147, 0), 1.2 * normal(500, 147, 1)
    assert distance(real.float(), fake.float()) == pytest.approx(distance(real, fake), rel=1e-5)


def test_features_that_cannot_be_compared():
    with pytest.raises(ValueError, match="got 3 and 4"):
        distance(normal(3, 2, 0), normal(4, 2, 0))
    broken = normal(3, 2, 0)
    broken[1, 1] = math.nan
    with pytest.raises(ValueError, match="NaN"):
        distance(broken, normal(3, 2, 0))


# The score


def test_a_set_with_itself_has_the_floor_of_independent_patches():
    """Patches are drawn for each set: more of them bring a set nearer to itself, and nothing else is as near."""
    images, others = smooth(40, 32, 0), noise(40, 32, 1)
    few, many = score(images, images, patches=8), score(images, images, patches=128)
    assert many.average < few.average / 2
    assert list(many.levels) == [32, 16] and many.average == pytest.approx(sum(many.levels.values()) / 2)
    assert 3 * many.average < score(images, others, patches=128).average


def test_what_is_lost_is_seen_at_its_own_level():
    """Blur takes the fine detail: the finest level tells, the coarsest hardly."""
    images = noise(60, 64, 0)
    blurred = doubled(halved(images.float())).round().to(torch.uint8)
    fresh, worse = score(images, noise(60, 64, 1), patches=128), score(images, blurred, patches=128)
    assert worse.levels[64] > 3 * fresh.levels[64]
    assert worse.levels[16] < 1.5 * fresh.levels[16]


def test_brightness_and_contrast_of_the_whole_set_cost_nothing():
    images = noise(30, 16, 0) // 2
    same = score(images, images).average
    assert score(images, images + 60).average == pytest.approx(same, rel=1e-5)
    assert score(images, images * 2).average == pytest.approx(same, rel=1e-5)


def test_a_collapsed_generator_has_a_score():
    black = torch.zeros(10, 3, 32, 32, dtype=torch.uint8)
    assert 100 < score(noise(10, 32, 0), black).average < math.inf
    assert score(black, black).average == 0


def test_the_score_is_a_function_of_the_generator():
    real, fake = noise(10, 16, 0, channels=1), noise(10, 16, 1, channels=1)
    before = torch.get_rng_state()
    assert score(real, fake) == score(real, fake) != score(real, fake, seed=1)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("size", "expected"),
    [(16, [16]), (28, [28]), (33, [33]), (66, [66, 33]), (1024, [1024, 512, 256, 128, 64, 32, 16])],
)
def test_levels_end_at_16_pixels_or_where_halves_are_not_whole(size, expected):
    assert level_sizes(size, size) == [(level, level) for level in expected]
    assert level_sizes(size, 16) == [(size, 16)]


def test_images_that_cannot_be_compared():
    with pytest.raises(ValueError, match="as many images of one shape, got 4 of 3x16x16 and 5 of 3x16x16"):
        score(noise(4, 16, 0), noise(5, 16, 0))
    with pytest.raises(ValueError, match="one shape"):
        score(noise(4, 16, 0), noise(4, 32, 0))
    with pytest.raises(ValueError, match="at least 16x16 pixels, got 4 of 3x8x8"):
        score(noise(4, 8, 0), noise(4, 8, 0))
    with pytest.raises(ValueError, match="got 0 of"):
        score(noise(0, 16, 0), noise(0, 16, 0))
