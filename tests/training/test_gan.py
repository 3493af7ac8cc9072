"""The base class: its own counts, the average, rates, clipping; with anybody's networks under a plain trainer."""

import csv
from pathlib import Path

import lightning
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from ganzoo.training.config import EMAConfig
from ganzoo.training.ema import MovingAverage, averaged_copy
from ganzoo.training.gan import frozen
from ganzoo.training.optimizers import SGD, Adam, Optimizers
from ganzoo.variants.dcgan import DCGAN, Config

EPOCH = 4  # batches


class Recorder(lightning.Callback):
    """What the counters and rates were after every batch."""

    def __init__(self) -> None:
        self.rows: list[dict] = []

    def on_train_batch_end(self, trainer, gan, *args, **kwargs) -> None:
        rates = [group["lr"] for optimizer in trainer.optimizers for group in optimizer.param_groups]
        counts = (gan.discriminator_updates, gan.generator_updates, gan.images_seen)
        self.rows.append({"counts": counts, "rates": rates, "updated": gan.generator_updated})


def networks(latent_dim: int = 3) -> tuple[nn.Module, nn.Module]:
    """Somebody's own networks: nothing of ganzoo's in them."""
    generator = nn.Sequential(nn.Linear(latent_dim, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))
    discriminator = nn.Sequential(nn.Linear(2, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1), nn.Flatten(0))
    return generator, discriminator


def loader(batch_size: int = 5) -> DataLoader:
    points = torch.randn(EPOCH * batch_size, 2, generator=torch.Generator().manual_seed(0))
    return DataLoader(TensorDataset(points), batch_size=batch_size)


def trainer(epochs: int, *callbacks: lightning.Callback, **settings) -> lightning.Trainer:
    quiet = {
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "enable_checkpointing": False,
        "logger": False,
    }
    return lightning.Trainer(max_epochs=epochs, accelerator="cpu", callbacks=list(callbacks), **{**quiet, **settings})


@pytest.mark.filterwarnings("ignore:.*does not have many workers")
@pytest.mark.filterwarnings("ignore:.*in eval mode at the start of training")
@pytest.mark.filterwarnings("ignore:.*LeafSpec")
@pytest.mark.filterwarnings("ignore:.*ended before the epoch ended")
class TestUnderAPlainTrainer:
    @pytest.mark.parametrize("n_critic", [1, 5])
    def test_counts_are_of_updates_across_epochs(self, n_critic):
        recorder = Recorder()
        gan = DCGAN(*networks(), Config(latent_dim=3, n_critic=n_critic))
        trainer(10, recorder).fit(gan, loader())
        assert [row["counts"] for row in recorder.rows] == [(k, k // n_critic, 5 * k) for k in range(1, 41)]
        assert [row["updated"] for row in recorder.rows] == [k % n_critic == 0 for k in range(1, 41)]

    def test_both_networks_and_the_average_move(self):
        gan = DCGAN(*networks(), Config(latent_dim=3), ema=EMAConfig(halflife_images=20))
        before = {name: value.clone() for name, value in gan.state_dict().items()}
        trainer(1).fit(gan, loader())
        moved = {name for name, value in gan.state_dict().items() if not torch.equal(value, before[name])}
        assert moved == set(before)
        assert not torch.equal(gan.ema_generator[0].weight, gan.generator[0].weight)
        assert not any(parameter.requires_grad for parameter in gan.ema_generator.parameters())
        assert all(parameter.requires_grad for parameter in gan.discriminator.parameters())

    def test_resumed_in_the_middle_of_an_epoch_counts_rates_and_averages_go_on(self, tmp_path):
        rate = {"schedule": "linear", "decay_start_updates": 1, "decay_end_updates": 6, "warmup_updates": 2}
        optimizers = Optimizers(generator=Adam(lr=0.1, **rate), discriminator=SGD(lr=1.0))

        class Save(lightning.Callback):
            def on_train_batch_end(self, trainer, gan, *args, **kwargs):
                if gan.discriminator_updates == 6:
                    trainer.save_checkpoint(tmp_path / "middle.ckpt")

        def gan() -> DCGAN:
            torch.manual_seed(0)
            return DCGAN(
                *networks(), Config(latent_dim=3, n_critic=2), optimizers=optimizers, ema=EMAConfig(halflife_images=30)
            )

        whole, rest = Recorder(), Recorder()
        trainer(4, whole, Save()).fit(gan(), loader())
        assert [row["rates"][0] for row in whole.rows[1::2]] == pytest.approx(
            [0.1, 0.08, 0.06, 0.04, 0.02, 0.0, 0.0, 0.0]
        )
        assert all(row["rates"][1] == 1.0 for row in whole.rows)
        resumed = gan()
        trainer(4, rest).fit(resumed, loader(), ckpt_path=tmp_path / "middle.ckpt", weights_only=True)
        assert rest.rows[0]["counts"] == (7, 3, 35)
        assert [row["rates"] for row in rest.rows] == [row["rates"] for row in whole.rows[6 : 6 + len(rest.rows)]]

    def test_gradients_are_clipped_network_by_network(self):
        seen: dict[str, float] = {}

        class Spy(DCGAN):
            def descend(self, network, *batch):
                super().descend(network, *batch)
                gradients = [p.grad.norm() for p in getattr(self, network).parameters()]
                seen[network] = torch.stack(gradients).norm().item()

        clipped = Optimizers(generator=SGD(lr=1e-3), discriminator=SGD(lr=1e-3, clip_norm=1e-3))
        trainer(1).fit(Spy(*networks(), Config(latent_dim=3), optimizers=clipped), loader())
        assert seen["discriminator"] == pytest.approx(1e-3, rel=1e-2) and seen["generator"] > 1e-2

    def test_losses_reach_any_logger_at_their_generator_updates(self, tmp_path):
        from lightning.pytorch.loggers import CSVLogger

        logger = CSVLogger(tmp_path, flush_logs_every_n_steps=1)
        gan = DCGAN(*networks(), Config(latent_dim=3, n_critic=2))
        trainer(4, logger=logger, log_every_n_steps=4).fit(gan, loader())
        rows = list(csv.DictReader((Path(logger.log_dir) / "metrics.csv").read_text().splitlines()))
        assert [int(row["generator_updates"]) for row in rows] == [4, 8]
        assert float(rows[-1]["discriminator/loss"]) == pytest.approx(gan.losses["discriminator/loss"].item())

    @pytest.mark.parametrize("batch", ["tensor", "pair"])
    def test_batches_of_images_alone_or_with_labels(self, batch):
        points = torch.randn(12, 2)
        data = points if batch == "tensor" else TensorDataset(points, torch.zeros(12, dtype=torch.int64))
        gan = DCGAN(*networks(), Config(latent_dim=3))
        trainer(1).fit(gan, DataLoader(data, batch_size=4))
        assert gan.images_seen == 12


def test_the_average_follows_its_equation():
    generator = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    average = averaged_copy(generator)
    start = [tensor.clone() for tensor in (*average.parameters(), average[1].running_mean)]
    with torch.no_grad():
        for tensor in (*generator.parameters(), generator[1].running_mean):
            tensor.add_(1.0)
        generator[1].num_batches_tracked.fill_(7)
    MovingAverage(average, generator).move(images=30, halflife_images=10)
    for before, now in zip(start, (*average.parameters(), average[1].running_mean), strict=True):
        torch.testing.assert_close(now, before + 1 - 0.5**3)
    assert average[1].num_batches_tracked == 7


def test_without_a_half_life_the_average_is_a_copy():
    generator = nn.Linear(3, 2)
    average = averaged_copy(nn.Linear(3, 2))
    MovingAverage(average, generator).move(images=1, halflife_images=None)
    assert torch.equal(average.weight, generator.weight) and torch.equal(average.bias, generator.bias)


def test_the_half_life_ramps_up():
    ema = EMAConfig(halflife_images=1000, rampup_ratio=0.05)
    assert [ema.halflife(images) for images in (200, 10_000, 20_000, 10**6)] == pytest.approx([10, 500, 1000, 1000])
    assert EMAConfig(halflife_images=None).halflife(10**6) is None


def test_frozen_gives_back_what_was_trained_and_only_that():
    network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2).requires_grad_(False))
    with frozen(network.parameters()):
        assert not any(parameter.requires_grad for parameter in network.parameters())
    assert [parameter.requires_grad for parameter in network.parameters()] == [True, True, False, False]


@pytest.mark.parametrize(("distribution", "mean_square", "largest"), [("normal", 1.0, 6.0), ("uniform", 1 / 3, 1.0)])
def test_latents_have_their_distribution(distribution, mean_square, largest):
    gan = DCGAN(*networks(100), Config(latent_dim=100, latent_distribution=distribution))
    latents = gan.sample_latents(1000, torch.Generator().manual_seed(0))
    assert latents.mean().item() == pytest.approx(0, abs=0.02)
    assert latents.square().mean().item() == pytest.approx(mean_square, rel=0.03)
    assert latents.abs().max() <= largest


@pytest.mark.parametrize("distribution", ["normal", "uniform"])
def test_truncated_latents_stay_within_the_limit(distribution):
    gan = DCGAN(nn.Identity(), nn.Identity(), Config(latent_dim=50, latent_distribution=distribution))
    samples = gan.draw(200, torch.Generator().manual_seed(0), truncation=0.3)
    assert 0.25 < samples.abs().max() <= 0.3


def test_samples_are_a_function_of_the_seed_and_leave_training_alone():
    gan = DCGAN(*networks(), Config(latent_dim=3))
    state = torch.get_rng_state()
    assert torch.equal(gan.sample(5, seed=1), gan.sample(5, seed=1))
    assert not torch.equal(gan.sample(5, seed=1), gan.sample(5, seed=2))
    assert torch.equal(state, torch.get_rng_state())
