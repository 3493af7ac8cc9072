"""The end of a run: the budget is spent, or a signal came. Either way a checkpoint first."""

import os
import signal
import threading
from collections.abc import Sequence
from types import FrameType
from typing import Any

from lightning import Callback, Trainer

from ganzoo.training.callbacks import AfterGeneratorUpdates
from ganzoo.training.callbacks.checkpoint import Checkpoints
from ganzoo.training.gan import GAN

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop(Callback):
    """Ends training at the budget, or after the batch in which SIGINT or SIGTERM came; a second Ctrl-C ends it at once.

    Args:
        at_end: what acts once more when the budget is spent, whatever its schedule.

    Attributes:
        signal_number: what stopped the run, or None.
    """

    def __init__(self, generator_updates: int, checkpoints: Checkpoints, at_end: Sequence[AfterGeneratorUpdates]):
        self.generator_updates, self.checkpoints, self.at_end = generator_updates, checkpoints, at_end
        self.signal_number: int | None = None
        self._handlers: dict[int, Any] = {}

    def on_train_start(self, trainer: Trainer, gan: GAN) -> None:  # type: ignore[override]
        # Here, since Lightning has installed its own handler by now, which ends with status 0 and no checkpoint.
        if threading.current_thread() is threading.main_thread():
            self._handlers = {number: signal.signal(number, self._remember) for number in SIGNALS}
        self._stop_if_due(trainer, gan)  # a resumed run may have spent its budget

    def on_train_batch_end(self, trainer: Trainer, gan: GAN, *args, **kwargs) -> None:  # type: ignore[override]
        self._stop_if_due(trainer, gan)

    def _stop_if_due(self, trainer: Trainer, gan: GAN) -> None:
        done = gan.generator_updates >= self.generator_updates
        if done or self.signal_number:
            trainer.should_stop = True
            for callback in self.at_end if done else ():
                callback.act_now(trainer, gan)
            self.checkpoints.act_now(trainer, gan)

    def teardown(self, trainer: Trainer, gan: GAN, stage: str) -> None:  # type: ignore[override]
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}

    def _remember(self, number: int, frame: FrameType | None) -> None:
        if self.signal_number == signal.SIGINT == number:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGINT)
        self.signal_number = number
