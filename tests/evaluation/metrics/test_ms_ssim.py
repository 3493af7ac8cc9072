"""MS-SSIM against the definition in plain loops and against torchmetrics, and the pairs that diversity is a mean of."""

import math

import numpy as np
import pytest
import torch
from drawn import random
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from torchmetrics.functional.image import (
    multiscale_structural_similarity_index_measure,
    structural_similarity_index_measure,
)

from ganzoo.evaluation.metrics import ms_ssim as module
from ganzoo.evaluation.metrics.ms_ssim import ms_ssim, ms_ssim_diversity, random_pairs


def noise(n: int, height: int, width: int, seed: int, channels: int = 3) -> torch.Tensor:
    return torch.randint(0, 256, (n, channels, height, width), generator=random(seed), dtype=torch.uint8)


def near(images: torch.Tensor, strength: float, seed: int) -> torch.Tensor:
    """The images with some noise."""
    noisy = images + strength * torch.randn(images.shape, generator=random(seed))
    return noisy.round().clamp(0, 255).to(torch.uint8)


def smooth(n: int, size: int, seed: int) -> torch.Tensor:
    blurred = ndimage.gaussian_filter(noise(n, size, size, seed).numpy().astype(float), (0, 0, 3, 3), mode="wrap")
    return torch.from_numpy(((blurred - blurred.min()) / np.ptp(blurred) * 255).astype(np.uint8))


# One pair


def plain_ms_ssim(x: np.ndarray, y: np.ndarray) -> float:
    """The definition for one pair (c, h, w), window by window, as Wang's and TensorFlow's code have it."""
    result, weights = 1.0, (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
    for scale, power in enumerate(weights):
        size = min(11, *x.shape[1:])
        offset = np.arange(size) - (size - 1) / 2
        window = np.exp(-(offset[:, None] ** 2 + offset**2) / (2 * (1.5 * size / 11) ** 2))
        window /= window.sum()
        structure, whole = [], []
        for a, b in zip(x, y, strict=True):
            for i in range(a.shape[0] - size + 1):
                for j in range(a.shape[1] - size + 1):
                    p, q = a[i : i + size, j : j + size], b[i : i + size, j : j + size]
                    mp, mq = (window * p).sum(), (window * q).sum()
                    vp, vq = (window * (p - mp) ** 2).sum(), (window * (q - mq) ** 2).sum()
                    cov = (window * (p - mp) * (q - mq)).sum()
                    structure.append((2 * cov + 7.65**2) / (vp + vq + 7.65**2))
                    whole.append(structure[-1] * (2 * mp * mq + 2.55**2) / (mp**2 + mq**2 + 2.55**2))
        result *= max(0.0, np.mean(whole if scale == 4 else structure)) ** power
        height, width = (side // 2 * 2 for side in x.shape[1:])
        x, y = (
            sum(image[:, i:height:2, j:width:2] for i in (0, 1) for j in (0, 1)) / 4
            for image in (x.astype(float), y.astype(float))
        )
    return result


@pytest.mark.parametrize(("channels", "height", "width"), [(3, 16, 16), (1, 28, 28), (3, 32, 32), (1, 19, 37)])
def test_ms_ssim_is_its_definition(channels, height, width):
    x = noise(1, height, width, 0, channels)
    for y in (near(x, 30, 1), near(x, 100, 2)):
        expected = plain_ms_ssim(x[0].numpy().astype(float), y[0].numpy().astype(float))
        assert 0.1 < expected < 0.99
        assert ms_ssim(x, y).item() == pytest.approx(expected, rel=1e-10)


def test_ms_ssim_equals_torchmetrics_but_for_the_last_edge():
    """torchmetrics takes the last scale's mean over mirrored edges too: with ours in its place it is the same."""
    x = smooth(1, 176, 0)
    y = near(x, 30, 1)
    a, b = x.double(), y.double()
    theirs = multiscale_structural_similarity_index_measure(a, b, data_range=255.0, reduction="none")
    for _ in range(4):
        a, b = torch.nn.functional.avg_pool2d(a, 2), torch.nn.functional.avg_pool2d(b, 2)
    with_edges, image = structural_similarity_index_measure(
        a, b, data_range=255.0, reduction="none", return_full_image=True
    )
    within = image[..., 5:-5, 5:-5].flatten(1).mean(dim=1)
    assert torch.allclose(ms_ssim(x, y), theirs * (within / with_edges) ** 0.1333, rtol=1e-9, atol=0)
    assert torch.allclose(ms_ssim(x, y), theirs, rtol=0.02, atol=0)
    assert (theirs < 0.95).all()


@given(st.integers(16, 33), st.integers(16, 33), st.sampled_from([1, 3]), st.integers(0, 100))
@settings(max_examples=12)
def test_an_image_with_itself_is_1_and_any_two_are_between_0_and_1(height, width, channels, seed):
    x, y = noise(2, height, width, seed, channels), noise(2, height, width, seed + 1, channels)
    assert (ms_ssim(x, x) == 1).all()
    assert torch.equal(ms_ssim(x, y), ms_ssim(y, x))
    assert ((ms_ssim(x, y) >= 0) & (ms_ssim(x, y) < 1)).all()


def test_flat_images_differ_by_their_luminance_only():
    """Without any structure c = 1, so what remains is l = (2 a b + C1) / (a^2 + b^2 + C1), to the last weight."""
    x, y = (torch.full((1, 1, 32, 32), grey, dtype=torch.uint8) for grey in (50, 100))
    expected = ((2 * 50 * 100 + 2.55**2) / (50**2 + 100**2 + 2.55**2)) ** 0.1333
    assert ms_ssim(x, y).item() == pytest.approx(expected, rel=1e-9)


def test_a_negative_is_as_unlike_as_can_be():
    x = smooth(2, 32, 0)
    assert (ms_ssim(x, 255 - x) == 0).all()


def test_more_noise_is_less_alike():
    x = smooth(2, 64, 0)
    values = [ms_ssim(x, near(x, strength, 1)).mean().item() for strength in (5, 20, 60)]
    assert 1 > values[0] > values[1] > values[2] > 0


def test_many_pairs_are_compared_a_few_at_a_time(monkeypatch):
    x, y = noise(7, 16, 16, 0), noise(7, 16, 16, 1)
    whole = ms_ssim(x, y)
    monkeypatch.setattr(module, "NUMBERS_AT_ONCE", 1)
    assert torch.equal(ms_ssim(x, y), whole) and whole.dtype == torch.float64


def test_images_that_cannot_be_compared():
    with pytest.raises(ValueError, match="one shape"):
        ms_ssim(noise(2, 16, 16, 0), noise(2, 16, 17, 0))
    with pytest.raises(ValueError, match="16x16 pixels, got 20x15"):
        ms_ssim(noise(2, 20, 15, 0), noise(2, 20, 15, 0))


# A set


def test_a_collapsed_generator_has_no_diversity():
    value, interval = ms_ssim_diversity(noise(1, 16, 16, 0).expand(9, -1, -1, -1), pairs=4, generator=random(0))
    assert value == 1 and interval[:2] == (1, 1)


def test_within_classes_images_are_more_alike():
    """Two prototypes and their noisy copies: with labels every pair is of one prototype."""
    prototypes, labels = smooth(2, 16, 0), torch.arange(60) % 2
    images = near(prototypes[labels], 10, 1)
    overall = ms_ssim_diversity(images, pairs=30, generator=random(0))
    within = ms_ssim_diversity(images, pairs=30, labels=labels, generator=random(0))
    assert within.interval.low > 0.8 > overall.interval.high
    assert within.interval.low < within.value < within.interval.high
    assert within.interval.how == "Student t over 30 pairs"


def test_diversity_is_a_function_of_the_generator():
    images, before = noise(40, 16, 16, 0), torch.get_rng_state()
    values = [ms_ssim_diversity(images, pairs=5, generator=random(seed)).value for seed in (0, 0, 1)]
    assert values[0] == values[1] != values[2]
    assert torch.equal(torch.get_rng_state(), before)


def test_the_interval_has_its_coverage():
    """Of 100 independent sets about 95 intervals hold the mean over all pairs; 4 standard deviations are 9."""
    population, n = near(smooth(30, 16, 0), 40, 1), 30
    first, second = torch.cartesian_prod(torch.arange(n), torch.arange(n)).unbind(dim=1)
    expected = ms_ssim(population[first], population[second]).mean().item()
    hits = 0
    for seed in range(100):
        drawn = population[torch.randint(n, (60,), generator=random(seed))]
        interval = ms_ssim_diversity(drawn, pairs=30, generator=random(seed)).interval
        hits += interval.low < expected < interval.high
    assert 86 <= hits <= 99


@given(st.lists(st.integers(0, 3), min_size=2, max_size=40), st.integers(0, 100), st.booleans())
def test_pairs_are_of_different_samples_of_one_class(classes, seed, labelled):
    count, labels = len(classes), torch.tensor(classes) if labelled else None
    most = sum(classes.count(label) // 2 for label in set(classes)) if labelled else count // 2
    with pytest.raises(ValueError, match=f"1 to {most} pairs"):
        random_pairs(count, most + 1, labels, random(seed))
    if most:
        pairs = random_pairs(count, most, labels, random(seed))
        assert len(pairs.flatten().unique()) == 2 * most
        assert labels is None or (labels[pairs[:, 0]] == labels[pairs[:, 1]]).all()


def test_every_pair_is_as_likely():
    """Of 4 samples 6 pairs; chi-square with 5 degrees of freedom is below its 99.9th percentile, 20.5."""
    generator, counts = random(0), torch.zeros(4, 4)
    for _ in range(3000):
        one, other = random_pairs(4, 1, None, generator)[0].sort().values.tolist()
        counts[one, other] += 1
    found = counts[torch.triu(torch.ones(4, 4), 1) == 1]
    assert ((found - 500) ** 2 / 500).sum() < 20.5
    assert math.isclose(found.sum(), 3000)
