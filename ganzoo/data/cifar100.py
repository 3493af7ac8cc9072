"""CIFAR-100: 60,000 photographs in 100 classes, 32x32 RGB (Krizhevsky 2009), read by torchvision."""

from dataclasses import dataclass
from typing import ClassVar

from torchvision.datasets import CIFAR100

from ganzoo.data.base import Split
from ganzoo.data.samples import Samples
from ganzoo.data.torchvision_config import Facts, TorchvisionConfig
from ganzoo.data.torchvision_sets import load_split

FILES = ("cifar-100-python/train", "cifar-100-python/test", "cifar-100-python/meta")


@dataclass(frozen=True, kw_only=True)
class Config(TorchvisionConfig):
    """50,000 train and 10,000 test images of 32x32, with the 100 fine labels."""

    facts: ClassVar[Facts] = Facts("CIFAR-100", FILES, 50_000, 10_000, 100)


def load(config: Config, split: Split) -> Samples:
    """uint8 (n, channels, resolution, resolution)."""
    return load_split(CIFAR100, config, split)
