"""Grid: 25 Gaussians in the plane, five by five, as in WGAN-GP (arXiv:1704.00028) or VEEGAN (arXiv:1705.07761)."""

from dataclasses import dataclass
from itertools import product
from typing import Literal

from ganzoo.config import setting
from ganzoo.data.base import PointsConfig, Split
from ganzoo.data.mixtures import sample
from ganzoo.data.samples import Samples

LINES = (-4.0, -2.0, 0.0, 2.0, 4.0)
SIGMA = 0.05
# what centres and standard deviation are divided by
SCALINGS = {
    "wgan_gp": 2.828,  # igul222/improved_wgan_training:gan_toy.py
    "veegan": 1.0,  # fjxmlzn/PacGAN:synthetic_data_experiments, after VEEGAN's table 1
}


@dataclass(frozen=True, kw_only=True)
class Config(PointsConfig):
    """Centres are ordered by their first coordinate, then by their second."""

    scaling: Literal["wgan_gp", "veegan"] = setting(
        "wgan_gp", "whose units: wgan_gp (spacing .707, sigma .0177) or veegan (spacing 2, sigma .05; PacGAN's too)"
    )

    @property
    def num_classes(self) -> int:
        return len(LINES) ** 2

    @property
    def modes(self) -> tuple[tuple[tuple[float, float], ...], float]:
        divisor = SCALINGS[self.scaling]
        return tuple((x / divisor, y / divisor) for x, y in product(LINES, LINES)), SIGMA / divisor


def load(config: Config, split: Split) -> Samples:
    """float32 (num_points, 2)."""
    return sample(config.modes, config.num_points, split)
