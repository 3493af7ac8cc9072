"""Growing: the schedule in closed form, what is shown at each stage, and exact resumption anywhere in it."""

from itertools import pairwise

import lightning
import pytest
import torch
from conftest import DIGITS, TINY, checkpoint_of, differences, metrics_of
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import interpolate
from torch.utils.data import DataLoader, TensorDataset

from ganzoo.errors import InputError
from ganzoo.experiment import load_experiment
from ganzoo.networks import dcgan
from ganzoo.networks.progressive import Discriminator, DiscriminatorConfig, Generator, GeneratorConfig
from ganzoo.training import BoundDiscriminator
from ganzoo.training.build import load_generator
from ganzoo.training.run import resume, train
from ganzoo.variants.progressive import Config, Progressive, at_stage

SHAPE = (1, 16, 16)
BATCH = 16
SCHEDULE = {"stable_images": 48, "fade_images": 64}  # with batches of 16, the levels after so many updates:
LEVELS = [0, 0, 0, 0, 0.25, 0.5, 0.75, 1, 1, 1, 1, 1.25, 1.5, 1.75, 2, 2, 2]  # stage - 1 + fade
NETWORKS = [f"{network}={{name: progressive, width: 2, max_width: 8}}" for network in ("generator", "discriminator")]


def level(config: Config, images_seen: int, stages: int) -> float:
    stage, fade = config.growth(images_seen, stages)
    return stage - 1 + fade


# The schedule: tkarras/progressive_growing_of_gans:train.py, TrainingSchedule


@given(stable=st.integers(1, 50), fading=st.integers(0, 50), stages=st.integers(1, 9), images=st.integers(0, 1000))
def test_the_level_is_a_sum_of_ramps(stable, fading, stages, images):
    """Ramp s goes from 0 to 1 over fade_images, after s times stable_images and s - 1 times fade_images."""
    config = Config(stable_images=stable, fade_images=fading)
    stage, fade = config.growth(images, stages)
    ramps = [images - s * config.stable_images - (s - 1) * config.fade_images for s in range(1, stages)]
    if config.fade_images:
        expected = sum(min(max(passed / config.fade_images, 0.0), 1.0) for passed in ramps)
    else:
        expected = sum(passed >= 0 for passed in ramps)
    assert 0 <= stage < stages and 0 < fade <= 1 and (stage > 0 or fade == 1)
    assert stage - 1 + fade == pytest.approx(expected)


@given(stable=st.integers(1, 50), fading=st.integers(0, 50), stages=st.integers(1, 9))
def test_it_rises_without_jumps_from_4_pixels_to_all(stable, fading, stages):
    config = Config(stable_images=stable, fade_images=fading)
    end = (stages - 1) * (config.stable_images + config.fade_images)
    levels = [level(config, images, stages) for images in range(end + 2)]
    steps = [after - before for before, after in pairwise(levels)]
    assert levels[0] == 0 and levels[-2:] == [stages - 1] * 2
    assert config.growth(10**9, stages) == (stages - 1, 1.0)
    assert all(-1e-9 <= step <= 1 / max(config.fade_images, 1) + 1e-9 for step in steps)
    if stages > 1:
        assert config.growth(end - 1, stages) != (stages - 1, 1.0)


def test_the_papers_schedule():
    """600,000 images at each resolution and 600,000 between two: 1024 pixels alone after 9.6 million."""
    config = Config()
    assert [level(config, 1000 * k, 9) for k in (0, 600, 900, 1200, 1800, 2100, 9300, 9600)] == [
        0,
        0,
        0.5,
        1,
        1,
        1.5,
        7.5,
        8,
    ]
    assert (config.n_critic, config.gp_weight, config.gp_target, config.drift_weight, config.latent_dim) == (
        1, 10.0, 1.0, 0.001, 512,
    )  # fmt: skip
    for adam in (config.paper_optimizers.generator, config.paper_optimizers.discriminator):
        assert (adam.lr, adam.betas, adam.eps) == (1e-3, (0.0, 0.99), 1e-8)


def test_batch_sizes_are_for_the_resolutions_from_4_pixels_up():
    """By the resolution that is blended in, as TrainingSchedule's minibatch_dict."""
    config = Config(stable_images=600, fade_images=400, batch_sizes=(64, 32, 8))
    at = [config.batch_size_at(images, 5, (3, 64, 64)) for images in (0, 600, 601, 1600, 1601, 2601, 10**6)]
    assert at == [64, 64, 32, 32, 8, 8, 8]
    assert Config().batch_size_at(10**6, 5, (3, 64, 64)) == 5
    assert config.batch_size_at(10**6, 5, (1, 8, 8)) == 32


# What the networks are shown


def test_reals_are_averaged_down_and_blended_with_their_half():
    """tkarras/progressive_growing_of_gans:train.py, process_reals, with its level fraction 1 - fade."""
    images = torch.rand(2, 3, 16, 16)
    assert at_stage(images, 3, 2, 1.0) is images
    torch.testing.assert_close(at_stage(images, 3, 0, 1.0), images.view(2, 3, 4, 4, 4, 4).mean(dim=(3, 5)))
    eight = images.view(2, 3, 8, 2, 8, 2).mean(dim=(3, 5))
    four = eight.view(2, 3, 4, 2, 4, 2).mean(dim=(3, 5)).repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    torch.testing.assert_close(at_stage(images, 3, 1, 1.0), eight)
    torch.testing.assert_close(at_stage(images, 3, 1, 0.3), 0.7 * four + 0.3 * eight)


@given(stage=st.integers(0, 3), fade=st.floats(0.01, 1.0))
def test_no_stage_changes_the_mean_colour(stage, fade):
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    shown = at_stage(images, 4, stage, fade if stage else 1.0)
    assert shown.shape == (2, 3, 4 << stage, 4 << stage)
    torch.testing.assert_close(shown.mean(dim=(2, 3)), images.mean(dim=(2, 3)))


def test_a_fade_begins_with_what_the_stage_before_saw():
    images = torch.rand(2, 3, 16, 16)
    for stage in (1, 2):
        before = interpolate(at_stage(images, 3, stage - 1, 1.0), scale_factor=2)
        torch.testing.assert_close(at_stage(images, 3, stage, 0.0), before)


# The objective: tkarras/progressive_growing_of_gans:loss.py


@pytest.mark.parametrize(("weight", "target", "drift"), [(10.0, 1.0, 0.001), (10.0, 750.0, 0.0), (3.0, 2.0, 0.5)])
def test_the_objective_of_a_linear_critic(weight, target, drift):
    """D(x) = w.x: E[D(fake)] - E[D(real)] + lambda (|w| - gamma)^2 / gamma^2 + epsilon E[D(real)^2]."""
    w, real, fake = (
        torch.tensor([3.0, 4.0]),
        torch.tensor([[1.0, 0.0], [0.0, 2.0]]),
        torch.tensor([[1.0, 1.0], [0.0, 0.0]]),
    )
    gan = grown(Config(gp_weight=weight, gp_target=target, drift_weight=drift))
    linear = nn.Linear(2, 1, bias=False)
    linear.weight.data.copy_(w)
    critic = BoundDiscriminator(nn.Sequential(linear, nn.Flatten(0)))
    expected = 3.5 - 5.5 + weight * (5 - target) ** 2 / target**2 + drift * (9 + 64) / 2
    assert gan.discriminator_objective(critic, real, fake).item() == pytest.approx(expected, rel=1e-5)
    assert gan.generator_objective(critic, real, fake).item() == pytest.approx(-3.5)


# Training


def grown(config: Config | None = None, width: int = 2, **settings) -> Progressive:
    torch.manual_seed(0)
    generator = Generator(GeneratorConfig(width=width, max_width=8), shape=SHAPE, latent_dim=4)
    discriminator = Discriminator(DiscriminatorConfig(width=width, max_width=8), shape=SHAPE)
    return Progressive(generator, discriminator, config or Config(latent_dim=4, **SCHEDULE), **settings)


class Recorder(lightning.Callback):
    """Where the networks were after every batch, and which optimisers had nothing to remember."""

    def __init__(self) -> None:
        self.levels: list[set[float]] = []
        self.forgotten: list[bool] = []
        self.shapes: list[tuple[int, ...]] = []

    def on_train_start(self, trainer, gan) -> None:
        gan.discriminator.register_forward_pre_hook(lambda _, inputs: self.shapes.append(tuple(inputs[0].shape)))

    def on_train_batch_end(self, trainer, gan, *args, **kwargs) -> None:
        self.levels.append({net.stage - 1 + net.fade for net in (gan.generator, gan.discriminator, gan.ema_generator)})
        forgotten = {len(optimizer.state) == 0 for optimizer in trainer.optimizers}
        assert len(forgotten) == 1
        self.forgotten.append(forgotten.pop())


@pytest.fixture
def fit():
    def run(gan: Progressive, batches: int) -> Recorder:
        images = torch.rand(batches * BATCH, *SHAPE, generator=torch.Generator().manual_seed(0)) * 2 - 1
        quiet = ("enable_progress_bar", "enable_model_summary", "enable_checkpointing", "logger")
        recorder = Recorder()
        settings = {**dict.fromkeys(quiet, False), "max_epochs": 1, "accelerator": "cpu", "callbacks": [recorder]}
        lightning.Trainer(**settings).fit(gan, DataLoader(TensorDataset(images), batch_size=BATCH))
        return recorder

    return run


@pytest.mark.filterwarnings("ignore:.*does not have many workers")
@pytest.mark.filterwarnings("ignore:.*in eval mode at the start of training")
@pytest.mark.filterwarnings("ignore:.*LeafSpec")
class TestUnderAPlainTrainer:
    def test_all_three_networks_grow_on_schedule_and_see_no_more_than_they_must(self, fit):
        gan = grown()
        assert [net.stage for net in (gan.generator, gan.discriminator, gan.ema_generator)] == [0, 0, 0]
        recorder = fit(gan, 16)
        assert recorder.levels == [{value} for value in LEVELS[1:]]
        seen = [shape[-1] for shape in recorder.shapes[::4]]  # two for the critic, one for its penalty, one for G
        assert len(recorder.shapes) == 4 * 16 and all(shape[0] == BATCH for shape in recorder.shapes)
        assert seen == [4] * 4 + [8] * 7 + [16] * 5

    def test_what_is_not_in_use_yet_does_not_move_nor_does_its_average(self, fit):
        gan = grown()
        before = {name: value.clone() for name, value in gan.state_dict().items()}
        fit(gan, 4)  # all at 4 pixels
        moved = {name for name, value in gan.state_dict().items() if not torch.equal(value, before[name])}
        used = ("blocks.0.", "to_images.0.", "from_images.0.", "head.")
        assert moved == {name for name in before if name.partition(".")[2].startswith(used)}

    @pytest.mark.parametrize("reset", [True, False])
    def test_the_optimisers_forget_once_a_stage(self, fit, reset):
        recorder = fit(grown(Config(latent_dim=4, reset_optimizers=reset, **SCHEDULE)), 16)
        assert [update for update, forgotten in enumerate(recorder.forgotten, start=1) if forgotten] == [4, 11] * reset

    def test_samples_are_of_the_full_resolution_at_every_stage(self, fit):
        for batches, pixels in ((1, 4), (5, 8), (9, 8), (12, 16), (15, 16)):
            gan = grown()
            fit(gan, batches)
            samples = gan.sample(3, seed=1)
            assert samples.shape == (3, *SHAPE) and torch.equal(samples, gan.sample(3, seed=1))
            own = gan.ema_generator(gan.sample_latents(3, torch.Generator().manual_seed(1)))
            assert own.shape[-1] == pixels and torch.equal(interpolate(own, size=16), samples)


def test_networks_must_have_the_same_stages():
    make = Generator(GeneratorConfig(width=2), shape=SHAPE, latent_dim=4)
    for shape in ((1, 8, 8), (1, 32, 32)):
        with pytest.raises(ValueError, match="the generator has 3 stages"):
            Progressive(make, Discriminator(DiscriminatorConfig(width=2), shape=shape))
    with pytest.raises(ValueError, match="and the discriminator 1"):
        Progressive(make, dcgan.Discriminator(dcgan.DiscriminatorConfig(width=2), shape=SHAPE, num_classes=0))


# Runs


def settings(updates: int, *overrides: str, **variant) -> list[str]:
    values = {"name": "progressive", "latent_dim": 4, **SCHEDULE, **variant}
    section = ", ".join(f"{name}: {value}" for name, value in values.items())
    return [*TINY, f"variant={{{section}}}", *NETWORKS, f"budget.generator_updates={updates}", *overrides]


# At 8 pixels: what differs, and the level at each stop, the last of which is the end.
RUNS = {
    "where a stage begins, in a fade, at its end, after it": ({}, {4: 0.25, 6: 0.75, 7: 1, 8: 1, 10: 1}),
    "sizes and n_critic": ({"batch_sizes": [32, 8], "n_critic": 2}, {1: 0.25, 3: 0.75, 5: 1}),
    "no fade, no reset": ({"reset_optimizers": False, "fade_images": 0}, {2: 0, 3: 1, 5: 1}),
}


@pytest.mark.parametrize(
    ("name", "workers"), [*((name, 0) for name in RUNS), ("sizes and n_critic", 2)], ids=lambda value: str(value)
)
def test_stopped_and_resumed_equals_uninterrupted(tmp_path, name, workers):
    variant, levels = RUNS[name]
    whole, *stops = max(levels), *levels
    overrides = [f"data.num_workers={workers}"]
    train(DIGITS, settings(whole, *overrides, **variant), run_dir=tmp_path / "whole")
    run = train(DIGITS, settings(stops[0], *overrides, **variant), run_dir=tmp_path / "parts")
    for stop in stops[1:]:
        resume(run.path, [f"budget.generator_updates={stop}"])
        gan = load_generator(run.path)
        assert {net.stage - 1 + net.fade for net in (gan.generator, gan.ema_generator)} == {levels[stop]}
    assert differences(checkpoint_of(tmp_path / "whole"), checkpoint_of(run.path)) == []
    assert metrics_of(run.path) == metrics_of(tmp_path / "whole")


def test_batch_sizes_change_at_their_image_and_images_seen_is_exact(tmp_path):
    run = train(DIGITS, settings(15, batch_sizes=[32, 8]), run_dir=tmp_path / "run")
    seen = [32, 64, *range(72, 72 + 13 * 8, 8)]
    assert [line["images_seen"] for line in metrics_of(run.path)] == seen
    checkpoint = checkpoint_of(run.path)
    assert checkpoint["ganzoo"]["counters"]["images_seen"] == checkpoint["GANData"]["position"] == seen[-1]


def test_an_experiment_whose_networks_do_not_grow_is_refused():
    with pytest.raises(InputError) as caught:
        load_experiment(DIGITS, ["variant={name: progressive}", "discriminator.norm=none"])
    keys = {problem.key for problem in caught.value.problems}
    assert keys == {"generator.name", "discriminator.name"} and "progressive" in str(caught.value)
    with pytest.raises(InputError, match="8, 16, 32"):
        load_experiment(DIGITS, ["variant={name: progressive}", *NETWORKS, "data.resolution=28"])


def test_the_experiment_on_digits_reaches_the_full_resolution():
    experiment = load_experiment(DIGITS.with_name("progressive.yaml"))
    config, data, images = experiment.variant, experiment.data, 0
    for _ in range(experiment.budget.generator_updates):
        images += config.batch_size_at(images, data.batch_size, data.shape)
    assert config.growth(images, 4) == (3, 1.0)
