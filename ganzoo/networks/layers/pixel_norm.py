"""Pixelwise feature normalisation."""

import torch
from torch import Tensor, nn


class PixelNorm(nn.Module):
    """b = a / sqrt(mean over channels of a^2 + eps), at each pixel by itself: mean square 1 over the channels.

    (n, c, h, w) or (n, c), to the same shape. Of latents (n, z) it makes points on the sphere of radius sqrt(z).
    Karras et al. 2018 (arXiv:1710.10196), section 4.2, with its eps of 1e-8.
    """

    def __init__(self, eps: float = 1e-8):
        super().__init__()
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        wide = x.to(torch.promote_types(x.dtype, torch.float32))  # float16 has no number as small as eps
        return x * torch.rsqrt(wide.square().mean(dim=1, keepdim=True) + self.eps).to(x.dtype)
