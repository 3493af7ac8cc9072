"""DCGAN: strided convolutions, BatchNorm, ReLU up and LeakyReLU down (Radford, Metz & Chintala 2015, arXiv:1511.06434).

The paper's guidelines: no pooling, no hidden dense layers, BatchNorm everywhere but at the generator's output and
the discriminator's input, tanh at the output, weights from N(0, 0.02). Kernels are 5x5 as in the authors' code
(Newmu/dcgan_code, faces/train_uncond_dcgan.py); most re-implementations use 4x4, which `kernel_size: 4` gives.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from torch import Tensor, nn

from ganzoo.config import setting
from ganzoo.networks.base import NetworkConfig
from ganzoo.shapes import Images, Latents, Logits

SMALLEST, LARGEST = 8, 256  # pixels


def ladder(resolution: int) -> tuple[int, int] | None:
    """(base, stages) with resolution = base * 2 ** stages, base from 4 to 7, at least one stage; None if there is none.

    >>> ladder(32), ladder(28), ladder(48), ladder(33)
    ((4, 3), (7, 2), (6, 3), None)
    """
    for stages in range(1, 7):
        if resolution % 2**stages == 0 and 4 <= resolution >> stages <= 7 and SMALLEST <= resolution <= LARGEST:
            return resolution >> stages, stages
    return None


@dataclass(frozen=True, kw_only=True)
class ConvConfig(NetworkConfig):
    """What both networks have in common."""

    width: int = setting(64, "channels at the full resolution; doubled at every halving", at_least=1, at_most=2048)
    max_width: int = setting(1024, "no layer has more channels than this", at_least=1, at_most=8192)
    kernel_size: Literal[4, 5] = setting(5, "5: the authors' code; 4: most re-implementations")
    norm: Literal["batch", "none"] = setting("batch", "normalisation of the hidden layers")

    def refuses(self, shape: tuple[int, ...]) -> str | None:
        if len(shape) == 3 and ladder(shape[-1]):
            return None
        if len(shape) != 3:
            return "dcgan networks are for images, not for points; use mlp"
        fits = [size for size in range(SMALLEST, LARGEST + 1) if ladder(size)]
        near = sorted(sorted(fits, key=lambda size: abs(size - shape[-1]))[:2])
        return (
            f"dcgan networks make {SMALLEST} to {LARGEST} pixels, (4, 5, 6 or 7) times a power of two; "
            f"the nearest to {shape[-1]} are {' and '.join(map(str, near))}"
        )

    @property
    def mixes_samples(self) -> bool:
        return self.norm == "batch"

    def widths(self, stages: int) -> list[int]:
        """Channels from the full resolution down to the smallest."""
        return [min(self.width << stage, self.max_width) for stage in range(stages)]


@dataclass(frozen=True, kw_only=True)
class GeneratorConfig(ConvConfig):
    """From latents to images in [-1, 1]."""


@dataclass(frozen=True, kw_only=True)
class DiscriminatorConfig(ConvConfig):
    """From images to logits."""


class Generator(nn.Module):
    """Latents (n, latent_dim) to images (n, c, h, w) in [-1, 1]; each stage doubles the resolution."""

    def __init__(self, config: GeneratorConfig, *, shape: tuple[int, ...], latent_dim: int):
        super().__init__()
        base, stages = _checked_ladder(config, shape)
        widths = config.widths(stages)[::-1]
        self.project = nn.Linear(latent_dim, widths[0] * base * base, bias=config.norm == "none")
        self.unflatten = nn.Unflatten(1, (widths[0], base, base))
        self.first = _activated(config.norm, widths[0], nn.ReLU)
        ups = [_up(config, before, after) for before, after in pairwise(widths)]
        self.stages = nn.Sequential(*ups)
        self.to_images = nn.Sequential(_transposed(config, widths[-1], shape[0], bias=True), nn.Tanh())
        self.apply(init_dcgan)

    def forward(self, latents: Latents) -> Images:
        return self.to_images(self.stages(self.first(self.unflatten(self.project(latents)))))


class Discriminator(nn.Module):
    """Images (n, c, h, w) to logits (n,); each stage halves the resolution."""

    def __init__(self, config: DiscriminatorConfig, *, shape: tuple[int, ...]):
        super().__init__()
        base, stages = _checked_ladder(config, shape)
        widths = config.widths(stages)
        layers: list[nn.Module] = [_conv(config, shape[0], widths[0], bias=True), nn.LeakyReLU(0.2)]
        for before, after in pairwise(widths):
            layers += [_conv(config, before, after, bias=config.norm == "none")]
            layers += [_activated(config.norm, after, lambda: nn.LeakyReLU(0.2))]
        self.features = nn.Sequential(*layers, nn.Flatten())
        self.judge = nn.Linear(widths[-1] * base * base, 1)
        self.apply(init_dcgan)

    def forward(self, images: Images) -> Logits:
        return self.judge(self.features(images)).squeeze(1)


def init_dcgan(module: nn.Module) -> None:
    """Weights from N(0, 0.02), BatchNorm gains from N(1, 0.02), biases zero (section 4 and the authors' code)."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
    if isinstance(bias := getattr(module, "bias", None), Tensor):
        nn.init.zeros_(bias)


def _checked_ladder(config: ConvConfig, shape: tuple[int, ...]) -> tuple[int, int]:
    if refusal := config.refuses(shape):
        raise ValueError(refusal)
    return ladder(shape[-1])  # type: ignore[return-value]  # refuses() says that there is one


def _activated(norm: str, channels: int, activation: Callable[[], nn.Module]) -> nn.Module:
    return nn.Sequential(nn.BatchNorm2d(channels), activation()) if norm == "batch" else activation()


def _up(config: ConvConfig, before: int, after: int) -> nn.Module:
    deconv = _transposed(config, before, after, bias=config.norm == "none")
    return nn.Sequential(deconv, _activated(config.norm, after, nn.ReLU))


def _transposed(config: ConvConfig, before: int, after: int, *, bias: bool) -> nn.Module:
    odd = config.kernel_size % 2  # a 5x5 kernel needs padding 2 and one more row and column to double exactly
    return nn.ConvTranspose2d(before, after, config.kernel_size, 2, 1 + odd, output_padding=odd, bias=bias)


def _conv(config: ConvConfig, before: int, after: int, *, bias: bool) -> nn.Module:
    return nn.Conv2d(before, after, config.kernel_size, stride=2, padding=1 + config.kernel_size % 2, bias=bias)
