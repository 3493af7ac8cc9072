"""What a person sees while a run trains: on stderr, and only where that is a terminal."""

import sys
from typing import Any

from lightning import Callback, Trainer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ganzoo.training.callbacks.evaluation import Evaluation
from ganzoo.training.clock import Clock
from ganzoo.training.gan import GAN

REFRESH_EVERY = 10  # generator updates between refreshes: reading a clock is cheap, drawing is not


class ProgressDisplay(Callback):
    """A bar with updates and images per second, the latest logged losses, and a line for every evaluation."""

    def __init__(self, generator_updates: int, clock: Clock, evaluation: Evaluation | None):
        self.generator_updates, self.clock = generator_updates, clock
        self.console = Console(stderr=True)
        columns = (BarColumn(bar_width=10), MofNCompleteColumn(), TimeRemainingColumn(compact=True))
        rates = TextColumn("{task.fields[rates]}")  # all of it fits into 80 columns
        self.bar = Progress(*columns, rates, console=self.console, disable=not sys.stderr.isatty())
        self._task: Any = None
        self._images_at_start = self._updates_at_start = 0
        if evaluation is not None:
            evaluation.tell = self.tell_scores

    def on_train_start(self, trainer: Trainer, gan: GAN) -> None:  # type: ignore[override]
        self._images_at_start, self._updates_at_start = gan.images_seen, gan.generator_updates
        self.bar.start()
        self._task = self.bar.add_task("", total=self.generator_updates, completed=gan.generator_updates, rates="")

    def on_train_batch_end(self, trainer: Trainer, gan: GAN, *args, **kwargs) -> None:  # type: ignore[override]
        if self.due(gan):
            seconds = max(self.clock.seconds_here(), 1e-9)
            updates = (gan.generator_updates - self._updates_at_start) / seconds
            images = (gan.images_seen - self._images_at_start) / seconds
            rates = f"{updates:.1f} updates/s {images:,.0f} images/s{self._losses(gan)}"
            self.bar.update(self._task, completed=gan.generator_updates, rates=rates)

    def due(self, gan: GAN) -> bool:
        return not self.bar.disable and gan.generator_updated and gan.generator_updates % REFRESH_EVERY == 0

    def _losses(self, gan: GAN) -> str:
        """The losses of the last logged update, D's and G's: reading newer ones would wait for the device."""
        losses = {name[0].upper(): value for name, value in gan.logged_losses.items() if name.endswith("/loss")}
        return "".join(f" {network} {value:.2f}" for network, value in losses.items())

    def tell_scores(self, gan: GAN, scores: dict[str, float]) -> None:
        shown = ", ".join(f"{name} {score:.4g}" for name, score in scores.items())
        self.console.print(f"generator update {gan.generator_updates}: {shown}", highlight=False, soft_wrap=True)

    def teardown(self, trainer: Trainer, gan: GAN, stage: str) -> None:  # type: ignore[override]
        self.bar.stop()
