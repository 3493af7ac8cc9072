"""Settings that the families for images share (no torch here: see `ganzoo.components`)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ganzoo.config import setting
from ganzoo.errors import Problem
from ganzoo.networks.base import NetworkConfig

SMALLEST, LARGEST = 8, 256  # pixels


def ladder(resolution: int) -> tuple[int, int] | None:
    """(base, stages) with resolution = base * 2 ** stages, base from 4 to 7, at least one stage; None if there is none.

    >>> ladder(32), ladder(28), ladder(48), ladder(33)
    ((4, 3), (7, 2), (6, 3), None)
    """
    for stages in range(1, 7):
        if resolution % 2**stages == 0 and 4 <= resolution >> stages <= 7 and SMALLEST <= resolution <= LARGEST:
            return resolution >> stages, stages
    return None


@dataclass(frozen=True, kw_only=True)
class ImageConfig(NetworkConfig):
    """A network for square images of certain resolutions, those of a `ladder` unless a family says otherwise."""

    @property
    def family(self) -> str:
        return type(self).__module__.rpartition(".")[2]

    def fits(self, resolution: int) -> bool:
        return ladder(resolution) is not None

    @property
    def resolutions(self) -> str:
        """Those that fit, in words."""
        return f"{SMALLEST} to {LARGEST} pixels, (4, 5, 6 or 7) times a power of two"

    def refuses(self, shape: tuple[int, ...]) -> str | None:
        if len(shape) != 3:
            return f"{self.family} networks are for images, not for points; use mlp"
        if shape[1] != shape[2]:
            return f"{self.family} networks are for square images, not for {shape[1]} x {shape[2]} pixels"
        if self.fits(shape[1]):
            return None
        fits = [size for size in range(SMALLEST, LARGEST + 1) if self.fits(size)]
        near = sorted(sorted(fits, key=lambda size: abs(size - shape[1]))[:2])
        return (
            f"{self.family} networks make {self.resolutions}; "
            f"the nearest to {shape[1]} are {' and '.join(map(str, near))}"
        )

    def check(self, shape: tuple[int, ...]) -> None:
        """Raises ValueError for a shape that the network refuses."""
        if refusal := self.refuses(shape):
            raise ValueError(refusal)


@dataclass(frozen=True, kw_only=True)
class ImageGeneratorConfig(ImageConfig):
    """From latents, and labels, to images in [-1, 1]."""

    norm: Literal["batch", "layer", "none"] = setting("batch", "normalisation of the hidden layers")
    activation: Literal["relu", "leaky_relu", "leaky_relu_0.1", "tanh", "elu", "softplus"] = setting(
        "relu", "of the hidden layers; softplus: softplus(2x + 2) / 2 - 1"
    )
    conditioning: Literal["none", "concat", "batch_norm"] = setting(
        "none", "concat: one-hot labels behind the latents; batch_norm: gains and shifts of each class"
    )

    def problems(self) -> Iterator[Problem]:
        if self.conditioning == "batch_norm" and self.norm != "batch":
            yield Problem("conditioning", f"batch_norm needs norm: batch, and norm is {self.norm}")

    @property
    def batch_normalised(self) -> bool:
        return self.norm == "batch"

    @property
    def conditional(self) -> bool:
        return self.conditioning != "none"


@dataclass(frozen=True, kw_only=True)
class ImageDiscriminatorConfig(ImageConfig):
    """From images, and labels, to logits."""

    norm: Literal["none", "batch", "layer"] = setting("none", "normalisation of the hidden layers")
    activation: Literal["relu", "leaky_relu", "leaky_relu_0.1", "tanh", "elu", "softplus"] = setting(
        "relu", "of the hidden layers; softplus: softplus(2x + 2) / 2 - 1"
    )
    spectral_norm: bool = setting(False, "every weight matrix divided by its largest singular value")
    conditioning: Literal["none", "concat", "projection", "auxiliary"] = setting(
        "none", "concat: labels as constant maps; projection: at the head; auxiliary: it tells the class"
    )
    minibatch: Literal["none", "stddev", "discrimination"] = setting(
        "none", "features that compare the samples of a batch, before the head"
    )

    @property
    def batch_normalised(self) -> bool:
        return self.norm == "batch"

    @property
    def judges_apart(self) -> bool:
        return not self.batch_normalised and self.minibatch == "none"

    @property
    def conditional(self) -> bool:
        return self.conditioning in ("concat", "projection")

    @property
    def classifies(self) -> bool:
        return self.conditioning == "auxiliary"
