"""What every data set tells about itself before anything is loaded (no torch here: see `ganzoo.components`)."""

from dataclasses import dataclass
from typing import Literal

from ganzoo.config import Settings, setting

Split = Literal["train", "heldout"]


@dataclass(frozen=True, kw_only=True)
class DataConfig(Settings):
    """A data set and how training draws from it. A data set's module has a `Config` and `load(config, split)`."""

    batch_size: int = setting(64, "real images in a batch, over all devices", at_least=1, at_most=65536)
    num_workers: int = setting(0, "loader processes; the batches are the same for any number", at_least=0, at_most=128)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one sample: (c, h, w), or (2,) for points in the plane."""
        raise NotImplementedError(f"{type(self).__module__}.Config says no shape")

    @property
    def num_classes(self) -> int:
        """How many classes the labels tell apart; 0 for unlabelled data."""
        return 0

    @property
    def num_train(self) -> int | None:
        """Samples in the train split, or None where that takes reading the data."""
        return None

    @property
    def num_heldout(self) -> int | None:
        """Samples in the held-out split, or None where that takes reading the data."""
        return None

    def missing(self) -> str | None:
        """What this machine lacks before the data can be loaded: what was looked for, where, and what to do; or None.

        Asked before loading, not when a configuration is built: that of an old run is read on any machine.
        """
        return None


@dataclass(frozen=True, kw_only=True)
class ImageConfig(DataConfig):
    """Square images, held as uint8 and seen by the networks in [-1, 1]."""

    resolution: int = setting(32, "height and width in pixels", at_least=4, at_most=1024)
    channels: Literal[1, 3] = setting(3, "1: grey, 3: RGB; images are converted")
    flip: bool = setting(False, "mirror a random half of the images of every batch")

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.channels, self.resolution, self.resolution)


@dataclass(frozen=True, kw_only=True)
class PointsConfig(DataConfig):
    """Points in the plane, made once from a fixed seed: the data are the same for every experiment seed."""

    num_points: int = setting(100_000, "points in the train split", at_least=1, at_most=10_000_000)

    @property
    def shape(self) -> tuple[int, ...]:
        return (2,)

    @property
    def num_train(self) -> int | None:
        return self.num_points

    @property
    def num_heldout(self) -> int | None:
        return self.num_points

    @property
    def modes(self) -> tuple[tuple[tuple[float, float], ...], float] | None:
        """Centres and standard deviation of a mixture of Gaussians, or None for data without modes."""
        return None
