"""How far apart images look to a network that was fitted to people's judgement (LPIPS), and what follows from it.

Zhang et al. 2018, arXiv:1801.03924 (LPIPS); Karras et al. 2019, arXiv:1812.04948, section 4.1 (perceptual path length).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ganzoo.errors import InputError
from ganzoo.evaluation.extractors.weights import (
    Weights,
    brief,
    checked_state,
    hub_folder,
    hub_weights,
    published,
    sha256_of,
)
from ganzoo.evaluation.metrics.estimate import Estimate, Interval, interval_of_mean, interval_of_splits
from ganzoo.evaluation.metrics.ms_ssim import random_pairs
from ganzoo.shapes import Images, Labels, Latents, PerSample

PAIRS_AT_ONCE = 16
SMALLEST = 16  # pixels: VGG16 halves images four times
COLLINEAR = 1e-7  # 1 - |cos| below which the arc between two vectors is not to be told from the chord

ColourImages = Float[Tensor, "n channels height width"]  # 0..255, not quantised
Distance = Callable[[ColourImages, ColourImages], PerSample]
Positions = Float[Tensor, "n 1"]


def lpips_diversity(distance: Distance, images: Tensor, *, pairs: int, generator: torch.Generator) -> Estimate:
    """The mean distance of random pairs of different images; 0 or more, higher is more diverse.

    To be read beside that of real images. No image is in two pairs, so that the pairs are independent, as the interval
    (Student t) takes them to be.

    Args:
        distance: of two batches of images in 0..255, say what `load_lpips` gives.
        images: uint8 pixels, or images in [-1, 1], (n, 1 or 3, h, w).

    Raises ValueError for more pairs than the images give, and for distances that are NaN or infinite.
    """
    chosen = random_pairs(len(images), pairs, None, generator)
    found = [
        distance(_in_255(images[some[:, 0]]), _in_255(images[some[:, 1]])).cpu() for some in chosen.split(PAIRS_AT_ONCE)
    ]
    distances = _finite(torch.cat(found))
    return Estimate(distances.mean().item(), interval_of_splits(distances.tolist(), "pairs"))


@torch.no_grad()
def perceptual_path_length(
    distance: Distance,
    generator_fn: Callable[[Latents, Labels | None], Images],
    start: Latents,
    end: Latents,
    *,
    labels: Labels | None = None,
    epsilon: float = 1e-4,
    interpolation: Literal["slerp", "lerp"] = "slerp",
    discard: tuple[float, float] = (0.01, 0.99),
    generator: torch.Generator,
    batch_size: int,
) -> Estimate:
    """E[distance(G(z(t)), G(z(t + epsilon))) / epsilon^2], z(t) from `start` to `end`, t uniform in [0, 1].

    0 or more; lower is a smoother way from latents to images. Path i is from start[i] to end[i], at a random place.
    The paper's "full" sampling; torch-fidelity takes t = 0. The lowest and the highest paths are left out, as in the
    code of the paper and in torch-fidelity. The interval is a normal one of such a trimmed mean (Tukey & McLaughlin
    1963), over latents.

    Images are never quantised, which would be all that is measured: their distance is of the size of epsilon.

    Args:
        distance: of two batches of images in 0..255, say what `load_lpips` gives.
        generator_fn: latents and labels (None without) to images in [-1, 1]: twice the same gives twice the same.
        interpolation: slerp for latents whose length hardly varies (normal, of many dimensions), lerp for others.
        discard: the quantiles outside which paths are left out.

    Raises ValueError for distances that are NaN or infinite.
    """
    between = slerp if interpolation == "slerp" else lerp
    places = torch.rand(len(start), 1, generator=generator, dtype=torch.float64)
    near, far = (between(start.double(), end.double(), t).to(start.dtype) for t in (places, places + epsilon))
    found = []
    for rows in torch.arange(len(start)).split(batch_size):
        given = None if labels is None else labels[rows]
        ours, theirs = (_in_255(generator_fn(latents[rows], given)) for latents in (near, far))
        found.append(distance(ours, theirs).cpu())
    return _trimmed_mean(_finite(torch.cat(found)) / epsilon**2, *discard)


def _finite(distances: PerSample) -> PerSample:
    """In float64."""
    broken = int((~distances.isfinite()).sum())
    if broken:
        raise ValueError(f"{broken} of {len(distances)} distances are NaN or infinite, and so are the images, perhaps")
    return distances.double()


def _trimmed_mean(values: PerSample, lower: float, upper: float) -> Estimate:
    low = values.quantile(lower, interpolation="lower")
    high = values.quantile(upper, interpolation="higher")
    kept = values[(values >= low) & (values <= high)]
    value = kept.mean().item()
    winsorised = interval_of_mean(values.clamp(low, high))
    if winsorised is None:
        return Estimate(value)
    reach = (winsorised.high - winsorised.low) / 2 * len(values) / len(kept)
    return Estimate(value, Interval(value - reach, value + reach, f"normal, winsorised, over {len(values)} paths"))


def lerp(start: Latents, end: Latents, t: Positions) -> Latents:
    """(1 - t) start + t end."""
    return start + t * (end - start)


def slerp(start: Latents, end: Latents, t: Positions) -> Latents:
    """(sin((1 - t) w) start + sin(t w) end) / sin(w), w the angle between them (Shoemake 1985, in any dimension).

    Vectors of one length keep it. Where they point the same way or opposite ways, or one is 0: `lerp`.

    >>> slerp(torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 2.0]]), torch.tensor([[0.5]]))
    tensor([[1.4142, 1.4142]])
    """
    cosine = torch.cosine_similarity(start, end, dim=1)[:, None]
    angle = cosine.clamp(-1, 1).acos()
    arc = (((1 - t) * angle).sin() * start + (t * angle).sin() * end) / angle.sin()
    is_zero = (start.norm(dim=1, keepdim=True) == 0) | (end.norm(dim=1, keepdim=True) == 0)
    return torch.where(is_zero | (1 - cosine.abs() < COLLINEAR), lerp(start, end, t), arc)


def _in_255(samples: Tensor) -> ColourImages:
    """Pixels (uint8) as floats; images in [-1, 1] as they are, only in other units."""
    return samples.float() if samples.dtype == torch.uint8 else (samples + 1) * 127.5


class LPIPS(nn.Module):
    """The distance LPIPS 0.1 with VGG16, of images in 0..255: 0 for equal ones, higher is less alike.

    Attributes:
        identity: its name, and what the two files of weights hash to.
    """

    def __init__(self, network: nn.Module, identity: str):
        super().__init__()
        self.network, self.identity = network, identity

    @torch.no_grad()
    def forward(self, x: ColourImages, y: ColourImages) -> PerSample:
        """Grey images count as colour ones. Raises ValueError for images of fewer than 16 pixels."""
        if min(x.shape[2:]) < SMALLEST:
            raise ValueError(f"LPIPS needs images of {SMALLEST}x{SMALLEST} pixels, got {x.shape[2]}x{x.shape[3]}")
        device = next(self.network.parameters()).device
        return self.network(*(images.to(device, torch.float32).expand(-1, 3, -1, -1) for images in (x, y)))


def load_lpips() -> LPIPS:
    """torch-fidelity's LPIPS, frozen, on the CPU, with the published weights from torch's hub folder or the network.

    Nothing in the files can run: they are checked before torch-fidelity, which would let it, reads them.
    Raises InputError where the weights cannot be had (it names the files, their addresses and the folder), or where
    the files hold others.
    """
    from torch_fidelity.sample_similarity_lpips import SampleSimilarityLPIPS

    paths = _lpips_files()
    for path in paths:
        checked_state(path)
    try:
        with torch.random.fork_rng(devices=()):  # what is initialised here is overwritten
            network = SampleSimilarityLPIPS("lpips-vgg16")
    except (RuntimeError, KeyError) as error:
        raise InputError("LPIPS", f"{' or '.join(map(str, paths))} holds other weights: {brief(error)}") from error
    digests = " ".join(sha256_of(path)[:16] for path in paths)
    return LPIPS(network.eval().requires_grad_(False), f"lpips-vgg16 {digests}")


def _lpips_files() -> list[Path]:
    from torch_fidelity.sample_similarity_lpips import URL_VGG16_LPIPS

    wanted = (Weights(URL_VGG16_LPIPS.rpartition("/")[2], URL_VGG16_LPIPS, ""), published("vgg16"))
    try:
        return [hub_weights("LPIPS", weights) for weights in wanted]
    except InputError as error:
        files = " and ".join(f"{weights.file} ({weights.url})" for weights in wanted)
        folder = hub_folder()
        reason = brief(error.__cause__ if isinstance(error.__cause__, Exception) else error)
        raise InputError("LPIPS", f"needs {files} in {folder}, and they cannot be had: {reason}") from error
