"""MLP: the networks of the 2-D experiments (Gulrajani et al. 2017, arXiv:1704.00028; gan_toy.py of the authors).

By default three hidden layers of 512 ReLU units in both networks; hidden weights are He-uniform, the last layer is
Glorot-uniform, biases are zero. For images the output is flattened pixels through tanh. Other papers' networks:

- PacGAN (Lin et al. 2017, arXiv:1712.04086; fjxmlzn/PacGAN:synthetic_data_experiments): the generator has
  `width: 400, depth: 4, norm: batch, init: normal`, the discriminator
  `width: 200, depth: 3, activation: maxout, init: normal`.
- Unrolled GAN (Metz et al. 2016, arXiv:1611.02163; poolio/unrolled_gan, the demo): both have
  `width: 128, depth: 2, activation: tanh, init: orthogonal`.
- The 4 layers of 512 units that WGAN-GP puts in place of DCGAN's generator: `depth: 4`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Literal

from torch import nn

from ganzoo.config import setting
from ganzoo.errors import Problem
from ganzoo.networks.base import NetworkConfig
from ganzoo.networks.layers.activations import Maxout, activation_layer
from ganzoo.networks.layers.chain import Chain
from ganzoo.networks.layers.generating import LabelledGenerator
from ganzoo.networks.layers.heads import FeatureDiscriminator, head_of
from ganzoo.networks.layers.minibatch import minibatch_layer
from ganzoo.networks.layers.normalisation import norm_layer, spectrally_normalised
from ganzoo.shapes import Features, Images, Labels


@dataclass(frozen=True, kw_only=True)
class MLPConfig(NetworkConfig):
    """What both networks have in common."""

    width: int = setting(512, "units of a hidden layer", at_least=1, at_most=65536)
    depth: int = setting(3, "hidden layers", at_least=1, at_most=64)
    activation: Literal["relu", "leaky_relu", "tanh", "maxout"] = setting("relu", "of the hidden layers")
    maxout_pieces: int = setting(5, "linear pieces of a unit where activation is maxout", at_least=2, at_most=64)
    norm: Literal["none", "batch", "layer"] = setting("none", "normalisation of the hidden layers")
    init: Literal["he", "normal", "orthogonal"] = setting("he", "he: uniform; normal: N(0, 0.02); orthogonal: gain 1.4")

    @property
    def batch_normalised(self) -> bool:
        return self.norm == "batch"

    @property
    def pieces(self) -> int:
        """Outputs of the linear layer for every unit."""
        return self.maxout_pieces if self.activation == "maxout" else 1


@dataclass(frozen=True, kw_only=True)
class GeneratorConfig(MLPConfig):
    """From latents to points in the plane, or to images in [-1, 1]."""

    conditioning: Literal["none", "concat", "batch_norm"] = setting(
        "none", "concat: one-hot labels beside the latents; batch_norm: a gain and a shift for each class"
    )

    @property
    def conditional(self) -> bool:
        return self.conditioning != "none"

    def problems(self) -> Iterator[Problem]:
        if self.conditioning == "batch_norm" and self.norm != "batch":
            yield Problem("conditioning", f"batch_norm needs norm: batch, and norm is {self.norm}")


@dataclass(frozen=True, kw_only=True)
class DiscriminatorConfig(MLPConfig):
    """From points or images to logits."""

    spectral_norm: bool = setting(False, "divide every weight matrix by its largest singular value")
    conditioning: Literal["none", "concat", "projection", "auxiliary"] = setting(
        "none", "concat: one-hot labels beside the input; projection: at the output; auxiliary: it tells the class"
    )
    minibatch: Literal["none", "stddev", "discrimination"] = setting("none", "features that compare a batch's samples")

    @property
    def judges_apart(self) -> bool:
        return not self.batch_normalised and self.minibatch == "none"

    @property
    def conditional(self) -> bool:
        return self.conditioning in ("concat", "projection")

    @property
    def classifies(self) -> bool:
        return self.conditioning == "auxiliary"


class Generator(LabelledGenerator):
    """Latents (n, latent_dim) to points (n, 2), unbounded, or images (n, c, h, w) in [-1, 1]."""

    def __init__(self, config: GeneratorConfig, *, shape: tuple[int, ...], latent_dim: int, num_classes: int = 0):
        inputs = latent_dim + num_classes * (config.conditioning == "concat")
        hidden = _hidden(config, inputs, num_classes=num_classes * (config.conditioning == "batch_norm"))
        last = nn.Linear(config.width, prod(shape))
        _initialise(last, config.init, last=True)
        bounded = [nn.Tanh()] if len(shape) == 3 else []
        body = Chain(*hidden, last, *bounded, nn.Unflatten(1, shape))
        super().__init__(body, conditioning=config.conditioning, num_classes=num_classes)


class Discriminator(FeatureDiscriminator):
    """Points (n, 2) or images (n, c, h, w) to logits (n,); one-hot labels come behind the flattened pixels."""

    def __init__(self, config: DiscriminatorConfig, *, shape: tuple[int, ...], num_classes: int = 0):
        inputs = prod(shape) + num_classes * (config.conditioning == "concat")
        minibatch, features = minibatch_layer(config.minibatch, config.width)
        body = Chain(*_hidden(config, inputs), minibatch)
        head = head_of(config.conditioning, features, num_classes)
        for layer in head.modules():
            _initialise(layer, config.init, last=True)
        super().__init__(body, head, conditioning=config.conditioning, num_classes=num_classes)
        if config.spectral_norm:
            spectrally_normalised(self)

    def features(self, images: Images, labels: Labels | None = None) -> Features:
        return super().features(images.flatten(1), labels)


def _hidden(config: MLPConfig, inputs: int, *, num_classes: int = 0) -> list[nn.Module]:
    """Linear, norm and activation for each hidden layer; a BatchNorm's shift takes the place of the bias."""
    layers: list[nn.Module] = []
    units = config.width * config.pieces
    for fan_in in [inputs] + [config.width] * (config.depth - 1):
        linear = nn.Linear(fan_in, units, bias=config.norm != "batch")
        _initialise(linear, config.init)
        layers += [linear, norm_layer(config.norm, units, num_classes=num_classes), _activation(config)]
    return layers


def _activation(config: MLPConfig) -> nn.Module:
    return Maxout(config.pieces) if config.activation == "maxout" else activation_layer(config.activation)


def _initialise(layer: nn.Module, init: str, *, last: bool = False) -> None:
    """Weights of a linear layer or of a head's class vectors, by name; "he" is what the authors' Linear.py does."""
    if not isinstance(layer, (nn.Linear, nn.Embedding)):
        return
    if init == "normal":
        nn.init.normal_(layer.weight, 0.0, 0.02)
    elif init == "orthogonal":
        nn.init.orthogonal_(layer.weight, gain=1.4)
    elif last:
        nn.init.xavier_uniform_(layer.weight)
    else:
        nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
    if isinstance(layer, nn.Linear) and layer.bias is not None:
        nn.init.zeros_(layer.bias)
