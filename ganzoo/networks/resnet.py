"""ResNet: the residual networks of SNGAN (arXiv:1802.05957, table 4) and of WGAN-GP (arXiv:1704.00028, appendix F).

Nearest-neighbour doubling, average-pool halving, 1x1 convolutions in shortcuts. The defaults are SNGAN's; its channels,
in units of `width`, are those of pfnet-research/sngan_projection (gen_models/resnet*.py, dis_models/snresnet*.py) and,
at 48 pixels, of the paper's STL-10 networks. WGAN-GP's CIFAR-10 networks (igul222/improved_wgan_training:
gan_cifar_resnet.py) are the same at 32 pixels with width: 128 in both and, in the discriminator, pool: mean,
spectral_norm: false, and norm: layer where wanted. Both codes draw the same initial weights (`initialise`).

Where the codes differ from these networks: the last dense layer of SNGAN's code has no bias at 32 pixels (it has one at
the other resolutions), and WGAN-GP's BatchNorm takes the batch's statistics when it samples, too.

Published are 32, 48, 64, 128 and 256 pixels. Other resolutions above 32 have the blocks of the one of these that is
doubled as often; below, the layout is that of 32 pixels with fewer blocks.
"""

from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Literal

from torch import nn

from ganzoo.config import setting
from ganzoo.networks.images import ImageConfig, ImageDiscriminatorConfig, ImageGeneratorConfig, ladder
from ganzoo.networks.layers.activations import activation_layer
from ganzoo.networks.layers.chain import Chain
from ganzoo.networks.layers.generating import LabelledGenerator
from ganzoo.networks.layers.heads import FeatureDiscriminator, head_of
from ganzoo.networks.layers.initialisation import initialise
from ganzoo.networks.layers.minibatch import minibatch_layer
from ganzoo.networks.layers.normalisation import norm_layer, spectrally_normalised
from ganzoo.networks.layers.residual import GlobalPool, ResidualBlock

# By the number of doublings from 4, 5, 6 or 7 pixels (3: 32 and 48 pixels; 4: 64; 5: 128; 6: 256), in units of width.
# The generator's dense layer, then the blocks, each of which doubles:
UP = {
    1: (2, 1),
    2: (4, 2, 1),
    3: (8, 4, 2, 1),
    4: (16, 8, 4, 2, 1),
    5: (16, 16, 8, 4, 2, 1),
    6: (16, 16, 8, 8, 4, 2, 1),
}
# The discriminator's blocks, and how many of them halve while the pixels are even in number:
DOWN = {
    1: ((1, 2), 2),
    2: ((1, 2, 4), 3),
    3: ((1, 2, 4, 8, 16), 4),
    4: ((1, 2, 4, 8, 16), 5),
    5: ((1, 2, 4, 8, 16, 16), 5),
    6: ((1, 2, 4, 8, 8, 16, 16), 6),
}
CONSTANT_UP_TO = 32  # pixels


@dataclass(frozen=True, kw_only=True)
class ResNetConfig(ImageConfig):
    """What both networks have in common."""

    width: int | None = setting(
        None,
        "channels at the full resolution; null: SNGAN's: pyramid 64, constant 256 (generator) and 128 (discriminator)",
        at_least=1,
        at_most=2048,
    )
    layout: Literal["auto", "constant", "pyramid"] = setting(
        "auto",
        "constant: as many channels everywhere; pyramid: more at lower resolutions; auto: constant up to 32 pixels",
    )
    residual_scale: float = setting(1.0, "what a block adds to its shortcut is multiplied by this", above=0)
    init: Literal["glorot", "normal", "orthogonal"] = setting(
        "glorot", "glorot: both papers'; normal: N(0, 0.02); orthogonal: BigGAN's"
    )

    def constant(self, resolution: int) -> bool:
        return self.layout == "constant" or (self.layout == "auto" and resolution <= CONSTANT_UP_TO)


@dataclass(frozen=True, kw_only=True)
class GeneratorConfig(ImageGeneratorConfig, ResNetConfig):
    """From latents to images in [-1, 1]."""

    def channels(self, resolution: int) -> list[int]:
        """Of the dense layer, then of each block.

        >>> GeneratorConfig().channels(32), GeneratorConfig().channels(48)
        ([256, 256, 256, 256], [512, 256, 128, 64])
        """
        _, stages = ladder(resolution) or (0, 0)
        if self.constant(resolution):
            return [self.width or 256] * (stages + 1)
        return [(self.width or 64) * multiple for multiple in UP[stages]]


@dataclass(frozen=True, kw_only=True)
class DiscriminatorConfig(ImageDiscriminatorConfig, ResNetConfig):
    """From images to logits."""

    pool: Literal["sum", "mean"] = setting("sum", "of the last features over the pixels: sum: SNGAN; mean: WGAN-GP")
    spectral_norm: bool = setting(True, "every weight matrix divided by its largest singular value; WGAN-GP: false")

    def blocks(self, resolution: int) -> list[tuple[int, bool]]:
        """(channels, whether it halves) of each block.

        The constant layout halves down to 8 pixels or fewer, at least once, and has two blocks there.

        >>> DiscriminatorConfig().blocks(32)
        [(128, True), (128, True), (128, False), (128, False)]
        """
        _, stages = ladder(resolution) or (0, 0)
        if self.constant(resolution):
            halvings = next(times for times in range(1, 9) if resolution >> times <= 8)
            widths = [self.width or 128] * (halvings + 2)
        else:
            multiples, halvings = DOWN[stages]
            widths = [(self.width or 64) * multiple for multiple in multiples]
        return [(width, at < halvings and resolution % 2 ** (at + 1) == 0) for at, width in enumerate(widths)]


class Generator(LabelledGenerator):
    """Latents (n, latent_dim), and labels (n,), to images (n, c, h, h) in [-1, 1].

    Dense, blocks, norm, activation, 3x3 convolution, tanh. The last norm knows no classes, as in both codes.
    """

    def __init__(self, config: GeneratorConfig, *, shape: tuple[int, ...], latent_dim: int, num_classes: int = 0):
        config.check(shape)
        inputs = latent_dim + num_classes * (config.conditioning == "concat")
        norm = partial(norm_layer, config.norm, num_classes=num_classes * (config.conditioning == "batch_norm"))
        block = partial(
            ResidualBlock, resample="up", norm=norm, activation=config.activation, scale=config.residual_scale
        )
        widths = config.channels(shape[1])
        base = shape[1] >> (len(widths) - 1)
        super().__init__(
            Chain(
                nn.Linear(inputs, widths[0] * base * base),
                nn.Unflatten(1, (widths[0], base, base)),
                *(block(before, after) for before, after in pairwise(widths)),
                norm_layer(config.norm, widths[-1]),
                activation_layer(config.activation),
                nn.Conv2d(widths[-1], shape[0], 3, padding=1),
                nn.Tanh(),
            ),
            conditioning=config.conditioning,
            num_classes=num_classes,
        )
        initialise(self, config.init)


class Discriminator(FeatureDiscriminator):
    """Images (n, c, h, h), and labels (n,), to logits (n,).

    Blocks, activation, global pooling, dense. The first block has no norm, and nothing is normalised after the last.
    """

    def __init__(self, config: DiscriminatorConfig, *, shape: tuple[int, ...], num_classes: int = 0):
        config.check(shape)
        channels = shape[0] + num_classes * (config.conditioning == "concat")
        blocks: list[nn.Module] = []
        for after, halves in config.blocks(shape[1]):
            blocks.append(
                ResidualBlock(
                    channels,
                    after,
                    hidden=channels if blocks else after,
                    resample="down" if halves else "none",
                    norm=partial(norm_layer, config.norm if blocks else "none"),
                    activation=config.activation,
                    scale=config.residual_scale,
                    entry=not blocks,
                )
            )
            channels = after
        comparison, features = minibatch_layer(config.minibatch, channels)
        super().__init__(
            Chain(*blocks, activation_layer(config.activation), GlobalPool(config.pool), comparison),
            head_of(config.conditioning, features, num_classes),
            conditioning=config.conditioning,
            num_classes=num_classes,
        )
        initialise(self, config.init)
        if config.spectral_norm:
            spectrally_normalised(self)
