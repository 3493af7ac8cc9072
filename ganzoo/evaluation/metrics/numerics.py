"""What every metric begins with: finite values, in float64, and the types of two sets of features."""

import torch
from jaxtyping import Float
from torch import Tensor

OtherFeatures = Float[Tensor, "m features"]  # as many features as the first set has, any number of samples


def checked(values: Tensor) -> Tensor:
    """`values` in float64. Raises ValueError where some are NaN or infinite."""
    broken = int((~torch.isfinite(values)).flatten(1).any(dim=1).sum())
    if broken:
        raise ValueError(f"{broken} of {len(values)} samples have features that are NaN or infinite")
    return values.double()
