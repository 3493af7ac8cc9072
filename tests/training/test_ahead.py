"""Between two things that are due, updates are made without Lightning's loop: the same updates."""

import pytest
import torch
from conftest import RING, checkpoint_of, differences, metrics_of
from lightning.pytorch import Trainer

from ganzoo.experiment import load_experiment
from ganzoo.records.run_directory import RunDirectory
from ganzoo.training.build import begin_gan, build_data
from ganzoo.training.callbacks.ahead import Ahead
from ganzoo.training.callbacks.guard import Guard
from ganzoo.training.run import train, train_claimed

OFF = ["tracking.wandb=disabled", "evaluation.protocol=null", "samples.every_generator_updates=null"]
SMALL = [*OFF, "generator.width=8", "discriminator.width=8", "data.batch_size=16"]


def budget(updates: int) -> str:
    return f"budget.generator_updates={updates}"


@pytest.mark.filterwarnings("ignore:.*in eval mode at the start of training")
@pytest.mark.filterwarnings("ignore:.*LeafSpec")
@pytest.mark.parametrize("settings", [[], ["variant.n_critic=3"], ["optimizer.discriminator.clip_norm=0.1"]])
def test_the_weights_are_those_of_lightnings_own_loop_with_its_hooks(settings):
    experiment = load_experiment(RING, [*SMALL, *settings, budget(30)])
    states = []
    for plain in (False, True):
        gan, data = begin_gan(experiment), build_data(experiment)
        gan.hooked = plain
        callbacks = [] if plain else [Ahead(data, Guard(), [Until(gan, 30 * gan.config.n_critic)])]
        batches = 30 * gan.config.n_critic if plain else 1
        quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
        quiet["enable_model_summary"] = False
        Trainer(accelerator="cpu", callbacks=callbacks, limit_train_batches=batches, max_epochs=1, **quiet).fit(
            gan, datamodule=data
        )
        assert gan.generator_updates == 30
        states.append(gan.state_dict())
    assert differences(*states) == []


class Until:
    """Due after that many discriminator updates."""

    def __init__(self, gan, updates):
        self.gan, self.updates = gan, updates

    def due(self, gan):
        return gan.discriminator_updates >= self.updates


def test_lightning_is_asked_only_when_something_is_due(tmp_path):
    run = train(RING, [*SMALL, budget(200), "tracking.every_generator_updates=50"], run_dir=tmp_path / "run")
    turns = torch.load(run.last_checkpoint, weights_only=True)["loops"]["fit_loop"]["epoch_loop.batch_progress"]
    assert turns["total"]["completed"] < 5
    assert [line["generator_updates"] for line in metrics_of(tmp_path / "run")] == [50, 100, 150, 200]


def test_loader_processes_take_lightnings_way_to_the_same_weights(tmp_path):
    for workers in (0, 1):
        train(RING, [*SMALL, budget(45), f"data.num_workers={workers}"], run_dir=tmp_path / str(workers))
    here, there = (checkpoint_of(tmp_path / workers) for workers in "01")
    assert differences(here["state_dict"], there["state_dict"]) == []
    assert here["GANData"] == there["GANData"]


def test_a_watcher_that_ends_a_run_is_heard_at_once(tmp_path):
    experiment = load_experiment(RING, [*SMALL, budget(500), "tracking.every_generator_updates=7"])
    run = RunDirectory.create(experiment, tmp_path / "run")
    with run.claimed():
        train_claimed(experiment, run, lambda updates, values: "enough" if updates >= 21 else None)
    assert checkpoint_of(run.path)["ganzoo"]["counters"]["generator_updates"] == 21
