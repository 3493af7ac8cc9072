"""Images to the square that a network sees, in the ways that published scores were made in: FID depends on it.

None of them rounds to uint8 again (Parmar et al. 2022, arXiv:2104.11222).
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

Resize = Literal["bilinear-antialias", "tf1-bilinear", "pil-bicubic"]
AnySize = Float[Tensor, "n channels height width"]
Square = Float[Tensor, "n channels size size"]


def resized(images: AnySize, size: int, how: Resize, *, limits: tuple[float, float] = (0.0, 255.0)) -> Square:
    """Images (n, c, h, w) as squares of `size` pixels; those that are such squares already are left alone.

    - `bilinear-antialias`: every pixel is a weighted mean of all that it covers. What small extractors use here.
    - `tf1-bilinear`: TensorFlow 1's: no antialias, and pixel 0 stays at 0. What FID was published with (torch-fidelity;
      a shrunken image is aliased).
    - `pil-bicubic`: Pillow's, antialiased, of float channels: clean-FID's. It overshoots at edges, and as in clean-FID
      what overshoots is clipped.

    Args:
        limits: black and white; only `pil-bicubic` reads them.
    """
    if images.shape[2:] == (size, size):
        return images
    if how == "bilinear-antialias":
        return functional.interpolate(images, size=(size, size), mode="bilinear", antialias=True)
    if how == "tf1-bilinear":
        from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

        return interpolate_bilinear_2d_like_tensorflow1x(images, size=(size, size), align_corners=False)
    return torch.cat([_bicubic(image[None], size) for image in images]).clamp(*limits)


def _bicubic(image: AnySize, size: int) -> Square:
    """As Pillow to the rounding of a float32. Pillow sums in float64, and so must this: in float32 it is off by 1e-2.

    One image at a time, or a batch of large ones would be held in float64.
    """
    return functional.interpolate(image.double(), size=(size, size), mode="bicubic", antialias=True).to(image.dtype)
