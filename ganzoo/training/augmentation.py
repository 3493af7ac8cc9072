"""DiffAugment: Zhao et al. 2020, arXiv:2006.10738: reals and fakes are augmented before they are judged.

The same kind of change is made to both, in discriminator and in generator updates, and gradients flow through it; so
the generator learns the images as they are. Magnitudes are those of the authors' code (mit-han-lab/data-efficient-gans,
DiffAugment_pytorch.py).
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from ganzoo.ranks import drawn
from ganzoo.shapes import Images, PerSample


def augmented(images: Images, kinds: Iterable[str]) -> Images:
    """The images after each kind of change in turn, each image its own by chance.

    >>> augmented(torch.zeros(2, 1, 8, 8), ["translation"]).shape
    torch.Size([2, 1, 8, 8])
    """
    for kind in kinds:
        images = AUGMENTATIONS[kind](images)
    return images


def recoloured(images: Images) -> Images:
    """Brightness + U(-0.5, 0.5), then saturation x U(0, 2), then contrast x U(0.5, 1.5)."""
    images = images + _column(_uniform(images, -0.5, 0.5), images)
    grey = images.mean(dim=1, keepdim=True)
    images = grey + _column(_uniform(images, 0.0, 2.0), images) * (images - grey)
    middle = images.mean(dim=(1, 2, 3), keepdim=True)
    return middle + _column(_uniform(images, 0.5, 1.5), images) * (images - middle)


def translated(images: Images) -> Images:
    """Moved by up to an eighth of the size each way, with zeros where nothing was."""
    height, width = images.shape[2:]
    down, right = (_whole(images, -(size // 8), size // 8) for size in (height, width))
    rows = torch.arange(height, device=images.device) - down[:, None]  # (n, h): where each row comes from
    columns = torch.arange(width, device=images.device) - right[:, None]
    inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None, :]
    each = torch.arange(len(images), device=images.device)[:, None, None]
    moved = images.permute(0, 2, 3, 1)[
        each, rows.clamp(0, height - 1)[:, :, None], columns.clamp(0, width - 1)[:, None, :]
    ]
    return moved.permute(0, 3, 1, 2) * inside[:, None]


def cut_out(images: Images) -> Images:
    """A square of half the size, anywhere, also partly outside, set to zero."""
    inside = []
    for size in images.shape[2:]:
        middle = _whole(images, 0, size - size // 2 % 2)
        offset = torch.arange(size, device=images.device) - middle[:, None] + size // 4
        inside.append((offset >= 0) & (offset < size // 2))
    return images * ~(inside[0][:, None, :, None] & inside[1][:, None, None, :])


def _uniform(images: Images, low: float, high: float) -> PerSample:
    device = images.device
    return drawn(lambda n, stream: torch.rand(n, device=device, generator=stream), len(images)) * (high - low) + low


def _whole(images: Images, least: int, most: int) -> Tensor:
    """(n,) whole numbers from least to most."""
    device = images.device
    return drawn(lambda n, stream: torch.randint(least, most + 1, (n,), device=device, generator=stream), len(images))


def _column(values: PerSample, images: Images) -> Tensor:
    return values.to(images.dtype).view(-1, *(1 for _ in images.shape[1:]))


AUGMENTATIONS: dict[str, Callable[[Images], Images]] = {
    "color": recoloured,
    "translation": translated,
    "cutout": cut_out,
}
