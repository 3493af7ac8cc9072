"""Each variant's own loss against its paper's formula, and its value where the discriminator is constant."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ganzoo import objectives
from ganzoo.variants import dragan, lsgan, nsgan, ragan, rpgan, wgan

numbers = st.floats(-15, 15)
pairs = st.lists(st.tuples(numbers, numbers), min_size=1, max_size=8)


def logits(values) -> torch.Tensor:
    return torch.tensor(list(values), dtype=torch.float64)


def mean(values) -> float:
    values = list(values)
    return sum(values) / len(values)


def sp(x: float) -> float:
    return math.log1p(math.exp(x))


def close(value: float):
    return pytest.approx(value, rel=1e-7, abs=1e-9)


@given(pairs)
def test_gan_is_the_minimax_loss(pairs):
    """Goodfellow et al. 2014, equation 1: log(1 - sigmoid(t)) = -sp(t)."""
    fake = [pair[1] for pair in pairs]
    assert objectives.minimax_generator_loss(logits(fake)).item() == close(-mean(sp(t) for t in fake))
    assert objectives.minimax_generator_loss(logits([0.0])).item() == close(-math.log(2))


@given(pairs, st.floats(0.01, 1))
def test_nsgan_is_cross_entropy_with_a_smoothed_target(pairs, target):
    """Salimans et al. 2016, section 3.4, with alpha on real samples and no beta."""
    real, fake = zip(*pairs, strict=True)
    wanted = mean(target * sp(-t) + (1 - target) * sp(t) for t in real) + mean(sp(t) for t in fake)
    assert nsgan.discriminator_loss(logits(real), logits(fake), target).item() == close(wanted)
    assert nsgan.discriminator_loss(logits([0.0]), logits([0.0]), target).item() == close(2 * math.log(2))


@given(pairs, st.sampled_from(list(lsgan.CODINGS.values())))
def test_lsgan_is_least_squares_with_halves(pairs, coding):
    """Mao et al. 2016, equations 8 and 9; in the 0, 1 coding .25 and .125 at D = .5."""
    (a, b, c), (real, fake) = coding, zip(*pairs, strict=True)
    wanted = mean((t - b) ** 2 for t in real) / 2 + mean((t - a) ** 2 for t in fake) / 2
    assert lsgan.discriminator_loss(logits(real), logits(fake), a, b).item() == close(wanted)
    assert lsgan.generator_loss(logits(fake), c).item() == close(mean((t - c) ** 2 for t in fake) / 2)
    assert lsgan.discriminator_loss(logits([0.5]), logits([0.5]), 0.0, 1.0).item() == close(0.25)
    assert lsgan.generator_loss(logits([0.5]), 1.0).item() == close(0.125)


def test_lsgans_pearson_coding_obeys_the_papers_conditions():
    """b - c = 1 and b - a = 2 (section 3.2.1)."""
    a, b, c = lsgan.CODINGS["pearson"]
    assert (b - c, b - a) == (1, 2)


@given(pairs)
def test_hinge_is_the_sum_of_two_margins(pairs):
    """Lim & Ye 2017; 2 where D is 0, 0 where both are beyond their margins."""
    real, fake = zip(*pairs, strict=True)
    wanted = mean(max(0, 1 - t) for t in real) + mean(max(0, 1 + t) for t in fake)
    assert objectives.hinge_discriminator_loss(logits(real), logits(fake)).item() == close(wanted)
    assert objectives.hinge_discriminator_loss(logits([0.0]), logits([0.0])).item() == 2
    assert objectives.hinge_discriminator_loss(logits([1.0]), logits([-1.0])).item() == 0


@given(pairs, st.floats(-5, 5))
def test_relativistic_losses_equal_their_formulas_and_see_differences_only(pairs, shift):
    """Jolicoeur-Martineau 2018: RSGAN over pairs; RaSGAN with the mean of its two terms."""
    real, fake = zip(*pairs, strict=True)
    paired = mean(sp(-(x - y)) for x, y in pairs)
    average = mean(sp(-(x - mean(fake))) for x in real) / 2 + mean(sp(y - mean(real)) for y in fake) / 2
    for module, wanted in ((rpgan, paired), (ragan, average)):
        loss = module.discriminator_loss(logits(real), logits(fake))
        assert loss.item() == close(wanted)
        assert module.discriminator_loss(logits(real) + shift, logits(fake) + shift).item() == close(wanted)
        assert module.discriminator_loss(logits([3.0] * 4), logits([3.0] * 4)).item() == close(math.log(2))


def test_dragan_moves_by_up_to_half_the_batchs_deviation():
    real = torch.tensor([[0.0, 2.0], [4.0, 6.0]])
    assert torch.equal(dragan.perturbed(real, torch.zeros(2, 2)), real)
    torch.testing.assert_close(dragan.perturbed(real, torch.ones(2, 2)), real + 0.5 * math.sqrt(5.0))


def test_wgan_clips_every_weight_of_the_critic_and_no_other():
    critic = torch.nn.Linear(3, 1)
    torch.nn.init.constant_(critic.weight, 0.5)
    torch.nn.init.constant_(critic.bias, -0.5)
    model = wgan.WGAN(torch.nn.Linear(2, 3), critic, wgan.Config(latent_dim=2, clip=0.1))
    before = model.generator.weight.clone()
    model.clip_weights()
    assert critic.weight.unique().item() == pytest.approx(0.1) and critic.bias.item() == pytest.approx(-0.1)
    assert torch.equal(model.generator.weight, before)


@pytest.mark.parametrize(
    ("name", "off"),
    [("wgan_gp", {"gp_weight": 0.0}), ("dragan", {"gp_weight": 0.0}), ("r1gan", {"r1_weight": 0.0}), ("rpgan", {})],
)
def test_only_a_penalty_forbids_batch_norm(name, off):
    import importlib

    config = importlib.import_module(f"ganzoo.variants.{name}").Config
    on = {"r2_weight": 1.0} if name == "rpgan" else {}
    assert config(**on).per_sample_gradients and not config(**off).per_sample_gradients
