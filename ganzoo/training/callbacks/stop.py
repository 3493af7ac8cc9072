"""The end of a run: the budget is spent, or a signal came. Either way a checkpoint first."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from lightning import Callback, Trainer

from ganzoo.ranks import world_size
from ganzoo.training.callbacks import AfterGeneratorUpdates
from ganzoo.training.callbacks.checkpoint import Checkpoints
from ganzoo.training.gan import GAN
from ganzoo.training.strategy import AlternatingDDP

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)  # the last: SLURM's, ahead of a time limit


class Stop(Callback):
    """Ends training at the budget, or after the batch in which a signal came; a second Ctrl-C ends it at once.

    Args:
        at_end: what acts once more when the budget is spent, whatever its schedule.

    Attributes:
        signal_number: what stopped the run, or None.
        early_reason: why the run is to end before its budget is spent and for good, or None.
    """

    def __init__(self, generator_updates: int, checkpoints: Checkpoints, at_end: Sequence[AfterGeneratorUpdates]):
        self.generator_updates, self.checkpoints, self.at_end = generator_updates, checkpoints, at_end
        self.signal_number: int | None = None
        self.early_reason: str | None = None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Signals in the body end the run in order; afterwards they do what they did before."""
        with handling(self.remember):
            yield

    def on_train_start(self, trainer: Trainer, gan: GAN) -> None:  # type: ignore[override]
        self._stop_if_due(trainer, gan)  # a resumed run may have spent its budget

    def on_train_batch_end(self, trainer: Trainer, gan: GAN, *args, **kwargs) -> None:  # type: ignore[override]
        self._stop_if_due(trainer, gan)

    def due(self, gan: GAN) -> bool:
        """Several ranks vote after every update."""
        ended = gan.generator_updates >= self.generator_updates
        return ended or self.signal_number is not None or self.early_reason is not None or world_size() > 1

    def _stop_if_due(self, trainer: Trainer, gan: GAN) -> None:
        done = gan.generator_updates >= self.generator_updates
        if done or self._is_wanted(trainer):
            trainer.should_stop = True
            for callback in self.at_end if done else ():
                callback.act_now(trainer, gan)
            self.checkpoints.act_now(trainer, gan)

    def _is_wanted(self, trainer: Trainer) -> bool:
        """Whether the run is to end here, which all ranks answer alike: each has signals of its own."""
        wanted = bool(self.signal_number or self.early_reason)
        if not isinstance(trainer.strategy, AlternatingDDP):
            return wanted
        trainer.strategy.wants_to_stop = wanted
        if trainer.strategy.stops and not wanted:
            self.signal_number = signal.SIGTERM  # some other rank's
        return trainer.strategy.stops

    def remember(self, number: int, frame: FrameType | None) -> None:
        """A signal's handler."""
        if self.signal_number == signal.SIGINT == number:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGINT)
        self.signal_number = signal.SIGTERM if number == signal.SIGUSR1 else number


@contextmanager
def handling(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Takes the signals in the body, also from Lightning, whose own handler ends with status 0 and no checkpoint."""
    if threading.current_thread() is not threading.main_thread():
        yield  # nobody else may: a notebook's server, say, trains in another thread
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number in SIGNALS:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
