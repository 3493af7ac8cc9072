"""3x3 convolutions that double or halve the resolution, with the resampling folded into the kernel.

The mean of 2 x 2 pixels after a 3x3 convolution is a 4x4 convolution of stride 2, and a 3x3 convolution of an image
with every pixel repeated is a transposed 4x4 convolution of stride 2: the same functions for 4/9 of the products, and
without the images between. The 4x4 kernel is the sum of the 3x3 kernel at the four places where it meets a pixel, or
their mean: in one dimension (a, a + b, b + c, c).

Karras et al. 2018 have this behind a flag (tkarras/progressive_growing_of_gans, networks.py, upscale2d_conv2d and
conv2d_downscale2d). What the weights are, and how they are initialised and normalised, does not change.
"""

from torch import Tensor, nn
from torch.nn import functional as F


def conv_halved(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """(n, in, h, w) to (n, out, h / 2, w / 2): the mean of 2 x 2 pixels of the convolution by (out, in, 3, 3)."""
    return F.conv2d(x, F.avg_pool2d(weight, 2, stride=1, padding=1), bias, stride=2, padding=1)


def conv_doubled(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """(n, in, h, w) to (n, out, 2h, 2w): the convolution by (out, in, 3, 3) of the image with every pixel repeated."""
    turned = weight.transpose(0, 1).flip(2, 3)  # a transposed convolution's kernel is the other way round
    kernel = F.avg_pool2d(turned, 2, stride=1, padding=1, divisor_override=1)
    return F.conv_transpose2d(x, kernel, bias, stride=2, padding=1)


class Conv3x3(nn.Conv2d):
    """(n, before, h, w) to (n, after, h, w), the border padded with zeros."""

    def __init__(self, before: int, after: int):
        super().__init__(before, after, 3, padding=1)


class HalvingConv2d(Conv3x3):
    """A 3x3 convolution, then the mean of 2 x 2 pixels: (n, before, h, w) to (n, after, h / 2, w / 2)."""

    def forward(self, x: Tensor) -> Tensor:
        return conv_halved(x, self.weight, self.bias)

    def unfolded(self, x: Tensor) -> Tensor:
        """The same, one after the other."""
        return F.avg_pool2d(super().forward(x), 2)


class DoublingConv2d(Conv3x3):
    """Every pixel repeated, then a 3x3 convolution: (n, before, h, w) to (n, after, 2h, 2w)."""

    def forward(self, x: Tensor) -> Tensor:
        return conv_doubled(x, self.weight, self.bias)

    def unfolded(self, x: Tensor) -> Tensor:
        """The same, one after the other."""
        return super().forward(F.interpolate(x, scale_factor=2))
