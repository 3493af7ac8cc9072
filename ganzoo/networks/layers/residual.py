"""Residual blocks: shortcut(x) + scale * residual(x), activations before convolutions (arXiv:1603.05027).

(n, before, h, w) to (n, after, h', w'), with h' = h, 2h ("up") or, for even h, h / 2 ("down").
The shortcut is taken from x itself, before the branch's norm and activation: no activation here works in place.
"""

from collections.abc import Callable
from functools import partial
from typing import Literal

from torch import Tensor, nn

from ganzoo.networks.layers.activations import activation_layer
from ganzoo.networks.layers.chain import Chain
from ganzoo.networks.layers.normalisation import norm_layer
from ganzoo.networks.layers.resampling import Conv3x3, DoublingConv2d, HalvingConv2d
from ganzoo.shapes import Labels

Resample = Literal["none", "up", "down"]
Norm = Callable[[int], nn.Module]  # channels to a layer

NO_NORM: Norm = partial(norm_layer, "none")


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions: norm, activation, (doubling), conv, norm, activation, conv, (halving).

    The block of WGAN-GP and SNGAN: Gulrajani et al. 2017, arXiv:1704.00028, appendix F; Miyato et al. 2018,
    arXiv:1802.05957, figure 8; igul222/improved_wgan_training:gan_cifar_resnet.py; pfnet-research/sngan_projection:
    gen_models/resblocks.py, dis_models/resblocks.py. Doubling repeats the nearest pixel, halving averages 2 x 2 pixels.

    Their shortcuts double before a 1x1 convolution and halve after it; only the discriminator's first, "optimised"
    block halves before. A 1x1 convolution commutes with both, so here all are done at the smaller resolution: the same
    function at a quarter of the cost. In the branch, resampling is part of the convolution beside it, for 4/9 of it.

    Args:
        hidden: channels between the convolutions; None: `after`.
        entry: whether it is a discriminator's first block, whose branch begins with the convolution: pixels are
            neither normalised nor cut off at zero.
    """

    takes_labels = True

    def __init__(
        self,
        before: int,
        after: int,
        *,
        resample: Resample = "none",
        hidden: int | None = None,
        norm: Norm = NO_NORM,
        activation: str = "relu",
        scale: float = 1.0,
        entry: bool = False,
    ):
        super().__init__()
        hidden = hidden or after
        begin = [] if entry else [norm(before), activation_layer(activation)]
        self.residual = Chain(
            *begin,
            *([nn.Identity(), DoublingConv2d(before, hidden)] if resample == "up" else [Conv3x3(before, hidden)]),
            norm(hidden),
            activation_layer(activation),
            HalvingConv2d(hidden, after) if resample == "down" else Conv3x3(hidden, after),
        )  # Identity: doubling was a layer once, and the weights of runs from then are named by their places
        self.shortcut: nn.Module = nn.Identity()
        if before != after or resample != "none":
            project = nn.Conv2d(before, after, 1)
            self.shortcut = nn.Sequential(*_resampled(resample, "down"), project, *_resampled(resample, "up"))
        self.scale = scale

    def forward(self, x: Tensor, labels: Labels | None = None) -> Tensor:
        return self.shortcut(x) + self.scale * self.residual(x, labels)


class BottleneckBlock(nn.Module):
    """Three convolutions: 1x1 to half the channels, 3x3, 1x1 back, an activation before each, one norm after the last.

    The block of WGAN-GP's 101-layer networks: igul222/improved_wgan_training:gan_64x64.py, BottleneckResidualBlock. The
    3x3 has stride 2 ("down") or is transposed with stride 2 ("up"); the shortcut is a 1x1 of stride 2, or one whose
    channels become pixels. Paddings are symmetric: each 3x3 is centred on the pixel that the shortcut takes, where
    TensorFlow's "SAME" is one pixel off.
    """

    takes_labels = True

    def __init__(
        self,
        before: int,
        after: int,
        *,
        resample: Resample = "none",
        norm: Norm = NO_NORM,
        activation: str = "relu",
        scale: float = 0.3,
    ):
        super().__init__()
        inner, outer, last = max(before // 2, 1), max(after // 2, 1), norm(after)
        self.residual = Chain(
            activation_layer(activation),
            nn.Conv2d(before, inner, 1),
            activation_layer(activation),
            _strided(inner, outer, resample),
            activation_layer(activation),
            nn.Conv2d(
                outer, after, 1, bias=isinstance(last, nn.Identity)
            ),  # as in the code; without a norm it needs one
            last,
        )
        self.shortcut = _strided_shortcut(before, after, resample)
        self.scale = scale

    def forward(self, x: Tensor, labels: Labels | None = None) -> Tensor:
        return self.shortcut(x) + self.scale * self.residual(x, labels)


class GlobalPool(nn.Module):
    """(n, c, h, w) to (n, c): the sum over the pixels (SNGAN) or their mean (WGAN-GP), h * w times smaller."""

    def __init__(self, how: Literal["sum", "mean"]):
        super().__init__()
        self.how = how

    def forward(self, x: Tensor) -> Tensor:
        return x.sum(dim=(2, 3)) if self.how == "sum" else x.mean(dim=(2, 3))

    def extra_repr(self) -> str:
        return self.how


def _resampled(resample: Resample, when: Resample) -> list[nn.Module]:
    if resample != when:
        return []
    return [nn.Upsample(scale_factor=2, mode="nearest") if when == "up" else nn.AvgPool2d(2)]


def _strided(before: int, after: int, resample: Resample) -> nn.Module:
    if resample == "up":
        return nn.ConvTranspose2d(before, after, 3, stride=2, padding=1, output_padding=1)
    return nn.Conv2d(before, after, 3, stride=2 if resample == "down" else 1, padding=1)


def _strided_shortcut(before: int, after: int, resample: Resample) -> nn.Module:
    if resample == "up":
        return nn.Sequential(nn.Conv2d(before, 4 * after, 1), nn.PixelShuffle(2))
    if resample == "down":
        return nn.Conv2d(before, after, 1, stride=2)
    return nn.Identity() if before == after else nn.Conv2d(before, after, 1)
