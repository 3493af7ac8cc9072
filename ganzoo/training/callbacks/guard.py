"""Notices within 50 updates that a run has broken down."""

import math

import torch
from lightning import Callback, Trainer
from torch import Tensor

from ganzoo.errors import Diverged
from ganzoo.training.gan import GAN

CHECK_EVERY = 20  # discriminator updates: two checks in a row, the most that a verdict takes, are within 50


class Guard(Callback):
    """Raises Diverged when a loss is NaN or infinite, or when the generator's gradient is exactly zero twice in a row.

    A generator without gradient learns nothing any more: its discriminator is dead (all its units are off) or has won
    so clearly that the objective is flat in float arithmetic. One such batch may be chance, two checks are not.
    """

    def __init__(self) -> None:
        self._checked_at = 0
        self._silent_checks = 0
        self._generator_updates = 0

    def on_train_start(self, trainer: Trainer, gan: GAN) -> None:  # type: ignore[override]
        self._checked_at, self._generator_updates = gan.discriminator_updates, gan.generator_updates

    def on_train_batch_end(self, trainer: Trainer, gan: GAN, *args, **kwargs) -> None:  # type: ignore[override]
        if self.due(gan):
            self._checked_at = gan.discriminator_updates
            self.check(gan)
            self.check_gradient(gan)

    def due(self, gan: GAN) -> bool:
        return gan.discriminator_updates - self._checked_at >= CHECK_EVERY

    def check(self, gan: GAN) -> None:
        """Raises Diverged, on all ranks, where a loss or a weight is not finite. Checkpoints are written after this."""
        for name, loss in gan.read_losses().items():
            if not math.isfinite(loss):
                raise Diverged(f"{name} is {loss} {_when(gan)}")
        for name, network in (("generator", gan.generator), ("discriminator", gan.discriminator)):
            if not _are_finite(list(network.parameters())):
                raise Diverged(f"the {name}'s weights are not finite {_when(gan)}")

    def check_gradient(self, gan: GAN) -> None:
        """Raises Diverged at the second check in a row that finds no gradient in the generator."""
        if gan.generator_updates == self._generator_updates:
            return  # n_critic is large: the gradients are those of the last check
        self._generator_updates = gan.generator_updates
        gradients = [weight.grad for weight in gan.generator.parameters() if weight.grad is not None]
        silent = bool(gradients) and _are_zero(gradients)
        self._silent_checks = self._silent_checks + 1 if silent else 0
        if self._silent_checks == 2:
            raise Diverged(
                f"the generator's gradient is exactly zero {_when(gan)}: the discriminator is dead, or has won beyond "
                "float arithmetic. A smaller learning rate, another objective or a gradient penalty may help."
            )


def _when(gan: GAN) -> str:
    return f"after {gan.generator_updates} generator updates and {gan.discriminator_updates} discriminator updates"


def _are_finite(tensors: list[Tensor]) -> bool:
    return bool(_norm(tensors, 2.0).isfinite() or _norm(tensors, math.inf).isfinite())


def _are_zero(tensors: list[Tensor]) -> bool:
    return bool(_norm(tensors, 2.0) == 0 and _norm(tensors, math.inf) == 0)


def _norm(tensors: list[Tensor], order: float) -> Tensor:
    """The largest norm of a tensor, NaN if one has a NaN.

    Order 2 is ten times as fast on a CPU; its squares may overflow or vanish, which the largest absolute value, order
    infinity, does not.
    """
    return torch.stack(torch._foreach_norm(tensors, ord=order)).max()
