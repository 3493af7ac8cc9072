"""The averaged generator: an exponential moving average of the weights, its half-life told in real images."""

import copy

import torch
from torch import Tensor, nn


def averaged_copy(generator: nn.Module) -> nn.Module:
    """A copy of the generator to hold the average: in eval mode, without gradients."""
    return copy.deepcopy(generator).eval().requires_grad_(False)


@torch.no_grad()
def move_average(average: nn.Module, generator: nn.Module, *, images: int, halflife_images: float | None) -> None:
    """average <- d * average + (1 - d) * generator with d = 0.5 ** (images / halflife_images), d = 0 without half-life.

    Parameters and floating-point buffers (BatchNorm's statistics belong to the weights that made them) are averaged,
    other buffers (counts) copied. One fused call a data type, since this runs at every generator update.

    Args:
        images: real images seen since the last call.
        halflife_images: images until the past counts half; None: the average is a plain copy.

    Reference: Karras et al. 2018 (arXiv:1710.10196), section 4; the half-life as in Karras et al. 2020
    (arXiv:2006.06676).
    """
    weight = 1.0 if halflife_images is None else 1.0 - 0.5 ** (images / halflife_images)
    groups: dict[torch.dtype, tuple[list[Tensor], list[Tensor]]] = {}
    for kept, current in zip(_tensors(average), _tensors(generator), strict=True):
        if kept.is_floating_point():
            pair = groups.setdefault(kept.dtype, ([], []))
            pair[0].append(kept)
            pair[1].append(current)
        else:
            kept.copy_(current)
    for averages, currents in groups.values():
        torch._foreach_lerp_(averages, currents, weight)


def _tensors(module: nn.Module) -> list[Tensor]:
    return [*module.parameters(), *module.buffers()]
