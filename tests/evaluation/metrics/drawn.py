"""Features for the tests of the metrics."""

import torch
from torch import nn


class Features(nn.Module):
    """Hands the features through, where torchmetrics expects an Inception network."""

    num_features = 8

    def forward(self, features):
        return features


def random(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(n: int, d: int, seed: int) -> torch.Tensor:
    return torch.randn(n, d, generator=random(seed), dtype=torch.float64)
