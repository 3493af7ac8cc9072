"""Checkpoints that are whole or not there: last.ckpt, which a run goes on from, and best.ckpt."""

from pathlib import Path
from typing import Any

import torch
from lightning import Trainer
from lightning.pytorch.plugins.io import TorchCheckpointIO

from ganzoo.errors import InputError
from ganzoo.ranks import on_first
from ganzoo.records.files import link_atomically, write_atomically
from ganzoo.records.run_directory import RunDirectory
from ganzoo.training.callbacks import AfterGeneratorUpdates
from ganzoo.training.callbacks.guard import Guard
from ganzoo.training.clock import Clock
from ganzoo.training.gan import GAN


class AtomicCheckpointIO(TorchCheckpointIO):
    """Lightning's reading and writing of checkpoints, with a temporary name, a sync to disk and a rename."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        write_atomically(Path(path), lambda file: torch.save(checkpoint, file))

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        return read_checkpoint(Path(path))


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint, on the CPU, loaded weights-only: nothing in it can run.

    Raises:
        InputError: there is none, or it is broken.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(path, "there is no such checkpoint; the run has not come that far") from None
    except Exception as error:  # torch raises many classes for a broken file, and each means just that
        reason = str(error).partition("\n")[0]
        raise InputError(path, f"this is no checkpoint, or a broken one: {reason}") from None


class Checkpoints(AfterGeneratorUpdates):
    """Writes last.ckpt every so many generator updates, never out of a run that has broken down."""

    def __init__(self, every: int, run: RunDirectory, guard: Guard, clock: Clock):
        super().__init__(every)
        self.run, self.guard, self.clock = run, guard, clock

    def act(self, trainer: Trainer, gan: GAN) -> None:
        self.guard.check(gan)
        on_first(lambda: self._make_way(trainer))
        trainer.save_checkpoint(self.run.last_checkpoint)

    def _make_way(self, trainer: Trainer) -> None:
        self.run.check_claim()
        for logger in trainer.loggers:
            getattr(logger, "sync", lambda: None)()  # the lines before this update are on the disk before it is

    def keep_as_best(self, trainer: Trainer, gan: GAN) -> None:
        """The state at this update, under the name best.ckpt."""
        self.act_now(trainer, gan)
        on_first(self._link)

    def _link(self) -> None:
        if self.run.last_checkpoint.exists():
            link_atomically(self.run.last_checkpoint, self.run.best_checkpoint)

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "seconds": self.clock.seconds()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self.clock.seconds_at_start = state_dict["seconds"]
