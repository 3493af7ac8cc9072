"""Checkpoints that are whole or not there: last.ckpt, which a run goes on from, and best.ckpt."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning import Trainer
from lightning.pytorch.loggers import Logger
from lightning.pytorch.plugins.io import TorchCheckpointIO

from ganzoo.errors import InputError
from ganzoo.ranks import on_first
from ganzoo.records.files import link_atomically, write_atomically
from ganzoo.records.run_directory import RunDirectory
from ganzoo.training.callbacks import AfterGeneratorUpdates
from ganzoo.training.callbacks.background import Background, Copies
from ganzoo.training.callbacks.guard import Guard
from ganzoo.training.clock import Clock
from ganzoo.training.gan import GAN


class AtomicCheckpointIO(TorchCheckpointIO):
    """Lightning's reading and writing of checkpoints, with a temporary name, a sync to disk and a rename.

    Training waits only until the state is copied. Lightning's own AsyncCheckpointIO will not do: it copies into new
    memory every time, as many copies as the disk is behind, drops the versions of layers that a state_dict has beside
    its keys, and hands the next checkpoint over before it tells of a failure.

    Attributes:
        background: what writes. `wait` before the file is read.
        before_naming: called there when a checkpoint is on the disk and not yet under its name; it may raise.
    """

    def __init__(self) -> None:
        self.background, self._copies = Background(), Copies()
        self.before_naming: Callable[[], object] = lambda: None

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Raises what the writing of the one before has raised."""
        self.background.wait()
        copied = self._copies.of(checkpoint)
        self.background.then(
            lambda: write_atomically(Path(path), lambda file: torch.save(copied, file), self.before_naming)
        )

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


def misfit(path: Path, error: Exception) -> InputError:
    """What is raised where a checkpoint cannot be loaded into the run's networks, in a sentence instead of a screen."""
    first, *details = str(error).splitlines()
    reason = " ".join((details or [first])[0].split())
    return InputError(path, f"this is no checkpoint of the run: {reason[:200]}{'...' if len(reason) > 200 else ''}")


class Checkpoints(AfterGeneratorUpdates):
    """Writes last.ckpt every so many generator updates, never out of a run that has broken down.

    It is written while training goes on. What goes wrong there is raised when the next one is due, or at the end.
    """

    def __init__(self, every: int, run: RunDirectory, guard: Guard, clock: Clock):
        super().__init__(every)
        self.run, self.guard, self.clock = run, guard, clock
        self.io = AtomicCheckpointIO()

    def on_fit_start(self, trainer: Trainer, gan: GAN) -> None:  # type: ignore[override]
        self.io.before_naming = partial(self._make_way, trainer.loggers)

    def on_train_start(self, trainer: Trainer, gan: GAN) -> None:  # type: ignore[override]
        super().on_train_start(trainer, gan)
        self._finish()  # next the loader's processes are forked, which no thread should be in the middle of

    def act(self, trainer: Trainer, gan: GAN) -> None:
        self.guard.check(gan)
        self._finish()
        on_first(self.run.check_claim)
        trainer.save_checkpoint(self.run.last_checkpoint)

    def _finish(self) -> None:
        """Waits for what is being written; raises, on all ranks, what has gone wrong with it."""
        on_first(self.io.background.wait)

    def _make_way(self, loggers: Sequence[Logger]) -> None:
        for logger in loggers:
            getattr(logger, "sync", lambda: None)()  # the lines before this update are on the disk before it is
        self.run.check_claim()

    def on_train_end(self, trainer: Trainer, gan: GAN) -> None:  # type: ignore[override]
        self._finish()

    def on_exception(self, trainer: Trainer, gan: GAN, exception: BaseException) -> None:  # type: ignore[override]
        with suppress(Exception):  # the first of two failures is told; and other ranks may be anywhere
            self.io.background.wait()

    def keep_as_best(self, trainer: Trainer, gan: GAN) -> None:
        """The state at this update, under the name best.ckpt."""
        self.act_now(trainer, gan)
        on_first(lambda: self.io.background.then(self._link))

    def _link(self) -> None:
        if self.run.last_checkpoint.exists():
            link_atomically(self.run.last_checkpoint, self.run.best_checkpoint)

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "seconds": self.clock.seconds()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self.clock.seconds_at_start = state_dict["seconds"]
