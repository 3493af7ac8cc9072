"""Numbered samples: held in memory, or made by a generator as they are asked for."""

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from ganzoo.shapes import Images, Labels, Latents

Draw = Callable[[int, torch.Generator], Images | tuple[Images, Labels | None]]


class Source:
    """Samples known by their number, 0 to count - 1.

    Attributes:
        name: its path or its data set, for messages and records.
        count: how many there are.
        labels: the class of every sample; None where they are not known.
    """

    name: str
    count: int
    labels: Labels | None

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample: (c, h, w), or (2,) for points."""
        raise NotImplementedError

    def batches(self, groups: Sequence[Tensor]) -> Iterator[Tensor]:
        """The samples of every group of numbers: uint8 (k, c, h, w), floats in [-1, 1], or points (k, 2)."""
        raise NotImplementedError


class StoredSource(Source):
    """Samples that are the same tomorrow, so that what is computed from them can be kept."""

    def sha256(self, indices: Tensor) -> str:
        """Of the content of those samples, in their order: not of their names, nor of their labels."""
        raise NotImplementedError


class HeldSource(StoredSource):
    """Samples in memory."""

    def __init__(self, name: str, values: Tensor, labels: Labels | None = None):
        self.name, self.values, self.labels, self.count = name, values, labels, len(values)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.values.shape[1:])

    def batches(self, groups: Sequence[Tensor]) -> Iterator[Tensor]:
        return (self.values[group] for group in groups)

    def sha256(self, indices: Tensor) -> str:
        found = hashlib.sha256(f"{self.values.dtype} {self.shape}".encode())
        for some in indices.split(1024):
            found.update(self.values[some].contiguous().numpy().data)
        return found.hexdigest()


@runtime_checkable
class Drawable(Protocol):
    """A generator, as a GAN's module is one, whose random inputs can be drawn apart from their images."""

    def draw_inputs(self, n: int, generator: torch.Generator) -> tuple[Latents, Labels | None]: ...

    def images_of(self, latents: Latents, labels: Labels | None) -> Images: ...


class GeneratedSource(Source):
    """Samples of a generator in [-1, 1] (points: as they are), made when they are asked for.

    All inputs are drawn here, in whole blocks from one CPU generator: sample i depends on the seed and on `block`, but
    neither on `count` nor on what else is asked for. Classes, where there are any, are known from the start.
    """

    def __init__(
        self, drawable: Drawable, count: int, *, block: int, generator: torch.Generator, name: str = "generator"
    ):
        self.name, self.count, self._drawable = name, count, drawable
        inputs = [drawable.draw_inputs(block, generator) for _ in range(0, count, block)]
        labels = [labels for _, labels in inputs if labels is not None]
        self._latents = torch.cat([latents for latents, _ in inputs])[:count]
        self.labels = torch.cat(labels)[:count].cpu() if labels else None

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Of the first sample, which is made to see it."""
        return tuple(next(self.batches([torch.tensor([0])])).shape[1:])

    def batches(self, groups: Sequence[Tensor]) -> Iterator[Tensor]:
        for group in groups:
            yield self._drawable.images_of(self._latents[group], None if self.labels is None else self.labels[group])


class DrawnSource(Source):
    """Samples of `draw(n, generator)`: n of them in [-1, 1] (points: as they are), or those and their classes.

    They are drawn in order, in blocks (the last one smaller), from a copy of the CPU generator, so that every pass has
    the same samples where `draw` depends on its arguments alone.
    """

    def __init__(self, draw: Draw, count: int, *, block: int, generator: torch.Generator, name: str = "generator"):
        self.name, self.count, self.labels = name, count, None
        self._draw, self._block, self._generator = draw, block, generator.clone_state()

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Of the first block, which is drawn to see it."""
        return tuple(next(self._blocks([])).shape[1:])

    def batches(self, groups: Sequence[Tensor]) -> Iterator[Tensor]:
        """Groups of ascending numbers, each above those before it. What no group asks for is drawn and dropped.

        `labels` are known after the last group. Raises ValueError where `draw` gives another number than asked for.
        """
        wanted = torch.cat([torch.tensor([-1]), *groups, torch.tensor([self.count])])
        if not (wanted.diff() > 0).all():
            raise ValueError(f"samples are drawn in order: ask for ascending numbers from 0 to {self.count - 1}")
        labels: list[Labels] = []
        blocks = self._blocks(labels)
        block, start = next(blocks), 0
        for group in groups:
            parts = [_within(group, block, start)]
            while len(group) and group[-1] >= start + len(block):
                start, block = start + len(block), next(blocks)
                parts.append(_within(group, block, start))
            yield torch.cat(parts)
        deque(blocks, maxlen=0)  # draws the rest
        self.labels = torch.cat(labels) if labels else None

    def _blocks(self, labels: list[Labels]) -> Iterator[Tensor]:
        """All samples in blocks; their classes, if told, go to `labels`."""
        generator = self._generator.clone_state()
        for start in range(0, self.count, self._block):
            asked = min(self._block, self.count - start)
            answer = self._draw(asked, generator)
            samples, classes = answer if isinstance(answer, tuple) else (answer, None)
            if len(samples) != asked:
                raise ValueError(f"asked for {asked} samples, the generator gave {len(samples)}")
            if classes is not None:
                labels.append(classes.cpu())
            yield samples


def _within(group: Tensor, block: Tensor, start: int) -> Tensor:
    """What a group asks of a block of samples whose first one has the number `start`."""
    return block[group[(group >= start) & (group < start + len(block))] - start]
