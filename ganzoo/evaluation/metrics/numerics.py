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


def refuse_broken(values: Float[Tensor, "n k"]) -> None:
    """Raises ValueError where samples have values that are NaN or infinite, without a copy of the values."""
    checked(torch.stack(values.aminmax(dim=1), dim=1))
