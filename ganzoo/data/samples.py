"""A split of a data set in memory, and how it becomes what the networks see."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ganzoo.shapes import Images, Labels


@dataclass(frozen=True)
class Samples:
    """A split, decoded once.

    Attributes:
        values: uint8 pixels (n, c, h, w), or float32 points (n, 2).
        labels: (n,) int64 class indices; zeros where the data are unlabelled.
        class_names: one name a class; empty where the data are unlabelled.
    """

    values: Tensor
    labels: Labels
    class_names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.values)

    @property
    def nbytes(self) -> int:
        return self.values.nbytes + self.labels.nbytes

    def to(self, device: torch.device) -> "Samples":
        return Samples(self.values.to(device), self.labels.to(device), self.class_names)


def to_network_range(values: Tensor) -> Images:
    """uint8 pixels 0..255 to float32 in [-1, 1] (0 -> -1, 255 -> 1); floats pass as they are."""
    return values.to(torch.float32).div_(127.5).sub_(1.0) if values.dtype == torch.uint8 else values


def to_pixels(images: Images) -> Tensor:
    """[-1, 1] to the nearest uint8, 0..255, clipped: the exact inverse of `to_network_range` on its range."""
    return images.float().add(1.0).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)
