"""The gradients of several runs' losses in one computation: torch.func.vmap over their stacked weights.

An operation on one of sixteen small networks costs hardly less than the same operation on all sixteen: most of it is
the way through Python and torch to the arithmetic.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.func import vmap

from ganzoo.errors import GanzooError, InputError
from ganzoo.packing.batched import CopiedOut
from ganzoo.packing.stack import Stack
from ganzoo.packing.streams import Streams, drawing_from
from ganzoo.shapes import Images, Labels
from ganzoo.training.gan import GAN, LossOf

ALONE = "train without pack"


@dataclass(frozen=True)
class Request:
    """What a member needs next: the gradient of a loss of its batch by a network's weights."""

    gan: GAN
    stream: torch.Generator
    network: str
    loss_of: LossOf
    real: Images
    labels: Labels | None

    @property
    def kind(self) -> tuple[Any, ...]:
        """What must be equal for two to be computed at once: all that a loss may depend on beside weights and data."""
        gan, labels = self.gan, None if self.labels is None else self.labels.shape
        counts = (gan.generator_updates, gan.discriminator_updates, gan.images_seen)
        return (self.network, getattr(self.loss_of, "__qualname__", None), self.real.shape, labels, *counts)


def differentiate(stack: Stack, requests: Sequence[Request]) -> Sequence[Tensor | None]:
    """Gives each member's weights the gradient of its loss, and reports its losses. All are of one kind.

    Returns:
        The gradients, stacked as the network's weights are, of which the members' own are views.
    """
    network, tensors = requests[0].network, list(stack.tensors)
    positions = stack.positions_of(network)
    for position in positions:
        tensors[position] = tensors[position].detach().requires_grad_()
    with CopiedOut() if stack.parametrized else nullcontext():
        loss, reported = vmap(_loss_of_one(stack, requests), randomness="same")(tensors, *_batches(requests))
    weights = [tensors[position] for position in positions]
    # A fused optimiser goes through weights and gradients in the order in which they lie in memory.
    found = torch.autograd.grad(loss.sum(), weights, allow_unused=True)
    gradients = [None if gradient is None else gradient.contiguous() for gradient in found]
    _hand_out(stack, requests, gradients, reported)
    return gradients


def _loss_of_one(stack: Stack, requests: Sequence[Request]) -> Callable[..., tuple[Tensor, dict[str, Tensor]]]:
    """A run's loss, and what it would report, as a function of its weights, its place among the runs and its batch."""
    first, streams = requests[0], [request.stream for request in requests]
    gan = first.gan

    def loss_of_one(
        tensors: Sequence[Tensor], member: Tensor, real: Images, labels: Labels | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        kept, gan.losses = gan.losses, {}
        try:
            with stack.replaced(tensors), drawing_from(Streams(streams, member)):
                loss = first.loss_of(real, labels)
            gan.report({f"{first.network}/loss": loss})
            return loss, gan.losses
        finally:
            gan.losses = kept

    return loss_of_one


def _batches(requests: Sequence[Request]) -> Iterator[Tensor]:
    yield torch.arange(len(requests), device=requests[0].real.device)
    yield torch.stack([request.real for request in requests])
    if requests[0].labels is not None:
        yield torch.stack([request.labels for request in requests if request.labels is not None])


def _hand_out(
    stack: Stack, requests: Sequence[Request], gradients: Sequence[Tensor | None], reported: dict[str, Tensor]
) -> None:
    rows = [[None] * len(requests) if stacked is None else stacked.unbind() for stacked in gradients]
    values = {name: stacked.unbind() for name, stacked in reported.items()}
    for member, request in enumerate(requests):
        for parameter, row in zip(stack.parameters_of(member, request.network), rows, strict=True):
            parameter.grad = row[member]
        request.gan.losses.update({name: value[member] for name, value in values.items()})


@contextmanager
def refusing(gan: GAN) -> Iterator[None]:
    """Around a first computation, in which shows what cannot be computed for several runs at once.

    Raises:
        InputError: torch cannot do something of a network's or an objective's for several runs, or it draws random
            numbers by itself, which the runs would share.
    """
    variant = type(gan).__name__
    try:
        with refusing_shared_streams(gan):
            yield
    except GanzooError:
        raise
    except Exception as error:  # torch's own, of many classes; alone the run may work
        reason = str(error).partition("\n")[0].rstrip(".")
        raise InputError("pack", f"{variant} cannot be computed for several runs at once: {reason}; {ALONE}") from error


@contextmanager
def refusing_shared_streams(gan: GAN) -> Iterator[None]:
    """Around a first update of one run or of several at once.

    Raises:
        InputError: it draws random numbers from the process's own stream, which the runs would share.
    """
    before = _process_streams(gan.device)
    yield
    if any(not torch.equal(*states) for states in zip(before, _process_streams(gan.device), strict=True)):
        by_itself = f"a network of {type(gan).__name__} draws random numbers by itself, as dropout does"
        raise InputError("pack", f"{by_itself}, and runs that are computed at once would share them; {ALONE}")


def _process_streams(device: torch.device) -> list[Tensor]:
    return [torch.get_rng_state(), *([torch.cuda.get_rng_state(device)] if device.type == "cuda" else [])]
