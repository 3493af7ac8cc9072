"""What the contestants of `peers.py` have in common: the images, the clock, and turns."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

Clock = Callable[[], float]
Networks = tuple[nn.Module, nn.Module]  # generator and discriminator


@dataclass(frozen=True)
class Work:
    """What all train on, and how large their networks are.

    Attributes:
        pixels: (n, 3, 32, 32), uint8.
        labels: (n,), in 0..9.
        batch_size: of every update.
        share: the networks have 1 / share of their papers' channels.
    """

    pixels: Tensor
    labels: Tensor
    batch_size: int
    share: int

    @classmethod
    def random(cls, batch_size: int, share: int) -> "Work":
        chance = torch.Generator().manual_seed(0)
        pixels = torch.randint(256, (2000, 3, 32, 32), generator=chance, dtype=torch.uint8)
        return cls(pixels, torch.arange(2000) % 10, batch_size, share)

    def images(self) -> Tensor:
        """In [-1, 1], as the peers' loaders give them."""
        return self.pixels / 127.5 - 1


class Stopwatch:
    """An iteration is what lies between two steps of the generator's optimiser: one clock for every loop.

    Args:
        updates: of the generator, how many there will be; the first is the warm-up.
        clock: what it reads.
        recorder: on from the first to the last: checkpoints that a loop writes at its end are not recorded.

    Attributes:
        moments: when the steps ended.
    """

    def __init__(self, updates: int, clock: Clock = time.perf_counter, recorder: AbstractContextManager | None = None):
        self.updates, self.clock, self.recorder = updates, clock, recorder or nullcontext()
        self.moments: list[float] = []

    def watch(self, generator: nn.Module) -> None:
        """From now on, until `stop`."""
        first = next(generator.parameters())

        def note(optimizer: Optimizer, *_: object) -> None:
            if optimizer.param_groups[0]["params"][0] is first:
                self._note()

        self._hook = register_optimizer_step_post_hook(note)

    def _note(self) -> None:
        if not self.moments:
            self.recorder.__enter__()
        self.moments.append(self.clock())
        if len(self.moments) == self.updates:
            self.recorder.__exit__(None, None, None)

    def stop(self) -> None:
        """Raises SystemExit where the loop has not done as many updates as it was asked for."""
        self._hook.remove()
        if len(self.moments) != self.updates:
            raise SystemExit(f"{self.updates} generator updates were asked for, {len(self.moments)} were seen")

    def seconds(self) -> list[float]:
        """Of every iteration but the first."""
        return [after - before for before, after in pairwise(self.moments)]


# Trains new networks for so many generator updates, and has the stopwatch watch the generator.
Training = Callable[[int, Stopwatch], None]


@dataclass(frozen=True)
class Case:
    """A peer's training, and what ganzoo is to do in its place.

    Attributes:
        train: the peer's own loop.
        networks: the peer's, as ganzoo calls networks: latents to images, images to logits (n,), labels where needed.
        experiment: ganzoo's file with the same objective.
        words: what is changed in it.
        same_architecture: whether ganzoo's networks by those words are the peer's in another implementation.
    """

    name: str
    train: Training
    networks: Callable[[], Networks]
    experiment: str
    words: tuple[str, ...]
    same_architecture: bool = True


class FlopCounter(TorchDispatchMode):
    """torch's own counter also follows modules, and so cannot see through a gradient penalty."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        result = function(*args, **given)
        if (count := flop_registry.get(function.overloadpacket)) is not None:
            self.total += count(*args, **given, out_val=result)
        return result


def turn(training: Training, updates: int, clock: Clock) -> list[float]:
    """Seconds of so many iterations, after one more to warm up."""
    return _watched(training, Stopwatch(updates + 1, clock)).seconds()


def operations(training: Training, updates: int) -> dict[str, tuple[float, float]]:
    """(ms, calls) an iteration of each of torch's operations, without what it calls in turn."""
    profiler = profile(activities=[ProfilerActivity.CPU])
    _watched(training, Stopwatch(updates + 1, recorder=profiler))
    return {
        event.key: (event.self_cpu_time_total / 1e3 / updates, event.count / updates)
        for event in profiler.key_averages()
    }


def gigaflops(training: Training) -> float:
    """Of the convolutions and matrix products of an iteration: a count, whatever else the machine does."""
    counter = FlopCounter()
    _watched(training, Stopwatch(2, recorder=counter))
    return counter.total / 1e9


def _watched(training: Training, stopwatch: Stopwatch) -> Stopwatch:
    torch.use_deterministic_algorithms(False)  # ganzoo's trainer turns them on for the whole process
    torch.manual_seed(0)
    training(stopwatch.updates, stopwatch)
    stopwatch.stop()
    return stopwatch
