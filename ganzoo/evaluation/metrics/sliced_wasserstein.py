"""How far apart two sets of images are in their local structure, at every scale: no network looks at them.

Karras et al. 2018, arXiv:1710.10196, section 5.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.nn import functional

from ganzoo.evaluation.metrics.numerics import OtherFeatures
from ganzoo.shapes import Features, Pixels

SMALLEST = 16  # pixels: of the coarsest level
PATCH = 7  # pixels, both ways
SCALE = 1e3  # in which the distance is published
DIRECTIONS_AT_ONCE = 16  # 2,000,000 patches of each set, projected on so many: 270 MB
PATCHES_AT_ONCE = 1 << 12
PIXELS_AT_ONCE = 1 << 21  # of images, while a pyramid is built
BINOMIAL = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16  # Burt & Adelson 1983

OtherPixels = UInt8[Tensor, "m channels height width"]
Planes = Float[Tensor, "n c _ _"]
Positions = Int[Tensor, "n patches"]
Patches = Float[Tensor, "all_patches c area"]


class SlicedWasserstein(NamedTuple):
    """The distance x 1000 at every level of the pyramid; 0 or more, lower is better.

    Attributes:
        levels: by the level's height in pixels, the finest first: 128, 64, 32, 16 for images of 128.
        average: over the levels.
    """

    levels: dict[int, float]
    average: float


def sliced_wasserstein(
    real: Pixels, fake: OtherPixels, *, patches: int = 128, directions: int = 512, generator: torch.Generator
) -> SlicedWasserstein:
    """The sliced Wasserstein distance between random 7x7 patches of both sets, at each level of a Laplacian pyramid.

    Every image gives `patches` patches a level, at random places of its own. Each set's patches are brought to mean 0
    and deviation 1, channel by channel, so that a shift of a set's colours costs nothing. Then
    `sliced_distance` compares them. Levels are halved while they have an even size and what comes out has 16 pixels
    or more; each holds what its size shows and the next coarser one does not, and the last holds the rest.

    The places are drawn for each set: two samples of one distribution, and a set with itself too, have a distance
    that is not 0 but falls like 1 / sqrt(images). So scores compare at equal numbers of images only (16,384 in the
    paper). A channel that is constant over a whole set stays 0 instead of being divided by its deviation of 0.
    No interval: a set's patches are far from independent.

    Raises ValueError for different numbers or shapes of images, for none, and for images of fewer than 16 pixels.
    Memory: the patches of one level of both sets; for 16,384 colour images and 128 patches 2.5 GB.
    """
    if real.shape != fake.shape:
        raise ValueError(f"both sets must be as many images of one shape, got {_shape(real)} and {_shape(fake)}")
    if len(real) == 0 or min(real.shape[2:]) < SMALLEST:
        raise ValueError(f"need images of at least {SMALLEST}x{SMALLEST} pixels, got {_shape(real)}")
    levels = {}
    for index, (height, width) in enumerate(level_sizes(*real.shape[2:])):
        ours, theirs = (_descriptors(images, index, patches, height, width, generator) for images in (real, fake))
        levels[height] = SCALE * sliced_distance(ours, theirs, directions=directions, generator=generator)
    return SlicedWasserstein(levels, math.fsum(levels.values()) / len(levels))


def sliced_distance(real: Features, fake: OtherFeatures, *, directions: int, generator: torch.Generator) -> float:
    """The mean, over random directions, of the Wasserstein-1 distance between the projections (Rabin et al. 2011).

    That of n numbers and n others is the mean difference of both in ascending order. 0 or more, lower is better.
    The paper's 4 times 128 directions are 512 here: the mean is the same.
    Raises ValueError for different numbers of samples, and for values that are NaN or infinite.
    """
    if real.shape != fake.shape or len(real) == 0:
        raise ValueError(f"both sets must have as many samples, at least one, got {len(real)} and {len(fake)}")
    drawn = torch.randn(directions, real.shape[1], generator=generator, dtype=torch.float64)
    units = drawn / drawn.norm(dim=1, keepdim=True)
    total = 0.0
    for some in units.split(DIRECTIONS_AT_ONCE):
        ours, theirs = (_sorted_projections(features, some) for features in (real, fake))
        total += np.abs(np.subtract(ours, theirs, out=ours), out=ours).mean(axis=1, dtype=np.float64).sum()
    if not math.isfinite(total):
        raise ValueError("some of the samples are NaN, infinite or too large to be compared")
    return float(total / directions)


def _sorted_projections(features: Features, units: Float[Tensor, "directions features"]) -> np.ndarray:
    """(directions, n), in the precision of the features. NumPy sorts ten times as fast as torch."""
    projections = (units.to(features.dtype) @ features.T).numpy()
    projections.sort(axis=1)
    return projections


def _shape(images: Pixels) -> str:
    return f"{len(images)} of {'x'.join(map(str, images.shape[1:]))}"


def level_sizes(height: int, width: int) -> list[tuple[int, int]]:
    """Heights and widths of the levels, the finest first.

    >>> level_sizes(128, 128)
    [(128, 128), (64, 64), (32, 32), (16, 16)]
    >>> level_sizes(28, 28), level_sizes(100, 60)
    ([(28, 28)], [(100, 60), (50, 30)])
    """
    sizes = [(height, width)]
    while height % 2 == width % 2 == 0 and min(height, width) >= 2 * SMALLEST:
        height, width = height // 2, width // 2
        sizes.append((height, width))
    return sizes


def laplacian_level(images: Pixels, index: int) -> Planes:
    """Level `index` of the pyramid of `images`, 0 the finest, in units of 0..255: what the next level cannot show.

    The last level is what is left, the image made small. Sums of the levels, made large again, are the images.
    """
    planes = images.float()
    for _ in range(index):
        planes = halved(planes)
    is_last = index + 1 == len(level_sizes(*images.shape[2:]))
    return planes if is_last else planes - doubled(halved(planes))


def halved(planes: Planes) -> Planes:
    """Blurred, and every other pixel of it: OpenCV's pyrDown."""
    return _blurred(planes, BINOMIAL, stride=2)


def doubled(planes: Planes) -> Planes:
    """Zeros between the pixels, blurred, and four times that: OpenCV's pyrUp."""
    n, c, h, w = planes.shape
    spread = planes.new_zeros(n, c, 2 * h, 2 * w)
    spread[:, :, ::2, ::2] = planes
    return _blurred(spread, 2 * BINOMIAL, stride=1)


def _blurred(planes: Planes, window: Tensor, stride: int) -> Planes:
    """Each channel by itself, mirrored at its edges without repeating the edge."""
    alone = functional.pad(planes.flatten(0, 1)[:, None], (2, 2, 2, 2), mode="reflect")
    return functional.conv2d(alone, torch.outer(window, window)[None, None], stride=stride).unflatten(
        0, planes.shape[:2]
    )[:, :, 0]


def _descriptors(
    images: Pixels, index: int, patches: int, height: int, width: int, generator: torch.Generator
) -> OtherFeatures:
    """What `patches` random patches an image look like at one level, each channel of the whole set standardised."""
    rows, columns = (
        torch.randint(size - PATCH + 1, (len(images), patches), generator=generator) for size in (height, width)
    )
    found = torch.empty(len(images) * patches, images.shape[1], PATCH * PATCH)
    at_once = max(1, PIXELS_AT_ONCE // images[0].numel())
    for start in range(0, len(images), at_once):
        part = slice(start, start + at_once)
        cut = _cut(laplacian_level(images[part], index), rows[part], columns[part])
        found[start * patches : start * patches + len(cut)] = cut
    return _standardised(found).flatten(1)


def _cut(planes: Planes, rows: Positions, columns: Positions) -> Patches:
    """The patches whose upper left pixels are at those rows and columns of each image."""
    windows = planes.unfold(2, PATCH, 1).unfold(3, PATCH, 1).permute(0, 2, 3, 1, 4, 5)  # a view
    return windows[torch.arange(len(planes))[:, None], rows, columns].flatten(0, 1).flatten(2)


def _standardised(patches: Patches) -> Patches:
    """In place: each channel to mean 0 and deviation 1; a constant one to 0."""
    n, channels, area = patches.shape

    def mean_power(power: int) -> Tensor:
        parts = patches.flatten(1).split(PATCHES_AT_ONCE)  # a float64 copy of all would be twice what there is
        total = torch.stack([part.double().pow_(power).sum(dim=0) for part in parts]).sum(dim=0)
        return total.view(channels, area).sum(dim=1) / (n * area)

    patches.sub_(mean_power(1).float()[:, None])
    deviation = mean_power(2).sqrt().float()
    return patches.div_(torch.where(deviation > 0, deviation, 1.0)[:, None])
