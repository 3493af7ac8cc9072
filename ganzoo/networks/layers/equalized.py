"""Layers with an equalised learning rate: weights from N(0, 1), scaled by He's constant whenever they are used.

y = (gain / sqrt(fan_in)) * W x + b. Adam's step does not depend on the size of a gradient, so with the usual
initialisation a layer whose weights are large learns slowly; here the stored weights of all layers have the same range.

Karras et al. 2018 (arXiv:1710.10196), section 4.1; tkarras/progressive_growing_of_gans, networks.py, get_weight: the
gain is sqrt(2), the bias is not scaled and begins at zero. In front of the last layers, which no activation follows,
the gain is 1.
"""

from math import sqrt

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganzoo.networks.layers.resampling import conv_doubled

GAIN = sqrt(2.0)


class EqualizedLinear(nn.Module):
    """(n, in_features) to (n, out_features)."""

    def __init__(self, in_features: int, out_features: int, *, gain: float = GAIN, bias: bool = True):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_features, in_features))
        self.bias = nn.Parameter(torch.zeros(out_features)) if bias else None
        self.scale = gain / sqrt(in_features)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.scale, self.bias)

    def extra_repr(self) -> str:
        return f"{self.weight.shape[1]}, {self.weight.shape[0]}, scale={self.scale:.4g}"


class EqualizedConv2d(nn.Module):
    """(n, in_channels, h, w) to (n, out_channels, h, w); the kernel is odd and the border padded with zeros."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, *, gain: float = GAIN, bias: bool = True):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        self.scale = gain / sqrt(in_channels * kernel_size**2)
        self.padding = kernel_size // 2

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * self.scale, self.bias, padding=self.padding)

    def extra_repr(self) -> str:
        return f"{self.weight.shape[1]}, {self.weight.shape[0]}, {self.weight.shape[2]}, scale={self.scale:.4g}"


class EqualizedDoublingConv2d(EqualizedConv2d):
    """Every pixel repeated, then a 3x3 convolution: (n, in_channels, h, w) to (n, out_channels, 2h, 2w)."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__(in_channels, out_channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        return conv_doubled(x, self.weight * self.scale, self.bias)

    def unfolded(self, x: Tensor) -> Tensor:
        """The same, one after the other."""
        return super().forward(F.interpolate(x, scale_factor=2))
