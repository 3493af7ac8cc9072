"""Unrolled GAN: Metz et al. 2016, arXiv:1611.02163: the generator answers the discriminator of `unroll` updates later.

The generator descends f(theta_G, theta_D^K), equation 7: K updates of the discriminator, each by Adam with its present
moments and each differentiable, are made on copies of its weights, on the batch at hand. f is the whole value of the
game, reals included: through theta_D^K they depend on the generator too. The authors' demo (poolio/unrolled_gan)
unrolls Adam as well. `generator_loss: nonsaturating` is that loss of the fakes alone, against the same discriminator.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from ganzoo.config import setting
from ganzoo.errors import InputError, Problem
from ganzoo.objectives import logistic_discriminator_loss, nonsaturating_generator_loss
from ganzoo.ranks import means_of_ranks
from ganzoo.shapes import Images, Scalar
from ganzoo.training import GAN, BoundDiscriminator, GANConfig
from ganzoo.training.optimizers import Adam, Optimizers

Weights = dict[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class Config(GANConfig):
    """The optimisers are those of the authors' demo."""

    unroll: int = setting(5, "K: discriminator updates that the generator looks ahead", at_least=0, at_most=100)
    generator_loss: Literal["minimax", "nonsaturating"] = setting("minimax", "minimax: f itself")

    paper_optimizers: ClassVar[Optimizers] = Optimizers(
        generator=Adam(lr=1e-3, betas=(0.5, 0.999)), discriminator=Adam(lr=1e-4, betas=(0.5, 0.999))
    )
    never_packed: ClassVar[str | None] = "an update looks ahead with the moments of one run's optimiser"
    never_captured: ClassVar[str | None] = "an update looks ahead with the optimiser's count of steps"

    def optimizer_misfits(self, optimizers: Optimizers) -> Iterator[Problem]:
        """What is unrolled is Adam, and nothing that is added to it."""
        config = optimizers.discriminator
        if type(config) is not Adam or config.weight_decay or config.clip_norm:
            yield Problem("optimizer.discriminator", "unrolled looks ahead with plain adam, and no other")


@dataclass
class AdamAhead:
    """Adam (Kingma & Ba 2014, arXiv:1412.6980, algorithm 1) as a differentiable function of weights and gradients."""

    rate: float
    betas: tuple[float, float]
    eps: float
    means: Weights
    squares: Weights
    updates: int

    def step(self, weights: Weights, gradients: Weights) -> Weights:
        """The weights after one more update; the moments move on too."""
        self.updates += 1
        first, second = self.betas
        after = dict(weights)
        for name, gradient in gradients.items():
            self.means[name] = first * self.means[name] + (1 - first) * gradient
            self.squares[name] = second * self.squares[name] + (1 - second) * gradient.square()
            mean = self.means[name] / (1 - first**self.updates)
            square = self.squares[name] / (1 - second**self.updates)
            # The slope of a root is infinite at 0, where a weight has never had a gradient.
            after[name] = weights[name] - self.rate * mean / ((square + 1e-20).sqrt() + self.eps)
        return after


class UnrolledGAN(GAN):
    """Each batch updates the discriminator; every `n_critic`-th then updates the generator: `GAN.training_step`."""

    def discriminator_objective(self, discriminator: BoundDiscriminator, real: Images, fake: Images) -> Scalar:
        return logistic_discriminator_loss(*discriminator.both(real, fake))

    def generator_objective(self, discriminator: BoundDiscriminator, real: Images, fake: Images) -> Scalar:
        """f = E[log sigmoid(D(x))] + E[log(1 - sigmoid(D(G(z))))], D the discriminator of `unroll` updates later."""
        ahead = self.looking_ahead(discriminator, real, fake) if self.config.unroll else discriminator
        if self.config.generator_loss == "nonsaturating":
            return nonsaturating_generator_loss(ahead(fake))
        return -self.discriminator_objective(ahead, real, fake)

    def looking_ahead(self, discriminator: BoundDiscriminator, real: Images, fake: Images) -> BoundDiscriminator:
        """The discriminator after `unroll` updates on these samples, as a function of `fake`."""
        network = discriminator.network
        weights = {name: weight.detach().requires_grad_() for name, weight in network.named_parameters()}
        statistics = {name: buffer.clone() for name, buffer in network.named_buffers()}  # its own stay as they are
        adam = self.adam_ahead(weights)
        for _ in range(self.config.unroll):
            later = discriminator.with_weights({**weights, **statistics})
            loss = self.discriminator_objective(later, real, fake)
            slopes = torch.autograd.grad(loss, list(weights.values()), create_graph=True, allow_unused=True)
            used = {name: slope for name, slope in zip(weights, slopes, strict=True) if slope is not None}
            used = dict(zip(used, means_of_ranks(list(used.values())), strict=True))  # as a real update would
            weights = adam.step(weights, used)
        return discriminator.with_weights({**weights, **statistics})

    def adam_ahead(self, weights: Weights) -> AdamAhead:
        """The discriminator's Adam, with its present rate and moments. Raises InputError where it is another."""
        if problems := list(self.config.optimizer_misfits(self.optimizer_configs)):
            raise InputError("optimizer", problems)
        config, optimizer = self.optimizer_configs.discriminator, self.optimizer_of("discriminator").optimizer
        assert isinstance(config, Adam)
        states = [optimizer.state.get(parameter, {}) for parameter in self.discriminator.parameters()]
        named = dict(zip(weights, states, strict=True))
        return AdamAhead(
            rate=optimizer.param_groups[0]["lr"],
            betas=config.betas,
            eps=config.eps,
            means={name: state.get("exp_avg", torch.zeros_like(weights[name])) for name, state in named.items()},
            squares={name: state.get("exp_avg_sq", torch.zeros_like(weights[name])) for name, state in named.items()},
            updates=self.discriminator_updates,
        )
