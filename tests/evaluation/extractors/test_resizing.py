"""Resizing, against Pillow, against TensorFlow 1's rule, and by what every resize must leave as it is."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ganzoo.evaluation.extractors.resizing import Resize, resized

EVERY: tuple[Resize, ...] = ("bilinear-antialias", "tf1-bilinear", "pil-bicubic")
SIZES = [(32, 32, 299), (28, 28, 16), (61, 40, 99), (200, 333, 64), (100, 99, 99)]


def pixels(height: int, width: int, n: int = 1) -> torch.Tensor:
    return torch.randint(256, (n, 3, height, width), generator=torch.Generator().manual_seed(height)).float()


def of_pillow(image: torch.Tensor, size: int, resample: Image.Resampling) -> torch.Tensor:
    channels = [Image.fromarray(channel.numpy()).resize((size, size), resample=resample) for channel in image]
    assert all(channel.mode == "F" for channel in channels)
    return torch.from_numpy(np.stack([np.asarray(channel) for channel in channels]))


@pytest.mark.parametrize(("height", "width", "size"), SIZES)
def test_bicubic_is_pillows_clipped(height, width, size):
    images = pixels(height, width, n=2)
    expected = torch.stack([of_pillow(image, size, Image.Resampling.BICUBIC) for image in images])
    found = resized(images, size, "pil-bicubic")
    assert found.dtype == torch.float32
    assert torch.allclose(found, expected.clamp(0, 255), rtol=0, atol=1e-4)
    assert (found != found.round()).any()  # not quantised again


def test_bicubic_overshoots_at_an_edge_and_is_clipped():
    edge = torch.zeros(1, 3, 8, 8)
    edge[..., 4:] = 255
    overshoot = of_pillow(edge[0], 32, Image.Resampling.BICUBIC)
    assert overshoot.min() < -10 and overshoot.max() > 265
    found = resized(edge, 32, "pil-bicubic")
    assert (found.min(), found.max()) == (0, 255)


@pytest.mark.parametrize(("height", "width", "size"), SIZES)
def test_antialiased_bilinear_is_pillows(height, width, size):
    """To a fiftieth of a grey level: torch takes the weights in float32, Pillow in float64."""
    image = pixels(height, width)[0]
    expected = of_pillow(image, size, Image.Resampling.BILINEAR)
    assert torch.allclose(resized(image[None], size, "bilinear-antialias")[0], expected, rtol=0, atol=0.02)


def test_tensorflow_1_puts_output_pixel_i_at_input_pixel_i_over_scale():
    row = torch.tensor([0.0, 10.0, 40.0, 100.0])
    image = row.expand(1, 1, 4, 4)
    wider = resized(image, 8, "tf1-bilinear")[0, 0, 0]
    assert wider.tolist() == [0, 5, 10, 25, 40, 70, 100, 100]  # the last one has no right neighbour
    assert resized(image, 2, "tf1-bilinear")[0, 0, 0].tolist() == [0, 40]  # every second one: aliased


def test_only_the_antialiased_ones_make_a_chessboard_grey():
    board = ((torch.arange(64)[:, None] + torch.arange(64)) % 2 * 255.0).expand(1, 3, 64, 64)
    for how in ("bilinear-antialias", "pil-bicubic"):
        assert (resized(board, 16, how)[..., 2:-2, 2:-2] - 127.5).abs().max() < 1
    assert resized(board, 16, "tf1-bilinear").unique().tolist() == [0]


@given(st.sampled_from(EVERY), st.integers(1, 20), st.integers(1, 20), st.integers(1, 40), st.floats(0, 255, width=32))
def test_one_colour_stays_that_colour(how, height, width, size, value):
    images = torch.full((2, 3, height, width), value)
    found = resized(images, size, how)
    assert found.shape == (2, 3, size, size)
    assert torch.allclose(found, torch.tensor(value), rtol=1e-6, atol=1e-5)


@given(st.sampled_from(EVERY), st.integers(2, 20), st.integers(2, 20), st.integers(1, 40))
def test_in_another_range_it_is_the_same_picture(how, height, width, size):
    images = pixels(height, width)
    in_network_range = resized(images / 127.5 - 1, size, how, limits=(-1, 1))
    assert torch.allclose(resized(images, size, how), (in_network_range + 1) * 127.5, rtol=0, atol=0.02)
    assert in_network_range.abs().max() <= 1 + 1e-6


@pytest.mark.parametrize("how", EVERY)
def test_an_image_is_resized_by_itself_and_squares_of_the_size_are_left_alone(how):
    images = pixels(30, 20, n=3)
    together = resized(images, 37, how)
    assert all(torch.equal(together[i : i + 1], resized(images[i : i + 1], 37, how)) for i in range(3))
    assert resized(together, 37, how) is together
