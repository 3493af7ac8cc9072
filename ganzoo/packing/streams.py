"""The random streams of several runs in one process, computed at once, under torch.func.vmap, or in turn.

Alone, a run draws from the process's own stream. In a pack each run has a generator with the state that this stream
would have, so it draws what it would draw alone.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from ganzoo.packing.batched import take

Draw = Callable[[int, torch.Generator | None], Tensor]


@dataclass(frozen=True)
class Streams:
    """Attributes:
    generators: one a run.
    member: a number of one of them; under vmap, of each at once.
    """

    generators: Sequence[torch.Generator]
    member: Tensor

    def draw(self, draw: Draw, n: int) -> Tensor:
        """What each run's stream gives: under vmap no operation may be random by itself, so all draw outside of it."""
        return take(torch.stack([draw(n, generator) for generator in self.generators]), self.member)


@dataclass(frozen=True)
class Own:
    """That of the one run of several that is computed now."""

    generator: torch.Generator

    def draw(self, draw: Draw, n: int) -> Tensor:
        return draw(n, self.generator)


_in_force: Streams | Own | None = None


def streams() -> Streams | Own | None:
    """What is to be drawn from now; None: the process's own stream, since one run is computed."""
    return _in_force


@contextmanager
def drawing_from(several: Streams | Own) -> Iterator[None]:
    global _in_force
    _in_force, before = several, _in_force
    try:
        yield
    finally:
        _in_force = before
