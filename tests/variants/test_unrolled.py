"""Unrolled GAN: its Adam against torch's, its objective and gradient against a discriminator that is really trained."""

import copy

import pytest
import torch
from torch import nn

from ganzoo.errors import InputError
from ganzoo.objectives import logistic_discriminator_loss
from ganzoo.training.bound import BoundDiscriminator
from ganzoo.training.optimizers import SGD, Adam, Optimizers
from ganzoo.variants.unrolled import AdamAhead, Config, UnrolledGAN


class FakeTrainer:
    """Hands out the discriminator's optimiser, as Lightning does."""

    def __init__(self, optimizer):
        self.optimizer = optimizer


def networks() -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    generator = nn.Sequential(nn.Linear(2, 6), nn.Tanh(), nn.Linear(6, 2))
    discriminator = nn.Sequential(nn.Linear(2, 7), nn.Tanh(), nn.Linear(7, 1), nn.Flatten(0))
    return generator.double(), discriminator.double()


def model(unroll: int, trained: int = 3) -> tuple[UnrolledGAN, torch.optim.Adam, torch.Tensor, torch.Tensor]:
    """An unrolled GAN whose discriminator has been trained a little, its optimiser, reals and latents."""
    generator, discriminator = networks()
    gan = UnrolledGAN(generator, discriminator, Config(latent_dim=2, unroll=unroll))
    adam = torch.optim.Adam(discriminator.parameters(), lr=0.05, betas=(0.5, 0.999))
    real, latents = torch.randn(8, 2, dtype=torch.float64) + 1, torch.randn(8, 2, dtype=torch.float64)
    for _ in range(trained):
        descend(discriminator, adam, real, generator(latents).detach())
    gan.discriminator_updates = trained
    gan.optimizer_of = lambda network: FakeTrainer(adam)  # type: ignore[method-assign, assignment, return-value]
    return gan, adam, real, latents


def descend(discriminator, optimizer, real, fake) -> None:
    optimizer.zero_grad()
    logistic_discriminator_loss(discriminator(real), discriminator(fake)).backward()
    optimizer.step()


def test_its_adam_is_torchs():
    torch.manual_seed(0)
    weight = nn.Parameter(torch.randn(5, dtype=torch.float64))
    theirs = torch.optim.Adam([weight], lr=0.1, betas=(0.5, 0.9), eps=1e-8)
    zero = {"w": torch.zeros(5, dtype=torch.float64)}
    ours = AdamAhead(rate=0.1, betas=(0.5, 0.9), eps=1e-8, means=dict(zero), squares=dict(zero), updates=0)
    ahead = {"w": weight.detach().clone()}
    for _ in range(6):
        gradient = torch.randn(5, dtype=torch.float64)
        weight.grad = gradient.clone()
        theirs.step()
        ahead = ours.step(ahead, {"w": gradient})
        torch.testing.assert_close(ahead["w"], weight.detach(), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("unroll", [0, 1, 3])
def test_it_looks_at_the_discriminator_that_training_would_give(unroll):
    """Equation 7 of the paper: f(theta_G, theta_D^K), theta_D^K by the discriminator's own optimiser."""
    gan, adam, real, latents = model(unroll)
    fake = gan.generator(latents)
    value = gan.generator_objective(BoundDiscriminator(gan.discriminator), real, fake)
    later = copy.deepcopy(gan.discriminator)
    optimizer = torch.optim.Adam(later.parameters())
    optimizer.load_state_dict(copy.deepcopy(adam.state_dict()))
    for _ in range(unroll):
        descend(later, optimizer, real, fake.detach())
    torch.testing.assert_close(value, -logistic_discriminator_loss(later(real), later(fake)), rtol=1e-7, atol=1e-9)


def test_its_gradient_is_that_of_finite_differences():
    """Through the discriminator's updates too: without them the gradient is another."""
    gan, _, real, latents = model(unroll=2)
    weight, step = gan.generator[0].weight, 1e-6

    def objective() -> torch.Tensor:
        return gan.generator_objective(BoundDiscriminator(gan.discriminator), real, gan.generator(latents))

    (slope,) = torch.autograd.grad(objective(), weight)
    with torch.no_grad():
        weight[1, 0] += step
    above = objective().item()
    with torch.no_grad():
        weight[1, 0] -= 2 * step
    below = objective().item()
    with torch.no_grad():
        weight[1, 0] += step
    assert slope[1, 0].item() == pytest.approx((above - below) / (2 * step), rel=1e-4)
    fake = gan.generator(latents)
    ahead = gan.looking_ahead(BoundDiscriminator(gan.discriminator), real, fake.detach())
    (short,) = torch.autograd.grad(-logistic_discriminator_loss(ahead(real), ahead(fake)), weight)
    assert abs(short[1, 0].item() - slope[1, 0].item()) > 1e-3 * abs(slope[1, 0].item())


def test_the_discriminator_itself_stays_as_it_was():
    gan, _, real, latents = model(unroll=3)
    gan.discriminator.append(nn.Identity())
    before = {name: value.clone() for name, value in gan.discriminator.state_dict().items()}
    gan.generator_objective(BoundDiscriminator(gan.discriminator), real, gan.generator(latents)).backward()
    assert all(torch.equal(value, before[name]) for name, value in gan.discriminator.state_dict().items())


def test_a_weight_without_any_gradient_is_no_nan():
    gan, _, real, latents = model(unroll=2, trained=0)
    with torch.no_grad():
        gan.discriminator[2].weight.zero_()  # then the first layer's gradient is exactly zero
    loss = gan.generator_objective(BoundDiscriminator(gan.discriminator), real, gan.generator(latents))
    loss.backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in gan.generator.parameters())


def test_another_optimiser_is_refused():
    generator, discriminator = networks()
    optimizers = Optimizers(generator=Adam(), discriminator=SGD())
    gan = UnrolledGAN(generator, discriminator, Config(latent_dim=2), optimizers=optimizers)
    gan.optimizer_of = lambda network: FakeTrainer(None)  # type: ignore[method-assign, assignment, return-value]
    with pytest.raises(InputError, match=r"optimizer\.discriminator.*plain adam"):
        gan.adam_ahead({})
