"""Swiss roll: a noisy spiral in the plane, as in WGAN-GP (arXiv:1704.00028)."""

from dataclasses import dataclass
from typing import Literal

import torch

from ganzoo.config import setting
from ganzoo.data.base import PointsConfig, Split
from ganzoo.data.mixtures import stream
from ganzoo.data.samples import Samples

NOISE = 0.25  # standard deviation before the division; igul222/improved_wgan_training:gan_toy.py
DIVISOR = 7.5


@dataclass(frozen=True, kw_only=True)
class Config(PointsConfig):
    """scikit-learn's `make_swiss_roll` without its depth: radius = angle = 1.5 pi (1 + 2u), u uniform in [0, 1)."""

    scaling: Literal["wgan_gp"] = setting("wgan_gp", "whose units: wgan_gp (noise .25 and radius up to 14.1, over 7.5)")


def load(config: Config, split: Split) -> Samples:
    """float32 (num_points, 2); unlabelled."""
    random = stream(split)
    angle = 1.5 * torch.pi * (1 + 2 * torch.rand(config.num_points, generator=random))
    spiral = torch.stack([angle * angle.cos(), angle * angle.sin()], dim=1)
    noise = NOISE * torch.randn(config.num_points, 2, generator=random)
    return Samples((spiral + noise) / DIVISOR, torch.zeros(config.num_points, dtype=torch.int64))
