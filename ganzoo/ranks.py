"""Several processes that do one thing together: ranks 0 to world_size() - 1, of which each has its part of a batch.

Without torch.distributed, or before it is begun, there is one process, and all of this costs a microsecond. What is
drawn for a batch, or averaged over it, is that of the whole batch on any number of ranks. An error of one of them can
be raised by all, so that none waits for another that has gone.
"""

import pickle
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed

from ganzoo.errors import GanzooError, told_in_a_line
from ganzoo.packing.streams import Draw, streams

Answer = TypeVar("Answer")


_apart = False  # whether this process works by itself, although somebody has begun torch.distributed


def work_apart(apart: bool) -> None:
    """Whether this process counts as the only one, whatever others torch.distributed knows."""
    global _apart
    _apart = apart


def world_size() -> int:
    if _apart or not distributed.is_available() or not distributed.is_initialized():
        return 1
    return distributed.get_world_size()


def rank() -> int:
    return distributed.get_rank() if world_size() > 1 else 0


_of_tensors: Any = None  # the group whose backend is at home on the device; None: the one for everything


def send_tensors_through(group: Any) -> None:
    """Gradients and what else is a tensor on the device goes through this group from now on; None: the default one."""
    global _of_tensors
    _of_tensors = group


def drawn(draw: Draw, n: int) -> Tensor:
    """This rank's n of the n * world_size() random rows of `draw`, for which all ranks' streams stand alike.

    So the random numbers of a batch are the same on any number of ranks, and every stream moves on as if alone. In a
    pack of runs that are trained at once, each run's rows come from its own stream.

    Args:
        draw: called with a number of rows and what to draw them from; None: the process's own stream.

    >>> drawn(lambda n, generator: torch.zeros(n), 3)
    tensor([0., 0., 0.])
    """
    if (several := streams()) is not None:
        return several.draw(draw, n)
    if (ranks := world_size()) == 1:
        return draw(n, None)
    return draw(n * ranks, None)[rank() * n : (rank() + 1) * n]


def average_(tensor: Tensor) -> Tensor:
    """Replaces the tensor, without gradient, by its mean over all ranks."""
    if (ranks := world_size()) > 1:
        distributed.all_reduce(tensor, group=_of_tensors)
        tensor /= ranks
    return tensor


def from_first_(tensor: Tensor) -> Tensor:
    """Replaces the tensor by the first rank's."""
    if world_size() > 1:
        distributed.broadcast(tensor, 0, group=_of_tensors)
    return tensor


def mean_of_ranks(value: Tensor) -> Tensor:
    """The mean over all ranks, through which gradients flow back to every one of them, to any order.

    A mean over a rank's part of the batch becomes one over the whole batch, since the parts are equal.
    """
    return value if world_size() == 1 else _Mean.apply(value)


def means_of_ranks(values: Sequence[Tensor]) -> Sequence[Tensor]:
    """`mean_of_ranks` of each, in one message."""
    if world_size() == 1:
        return values
    parts = mean_of_ranks(torch.cat([value.flatten() for value in values])).split([value.numel() for value in values])
    return [part.view_as(value) for part, value in zip(parts, values, strict=True)]


class _Mean(torch.autograd.Function):
    """y = sum over ranks of x / world_size, on every rank: a symmetric map, so its adjoint is itself."""

    @staticmethod
    def forward(context: Any, value: Tensor) -> Tensor:
        return average_(value.clone(memory_format=torch.contiguous_format))

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        return _Mean.apply(gradient)


def together(work: Callable[[], Answer]) -> Answer:
    """What `work` gives on this process; raises, on all of them, what it raised on the first that failed."""
    if world_size() == 1:
        return work()
    answer, failure = _attempted(work)
    failures: list[Any] = [None] * world_size()
    distributed.all_gather_object(failures, failure)
    for each in failures:
        if each is not None:
            raise _of_all(each)
    return answer  # type: ignore[return-value]


def on_first(work: Callable[[], Answer]) -> Answer:
    """What `work` gives on the first process, on all of them; raises there and everywhere what it raised."""
    if world_size() == 1:
        return work()
    said: list[Any] = [_attempted(work) if rank() == 0 else None]
    distributed.broadcast_object_list(said)
    answer, failure = said[0]
    if failure is not None:
        raise _of_all(failure)
    return answer


def is_of_all(error: BaseException) -> bool:
    """Whether all processes have raised this error together."""
    return getattr(error, "of_all", False)


def _of_all(error: Exception) -> Exception:
    error.of_all = True  # type: ignore[attr-defined]
    return error


def _attempted(work: Callable[[], Answer]) -> tuple[Answer | None, Exception | None]:
    try:
        return work(), None
    except Exception as error:  # whatever it is, the others must hear of it
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:  # somebody's error, which takes other arguments than it keeps
            return None, GanzooError(told_in_a_line(error))
        return None, error


def collected(parts: list[Tensor]) -> list[Tensor] | None:
    """The parts of all processes on the first one, as they would come if dealt round; None on the others.

    Every process gives as many parts as any other or one fewer (the later ones), of any number of rows; the rows
    have one shape everywhere.
    """
    if world_size() == 1:
        return parts
    heights: list[Any] = [None] * world_size()
    distributed.all_gather_object(heights, [len(part) for part in parts])
    row: list[Any] = [(parts[0].shape[1:], parts[0].dtype) if rank() == 0 else None]
    distributed.broadcast_object_list(row)
    shape, dtype = row[0]
    device = "cuda" if distributed.get_backend() == "nccl" else "cpu"  # what the processes' backend can send from
    sent = torch.zeros(max(sum(each) for each in heights), *shape, dtype=dtype, device=device)
    if parts:
        sent[: sum(heights[rank()])] = torch.cat(parts).to(device)
    if rank() != 0:
        distributed.gather(sent)
        return None
    received = [torch.empty_like(sent) for _ in heights]
    distributed.gather(sent, received)
    dealt = [tensor[: sum(each)].cpu().split(each) for tensor, each in zip(received, heights, strict=True)]
    return [dealt[turn % len(dealt)][turn // len(dealt)] for turn in range(sum(map(len, dealt)))]
