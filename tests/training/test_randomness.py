"""Every random stream is captured and put back."""

import io
import random

import numpy as np
import torch

from ganzoo.training.randomness import random_states, restore_random_states, untouched_randomness


def draw() -> list[float]:
    return [torch.rand(()).item(), random.random(), random.gauss(0, 1), np.random.rand(), np.random.randn()]


def test_restored_streams_repeat_themselves_after_a_weights_only_file():
    draw()  # an odd number of Gaussians: numpy and Python keep the second of a pair
    file = io.BytesIO()
    torch.save(random_states(), file)
    drawn = [draw() for _ in range(700)]  # more than one block of every Mersenne twister
    file.seek(0)
    restore_random_states(torch.load(file, weights_only=True))
    assert [draw() for _ in range(700)] == drawn


def test_untouched_randomness_hides_what_was_drawn():
    before = random_states()
    with untouched_randomness():
        draw()
    first = draw()
    restore_random_states(before)
    assert draw() == first
