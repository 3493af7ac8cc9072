"""What every variant must do, one row each. A new variant adds its row to ROWS and nothing else here.

The golden losses are those of the first three generator updates on the CPU with seed 0 (torch 2.15): not from a paper,
but a tripwire for changes of the mathematics, the order of random draws, or the batches.
"""

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import anybody
import pytest
import torch
from conftest import DIGITS, ROOT, TINY, checkpoint_of, differences, metrics_of
from torch import nn

from ganzoo.components import VARIANTS
from ganzoo.training.build import load_generator
from ganzoo.training.gan import GAN
from ganzoo.training.run import resume, train

Networks = Callable[[Any], tuple[nn.Module, nn.Module]]


@dataclass(frozen=True)
class Row:
    name: str
    overrides: tuple[str, ...]
    discriminator_losses: tuple[float, float, float]
    generator_losses: tuple[float, float, float]
    networks: Networks = anybody.unconditional  # somebody else's, for the plain trainer
    shape: tuple[int, ...] = (2,)  # of the samples of those


# So that three updates move the losses well beyond rounding.
FAST = ("optimizer.generator.lr=0.02", "optimizer.discriminator.lr=0.02")

NO_NORM = "discriminator.norm=none"

ROWS = [
    Row(
        "dcgan",
        FAST,
        discriminator_losses=(1.3870360851287842, 1.3560237884521484, 1.2934191226959229),
        generator_losses=(0.6812887191772461, 0.6732497811317444, 0.6749933958053589),
    ),
    Row(
        "gan",
        FAST,
        discriminator_losses=(1.3870444, 1.3543638, 1.2915256),
        generator_losses=(-0.7048136, -0.7182003, -0.7309247),
    ),
    Row(
        "nsgan",
        (*FAST, "variant.real_target=0.9"),
        discriminator_losses=(1.3868778, 1.360608, 1.3107277),
        generator_losses=(0.701584, 0.6935779, 0.7007006),
    ),
    Row(
        "lsgan",
        FAST,
        discriminator_losses=(0.5016773, 0.3897222, 0.1956295),
        generator_losses=(0.4688898, 0.3579871, 0.1353314),
    ),
    Row(
        "hinge",
        FAST,
        discriminator_losses=(2.0014949, 1.9321487, 1.7825836),
        generator_losses=(-0.0031982, -0.0644754, -0.1673511),
    ),
    Row(
        "wgan",
        (*FAST, "variant.n_critic=2", "variant.clip=0.05"),
        discriminator_losses=(-0.0849182, -0.3501273, -0.4730822),
        generator_losses=(-0.0098465, -0.0725794, -0.0983481),
    ),
    Row(
        "wgan_gp",
        (*FAST, NO_NORM, "variant.n_critic=2"),
        discriminator_losses=(9.1696329, 6.3197074, 1.9777628),
        generator_losses=(0.0057468, -0.0413513, -0.1014015),
    ),
    Row(
        "dragan",
        (*FAST, NO_NORM),
        discriminator_losses=(11.2179661, 10.5317039, 9.4266109),
        generator_losses=(0.685604, 0.6845578, 0.6655649),
    ),
    Row(
        "r1gan",
        (*FAST, NO_NORM),
        discriminator_losses=(1.3874644, 1.3594069, 1.3135415),
        generator_losses=(0.681994, 0.6740307, 0.6863658),
    ),
    Row(
        "ragan",
        FAST,
        discriminator_losses=(0.6938961, 0.6598384, 0.5907167),
        generator_losses=(0.7454854, 0.849717, 1.022768),
    ),
    Row(
        "rpgan",
        (*FAST, NO_NORM, "variant.r1_weight=1", "variant.r2_weight=0.5"),
        discriminator_losses=(0.6939585, 0.6611198, 0.5969534),
        generator_losses=(0.7448665, 0.8485269, 1.0184387),
    ),
    Row(
        "sngan",
        (*FAST, NO_NORM, "discriminator.spectral_norm=true", "variant.n_critic=2"),
        discriminator_losses=(1.0612111, 1.215875, 0.8630482),
        generator_losses=(0.0133894, 0.1010423, 0.3463132),
    ),
    Row(
        "cgan",
        (*FAST, "generator.conditioning=concat", "discriminator.conditioning=concat"),
        discriminator_losses=(1.3852861, 1.3593329, 1.2720391),
        generator_losses=(0.6844696, 0.697657, 0.7352968),
        networks=anybody.conditional,
    ),
    Row(
        "acgan",
        (*FAST, "generator.conditioning=concat", "discriminator.conditioning=auxiliary"),
        discriminator_losses=(5.9916368, 5.9836321, 5.8759518),
        generator_losses=(2.9866524, 2.9878259, 2.9782314),
        networks=anybody.classifying,
    ),
    Row(
        "projection",
        (
            *FAST,
            NO_NORM,
            "variant.n_critic=2",
            "generator.conditioning=batch_norm",
            "discriminator.conditioning=projection",
            "discriminator.spectral_norm=true",
        ),
        discriminator_losses=(1.0822964, 1.0198197, 0.9275273),
        generator_losses=(0.0751795, 0.0743284, 0.1858611),
        networks=anybody.conditional,
    ),
    Row(
        "pacgan",
        FAST,
        discriminator_losses=(1.3798115, 1.3236697, 1.2336413),
        generator_losses=(0.7015196, 0.6599477, 0.6364821),
    ),
    Row(
        "feature_matching",
        FAST,
        discriminator_losses=(1.3870444, 1.3547473, 1.2894335),
        generator_losses=(0.5912676, 1.3839762, 2.8776095),
    ),
    Row(
        "unrolled",
        (*FAST, NO_NORM, "variant.unroll=2"),
        discriminator_losses=(1.3870444, 1.3546433, 1.2842174),
        generator_losses=(-1.0174905, -0.9352366, -0.8092173),
    ),
    Row(
        "progressive",
        (
            "optimizer.generator.lr=0.005",
            "optimizer.discriminator.lr=0.005",
            "generator={name: progressive, width: 4}",
            "discriminator={name: progressive, width: 4}",
            "variant.stable_images=16",
            "variant.fade_images=32",
        ),
        discriminator_losses=(-0.3872848, -0.8113922, 4.4171424),
        generator_losses=(1.2606279, 1.0720631, 0.2548144),
    ),
]

each_variant = pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])


def tiny(row: Row, updates: int) -> list[str]:
    return [
        *TINY,
        f"variant={{name: {row.name}, latent_dim: 4}}",
        *row.overrides,
        f"budget.generator_updates={updates}",
    ]


def plain_gan(row: Row) -> GAN:
    """The variant around somebody else's networks, with its own defaults."""
    module = importlib.import_module(f"ganzoo.variants.{row.name}")
    classes = [cls for cls in vars(module).values() if isinstance(cls, type) and issubclass(cls, GAN)]
    variant = next(cls for cls in classes if cls.__module__ == module.__name__)
    config = module.Config(latent_dim=3)
    return variant(*row.networks(config), config)


def trained(gan: GAN) -> list[nn.Parameter]:
    return [*gan.generator.parameters(), *gan.discriminator.parameters()]


def test_every_variant_has_its_file_its_row_and_an_experiment():
    tried = {row.name for row in ROWS}
    text = "".join(path.read_text() for path in ROOT.glob("experiments/**/*.yaml"))
    assert set(VARIANTS.names()) == tried
    assert tried <= set(re.findall(r"variant: \{name: (\w+)", text))


@each_variant
def test_its_first_line_names_a_paper_and_its_year(row):
    assert re.search(r"(19|20)\d\d, arXiv:\d{4}\.\d{4,5}", VARIANTS.summary(row.name))


@each_variant
def test_its_losses_are_the_golden_ones(row, tmp_path):
    train(DIGITS, tiny(row, 3), run_dir=tmp_path / "run")
    lines = metrics_of(tmp_path / "run")
    assert [line["generator_updates"] for line in lines] == [1, 2, 3]
    assert [line["discriminator/loss"] for line in lines] == pytest.approx(row.discriminator_losses, rel=1e-4, abs=1e-5)
    assert [line["generator/loss"] for line in lines] == pytest.approx(row.generator_losses, rel=1e-4, abs=1e-5)


@each_variant
def test_it_resumes_exactly(row, tmp_path):
    train(DIGITS, tiny(row, 5), run_dir=tmp_path / "whole")
    train(DIGITS, tiny(row, 2), run_dir=tmp_path / "parts")
    resume(tmp_path / "parts", ["budget.generator_updates=5"])
    assert differences(checkpoint_of(tmp_path / "whole"), checkpoint_of(tmp_path / "parts")) == []
    assert metrics_of(tmp_path / "whole") == metrics_of(tmp_path / "parts")


@each_variant
def test_its_counts_average_and_state_survive_a_round_trip(row, tmp_path):
    run = train(DIGITS, tiny(row, 4), run_dir=tmp_path / "run")
    checkpoint, gan = checkpoint_of(run.path), load_generator(run.path)
    assert differences(dict(checkpoint["state_dict"]), dict(gan.state_dict())) == []
    assert gan.generator_updates == 4 and gan.discriminator_updates == 4 * gan.config.n_critic
    assert gan.images_seen == 16 * gan.discriminator_updates
    averaged, current = gan.ema_generator.state_dict(), gan.generator.state_dict()
    assert any(not torch.equal(averaged[name], current[name]) for name in current)
    assert gan.sample(5, seed=1).shape == (5, 1, 8, 8) and torch.equal(gan.sample(5, seed=1), gan.sample(5, seed=1))


@each_variant
def test_reals_and_fakes_may_be_judged_in_one_call(row):
    """The same loss and the same gradients, for one call of the discriminator less wherever an objective has two."""
    gan = plain_gan(row)
    real, labels = torch.randn(12, 2), torch.randint(anybody.CLASSES, (12,))
    weights, found, calls = list(gan.discriminator.parameters()), [], {False: [], True: []}
    gan.discriminator.register_forward_hook(lambda module, samples, logits: calls[gan.joint].append(len(logits)))
    for gan.joint in calls:
        torch.manual_seed(0)
        loss = gan.discriminator_loss(real, labels)
        found.append((loss, *torch.autograd.grad(loss, weights, allow_unused=True)))
    torch.testing.assert_close(*found, rtol=1e-5, atol=1e-6)
    assert sum(calls[True]) == sum(calls[False])
    assert len(calls[False]) - len(calls[True]) == (row.name != "acgan")  # which asks for classes besides


@each_variant
@pytest.mark.filterwarnings("ignore:.*does not have many workers")
@pytest.mark.filterwarnings("ignore:.*in eval mode at the start of training")
@pytest.mark.filterwarnings("ignore:.*LeafSpec")
def test_it_trains_anybodys_networks_under_a_plain_trainer(row):
    import lightning

    gan = plain_gan(row)
    before = [parameter.clone() for parameter in trained(gan)]
    quiet = {
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "enable_checkpointing": False,
        "logger": False,
    }
    lightning.Trainer(max_epochs=1, accelerator="cpu", **quiet).fit(gan, anybody.loader(row.shape))
    after = trained(gan)
    assert all(torch.isfinite(parameter).all() for parameter in after)
    # Not the biases: a loss of differences of logits does not see the critic's last one.
    moved = [not torch.equal(old, new) for old, new in zip(before, after, strict=True) if new.ndim == 2]
    assert sum(moved) >= 4  # the last of the discriminator's names the class, where it is asked to
