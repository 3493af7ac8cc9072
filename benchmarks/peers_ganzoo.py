"""ganzoo as a contestant: the whole of a run as `ganzoo train` does it, with its own networks or with a peer's."""

import tempfile
from pathlib import Path
from unittest.mock import patch

from peers_turns import Case, Stopwatch, Training, Work

import ganzoo.training.run
from ganzoo.data.samples import to_network_range
from ganzoo.experiment import Experiment, load_experiment
from ganzoo.records.run_directory import RunDirectory
from ganzoo.sampling import save_samples
from ganzoo.training.build import begin_gan
from ganzoo.training.gan import GAN
from ganzoo.training.layout import lay_channels_last
from ganzoo.training.run import train_claimed

EXPERIMENTS = Path(__file__).parent.parent / "experiments"
SETTINGS = (
    "data.name=zip", "data.resolution=32", "tracking.wandb=disabled", "trainer.accelerator=cpu",
    "samples.every_generator_updates=null", "trainer.progress=false", "trainer.channels_last=true",
)  # fmt: skip


def write_data(work: Work, file: Path) -> None:
    """The images as a data set of ganzoo's, which holds some of them out."""
    save_samples(to_network_range(work.pixels), file, work.labels)


def training(case: Case, work: Work, data: Path, *, own_networks: bool) -> Training:
    """With loader, trainer, guard, log and averaged generator; last checkpoint and record come after the last stamp."""

    def train(updates: int, stopwatch: Stopwatch) -> None:
        def begin(experiment: Experiment) -> GAN:
            gan = begin_gan(experiment)
            if not own_networks:
                gan = type(gan)(*case.networks(), gan.config, optimizers=experiment.optimizer, ema=experiment.ema)
                lay_channels_last(gan)
            stopwatch.watch(gan.generator)
            return gan

        sizes = (f"data.path={data}", f"data.batch_size={work.batch_size}", f"budget.generator_updates={updates}")
        experiment = load_experiment(EXPERIMENTS / case.experiment, [*SETTINGS, *case.words, *sizes])
        with tempfile.TemporaryDirectory() as folder, patch.object(ganzoo.training.run, "begin_gan", begin):
            run = RunDirectory.create(experiment, Path(folder) / "run")
            with run.claimed():
                train_claimed(experiment, run)

    return train
