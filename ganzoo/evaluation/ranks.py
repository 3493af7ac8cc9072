"""Evaluation on several processes: each looks at its part of the samples, the first one computes the scores.

Without torch.distributed, or before it is begun, there is one process. An error of any of them is raised by all, so
that none waits for another that has gone.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed

Answer = TypeVar("Answer")


def world_size() -> int:
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def rank() -> int:
    return distributed.get_rank() if world_size() > 1 else 0


def together(work: Callable[[], Answer]) -> Answer:
    """What `work` gives on this process; raises, on all of them, what it raised on the first that failed."""
    if world_size() == 1:
        return work()
    answer, failure = _attempted(work)
    failures: list[Any] = [None] * world_size()
    distributed.all_gather_object(failures, failure)
    for each in failures:
        if each is not None:
            raise each
    return answer  # type: ignore[return-value]


def on_first(work: Callable[[], Answer]) -> Answer:
    """What `work` gives on the first process, on all of them; raises there and everywhere what it raised."""
    if world_size() == 1:
        return work()
    said: list[Any] = [_attempted(work) if rank() == 0 else None]
    distributed.broadcast_object_list(said)
    answer, failure = said[0]
    if failure is not None:
        raise failure
    return answer


def _attempted(work: Callable[[], Answer]) -> tuple[Answer | None, Exception | None]:
    try:
        return work(), None
    except Exception as error:  # whatever it is, the others must hear of it
        return None, error


def collected(parts: list[Tensor], device: torch.device) -> list[Tensor] | None:
    """The parts of all processes on the first one, as they would come if dealt round; None on the others.

    Every process gives as many parts as any other or one fewer (the later ones), of any number of rows; the rows
    have one shape everywhere. `device` is one that the processes' backend can send from.
    """
    if world_size() == 1:
        return parts
    heights: list[Any] = [None] * world_size()
    distributed.all_gather_object(heights, [len(part) for part in parts])
    row: list[Any] = [(parts[0].shape[1:], parts[0].dtype) if rank() == 0 else None]
    distributed.broadcast_object_list(row)
    shape, dtype = row[0]
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
