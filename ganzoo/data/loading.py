"""The endless loader: which images are in a batch depends on the seed and on how many images came before, only.

So a resumed run needs one number, the position, to go on with exactly the images that an uninterrupted one would
have seen, whatever the number of loader processes.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from ganzoo.components import implementation
from ganzoo.data.base import DataConfig
from ganzoo.data.samples import Samples, to_network_range
from ganzoo.shapes import Images, Labels


class Draw(NamedTuple):
    """Which samples make a batch, and which of them are mirrored."""

    indices: Tensor  # (n,) int64
    flips: Tensor  # (n,) bool
    position: int  # real images before this batch, over all ranks and the whole run
    end: int  # and with it: the position of the next one


class EndlessBatches(Sampler[Draw]):
    """Batch after batch without end, each pass over the data in a new random order.

    Sample p of the stream is sample p mod N of permutation p div N, a function of (seed, p div N); a batch that
    reaches the end of a permutation goes on in the next.

    Args:
        size: N, samples in the data set.
        batch_size: samples in a batch, over all ranks; a function of the batch's position where it changes.
        start: position of the first batch, in samples.
        rank, world_size: this process draws every batch's rank-th part; it must be as large as the others'.
        device: where the draws are wanted; a pass goes there at once.
    """

    def __init__(
        self,
        size: int,
        batch_size: int | Callable[[int], int],
        *,
        seed: int,
        start: int = 0,
        flip: bool = False,
        rank: int = 0,
        world_size: int = 1,
        device: torch.device | str = "cpu",
    ):
        self.size, self.seed, self.start, self.flip, self.device = size, seed, start, flip, device
        self.batch_size_at = batch_size if callable(batch_size) else lambda position: batch_size
        self.rank, self.world_size = rank, world_size

    def __iter__(self) -> Iterator[Draw]:
        position = self.start
        epoch, order, flips = -1, torch.empty(0), torch.empty(0)
        while True:
            end = position + self.batch_size_at(position)
            indices, mirrored, wanted = [], [], range(position, end)
            while wanted:
                if wanted.start // self.size != epoch:
                    epoch = wanted.start // self.size
                    order, flips = self._pass(epoch)
                offset = wanted.start % self.size
                taken = min(len(wanted), self.size - offset)
                indices.append(order[offset : offset + taken])
                mirrored.append(flips[offset : offset + taken])
                wanted = wanted[taken:]
            yield Draw(self._part(indices), self._part(mirrored), position, end)
            position = end

    def _part(self, pieces: list[Tensor]) -> Tensor:
        """This process's part of a batch that is in pieces."""
        batch = pieces[0] if len(pieces) == 1 else torch.cat(pieces)
        if self.world_size == 1:
            return batch
        share, rest = divmod(len(batch), self.world_size)
        if rest or not share:
            raise ValueError(f"a batch of {len(batch)} cannot be dealt in equal parts to {self.world_size} processes")
        return batch[self.rank * share : (self.rank + 1) * share]

    def _pass(self, epoch: int) -> tuple[Tensor, Tensor]:
        """The order of one pass over the data, and who is mirrored in it."""
        generator = torch.Generator().manual_seed(mixed_seed(self.seed, epoch))
        order = torch.randperm(self.size, generator=generator)
        flips = (
            torch.rand(self.size, generator=generator) < 0.5 if self.flip else torch.zeros(self.size, dtype=torch.bool)
        )
        return order.to(self.device), flips.to(self.device)


def mixed_seed(*parts: int) -> int:
    """One 63-bit seed out of several numbers: close numbers give unrelated seeds (splitmix64, Steele et al. 2014)."""
    state = 0
    for part in parts:
        state = (state + part + 0x9E3779B97F4A7C15) % 2**64
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) % 2**64
        state ^= state >> 31
    return state >> 1


Batch = tuple[Tensor, Labels | None, Tensor, int]  # values, labels, flips and the position of the next one


class InMemory(Dataset):
    """Gathers a whole batch at once; a draw in, tensors out."""

    def __init__(self, samples: Samples, *, labelled: bool = True):
        self.samples, self.labelled = samples, labelled

    def __getitem__(self, draw: Draw) -> Batch:
        values = self.samples.values.index_select(0, draw.indices)
        labels = self.samples.labels.index_select(0, draw.indices) if self.labelled else None
        return values, labels, draw.flips, draw.end


class Resident:
    """Batches gathered where they are used: no process, no copy, and nobody waits for a GPU.

    An iterator, so that whoever asks gets the batch after the last one that anybody got.
    """

    def __init__(self, samples: InMemory, draws: EndlessBatches):
        self._batches = map(samples.__getitem__, draws)

    def __iter__(self) -> "Resident":
        return self

    def __next__(self) -> Batch:
        return next(self._batches)

    def __len__(self) -> int:
        """More than anybody trains on: of what has no length, Lightning takes a batch ahead."""
        return 10**12


class GANData(LightningDataModule):
    """A data set's train split for the trainer: endless, exactly resumable, normalised and mirrored on the device.

    Batches reach the module as (real in [-1, 1], labels). The checkpoint holds the position of the next batch. The data
    set itself lies on the device where it fits there and no loader processes are asked for.

    Args:
        batch_size_at: the size of the batch at a position, which is the real images before it; None: the config's.
        labelled: whether anybody asks for the labels; if not, they are None: to look them up, anywhere in memory, is
            among the largest costs of a small update.
    """

    def __init__(
        self,
        config: DataConfig,
        *,
        seed: int,
        batch_size_at: Callable[[int], int] | None = None,
        labelled: bool = True,
    ):
        super().__init__()
        self.config, self.seed, self.position, self.labelled = config, seed, 0, labelled
        self.batch_size = batch_size_at or config.batch_size
        self.samples: Samples | None = None
        self._resident: Resident | None = None

    @property
    def is_resident(self) -> bool:
        """Whether `next_batch` gives batches: training has begun, and they come from the device."""
        return self._resident is not None

    def next_batch(self) -> tuple[Images, Labels | None]:
        """What the trainer would give to the module next, which it then does not."""
        assert self._resident is not None
        return self.on_after_batch_transfer(next(self._resident), 0)

    def setup(self, stage: str | None = None) -> None:
        if self.samples is None:
            module, config = implementation(self.config)
            self.samples = module.load(config, "train")

    def train_dataloader(self) -> DataLoader | Resident:
        assert self.samples is not None and self.trainer is not None  # the trainer calls setup() first
        device = self.trainer.strategy.root_device
        resident = self.config.num_workers == 0 and has_room(device, self.samples.nbytes)
        batches = EndlessBatches(
            len(self.samples),
            self.batch_size,
            seed=self.seed,
            start=self.position,
            flip=getattr(self.config, "flip", False),
            rank=self.trainer.global_rank,
            world_size=self.trainer.world_size,
            device=device if resident else "cpu",
        )
        samples = InMemory(self.samples.to(device) if resident else self.samples, labelled=self.labelled)
        self._resident = Resident(samples, batches) if resident else None
        if self._resident is not None:
            return self._resident
        return DataLoader(
            samples,
            sampler=batches,
            batch_size=None,  # a draw is a whole batch
            num_workers=self.config.num_workers,
            persistent_workers=self.config.num_workers > 0,
            pin_memory=torch.cuda.is_available(),
            worker_init_fn=_ignore_signals,
            generator=torch.Generator().manual_seed(0),  # else every iterator would draw from the global generator
        )

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        if batch[0].device == device:
            return batch  # Lightning would look through it for what to move
        return super().transfer_batch_to_device(batch, device, dataloader_idx)

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> tuple[Images, Labels | None]:
        values, labels, flips, end = batch
        self.position = int(end)
        images = to_network_range(values)
        if getattr(self.config, "flip", False):
            images = torch.where(flips.view(-1, 1, 1, 1), images.flip(-1), images)
        return images, labels

    def state_dict(self) -> dict[str, Any]:
        return {"position": self.position}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.position = state_dict["position"]


def has_room(device: torch.device, nbytes: int) -> bool:
    """Whether data may live there: up to a quarter of what is free, since networks and gradients need room too."""
    return device.type != "cuda" or 4 * nbytes <= torch.cuda.mem_get_info(device)[0]


def _ignore_signals(worker: int) -> None:
    """Ctrl-C and SLURM signal every process of a group: a worker that dies of it would lose the checkpoint."""
    import signal

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
