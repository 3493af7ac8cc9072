"""CIFAR-10: 60,000 photographs in 10 classes, 32x32 RGB (Krizhevsky 2009), read by torchvision."""

from dataclasses import dataclass
from typing import ClassVar

from torchvision.datasets import CIFAR10

from ganzoo.data.base import Split
from ganzoo.data.samples import Samples
from ganzoo.data.torchvision_config import Facts, TorchvisionConfig
from ganzoo.data.torchvision_sets import load_split

FILES = tuple(
    f"cifar-10-batches-py/{name}" for name in (*(f"data_batch_{k}" for k in range(1, 6)), "test_batch", "batches.meta")
)


@dataclass(frozen=True, kw_only=True)
class Config(TorchvisionConfig):
    """50,000 train and 10,000 test images of 32x32."""

    facts: ClassVar[Facts] = Facts("CIFAR-10", FILES, 50_000, 10_000, 10)


def load(config: Config, split: Split) -> Samples:
    """uint8 (n, channels, resolution, resolution)."""
    return load_split(CIFAR10, config, split)
