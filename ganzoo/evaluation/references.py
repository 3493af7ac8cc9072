"""The real samples that others are compared with: a data set's splits, a folder, a zip, an .npz, saved statistics."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganzoo.components import DATASETS, implementation
from ganzoo.config import Builder, to_plain
from ganzoo.data.base import DataConfig, ImageConfig, PointsConfig, Split
from ganzoo.errors import InputError
from ganzoo.evaluation.arrays import holds_statistics, read_statistics
from ganzoo.evaluation.metrics.frechet import Gaussian
from ganzoo.evaluation.opening import open_source
from ganzoo.evaluation.protocol import Protocol
from ganzoo.evaluation.sources import HeldSource, Source, StoredSource

Modes = tuple[tuple[tuple[float, float], ...], float]  # centres and standard deviation of a mixture
OTHER: dict[Split, Split] = {"train": "heldout", "heldout": "train"}


@dataclass(frozen=True)
class Reals:
    """The real side of a comparison, read when it is asked for.

    Attributes:
        name: for messages.
        about: for records: what it is and where it came from.
        reference: reads the samples that fakes are compared with; or just their mean and covariance.
        floor: reads real samples to score in the fakes' place; None where there are no others.
        modes: of a mixture of Gaussians, where the data are one.
    """

    name: str
    about: dict[str, Any]
    reference: Callable[[], StoredSource] | Gaussian
    floor: Callable[[], StoredSource] | None = None
    modes: Modes | None = field(default=None, repr=False)


def reals_of(data: DataConfig, protocol: Protocol) -> Reals:
    """The splits of a data set, at the protocol's resolution. Raises InputError where the data are not there."""
    if missing := data.missing():
        raise InputError("data", missing)
    name = DATASETS.name_of(data)
    at_size = {} if protocol.resolution is None else {"resolution": protocol.resolution}
    module, config = implementation(data.replace(**at_size))

    @cache
    def read(split: Split) -> StoredSource:
        samples = module.load(config, split)
        return HeldSource(f"{name}, {split}", samples.values, samples.labels if samples.class_names else None)

    return Reals(
        name,
        {"name": name, **to_plain(data)},
        lambda: read(protocol.split),
        lambda: read(OTHER[protocol.split]),
        data.modes if isinstance(data, PointsConfig) else None,
    )


def reals_at(path: str | Path) -> Reals:
    """All images of a folder, a zip or an .npz, or statistics saved as mu and sigma. Raises InputError for others."""
    about = {"path": str(path)}
    if holds_statistics(Path(path)):
        return Reals(str(path), {**about, "holds": "statistics"}, read_statistics(Path(path)))
    source = open_source(path)
    return Reals(str(path), about, lambda: source)


def reals_against(protocol: Protocol, against: str | None, shape: tuple[int, ...], source: Path) -> Reals:
    """What `against` (a data set's name, a file or a folder; None: the protocol's data set) means for samples.

    Args:
        shape, source: of the samples.

    Raises InputError where it means nothing, or nothing that such samples can be compared with.
    """
    if against is not None and (Path(against).exists() or Path(against).suffix in (".npz", ".zip")):
        return reals_at(against)
    if against is None:
        if len(protocol.data) != 1:
            raise InputError("--against", f"protocol {protocol.name} is for several data sets, so name the reference")
        against = protocol.data[0]
    data = named_data(against, shape, source)
    if reason := protocol.refuses_data(data, against):
        raise InputError("--against", reason)
    return reals_of(data, protocol)


def named_data(name: str, shape: tuple[int, ...], source: Path) -> DataConfig:
    """The data set of that name, at the samples' resolution. Raises InputError where that cannot be."""
    try:
        chosen = DATASETS.find(name)
    except LookupError as error:
        text = f"{name!r} is no folder, zip or .npz, and {error.args[0]}"
        raise InputError("--against", text) from None
    values: dict[str, Any] = {}
    if issubclass(chosen, ImageConfig) and len(shape) == 3:
        _, height, width = shape
        if height != width:
            raise InputError(source, f"its images are {width}x{height}, and those of {name} are square")
        values = {"resolution": height}
    builder = Builder()
    data = builder.build(chosen, values)
    if not isinstance(data, DataConfig):
        raise InputError("--against", builder.problems)
    return data


def fitting(samples: Source, reference: StoredSource, protocol: Protocol) -> Source:
    """The samples as they can be compared with the reference. Raises InputError where sizes or colours differ.

    Colour images that hold grey ones are taken for grey where the reference is grey: files often are.
    """
    mine, theirs = samples.shape, reference.shape
    if len(mine) != len(theirs):
        kinds = {1: "points", 3: "images"}
        raise InputError(samples.name, f"holds {kinds[len(mine)]}, and {reference.name} holds {kinds[len(theirs)]}")
    if len(mine) == 1:
        return samples
    if protocol.resolution is None and mine[1:] != theirs[1:]:
        sizes = (f"{shape[2]}x{shape[1]}" for shape in (mine, theirs))
        raise InputError(
            samples.name,
            "its images are {}, those of {ref} are {}; a score of two sizes means nothing: bring both to one size "
            "first, in the same way".format(*sizes, ref=reference.name),
        )
    if mine[0] == theirs[0]:
        return samples
    if mine[0] == 1:
        raise InputError(samples.name, f"its images are grey, those of {reference.name} are in colour")
    return GreyInColour(samples, reference.name)


class GreyInColour(Source):
    """Samples whose R, G and B are equal, as grey images; raises InputError at the first that is truly coloured."""

    def __init__(self, samples: Source, against: str):
        self.samples, self.against = samples, against
        self.name, self.count, self.labels = samples.name, samples.count, samples.labels

    @property
    def shape(self) -> tuple[int, ...]:
        return (1, *self.samples.shape[1:])

    def batches(self, groups: Sequence[Tensor]) -> Iterator[Tensor]:
        for values in self.samples.batches(groups):
            if (values != values[:, :1]).any():
                raise InputError(self.name, f"its images are in colour, those of {self.against} are grey")
            yield values[:, :1]


class Mirrored(StoredSource):
    """n samples, and after them their mirror images."""

    def __init__(self, samples: StoredSource):
        self.samples, self.name = samples, f"{samples.name}, mirrored too"
        self.count, self.labels = 2 * samples.count, None if samples.labels is None else samples.labels.repeat(2)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.samples.shape

    def batches(self, groups: Sequence[Tensor]) -> Iterator[Tensor]:
        n = self.samples.count
        for group, values in zip(groups, self.samples.batches([group % n for group in groups]), strict=True):
            yield torch.where((group >= n).view(-1, 1, 1, 1), values.flip(-1), values)

    def sha256(self, indices: Tensor) -> str:
        n = self.samples.count
        upright, mirrored = (self.samples.sha256(part % n) for part in (indices[indices < n], indices[indices >= n]))
        return f"{upright} and mirrored {mirrored}"
