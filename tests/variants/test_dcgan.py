"""DCGAN's objective against its formula (Goodfellow et al. 2014, arXiv:1406.2661, equation 1 and section 3)."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ganzoo.variants.dcgan import discriminator_loss, generator_loss

pairs = st.lists(st.tuples(st.floats(-15, 15), st.floats(-15, 15)), min_size=1, max_size=8)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


@given(pairs)
def test_losses_equal_the_formula(pairs):
    real, fake = zip(*pairs, strict=True)
    wanted = -sum(math.log(sigmoid(x)) for x in real) / len(real) - sum(math.log(1 - sigmoid(x)) for x in fake) / len(
        fake
    )
    loss = discriminator_loss(torch.tensor(real, dtype=torch.float64), torch.tensor(fake, dtype=torch.float64))
    assert loss.item() == pytest.approx(wanted, rel=1e-6, abs=1e-9)
    loss = generator_loss(torch.tensor(fake, dtype=torch.float64))
    assert loss.item() == pytest.approx(-sum(math.log(sigmoid(x)) for x in fake) / len(fake), rel=1e-6, abs=1e-9)


def test_values_where_the_discriminator_cannot_tell():
    nothing = torch.zeros(7, dtype=torch.float64)
    assert discriminator_loss(nothing, nothing).item() == pytest.approx(2 * math.log(2), rel=1e-12)
    assert generator_loss(nothing).item() == pytest.approx(math.log(2), rel=1e-12)


@pytest.mark.parametrize("logit", [-1e4, 1e4])
def test_extreme_logits_stay_finite_and_keep_their_gradient(logit):
    fake = torch.full((3,), logit, requires_grad=True)
    loss = generator_loss(fake)
    loss.backward()
    assert loss.item() == pytest.approx(max(-logit, 0.0)) and fake.grad is not None
    assert fake.grad.sum().item() == pytest.approx(-1.0 if logit < 0 else 0.0)


def test_a_column_of_logits_is_refused():
    """(n, 1) minus (n,) would broadcast to (n, n) without a word."""
    from jaxtyping import TypeCheckError

    with pytest.raises(TypeCheckError):
        discriminator_loss(torch.zeros(4, 1), torch.zeros(4))
