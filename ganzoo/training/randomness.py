"""Every random state that training draws from: captured, restored, and kept apart from what must not touch it."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from ganzoo.ranks import rank, world_size


def random_states() -> dict[str, Any]:
    """The states of torch (CPU and this process's GPU), numpy and Python, as `weights_only` loading takes them."""
    state: Any = np.random.get_state(legacy=True)
    name, keys, position, has_gauss, cached = state
    return {
        "torch": torch.get_rng_state(),
        "cuda": [torch.cuda.get_rng_state()] if torch.cuda.is_available() else [],
        "numpy": [name, torch.from_numpy(keys.astype(np.int64)), position, has_gauss, cached],
        "python": random.getstate(),
    }


def restore_random_states(states: dict[str, Any]) -> None:
    """Puts back what `random_states` captured."""
    torch.set_rng_state(states["torch"])
    if states["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"][0])
    name, keys, position, has_gauss, cached = states["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), position, has_gauss, cached))
    version, internal, gauss = states["python"]
    random.setstate((version, tuple(internal), gauss))


def states_of_all_ranks() -> list[dict[str, Any]]:
    """What `random_states` gives on every rank, in the order of ranks; every rank must call it."""
    if world_size() == 1:
        return [random_states()]
    states: list[Any] = [None] * world_size()
    torch.distributed.all_gather_object(states, random_states())
    return states


def begin_rank(states: list[dict[str, Any]]) -> None:
    """Takes up this rank's state. Where there is none for each (a new run, another number of ranks): the first one's.

    All ranks' streams stand alike, so that a batch's random numbers are the same on any number of them
    (`ganzoo.ranks.drawn`); only a module that draws by itself, and not as often on every rank, sets them apart.
    """
    restore_random_states(states[rank()] if len(states) == world_size() else states[0])


def seed_everything(seed: int) -> None:
    """Sets every random stream that networks and training draw from."""
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)  # all that it takes
    random.seed(seed)


@contextmanager
def untouched_randomness() -> Iterator[None]:
    """Whatever the body draws, training goes on as if it had drawn nothing."""
    states = random_states()
    try:
        yield
    finally:
        restore_random_states(states)
