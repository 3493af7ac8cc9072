"""Ring: 8 Gaussians on a circle in the plane, as in WGAN-GP (arXiv:1704.00028) or VEEGAN (arXiv:1705.07761)."""

import math
from dataclasses import dataclass
from typing import Literal

from ganzoo.config import setting
from ganzoo.data.base import PointsConfig, Split
from ganzoo.data.mixtures import sample
from ganzoo.data.samples import Samples

MODES = 8
# radius, standard deviation, and what both are divided by at last
SCALINGS = {
    "wgan_gp": (2.0, 0.02, 1.414),  # igul222/improved_wgan_training:gan_toy.py
    "veegan": (1.0, 0.01, 1.0),  # fjxmlzn/PacGAN:synthetic_data_experiments, after VEEGAN's table 1
}


@dataclass(frozen=True, kw_only=True)
class Config(PointsConfig):
    """The k-th centre is at the angle k pi / 4."""

    scaling: Literal["wgan_gp", "veegan"] = setting(
        "wgan_gp", "whose units: wgan_gp (radius 1.414, sigma .0141) or veegan (radius 1, sigma .01; PacGAN's too)"
    )

    @property
    def num_classes(self) -> int:
        return MODES

    @property
    def modes(self) -> tuple[tuple[tuple[float, float], ...], float]:
        radius, sigma, divisor = SCALINGS[self.scaling]
        angles = [k * 2 * math.pi / MODES for k in range(MODES)]
        return tuple((radius * math.cos(a) / divisor, radius * math.sin(a) / divisor) for a in angles), sigma / divisor


def load(config: Config, split: Split) -> Samples:
    """float32 (num_points, 2)."""
    return sample(config.modes, config.num_points, split)
