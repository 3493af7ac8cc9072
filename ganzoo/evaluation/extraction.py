"""From samples to what the metrics see of them: streamed, in groups, dealt over the processes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from ganzoo.data.samples import to_pixels
from ganzoo.errors import Diverged
from ganzoo.evaluation.extractors.base import Extractor
from ganzoo.evaluation.sources import Source
from ganzoo.ranks import collected, on_first, rank, together, world_size
from ganzoo.shapes import Labels

Tell = Callable[[str, int, int], None]  # of what, how many are done by this process, how many it has to do


class BrokenSamples(Diverged):
    """The generator's samples are NaN or infinite, so that there is nothing to score."""


@dataclass(frozen=True)
class Seen:
    """What the metrics see of n samples, on the CPU.

    Attributes:
        features: (n, d), as precise as the extractor gives them; None without an extractor.
        logits: (n, k) class logits, where the extractor classifies.
        labels: (n,) the classes that the samples are of, or were made to be of, where that is known.
        pixels: (n, c, h, w) uint8, where a metric looks at them.
    """

    features: Tensor | None = None
    logits: Tensor | None = None
    labels: Labels | None = None
    pixels: Tensor | None = None

    def __len__(self) -> int:
        return next(len(part) for part in (self.features, self.pixels, self.labels) if part is not None)

    def at(self, positions: Tensor | slice) -> "Seen":
        """The same of some of the samples."""
        parts = (self.features, self.logits, self.labels, self.pixels)
        return Seen(*(None if part is None else part[positions] for part in parts))


@dataclass(frozen=True)
class Sight:
    """How samples are looked at.

    Attributes:
        extractor: None where the metrics look at pixels only.
        device: of the extractor and of the generator.
        batch_size: samples at a time, through both. Of it the features are independent to rounding.
        quantise: round to uint8 first, as image files would be.
        keep_pixels: the metrics look at them too.
    """

    extractor: Extractor | None
    device: torch.device
    batch_size: int
    quantise: bool = True
    keep_pixels: bool = False

    def see(self, source: Source, indices: Tensor, tell: Tell | None = None) -> Seen | None:
        """The samples at those indices, in order; None on every process but the first.

        Each process looks at every so-manieth group of `batch_size` samples, so that with any number of processes the
        features are the same to the last bit. While a group is in work, the source reads the next ones.

        Raises BrokenSamples where samples or features are NaN or infinite, and what the source raises.
        """
        with isolated(self.device):
            groups = indices.split(self.batch_size)[rank() :: world_size()]
            parts = together(lambda: self._parts(source, list(groups), tell))
            together(partial(_refuse_broken, sum(part[3] for part in parts), sum(map(len, groups)), source.name))
            there = on_first(lambda: [part is not None for part in parts[0][:3]])
            columns = [self._column([part[kind] for part in parts]) if there[kind] else None for kind in range(3)]
        if rank() != 0:
            return None
        features, logits, pixels = columns
        return Seen(features, logits, None if source.labels is None else source.labels[indices], pixels)

    def _column(self, parts: list[Tensor]) -> Tensor | None:
        """One kind of what was seen, of all processes, on the CPU of the first one."""
        dealt = collected(parts)
        return None if dealt is None else torch.cat(dealt).cpu()

    def _parts(self, source: Source, groups: list[Tensor], tell: Tell | None) -> list[tuple]:
        done, total, parts = 0, sum(map(len, groups)), []
        for values in source.batches(groups):
            parts.append(self._look(values.to(self.device, non_blocking=True)))
            done += len(values)
            if tell:
                tell(source.name, done, total)
        return parts

    def _look(self, values: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, Tensor]:
        """Features, logits, pixels and how many are broken: all on the device, so that nothing waits for it."""
        values = values.reshape(-1).view(values.shape)  # grey images can have the strides of channels last: other sums
        broken = values.new_zeros((), dtype=torch.int64)
        if values.dtype != torch.uint8:
            broken = broken + _count_broken(values)
            values = to_pixels(values) if self.quantise else values.float()
        pixels = values if self.keep_pixels else None
        if self.extractor is None:
            return None, None, pixels, broken
        features, logits = self.extractor(values)
        return features, logits, pixels, broken + _count_broken(features)


def _count_broken(values: Tensor) -> Tensor:
    return (~torch.isfinite(values)).flatten(1).any(dim=1).sum()


def _refuse_broken(broken: Tensor | int, count: int, name: str) -> None:
    if broken:
        raise BrokenSamples(f"{int(broken)} of {count} samples of {name}, or their features, are NaN or infinite")


@contextmanager
def isolated(device: torch.device) -> Iterator[None]:
    """No gradients, no inference tensors (later training could not update them), no autocast, no TF32."""
    with (
        torch.inference_mode(False),
        torch.no_grad(),
        torch.autocast(device.type, enabled=False),
        _full_float32(device),
    ):
        yield


@contextmanager
def _full_float32(device: torch.device) -> Iterator[None]:
    """TF32 rounds to ten bits, which moves scores; it is a switch of the process, so it is put back."""
    if device.type != "cuda":
        yield
        return
    switches = (torch.backends.cudnn.conv, torch.backends.cuda.matmul)  # type: ignore[attr-defined]
    before = [switch.fp32_precision for switch in switches]
    for switch in switches:
        switch.fp32_precision = "ieee"
    try:
        yield
    finally:
        for switch, precision in zip(switches, before, strict=True):
            switch.fp32_precision = precision
