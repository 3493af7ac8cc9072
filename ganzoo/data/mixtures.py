"""Mixtures of equally likely round Gaussians in the plane."""

import torch

from ganzoo.data.base import Split
from ganzoo.data.samples import Samples

Modes = tuple[tuple[tuple[float, float], ...], float]  # centres, standard deviation

SEEDS = {"train": 1704, "heldout": 1705}  # constants: the data are not part of what an experiment's seed varies


def stream(split: Split) -> torch.Generator:
    """The random numbers that a split is made of; no number is in both splits."""
    return torch.Generator().manual_seed(SEEDS[split])


def sample(modes: Modes, count: int, split: Split) -> Samples:
    """Independent points (count, 2), float32; the label of a point is the index of its mode."""
    centres, sigma = modes
    random = stream(split)
    labels = torch.randint(len(centres), (count,), generator=random)
    points = torch.tensor(centres)[labels] + sigma * torch.randn(count, 2, generator=random)
    return Samples(points, labels, class_names=tuple(f"({x:.2f}, {y:.2f})" for x, y in centres))
