"""SNGAN's standard CNN: three deconvolutions up, seven convolutions down (Miyato et al. 2018, arXiv:1802.05957).

Table 3: at M pixels, in units of `width` (64 in the paper), the generator is dense to M/8 x M/8 x 8, 4x4 deconvolutions
to 4, 2 and 1, a 3x3 convolution, tanh. The discriminator has convolutions, 3x3 and then 4x4 of stride 2, to 1, 1; 2, 2;
4, 4; a 3x3 to 8, and a dense layer on all pixels. The codes widen at the 4x4, 1, 2; 2, 4; 4, 8; 8 (pfnet-research/
chainer-gan-lib:common/net.py, google/compare_gan:compare_gan/architectures/sndcgan.py); the table is followed.

The table names no BatchNorm after the generator's dense layer; both codes have it there, for each unit by itself, with
ReLU, and they are followed, as in weights from N(0, 0.02), of which the paper says nothing.

Table 2 compares normalisations of the discriminator: spectral_norm, or norm: batch or layer, then as in chainer-gan-lib
behind every convolution but the first. Not here are weight normalisation and orthonormal regularisation.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from torch import nn

from ganzoo.config import setting
from ganzoo.networks.images import ImageConfig, ImageDiscriminatorConfig, ImageGeneratorConfig
from ganzoo.networks.layers.activations import activation_layer
from ganzoo.networks.layers.chain import Chain
from ganzoo.networks.layers.generating import LabelledGenerator
from ganzoo.networks.layers.heads import FeatureDiscriminator, head_of
from ganzoo.networks.layers.initialisation import initialise
from ganzoo.networks.layers.minibatch import minibatch_layer
from ganzoo.networks.layers.normalisation import norm_layer, spectrally_normalised

SMALLEST, LARGEST = 16, 64  # pixels
UP = (8, 4, 2, 1)  # channels of the generator's dense layer and deconvolutions, in units of width
DOWN = ((1, 3), (1, 4), (2, 3), (2, 4), (4, 3), (4, 4), (8, 3))  # (channels, kernel) of the convolutions; a 4x4 halves


@dataclass(frozen=True, kw_only=True)
class CNNConfig(ImageConfig):
    """What both networks have in common."""

    width: int = setting(
        64, "channels at the full resolution; 8 times as many at an eighth of it", at_least=1, at_most=2048
    )

    def fits(self, resolution: int) -> bool:
        return SMALLEST <= resolution <= LARGEST and resolution % 8 == 0

    @property
    def resolutions(self) -> str:
        return f"{SMALLEST} to {LARGEST} pixels, a multiple of 8"


@dataclass(frozen=True, kw_only=True)
class GeneratorConfig(ImageGeneratorConfig, CNNConfig):
    """From latents to images in [-1, 1]."""


@dataclass(frozen=True, kw_only=True)
class DiscriminatorConfig(ImageDiscriminatorConfig, CNNConfig):
    """From images to logits."""

    activation: Literal["relu", "leaky_relu", "leaky_relu_0.1", "tanh", "elu", "softplus"] = setting(
        "leaky_relu_0.1", "of the hidden layers; softplus: softplus(2x + 2) / 2 - 1"
    )
    spectral_norm: bool = setting(True, "every weight matrix divided by its largest singular value")


class Generator(LabelledGenerator):
    """Latents (n, latent_dim), and labels (n,), to images (n, c, h, h) in [-1, 1]."""

    def __init__(self, config: GeneratorConfig, *, shape: tuple[int, ...], latent_dim: int, num_classes: int = 0):
        config.check(shape)
        inputs = latent_dim + num_classes * (config.conditioning == "concat")
        base, bias = shape[1] // 8, config.norm != "batch"  # which would take a bias away again
        widths = [config.width * times for times in UP]

        def normed(channels: int) -> list[nn.Module]:
            norm = norm_layer(config.norm, channels, num_classes=num_classes * (config.conditioning == "batch_norm"))
            return [norm, activation_layer(config.activation)]

        units = widths[0] * base * base
        layers = [nn.Linear(inputs, units, bias=bias), *normed(units), nn.Unflatten(1, (widths[0], base, base))]
        for before, after in pairwise(widths):
            layers += [nn.ConvTranspose2d(before, after, 4, 2, 1, bias=bias), *normed(after)]
        body = Chain(*layers, nn.Conv2d(widths[-1], shape[0], 3, padding=1), nn.Tanh())
        super().__init__(body, conditioning=config.conditioning, num_classes=num_classes)
        initialise(self, "normal")


class Discriminator(FeatureDiscriminator):
    """Images (n, c, h, h), and labels (n,), to logits (n,)."""

    def __init__(self, config: DiscriminatorConfig, *, shape: tuple[int, ...], num_classes: int = 0):
        config.check(shape)
        channels = shape[0] + num_classes * (config.conditioning == "concat")
        layers: list[nn.Module] = []
        for times, kernel in DOWN:
            after, norm = config.width * times, config.norm if layers else "none"
            layers += [
                nn.Conv2d(channels, after, kernel, stride=2 if kernel == 4 else 1, padding=1, bias=norm != "batch"),
                norm_layer(norm, after),
                activation_layer(config.activation),
            ]
            channels = after
        comparison, features = minibatch_layer(config.minibatch, channels * (shape[1] // 8) ** 2)
        super().__init__(
            Chain(*layers, nn.Flatten(), comparison),
            head_of(config.conditioning, features, num_classes),
            conditioning=config.conditioning,
            num_classes=num_classes,
        )
        initialise(self, "normal")
        if config.spectral_norm:
            spectrally_normalised(self)
