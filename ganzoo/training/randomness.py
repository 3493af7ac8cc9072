"""Every random state that training draws from: captured, restored, and kept apart from what must not touch it."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from ganzoo.data.loading import mixed_seed


def random_states() -> dict[str, Any]:
    """The states of torch (CPU and every GPU), numpy and Python, in types that `weights_only` loading takes."""
    state: Any = np.random.get_state(legacy=True)
    name, keys, position, has_gauss, cached = state
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "numpy": [name, torch.from_numpy(keys.astype(np.int64)), position, has_gauss, cached],
        "python": random.getstate(),
    }


def restore_random_states(states: dict[str, Any]) -> None:
    """Puts back what `random_states` captured."""
    torch.set_rng_state(states["torch"])
    if states["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(states["cuda"])
    name, keys, position, has_gauss, cached = states["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), position, has_gauss, cached))
    version, internal, gauss = states["python"]
    random.setstate((version, tuple(internal), gauss))


def states_of_all_ranks() -> list[dict[str, Any]]:
    """What `random_states` gives on every rank, in the order of ranks; every rank must call it."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return [random_states()]
    states: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(states, random_states())
    return states


def begin_rank(states: list[dict[str, Any]], rank: int, world_size: int) -> None:
    """Takes up this rank's state. Where there is none for each (a new run, another number of ranks): one of its own.

    Ranks that drew the same latents would train on fewer different fakes than they count.
    """
    if len(states) == world_size:
        return restore_random_states(states[rank])
    restore_random_states(states[0])
    if rank:
        seed_everything(mixed_seed(int(torch.randint(2**62, ())), rank))


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
