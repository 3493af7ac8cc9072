"""The averaged generator: an exponential moving average of the weights, its half-life told in real images."""

import copy

import torch
from torch import nn

from ganzoo.training.places import places_of, tensors_at


def averaged_copy(generator: nn.Module) -> nn.Module:
    """A copy of the generator to hold the average: in eval mode, without gradients."""
    return copy.deepcopy(generator).eval().requires_grad_(False)


class MovingAverage:
    """average <- d * average + (1 - d) * generator with d = 0.5 ** (images / halflife_images), d = 0 without half-life.

    Parameters and floating-point buffers (BatchNorm's statistics belong to the weights that made them) are averaged,
    other buffers (counts) copied. One fused call a data type, since this runs at every generator update; and where
    the tensors are kept is found out once, since the search takes longer than the average of a small network.

    Reference: Karras et al. 2018 (arXiv:1710.10196), section 4; the half-life as in Karras et al. 2020
    (arXiv:2006.06676).
    """

    def __init__(self, average: nn.Module, generator: nn.Module):
        places = [places_of(average), places_of(generator)]
        dtypes = [tensor.dtype for tensor in tensors_at(places[1])]
        self._groups = {
            dtype: [[place for place, each in zip(of, dtypes, strict=True) if each == dtype] for of in places]
            for dtype in set(dtypes)
        }

    @torch.no_grad()
    def move(self, *, images: int, halflife_images: float | None) -> None:
        """After `images` more real images.

        Args:
            halflife_images: images until the past counts half; None: the average is a plain copy.
        """
        weight = 1.0 if halflife_images is None else 1.0 - 0.5 ** (images / halflife_images)
        for dtype, (averages, currents) in self._groups.items():
            if dtype.is_floating_point:
                torch._foreach_lerp_(tensors_at(averages), tensors_at(currents), weight)
            else:
                torch._foreach_copy_(tensors_at(averages), tensors_at(currents))
