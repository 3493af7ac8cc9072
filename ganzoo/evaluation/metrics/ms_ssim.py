"""How alike the images of one set are, two by two, by their structure at five scales: no network looks at them.

Wang et al. 2003 ("Multi-scale structural similarity for image quality assessment"); as a measure of a generator's
variety Odena et al. 2017, arXiv:1610.09585, section 4.2, and Karras et al. 2018, arXiv:1710.10196.
"""

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.nn import functional

from ganzoo.evaluation.metrics.estimate import Estimate, interval_of_splits
from ganzoo.shapes import Labels, PerSample, Pixels

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of the scales, the finest first
WINDOW, SIGMA = 11, 1.5  # pixels
K1, K2, RANGE = 0.01, 0.03, 255
SMALLEST = 2 ** (len(WEIGHTS) - 1)  # pixels: one is left at the last scale
NUMBERS_AT_ONCE = 1 << 20  # of one image of each pair; some 20 arrays of that size, in float64, are alive

OtherPixels = UInt8[Tensor, "m channels height width"]
Planes = Float[Tensor, "n c _ _"]
Pairs = Int[Tensor, "pairs 2"]


def ms_ssim(x: Pixels, y: OtherPixels) -> PerSample:
    """The multi-scale structural similarity of each image of `x` with that of `y`: (n,) float64 in [0, 1], 1 if equal.

    The product over five scales of the mean of c^w, in the last of (l c)^w, where l compares the means and c the
    deviations and the correlation under a Gaussian window. Its size (11, sigma 1.5) shrinks with the image where that
    is smaller, windows lie within the image, means below 0 count as 0, and from scale to scale 2x2 pixels become
    their mean (an odd one is left out). All of this is what the code of the PGGAN paper does, which is TensorFlow's;
    torchmetrics, which refuses images under 176 pixels, mirrors the image at its edges in the last scale.

    Raises ValueError for different shapes, and for images of fewer than 16 pixels.
    """
    if x.shape != y.shape:
        raise ValueError(f"both sets must have one shape, got {tuple(x.shape)} and {tuple(y.shape)}")
    if min(x.shape[2:]) < SMALLEST:
        raise ValueError(f"five scales need images of {SMALLEST}x{SMALLEST} pixels, got {x.shape[2]}x{x.shape[3]}")
    at_once = max(1, NUMBERS_AT_ONCE // x[:1].numel()) if len(x) else 1
    pairs = zip(x.split(at_once), y.split(at_once), strict=True)
    return torch.cat([_over_scales(ours.double(), theirs.double()) for ours, theirs in pairs])


def ms_ssim_diversity(
    images: Pixels, *, pairs: int, labels: Labels | None = None, generator: torch.Generator
) -> Estimate:
    """The mean MS-SSIM of random pairs of different images, with labels of one class; 0 to 1, lower is more diverse.

    To be read beside that of real images: mere noise has a low one too. Published: 10,000 pairs (PGGAN), 100 of a
    class (AC-GAN). No image is in two pairs, so that the pairs are independent, as the interval (Student t) takes them
    to be.
    Raises ValueError for more pairs than the images give.
    """
    chosen = random_pairs(len(images), pairs, labels, generator)
    found = ms_ssim(images[chosen[:, 0]], images[chosen[:, 1]])
    return Estimate(found.mean().item(), interval_of_splits(found.tolist(), "pairs"))


def random_pairs(count: int, pairs: int, labels: Labels | None, generator: torch.Generator) -> Pairs:
    """Indices of `pairs` random pairs out of `count` samples, no sample in two; with labels, both of one class.

    Classes are as frequent among the pairs as among the samples. Raises ValueError where there are not that many.
    """
    order = torch.randperm(count, generator=generator)
    groups = [order] if labels is None else [order[labels[order] == label] for label in labels.unique()]
    possible = torch.cat([group[: len(group) // 2 * 2].view(-1, 2) for group in groups])
    if not 1 <= pairs <= len(possible):
        of_one = " of one class" if labels is not None else ""
        raise ValueError(
            f"{count} samples give 1 to {len(possible)} pairs{of_one} without a sample in two, not {pairs}"
        )
    return possible[torch.randperm(len(possible), generator=generator)[:pairs]]


def _over_scales(x: Planes, y: Planes) -> PerSample:
    result = torch.ones(len(x), dtype=torch.float64)
    for weight in WEIGHTS[:-1]:
        result *= _similarity(x, y)[1] ** weight
        x, y = functional.avg_pool2d(x, 2), functional.avg_pool2d(y, 2)
    return result * _similarity(x, y)[0] ** WEIGHTS[-1]


def _similarity(x: Planes, y: Planes) -> tuple[PerSample, PerSample]:
    """The means over an image of l c and of c, at least 0: Wang et al. 2003, equations 1 to 6, with C3 = C2 / 2."""
    window = _window(min(WINDOW, *x.shape[2:]))
    mean_x, mean_y = _blurred(x, window), _blurred(y, window)
    variances = (_blurred(x * x, window) - mean_x**2) + (_blurred(y * y, window) - mean_y**2)  # symmetric, to the bit
    covariance = _blurred(x * y, window) - mean_x * mean_y
    c1, c2 = (K1 * RANGE) ** 2, (K2 * RANGE) ** 2
    contrast = (2 * covariance + c2) / (variances + c2)
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    whole, part = (values.flatten(1).mean(dim=1).clamp_min_(0) for values in (luminance * contrast, contrast))
    return whole, part


def _window(size: int) -> Tensor:
    """(size,) Gaussian weights that sum to 1; the smaller the window, the smaller its sigma."""
    offsets = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    weights = torch.exp(-(offsets**2) / (2 * (SIGMA * size / WINDOW) ** 2))
    return weights / weights.sum()


def _blurred(planes: Planes, window: Tensor) -> Planes:
    """The window at every place within the image: rows, then columns. As a float64 convolution, seven times as fast."""
    for dim in (2, 3):
        places = planes.shape[dim] - len(window) + 1
        first, *others = window.tolist()
        total = planes.narrow(dim, 0, places) * first
        for offset, weight in enumerate(others, start=1):
            total.add_(planes.narrow(dim, offset, places), alpha=weight)
        planes = total
    return planes
