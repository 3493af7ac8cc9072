"""What lets training go on while a checkpoint is written: a copy of the state, and a thread that writes it."""

import copy
import os
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor

NICENESS = 10  # a tenth of a core where training wants all of it, and no less: somebody may wait for the checkpoint


class Copies:
    """Copies a checkpoint into memory that is kept for the next one: at most one copy of the state is there.

    New memory would cost several times the copying, since its pages have to be found and cleared. What lies on a GPU is
    copied into pinned memory, as fast as the bus can.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[Any, ...], Tensor] = {}  # by the keys that lead to it in the checkpoint
        self._seen: dict[tuple[Any, ...], Tensor] = {}  # in this checkpoint

    @torch.no_grad()
    def of(self, checkpoint: dict[str, Any]) -> dict[str, Any]:
        """The checkpoint as it is now, until the next call: nothing that training changes is shared with it."""
        self._seen = {}
        copied = self._copied(checkpoint, ())
        if torch.cuda.is_initialized():
            torch.cuda.current_stream().synchronize()
        return copied

    def _copied(self, value: Any, at: tuple[Any, ...]) -> Any:
        if isinstance(value, Tensor):
            return self._copied_tensor(value, at)
        if isinstance(value, dict):
            same = copy.copy(value)  # a module's state_dict has the versions of its layers beside its keys
            same.update((key, self._copied(each, (*at, key))) for key, each in value.items())
            return same
        if isinstance(value, (list, tuple)):
            return type(value)(self._copied(each, (*at, index)) for index, each in enumerate(value))
        return value  # the rest of what weights-only loading knows never changes

    def _copied_tensor(self, tensor: Tensor, at: tuple[Any, ...]) -> Tensor:
        """One copy of weights that have several names, as torch.save would write them once."""
        same = (tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride())
        if same not in self._seen:
            kept = self._kept.get(at)
            if kept is None or (kept.dtype, kept.shape) != (tensor.dtype, tensor.shape):
                kept = self._kept[at] = torch.empty_like(tensor, device="cpu", pin_memory=tensor.is_cuda)
            self._seen[same] = kept.copy_(tensor, non_blocking=tensor.is_cuda)
        return self._seen[same]


class Background:
    """Does one piece of work after the other on a thread; where one has failed, those after it are left undone."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoints", initializer=_give_way)
        self._last: Future[None] | None = None

    def then(self, work: Callable[[], object]) -> None:
        """Does this after what there is to do."""
        self._last = self._thread.submit(_after, self._last, work)

    def wait(self) -> None:
        """Until all is done. Raises what one of them has raised since the last call."""
        last, self._last = self._last, None
        if last is not None:
            last.result()


def _give_way() -> None:
    """Where all cores are busy training goes first: its threads wait for each other, so each must have its core."""
    if sys.platform == "linux":  # elsewhere all threads of a process are as nice as one
        os.nice(NICENESS)


def _after(before: Future[None] | None, work: Callable[[], object]) -> None:
    if before is not None:
        before.result()
    work()
