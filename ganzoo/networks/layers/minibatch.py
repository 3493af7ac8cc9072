"""Layers by which a discriminator sees whether the samples of a batch are alike."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ganzoo.shapes import Features

KERNELS = 100


def minibatch_layer(name: str, features: int) -> tuple[nn.Module, int]:
    """The layer of that name for feature vectors (n, features), and how many features come out of it.

    >>> [minibatch_layer(name, 64)[1] for name in ("none", "stddev", "discrimination")]
    [64, 65, 164]
    """
    if name == "stddev":
        return MinibatchStddev(), features + 1
    if name == "discrimination":
        return MinibatchDiscrimination(features, KERNELS), features + KERNELS
    return nn.Identity(), features


class MinibatchStddev(nn.Module):
    """Appends how much the samples of a group differ: (n, c, h, w) to (n, c + 1, h, w), or (n, d) to (n, d + 1).

    The standard deviation over the group of every value, averaged over the values: one number a group, the same for
    all its samples and pixels (Karras et al. 2017, arXiv:1710.10196, section 3). As in the authors' TensorFlow
    code: the deviation is the biased one, sqrt(variance + 1e-8), and sample i is in group i modulo the number of
    groups. The paper's text and their Theano code take the whole batch as one group; a large `group_size` does so.

    Args:
        group_size: a group has as many samples as the largest divisor of n that is not above it.
    """

    def __init__(self, group_size: int = 4):
        super().__init__()
        self.group_size = group_size

    def forward(self, x: Tensor) -> Tensor:
        n = len(x)
        size = next(size for size in range(min(self.group_size, n), 0, -1) if n % size == 0)
        grouped = x.unflatten(0, (size, n // size))
        deviation = (grouped.var(dim=0, unbiased=False) + 1e-8).sqrt().flatten(1).mean(dim=1)
        channel = deviation.repeat(size).reshape(n, *[1] * (x.ndim - 1)).expand(n, 1, *x.shape[2:])
        return torch.cat([x, channel], dim=1)

    def extra_repr(self) -> str:
        return f"group_size={self.group_size}"


class MinibatchDiscrimination(nn.Module):
    """Appends how near the others are, in learned projections: (n, features) to (n, features + kernels).

    o_ib = sum over j != i of exp(-|M_ib - M_jb|_1), in (0, n), with M_i = x_i T and T (features, kernels, dims):
    Salimans et al. 2016, arXiv:1606.03498, section 3.2; openai/improved-gan:mnist_svhn_cifar10/nn.py. The paper's sum
    includes j = i, which adds 1; followed is the code, which leaves it out. The code also has a bias, which the layer
    above has anyway, and T's columns as unit directions times learned scales, the scales set from a first batch so
    that the nearest other sample is at distance 2. Here T is learned as it stands; its columns begin as random unit
    vectors, the code's before that first batch, since a network must not depend on data before it is trained.
    """

    def __init__(self, features: int, kernels: int = KERNELS, dims: int = 5):
        super().__init__()
        self.projections = nn.Parameter(nn.functional.normalize(torch.randn(features, kernels, dims), dim=0))

    def forward(self, x: Features) -> Float[Tensor, "n more"]:
        projected = torch.einsum("nf,fkd->nkd", x, self.projections)
        distances = (projected[:, None] - projected[None]).abs().sum(dim=3)  # (n, n, kernels)
        others = 1 - torch.eye(len(x), dtype=distances.dtype, device=x.device)
        nearness = (torch.exp(-distances) * others[:, :, None]).sum(dim=1)
        return torch.cat([x, nearness], dim=1)

    def extra_repr(self) -> str:
        return "features={}, kernels={}, dims={}".format(*self.projections.shape)
