"""Weights for networks whose own cannot be had in a test."""

from collections.abc import Mapping

import torch
from torch import Tensor


def random_weights(shapes: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of such shapes under which activations keep their size from layer to layer."""
    generator = torch.Generator().manual_seed(0)
    found = {}
    for name, like in shapes.items():
        values = torch.randn(like.shape, generator=generator) if like.is_floating_point() else torch.zeros(like.shape)
        if like.ndim > 1:
            values *= (2 / like[0].numel()) ** 0.5
        elif name.endswith(("running_var", ".weight")):
            values = 1 + 0.2 * values.tanh()
        else:
            values *= 0.1
        found[name] = values.to(like.dtype)
    return found
