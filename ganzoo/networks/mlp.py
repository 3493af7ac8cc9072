"""MLP: the ReLU networks of the 2-D experiments (Gulrajani et al. 2017, arXiv:1704.00028; gan_toy.py of the authors).

Three hidden layers of 512 ReLU units in both networks. Hidden weights are He-uniform, the last layer is
Glorot-uniform, biases are zero. For images the output is flattened pixels through tanh.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Literal

from torch import nn

from ganzoo.config import setting
from ganzoo.networks.base import NetworkConfig
from ganzoo.shapes import Images, Latents, Logits


@dataclass(frozen=True, kw_only=True)
class MLPConfig(NetworkConfig):
    """What both networks have in common."""

    width: int = setting(512, "units of a hidden layer", at_least=1, at_most=65536)
    depth: int = setting(3, "hidden layers", at_least=1, at_most=64)
    activation: Literal["relu", "leaky_relu", "tanh"] = setting("relu", "of the hidden layers")
    norm: Literal["none", "batch"] = setting("none", "normalisation of the hidden layers")

    @property
    def mixes_samples(self) -> bool:
        return self.norm == "batch"


@dataclass(frozen=True, kw_only=True)
class GeneratorConfig(MLPConfig):
    """From latents to points in the plane, or to images in [-1, 1]."""


@dataclass(frozen=True, kw_only=True)
class DiscriminatorConfig(MLPConfig):
    """From points or images to logits."""


class Generator(nn.Module):
    """Latents (n, latent_dim) to points (n, 2), unbounded, or images (n, c, h, w) in [-1, 1]."""

    def __init__(self, config: GeneratorConfig, *, shape: tuple[int, ...], latent_dim: int):
        super().__init__()
        bounded = [nn.Tanh()] if len(shape) == 3 else []
        self.layers = nn.Sequential(*_mlp(config, latent_dim, prod(shape)), *bounded, nn.Unflatten(1, shape))

    def forward(self, latents: Latents) -> Images:
        return self.layers(latents)


class Discriminator(nn.Module):
    """Points (n, 2) or images (n, c, h, w) to logits (n,)."""

    def __init__(self, config: DiscriminatorConfig, *, shape: tuple[int, ...]):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), *_mlp(config, prod(shape), 1))

    def forward(self, images: Images) -> Logits:
        return self.layers(images).squeeze(1)


ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": lambda: nn.LeakyReLU(0.2),
    "tanh": nn.Tanh,
}


def _mlp(config: MLPConfig, inputs: int, outputs: int) -> list[nn.Module]:
    """Hidden layers and the last linear one, initialised as in the authors' Linear.py."""
    layers: list[nn.Module] = []
    for fan_in in [inputs] + [config.width] * (config.depth - 1):
        hidden = nn.Linear(fan_in, config.width)
        nn.init.kaiming_uniform_(hidden.weight, nonlinearity="relu")
        nn.init.zeros_(hidden.bias)
        normed = [nn.BatchNorm1d(config.width)] if config.norm == "batch" else []
        layers += [hidden, *normed, ACTIVATIONS[config.activation]()]
    last = nn.Linear(config.width, outputs)
    nn.init.xavier_uniform_(last.weight)
    nn.init.zeros_(last.bias)
    return [*layers, last]
