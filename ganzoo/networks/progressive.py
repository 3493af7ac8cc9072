"""Progressive: networks that grow from 4 pixels upwards (Karras et al. 2018, arXiv:1710.10196, tables 2 and 3).

Stage s makes or judges images of 4 * 2^s pixels. All stages are there from the beginning, so that nothing changes its
shape when the networks grow; `grow(stage, fade)` says which are used. As they are built they are fully grown: ordinary
networks, for any variant. The variant `progressive` grows them.

Nearest-neighbour doubling and average pooling, two 3x3 convolutions a stage, equalised learning rate, LeakyReLU 0.2;
pixel norm in the generator, minibatch standard deviation in the discriminator. Where the authors' two branches differ,
the later one is followed (tkarras/progressive_growing_of_gans, master, networks.py): statistics over groups of 4.
The generator's output is linear, without tanh, as in the paper: it may leave [-1, 1], and is clipped when it becomes
pixels. There are no other norms, activations or conditionings here: these networks are what they are together.
"""

from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from ganzoo.config import setting
from ganzoo.networks.base import NetworkConfig
from ganzoo.networks.layers.conditioning import classes_for, with_label_maps, with_one_hot
from ganzoo.networks.layers.equalized import EqualizedConv2d, EqualizedDoublingConv2d, EqualizedLinear
from ganzoo.networks.layers.minibatch import MinibatchStddev
from ganzoo.networks.layers.pixel_norm import PixelNorm
from ganzoo.shapes import Features, Images, Labels, Latents, Logits

FIRST = 4  # pixels at stage 0
RESOLUTIONS = tuple(FIRST << stage for stage in range(1, 9))  # 8 to 1024


@dataclass(frozen=True, kw_only=True)
class GrowingConfig(NetworkConfig):
    """What both networks have in common. The authors' fmap_base is width * resolution / 2, their fmap_max max_width."""

    width: int = setting(16, "channels at the full resolution; doubled at every halving", at_least=1, at_most=2048)
    max_width: int = setting(512, "no layer has more channels than this", at_least=1, at_most=8192)
    conditioning: Literal["none", "concat"] = setting("none", "concat: one-hot labels beside the input")

    @property
    def grows(self) -> bool:
        return True

    @property
    def conditional(self) -> bool:
        return self.conditioning != "none"

    def refuses(self, shape: tuple[int, ...]) -> str | None:
        if len(shape) != 3:
            return "progressive networks are for images, not for points; use mlp"
        if shape[-1] in RESOLUTIONS:
            return None
        return f"progressive networks make one of {', '.join(map(str, RESOLUTIONS))} pixels"

    def stages(self, shape: tuple[int, ...]) -> int:
        """How many there are. Raises ValueError for a shape that the networks refuse."""
        if refusal := self.refuses(shape):
            raise ValueError(refusal)
        return RESOLUTIONS.index(shape[-1]) + 2

    def channels(self, stages: int, stage: int) -> int:
        """Channels of the last layer of a stage; of the discriminator's dense layer for stage -1.

        >>> paper = GrowingConfig(width=16, max_width=512)
        >>> [paper.channels(9, stage) for stage in range(9)]
        [512, 512, 512, 512, 256, 128, 64, 32, 16]
        """
        return min(self.width << (stages - 1 - stage), self.max_width)


@dataclass(frozen=True, kw_only=True)
class GeneratorConfig(GrowingConfig):
    """From latents to images."""


@dataclass(frozen=True, kw_only=True)
class DiscriminatorConfig(GrowingConfig):
    """From images to logits."""

    minibatch: Literal["none", "stddev"] = setting("stddev", "stddev: a statistic of groups of 4 as one more channel")

    @property
    def judges_apart(self) -> bool:
        return self.minibatch == "none"


class Growing(nn.Module):
    """A network that uses its first stages only.

    Attributes:
        stages: how many it has.
        stage: the newest in use.
        fade: how much of the newest is blended in; 1: all.
    """

    def __init__(self, stages: int):
        super().__init__()
        self.stages = stages
        self.grow(stages - 1, 1.0)

    def grow(self, stage: int, fade: float) -> None:
        """Uses the stages up to `stage`, which is blended with the one before: (1 - fade) * before + fade * newest."""
        if not (0 <= stage < self.stages and 0.0 <= fade <= 1.0):
            raise ValueError(f"stage {stage} must be from 0 to {self.stages - 1}, fade {fade} from 0 to 1")
        self.stage, self.fade = stage, fade

    @property
    def fading(self) -> bool:
        return self.stage > 0 and self.fade < 1.0


class Generator(Growing):
    """Latents (n, latent_dim) to images (n, c, h, h), h = 4 * 2^stage; unbounded.

    Latents (and one-hot labels) are normalised to the sphere of radius sqrt(their number).
    """

    def __init__(self, config: GeneratorConfig, *, shape: tuple[int, ...], latent_dim: int, num_classes: int = 0):
        stages = config.stages(shape)
        super().__init__(stages)
        self.num_classes = classes_for(config.conditioning, num_classes)
        widths = [config.channels(stages, stage) for stage in range(stages)]
        first = nn.Sequential(
            PixelNorm(), FromLatents(latent_dim + self.num_classes, widths[0]), *_made(widths[0], widths[0])
        )
        doubling = [_doubling(*pair) for pair in pairwise(widths)]
        self.blocks = nn.ModuleList([first, *doubling])
        self.to_images = nn.ModuleList(EqualizedConv2d(width, shape[0], 1, gain=1.0) for width in widths)

    def forward(self, latents: Latents, labels: Labels | None = None) -> Images:
        x = with_one_hot(latents, labels, self.num_classes) if self.num_classes else latents
        for block in list(self.blocks)[: self.stage]:
            x = block(x)
        images = self.to_images[self.stage](self.blocks[self.stage](x))
        if not self.fading:
            return images
        return torch.lerp(doubled(self.to_images[self.stage - 1](x)), images, self.fade)


class Discriminator(Growing):
    """Images (n, c, h, h), h = 4 * 2^stage, to logits (n,)."""

    def __init__(self, config: DiscriminatorConfig, *, shape: tuple[int, ...], num_classes: int = 0):
        stages = config.stages(shape)
        super().__init__(stages)
        self.num_classes = classes_for(config.conditioning, num_classes)
        widths = [config.channels(stages, stage) for stage in range(stages)]
        features = config.channels(stages, -1)
        halving = [_halving(after, before) for before, after in pairwise(widths)]
        self.blocks = nn.ModuleList([_last(config, widths[0], features), *halving])
        inputs = shape[0] + self.num_classes
        self.from_images = nn.ModuleList(nn.Sequential(EqualizedConv2d(inputs, w, 1), _leaky()) for w in widths)
        self.head = EqualizedLinear(features, 1, gain=1.0)

    def features(self, images: Images, labels: Labels | None = None) -> Features:
        """What the logit is a linear function of."""
        given = with_label_maps(images, labels, self.num_classes) if self.num_classes else images
        x = self.blocks[self.stage](self.from_images[self.stage](given))
        if self.fading:
            x = torch.lerp(self.from_images[self.stage - 1](avg_pool2d(given, 2)), x, self.fade)
        for block in reversed(list(self.blocks)[: self.stage]):
            x = block(x)
        return x

    def forward(self, images: Images, labels: Labels | None = None) -> Logits:
        return self.head(self.features(images, labels)).squeeze(1)


class FromLatents(nn.Module):
    """A dense layer from (n, z) to (n, c, 4, 4) with one bias a channel, activated and normalised.

    Its gain is sqrt(2) / 4, which makes it the 4x4 convolution that the paper and the authors' first branch have.
    """

    def __init__(self, latent_dim: int, channels: int):
        super().__init__()
        self.dense = EqualizedLinear(latent_dim, channels * FIRST * FIRST, gain=sqrt(2.0) / 4, bias=False)
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))
        self.finish = nn.Sequential(_leaky(), PixelNorm())

    def forward(self, latents: Latents) -> Images:
        return self.finish(self.dense(latents).unflatten(1, (-1, FIRST, FIRST)) + self.bias)


def doubled(images: Tensor) -> Tensor:
    """(n, c, h, w) to (n, c, 2h, 2w): every pixel four times."""
    return interpolate(images, scale_factor=2)


def _leaky() -> nn.Module:
    return nn.LeakyReLU(0.2)


def _made(before: int, after: int) -> list[nn.Module]:
    return [EqualizedConv2d(before, after, 3), _leaky(), PixelNorm()]


def _doubling(before: int, after: int) -> nn.Module:
    first = [EqualizedDoublingConv2d(before, after), _leaky(), PixelNorm()]
    # Identity: doubling was a layer once, and the weights of runs from then are named by their places.
    return nn.Sequential(nn.Identity(), *first, *_made(after, after))


def _halving(before: int, after: int) -> nn.Module:
    convs = (EqualizedConv2d(before, before, 3), _leaky(), EqualizedConv2d(before, after, 3), _leaky())
    return nn.Sequential(*convs, nn.AvgPool2d(2))


def _last(config: DiscriminatorConfig, channels: int, features: int) -> nn.Module:
    """From 4x4 pixels to features (n, f)."""
    statistic = [MinibatchStddev()] if config.minibatch == "stddev" else []
    conv = EqualizedConv2d(channels + len(statistic), channels, 3)
    dense = EqualizedLinear(channels * FIRST * FIRST, features)
    return nn.Sequential(*statistic, conv, _leaky(), nn.Flatten(), dense, _leaky())
