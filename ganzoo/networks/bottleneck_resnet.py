"""101-layer bottleneck ResNet: the deepest networks that WGAN-GP was shown to train (arXiv:1704.00028, figure 2).

Gulrajani et al. 2017; igul222/improved_wgan_training:gan_64x64.py, ResnetGenerator and ResnetDiscriminator, at 64
pixels, where `width` is half their DIM of 64. Six blocks at each resolution, five at the full one, and one that changes
it between two: 33 blocks of three convolutions, and with the first and the last layer 101 (shortcuts are not counted).

What a block adds is scaled by 0.3; the generator ends in tanh(x / 5) and the logit is divided by 5, so that the
networks begin small. The discriminator has layer norm, as in their WGAN-GP; their other methods have BatchNorm there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from torch import Tensor, nn

from ganzoo.config import setting
from ganzoo.networks.images import ImageConfig, ImageDiscriminatorConfig, ImageGeneratorConfig, ladder
from ganzoo.networks.layers.chain import Chain
from ganzoo.networks.layers.generating import LabelledGenerator
from ganzoo.networks.layers.heads import FeatureDiscriminator, head_of
from ganzoo.networks.layers.initialisation import initialise
from ganzoo.networks.layers.minibatch import minibatch_layer
from ganzoo.networks.layers.normalisation import norm_layer, spectrally_normalised
from ganzoo.networks.layers.residual import BottleneckBlock
from ganzoo.shapes import ClassLogits, Images, Labels, Logits

SOFTENING = 5.0  # the outputs are divided by it


@dataclass(frozen=True, kw_only=True)
class BottleneckConfig(ImageConfig):
    """What both networks have in common."""

    width: int = setting(32, "channels at the full resolution; doubled at every halving", at_least=2, at_most=1024)
    blocks: int = setting(6, "blocks at each resolution; one less at the full one", at_least=1, at_most=64)
    residual_scale: float = setting(0.3, "what a block adds to its shortcut is multiplied by this", above=0)


@dataclass(frozen=True, kw_only=True)
class GeneratorConfig(ImageGeneratorConfig, BottleneckConfig):
    """From latents to images in [-1, 1]."""


@dataclass(frozen=True, kw_only=True)
class DiscriminatorConfig(ImageDiscriminatorConfig, BottleneckConfig):
    """From images to logits."""

    norm: Literal["none", "batch", "layer"] = setting("layer", "normalisation of what a block adds")


class Divided(nn.Module):
    """x / by."""

    def __init__(self, by: float):
        super().__init__()
        self.by = by

    def forward(self, x: Tensor) -> Tensor:
        return x / self.by

    def extra_repr(self) -> str:
        return f"by={self.by}"


class Generator(LabelledGenerator):
    """Latents (n, latent_dim), and labels (n,), to images (n, c, h, h) in [-1, 1]."""

    def __init__(self, config: GeneratorConfig, *, shape: tuple[int, ...], latent_dim: int, num_classes: int = 0):
        config.check(shape)
        inputs = latent_dim + num_classes * (config.conditioning == "concat")
        norm = partial(norm_layer, config.norm, num_classes=num_classes * (config.conditioning == "batch_norm"))
        base, stages = ladder(shape[1]) or (0, 0)
        widest = config.width << stages
        block = partial(BottleneckBlock, norm=norm, activation=config.activation, scale=config.residual_scale)
        blocks = _flat(block, widest, config.blocks)
        for stage in reversed(range(stages)):
            width = config.width << stage
            blocks.append(block(2 * width, width, resample="up"))
            blocks += _flat(block, width, config.blocks - (stage == 0))
        first = [nn.Linear(inputs, widest * base * base), nn.Unflatten(1, (widest, base, base))]
        body = Chain(*first, *blocks, nn.Conv2d(config.width, shape[0], 1), Divided(SOFTENING), nn.Tanh())
        super().__init__(body, conditioning=config.conditioning, num_classes=num_classes)
        initialise(self, "glorot")


class Discriminator(FeatureDiscriminator):
    """Images (n, c, h, h), and labels (n,), to logits (n,)."""

    def __init__(self, config: DiscriminatorConfig, *, shape: tuple[int, ...], num_classes: int = 0):
        config.check(shape)
        channels = shape[0] + num_classes * (config.conditioning == "concat")
        norm = partial(norm_layer, config.norm)
        block = partial(BottleneckBlock, norm=norm, activation=config.activation, scale=config.residual_scale)
        base, stages = ladder(shape[1]) or (0, 0)
        blocks = _flat(block, config.width, config.blocks - 1)
        for stage in range(stages):
            width = config.width << stage
            blocks.append(block(width, 2 * width, resample="down"))
            blocks += _flat(block, 2 * width, config.blocks)
        comparison, features = minibatch_layer(config.minibatch, (config.width << stages) * base * base)
        super().__init__(
            Chain(nn.Conv2d(channels, config.width, 1), *blocks, nn.Flatten(), comparison),
            head_of(config.conditioning, features, num_classes),
            conditioning=config.conditioning,
            num_classes=num_classes,
        )
        initialise(self, "glorot")
        if config.spectral_norm:
            spectrally_normalised(self)

    def forward(self, images: Images, labels: Labels | None = None) -> Logits:
        return super().forward(images, labels) / SOFTENING

    def classify(self, images: Images) -> tuple[Logits, ClassLogits]:
        logits, class_logits = super().classify(images)
        return logits / SOFTENING, class_logits


def _flat(block: Callable[[int, int], nn.Module], width: int, number: int) -> list[nn.Module]:
    """Blocks that keep resolution and channels."""
    return [block(width, width) for _ in range(number)]
