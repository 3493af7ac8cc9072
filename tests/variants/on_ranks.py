"""Trains all variants around somebody else's networks, alone or as one of several ranks.

    python on_ranks.py RANK RANKS FILE

Every rank has its part of every batch, a run of its samples as the framework's loader deals them.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anybody
import lightning
import pytest
import torch
from test_conformance import ROWS, Row, plain_gan
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset

from ganzoo.training.gan import GAN
from ganzoo.training.optimizers import SGD, Optimizers
from ganzoo.training.strategy import AlternatingDDP

BATCH, BATCHES = 8, 24
STEEPEST = Optimizers(generator=SGD(lr=0.05), discriminator=SGD(lr=0.05))


class Parts(IterableDataset):
    """This rank's part of each of the batches."""

    def __init__(self, shape: tuple[int, ...], rank: int, ranks: int):
        self.samples, self.labels = anybody.loader(shape).dataset.tensors
        self.rank, self.share = rank, BATCH // ranks

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for number in range(BATCHES):
            first = number * BATCH % len(self.samples) + self.rank * self.share
            yield self.samples[first : first + self.share], self.labels[first : first + self.share]


class Losses(lightning.Callback):
    """The losses of the whole batch after every batch."""

    def __init__(self) -> None:
        self.seen: list[dict[str, float]] = []

    def on_train_batch_end(self, trainer: lightning.Trainer, gan: GAN, *args: Any) -> None:
        self.seen.append(gan.read_losses())


def trained(gan: GAN, shape: tuple[int, ...], rank: int, ranks: int, **options: Any) -> dict[str, Any]:
    """What a model ends with: weights, counts, losses."""
    losses = Losses()
    if not list(gan.config.optimizer_misfits(STEEPEST)):
        gan.optimizer_configs = STEEPEST  # Adam makes a step of a gradient that is nothing but rounding
    quiet = dict.fromkeys(("enable_progress_bar", "enable_model_summary", "enable_checkpointing", "logger"), False)
    strategy = AlternatingDDP(**options) if ranks > 1 else "auto"
    trainer = lightning.Trainer(
        max_epochs=1, accelerator="cpu", devices=ranks, strategy=strategy, callbacks=[losses], **quiet
    )
    trainer.fit(gan, DataLoader(Parts(shape, rank, ranks), batch_size=None))
    tensors = {name: value.detach().clone() for name, value in gan.state_dict().items()}
    counts = (gan.discriminator_updates, gan.generator_updates, gan.images_seen)
    return {"weights": tensors, "counts": counts, "losses": losses.seen}


@contextmanager
def counted() -> Iterator[dict[str, list[int]]]:
    """How many numbers are in each message of these kinds."""
    sizes: dict[str, list[int]] = {"all_reduce": [], "broadcast": []}
    with pytest.MonkeyPatch.context() as patch:
        for kind, noted in sizes.items():
            patch.setattr(torch.distributed, kind, noting(getattr(torch.distributed, kind), noted))
        yield sizes


def noting(send: Callable[..., Any], sizes: list[int]) -> Callable[..., Any]:
    def note_and_send(tensor: Tensor, *words: Any, **options: Any) -> Any:
        sizes.append(tensor.numel())
        return send(tensor, *words, **options)

    return note_and_send


def of_row(row: Row, rank: int, ranks: int) -> dict[str, Any]:
    torch.manual_seed(rank)  # other weights on each rank: the strategy must begin with the first one's
    gan = plain_gan(row)
    torch.manual_seed(100)  # one stream of random numbers for all
    with counted() as messages:
        return {**trained(gan, row.shape, rank, ranks), "messages": messages}


def with_batch_norm(gan: GAN) -> GAN:
    """The model with BatchNorm in both networks, before their nonlinearities."""
    for network in (gan.generator.layers, gan.ema_generator.layers, gan.discriminator.hidden):
        network.insert(1, nn.BatchNorm1d(8))
    return gan


def normalised(rank: int, ranks: int, **options: Any) -> dict[str, Any]:
    row = next(row for row in ROWS if row.name == "dcgan")
    torch.manual_seed(rank)
    gan = with_batch_norm(plain_gan(row))
    torch.manual_seed(100)
    return trained(gan, row.shape, rank, ranks, **options)


def everything(rank: int, ranks: int) -> dict[str, Any]:
    found = {row.name: of_row(row, rank, ranks) for row in ROWS}
    found["synchronised"] = normalised(rank, ranks)
    if ranks > 1:
        found["per_rank"] = normalised(rank, ranks, batch_norm="per_rank")
    return found


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.save(everything(int(sys.argv[1]), int(sys.argv[2])), Path(sys.argv[3]))
