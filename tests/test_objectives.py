"""Shared losses and penalties against their formulas and closed forms."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ganzoo import objectives

numbers = st.floats(-15, 15)
pairs = st.lists(st.tuples(numbers, numbers), min_size=1, max_size=8)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def mean(values) -> float:
    values = list(values)
    return sum(values) / len(values)


def logits(values) -> torch.Tensor:
    return torch.tensor(list(values), dtype=torch.float64)


@given(pairs)
def test_the_logistic_losses_equal_equation_1_and_section_3_of_goodfellow(pairs):
    real, fake = zip(*pairs, strict=True)
    wanted = -mean(math.log(sigmoid(x)) for x in real) - mean(math.log(1 - sigmoid(x)) for x in fake)
    loss = objectives.logistic_discriminator_loss(logits(real), logits(fake))
    assert loss.item() == pytest.approx(wanted, rel=1e-6, abs=1e-9)
    loss = objectives.nonsaturating_generator_loss(logits(fake))
    assert loss.item() == pytest.approx(-mean(math.log(sigmoid(x)) for x in fake), rel=1e-6, abs=1e-9)


def test_their_values_where_the_discriminator_cannot_tell():
    nothing = logits([0] * 7)
    assert objectives.logistic_discriminator_loss(nothing, nothing).item() == pytest.approx(2 * math.log(2))
    assert objectives.nonsaturating_generator_loss(nothing).item() == pytest.approx(math.log(2))


@pytest.mark.parametrize("logit", [-1e4, 1e4])
def test_extreme_logits_stay_finite_and_keep_their_gradient(logit):
    fake = torch.full((3,), logit, requires_grad=True)
    loss = objectives.nonsaturating_generator_loss(fake)
    loss.backward()
    assert loss.item() == pytest.approx(max(-logit, 0.0)) and fake.grad is not None
    assert fake.grad.sum().item() == pytest.approx(-1.0 if logit < 0 else 0.0)


@given(pairs, st.floats(-5, 5))
def test_the_wasserstein_losses_are_differences_of_means(pairs, shift):
    real, fake = zip(*pairs, strict=True)
    loss = objectives.wasserstein_discriminator_loss(logits(real), logits(fake))
    assert loss.item() == pytest.approx(mean(fake) - mean(real), abs=1e-12)
    shifted = objectives.wasserstein_discriminator_loss(logits(real) + shift, logits(fake) + shift)
    assert shifted.item() == pytest.approx(loss.item(), abs=1e-12)
    assert objectives.wasserstein_generator_loss(logits(fake)).item() == pytest.approx(-mean(fake), abs=1e-12)


def test_a_column_of_logits_is_refused():
    """(n, 1) minus (n,) would broadcast to (n, n) without a word."""
    from jaxtyping import TypeCheckError

    with pytest.raises(TypeCheckError):
        objectives.logistic_discriminator_loss(torch.zeros(4, 1), torch.zeros(4))


weights = st.lists(st.floats(-3, 3), min_size=4, max_size=4).filter(lambda w: math.hypot(*w) > 0.1)


@settings(deadline=None)
@given(weights, st.sampled_from([(4,), (1, 2, 2)]))
def test_penalties_of_a_linear_critic(values, shape):
    """D(x) = w.x + 3 has the gradient w everywhere: R1 is |w|^2, the norm penalty (|w| - 1)^2; so are their slopes."""
    w = torch.tensor(values, dtype=torch.float64, requires_grad=True)
    norm = math.hypot(*values)
    points = torch.randn(5, *shape, dtype=torch.float64)

    def critic(x):
        return x.flatten(1) @ w + 3.0

    cases = {
        objectives.squared_gradient_penalty: (norm**2, [2 * v for v in values]),
        objectives.gradient_norm_penalty: ((norm - 1) ** 2, [2 * (norm - 1) * v / norm for v in values]),
    }
    for penalty, (value, slope) in cases.items():
        (got,) = torch.autograd.grad(result := penalty(critic, points), w)
        assert result.item() == pytest.approx(value, abs=1e-9)
        assert got.tolist() == pytest.approx(slope, abs=1e-9)
    one_sided = objectives.gradient_norm_penalty(critic, points, one_sided=True)
    assert one_sided.item() == pytest.approx(max(0.0, norm - 1) ** 2, abs=1e-9)


def test_penalties_of_a_quadratic_critic_are_taken_at_each_sample_alone():
    """D(x) = |x|^2 / 2 has the gradient x: R1 is E|x|^2, the norm penalty E(|x| - 1)^2."""
    points = torch.tensor([[3.0, 4.0], [0.0, 2.0]], dtype=torch.float64)

    def critic(x):
        return x.square().sum(1) / 2

    assert objectives.squared_gradient_penalty(critic, points).item() == pytest.approx((25 + 4) / 2)
    assert objectives.gradient_norm_penalty(critic, points).item() == pytest.approx((16 + 1) / 2)
    weighted = objectives.weighted_r1_r2(critic, points, 2 * points, 3.0, 0.5)
    assert weighted.item() == pytest.approx(3 * 14.5 + 0.5 * 4 * 14.5)
    assert objectives.weighted_r1_r2(critic, points, points, 0.0, 0.0).item() == 0


def test_a_gradient_of_zero_is_no_nan():
    w = torch.zeros(2, requires_grad=True)
    penalty = objectives.gradient_norm_penalty(lambda x: x @ w, torch.randn(3, 2))
    (slope,) = torch.autograd.grad(penalty, w)
    assert penalty.item() == 1 and torch.isfinite(slope).all()


def test_interpolation_is_per_sample_and_has_its_ends():
    real, fake = torch.randn(3, 2, 4, 4), torch.randn(3, 2, 4, 4)
    mixed = objectives.interpolated(real, fake, torch.tensor([0.0, 1.0, 0.25]))
    assert torch.equal(mixed[0], fake[0]) and torch.equal(mixed[1], real[1])
    torch.testing.assert_close(mixed[2], 0.25 * real[2] + 0.75 * fake[2])
    mix = objectives.random_mix(torch.zeros(10_000, 1))
    assert mix.shape == (10_000,) and mix.min() >= 0 and mix.max() < 1
    assert mix.mean().item() == pytest.approx(0.5, abs=0.02)
