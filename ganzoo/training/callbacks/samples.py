"""Grids of samples from the same latents, so that one can watch them become images."""

import torch
from lightning import Trainer

from ganzoo.ranks import on_first
from ganzoo.records.run_directory import RunDirectory
from ganzoo.sampling import save_grid
from ganzoo.shapes import Labels
from ganzoo.training.callbacks import AfterGeneratorUpdates
from ganzoo.training.clock import Clock
from ganzoo.training.gan import GAN
from ganzoo.training.randomness import untouched_randomness


class SampleGrids(AfterGeneratorUpdates):
    """Writes samples/<generator updates>.png and gives it to the loggers that show images."""

    def __init__(self, every: int, run: RunDirectory, clock: Clock, *, count: int, seed: int):
        super().__init__(every)
        self.run, self.clock, self.count, self.seed = run, clock, count, seed

    def act(self, trainer: Trainer, gan: GAN) -> None:
        on_first(lambda: self._write(trainer, gan))

    def _write(self, trainer: Trainer, gan: GAN) -> None:
        path = self.run.samples / f"{gan.generator_updates:08d}.png"
        with self.clock.paused(), untouched_randomness(), torch.autocast(gan.device.type, enabled=False):
            save_grid(gan.sample(self.count, seed=self.seed, labels=self._labels(gan)), path)
        for logger in trainer.loggers:
            if log_image := getattr(logger, "log_image", None):
                log_image(key="samples", images=[str(path)], step=gan.generator_updates)

    def _labels(self, gan: GAN) -> Labels | None:
        """Class after class, from the first line of the grid to the last."""
        return torch.arange(self.count) * gan.num_classes // self.count if gan.num_classes else None
