"""SNGAN: Miyato et al. 2018, arXiv:1802.05957: every layer of the discriminator has spectral norm 1.

The normalisation is the network's (`discriminator.spectral_norm: true`): one power iteration at every forward pass,
with a vector that is kept. The paper reports both losses, the hinge (equations 16 and 17) and the logistic one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

from ganzoo.config import setting
from ganzoo.errors import Problem
from ganzoo.networks.base import NetworkConfig
from ganzoo.objectives import (
    hinge_discriminator_loss,
    logistic_discriminator_loss,
    nonsaturating_generator_loss,
    wasserstein_generator_loss,
)
from ganzoo.shapes import Images, Scalar
from ganzoo.training import GAN, BoundDiscriminator, GANConfig
from ganzoo.training.optimizers import Adam, Optimizers

LOSSES = {
    "hinge": (hinge_discriminator_loss, wasserstein_generator_loss),
    "logistic": (logistic_discriminator_loss, nonsaturating_generator_loss),
}


@dataclass(frozen=True, kw_only=True)
class Config(GANConfig):
    """The optimisers are those of the paper's ResNet, setting C of table 1 with beta1 0."""

    n_critic: int = setting(5, "discriminator updates per generator update", at_least=1, at_most=10_000)
    loss: Literal["hinge", "logistic"] = setting("hinge", "of both networks")

    paper_optimizers: ClassVar[Optimizers] = Optimizers(
        generator=Adam(lr=2e-4, betas=(0.0, 0.9)), discriminator=Adam(lr=2e-4, betas=(0.0, 0.9))
    )

    def misfits(self, generator: NetworkConfig, discriminator: NetworkConfig) -> Iterator[Problem]:
        yield from GANConfig.misfits(self, generator, discriminator)
        if not getattr(discriminator, "spectral_norm", False):
            yield Problem("discriminator.spectral_norm", "must be true: without it sngan is only its loss (see hinge)")


class SNGAN(GAN):
    """Each batch updates the discriminator; every `n_critic`-th then updates the generator: `GAN.training_step`."""

    def discriminator_objective(self, discriminator: BoundDiscriminator, real: Images, fake: Images) -> Scalar:
        discriminator_loss, _ = LOSSES[self.config.loss]
        return discriminator_loss(*discriminator.both(real, fake))

    def generator_objective(self, discriminator: BoundDiscriminator, real: Images, fake: Images) -> Scalar:
        _, generator_loss = LOSSES[self.config.loss]
        return generator_loss(discriminator(fake))
