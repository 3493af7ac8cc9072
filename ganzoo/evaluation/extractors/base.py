"""What every extractor is: a frozen network that gives features of samples, and class logits if it classifies."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from torch import Tensor, nn


class Extracted(NamedTuple):
    """Features (n, d) and class logits (n, k) of n samples; no logits where there is no classifier."""

    features: Tensor
    logits: Tensor | None


class Extractor(nn.Module):
    """Base of the extractors: in eval mode, without gradients, and with an identity that a cache can trust.

    Attributes:
        identity: its name and what its weights hash to; two extractors of one identity give the same features.
        weights_sha256: of the file that the weights came from; None where there are no weights.
        batch_size: samples at a time that suit it.
        about: what else a record should say of it.
    """

    identity: str
    weights_sha256: str | None = None
    batch_size: int = 250
    about: Mapping[str, Any] = MappingProxyType({})

    def forward(self, samples: Tensor) -> Extracted:
        """Pixels (uint8) or images in [-1, 1], (n, 1 or 3, h, w), of any size; or points (n, 2)."""
        raise NotImplementedError


class Coordinates(Extractor):
    """Points (n, 2) are their own features."""

    identity = "coordinates"

    def forward(self, samples: Tensor) -> Extracted:
        return Extracted(samples, None)
