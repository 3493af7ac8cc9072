"""Stripes: a plugin's data set: horizontal and vertical stripes."""

from dataclasses import dataclass
from typing import Literal

import torch

from ganzoo.config import setting
from ganzoo.data.base import ImageConfig, Split
from ganzoo.data.samples import Samples


@dataclass(frozen=True, kw_only=True)
class Config(ImageConfig):
    channels: Literal[1, 3] = setting(1, "grey")

    @property
    def num_classes(self) -> int:
        return 2


def load(config: Config, split: Split) -> Samples:
    size = config.resolution
    rows = (torch.arange(size) % 2 * 255).to(torch.uint8).view(size, 1).expand(size, size)
    both = torch.stack([rows, rows.T]).view(2, 1, size, size).expand(-1, config.channels, -1, -1)
    return Samples(both.repeat(20, 1, 1, 1), torch.arange(2).repeat(20), ("horizontal", "vertical"))
