"""MNIST: 70,000 handwritten digits, 28x28 grey (LeCun et al. 1998), read by torchvision."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from torchvision.datasets import MNIST

from ganzoo.config import setting
from ganzoo.data.base import Split
from ganzoo.data.samples import Samples
from ganzoo.data.torchvision_config import IDX_FILES, Facts, TorchvisionConfig
from ganzoo.data.torchvision_sets import load_split


@dataclass(frozen=True, kw_only=True)
class Config(TorchvisionConfig):
    """60,000 train and 10,000 test images of 28x28."""

    facts: ClassVar[Facts] = Facts("MNIST", tuple(f"MNIST/raw/{name}" for name in IDX_FILES), 60_000, 10_000, 10)

    channels: Literal[1, 3] = setting(1, "1: grey, 3: the same grey in R, G and B")


def load(config: Config, split: Split) -> Samples:
    """uint8 (n, channels, resolution, resolution), bright on black."""
    return load_split(MNIST, config, split)
