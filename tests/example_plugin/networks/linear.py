"""Linear: a plugin's networks: one matrix each way."""

from dataclasses import dataclass
from math import prod

from torch import nn

from ganzoo.networks.base import NetworkConfig
from ganzoo.shapes import Images, Latents, Logits


@dataclass(frozen=True, kw_only=True)
class GeneratorConfig(NetworkConfig):
    pass


@dataclass(frozen=True, kw_only=True)
class DiscriminatorConfig(NetworkConfig):
    pass


class Generator(nn.Module):
    def __init__(self, config: GeneratorConfig, *, shape: tuple[int, ...], latent_dim: int, num_classes: int = 0):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(latent_dim, prod(shape)), nn.Unflatten(1, shape))

    def forward(self, latents: Latents) -> Images:
        return self.layers(latents)


class Discriminator(nn.Module):
    def __init__(self, config: DiscriminatorConfig, *, shape: tuple[int, ...], num_classes: int = 0):
        super().__init__()
        self.layer = nn.Linear(prod(shape), 1)

    def forward(self, images: Images) -> Logits:
        return self.layer(images.flatten(1)).squeeze(1)
