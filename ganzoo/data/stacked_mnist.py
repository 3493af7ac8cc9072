"""Stacked MNIST: three random MNIST digits as R, G and B, 1,000 modes (Srivastava et al. 2017, arXiv:1705.07761)."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from ganzoo.config import setting
from ganzoo.data import mnist
from ganzoo.data.base import Split
from ganzoo.data.mixtures import stream
from ganzoo.data.samples import Samples
from ganzoo.data.torchvision_config import IDX_FILES, Facts, TorchvisionConfig

DIGITS = 10


@dataclass(frozen=True, kw_only=True)
class Config(TorchvisionConfig):
    """128,000 train images (an epoch of PacGAN, arXiv:1712.04086) of MNIST's train digits, 26,000 of its test digits.

    The number 26,000 is that of the samples which VEEGAN and PacGAN score. The triples are drawn once from a fixed
    seed: the data are the same for every experiment seed.
    """

    facts: ClassVar[Facts] = Facts("MNIST", tuple(f"MNIST/raw/{name}" for name in IDX_FILES), 128_000, 26_000, 1000)

    channels: Literal[3] = setting(3, "a digit each")


def load(config: Config, split: Split) -> Samples:
    """uint8 (n, 3, resolution, resolution), bright on black; the label is the number that R, G and B spell.

    The digits of a triple are drawn independently, with replacement, from all images of MNIST's split. Its classes
    are not equally frequent, and neither are the 1,000 modes: see docs/data.md.
    """
    digits = mnist.load(mnist.Config(root=config.root, download=config.download, resolution=config.resolution), split)
    count = config.facts.num_train if split == "train" else config.facts.num_heldout
    triples = torch.randint(len(digits), (count, 3), generator=stream(split))
    places = torch.tensor([DIGITS**2, DIGITS, 1])
    return Samples(
        values=digits.values[:, 0][triples],
        labels=(digits.labels[triples] * places).sum(dim=1),
        class_names=tuple(f"{number:03}" for number in range(DIGITS**3)),
    )
