"""DCGAN: strided convolutions, BatchNorm, ReLU up and LeakyReLU down (Radford, Metz & Chintala 2015, arXiv:1511.06434).

The paper's guidelines: no pooling, no hidden dense layers, BatchNorm everywhere but at the generator's output and
the discriminator's input, tanh at the output, weights from N(0, 0.02). Kernels are 5x5 as in the authors' code
(Newmu/dcgan_code, faces/train_uncond_dcgan.py); most re-implementations use 4x4, which `kernel_size: 4` gives.

The settings also give the DCGANs that WGAN-GP is tried on (Gulrajani et al. 2017, arXiv:1704.00028, figure 2;
igul222/improved_wgan_training:gan_64x64.py): `norm: layer` or `none`; `activation: tanh` or `gated` in both networks;
and a constant number of filters, which is `max_width` equal to `width`.
"""

from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Literal

from torch import Tensor, nn

from ganzoo.config import setting
from ganzoo.networks.images import ImageConfig, ImageDiscriminatorConfig, ImageGeneratorConfig, ladder
from ganzoo.networks.layers.activations import activation_layer, channels_before
from ganzoo.networks.layers.batch_norm import BatchNorm
from ganzoo.networks.layers.chain import Chain
from ganzoo.networks.layers.conditioning import ConditionalBatchNorm
from ganzoo.networks.layers.generating import LabelledGenerator
from ganzoo.networks.layers.heads import FeatureDiscriminator, head_of
from ganzoo.networks.layers.minibatch import minibatch_layer
from ganzoo.networks.layers.normalisation import norm_layer, spectrally_normalised

Activation = Literal["relu", "leaky_relu", "leaky_relu_0.1", "tanh", "elu", "softplus", "gated"]


@dataclass(frozen=True, kw_only=True)
class ConvConfig(ImageConfig):
    """What both networks have in common."""

    width: int = setting(64, "channels at the full resolution; doubled at every halving", at_least=1, at_most=2048)
    max_width: int = setting(1024, "no layer has more channels than this", at_least=1, at_most=8192)
    kernel_size: Literal[4, 5] = setting(5, "5: the authors' code; 4: most re-implementations")

    def widths(self, stages: int) -> list[int]:
        """Channels from the full resolution down to the smallest."""
        return [min(self.width << stage, self.max_width) for stage in range(stages)]


@dataclass(frozen=True, kw_only=True)
class GeneratorConfig(ImageGeneratorConfig, ConvConfig):
    """From latents to images in [-1, 1]."""

    activation: Activation = setting(  # type: ignore[assignment]  # one more than the other families have
        "relu", "of the hidden layers; gated: sigmoid(a) * tanh(b), channels doubled"
    )


@dataclass(frozen=True, kw_only=True)
class DiscriminatorConfig(ImageDiscriminatorConfig, ConvConfig):
    """From images to logits.

    At 8 to 14 pixels there is one stage and so no hidden norm. `batch_normalised` says that there is, by `norm`
    alone: it does not know the shape.
    """

    norm: Literal["batch", "layer", "none"] = setting("batch", "normalisation of the hidden layers but the first")
    activation: Activation = setting(  # type: ignore[assignment]  # one more than the other families have
        "leaky_relu", "of the hidden layers; gated: sigmoid(a) * tanh(b), channels doubled"
    )


class Generator(LabelledGenerator):
    """Latents (n, latent_dim) to images (n, c, h, w) in [-1, 1]; each stage doubles the resolution."""

    def __init__(self, config: GeneratorConfig, *, shape: tuple[int, ...], latent_dim: int, num_classes: int = 0):
        base, stages = _checked_ladder(config, shape)
        inputs = latent_dim + num_classes * (config.conditioning == "concat")
        activated = partial(_activated, config, num_classes=num_classes * (config.conditioning == "batch_norm"))
        widths = config.widths(stages)[::-1]
        channels = channels_before(config.activation, widths[0])
        project = nn.Linear(inputs, channels * base * base, bias=_biased(config.norm))
        body = Chain(project, nn.Unflatten(1, (channels, base, base)), activated(config.norm, widths[0]))
        for before, after in pairwise(widths):
            channels = channels_before(config.activation, after)
            body.extend([_up(config, before, channels, bias=_biased(config.norm)), activated(config.norm, after)])
        body.extend([_up(config, widths[-1], shape[0], bias=True), nn.Tanh()])
        super().__init__(body, conditioning=config.conditioning, num_classes=num_classes)
        self.apply(init_dcgan)


class Discriminator(FeatureDiscriminator):
    """Images (n, c, h, w) to logits (n,); each stage halves the resolution; the features are the last pixels."""

    def __init__(self, config: DiscriminatorConfig, *, shape: tuple[int, ...], num_classes: int = 0):
        base, stages = _checked_ladder(config, shape)
        widths = config.widths(stages)
        channels = shape[0] + num_classes * (config.conditioning == "concat")
        body = Chain(*_down(config, channels, widths[0], norm="none"))
        for before, after in pairwise(widths):
            body.extend(_down(config, before, after, norm=config.norm))
        minibatch, features = minibatch_layer(config.minibatch, widths[-1] * base * base)
        head = head_of(config.conditioning, features, num_classes)
        body.extend([nn.Flatten(), minibatch])
        super().__init__(body, head, conditioning=config.conditioning, num_classes=num_classes)
        self.apply(init_dcgan)
        if config.spectral_norm:
            spectrally_normalised(self)


def init_dcgan(module: nn.Module) -> None:
    """Weights from N(0, 0.02), BatchNorm gains from N(1, 0.02), biases zero (section 4 and the authors' code)."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear, nn.Embedding)):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, ConditionalBatchNorm):
        nn.init.normal_(module.gains, 1.0, 0.02)
    elif isinstance(module, BatchNorm) and module.affine:
        nn.init.normal_(module.weight, 1.0, 0.02)
    if isinstance(bias := getattr(module, "bias", None), Tensor):
        nn.init.zeros_(bias)


def _checked_ladder(config: ConvConfig, shape: tuple[int, ...]) -> tuple[int, int]:
    config.check(shape)
    return ladder(shape[1])  # type: ignore[return-value]  # check() says that there is one


def _biased(norm: str) -> bool:
    """Whether a layer has a bias: not where BatchNorm, which follows, would take it away again."""
    return norm != "batch"


def _activated(
    config: GeneratorConfig | DiscriminatorConfig, norm: str, channels: int, *, num_classes: int = 0
) -> nn.Module:
    before = channels_before(config.activation, channels)
    return Chain(norm_layer(norm, before, num_classes=num_classes), activation_layer(config.activation))


def _down(config: DiscriminatorConfig, before: int, after: int, *, norm: str) -> list[nn.Module]:
    channels = channels_before(config.activation, after)
    padding = 1 + config.kernel_size % 2
    conv = nn.Conv2d(before, channels, config.kernel_size, stride=2, padding=padding, bias=_biased(norm))
    return [conv, _activated(config, norm, after)]


def _up(config: ConvConfig, before: int, after: int, *, bias: bool) -> nn.Module:
    odd = config.kernel_size % 2  # a 5x5 kernel needs padding 2 and one more row and column to double exactly
    return nn.ConvTranspose2d(before, after, config.kernel_size, 2, 1 + odd, output_padding=odd, bias=bias)
