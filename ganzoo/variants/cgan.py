"""cGAN: Mirza & Osindero 2014, arXiv:1411.1784: both networks are told the class.

Equation 2 of the paper, with the non-saturating loss of the generator. How the class enters is the networks' (their
`conditioning`): the paper joins it to the inputs, which is `concat`. Any other variant is conditional in the same way.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from ganzoo.errors import Problem
from ganzoo.networks.base import NetworkConfig
from ganzoo.objectives import logistic_discriminator_loss, nonsaturating_generator_loss
from ganzoo.shapes import Images, Scalar
from ganzoo.training import GAN, BoundDiscriminator, GANConfig


@dataclass(frozen=True, kw_only=True)
class Config(GANConfig):
    """The paper trains with momentum SGD; Adam is what its successors use."""

    needs_labels: ClassVar[bool] = True

    def misfits(self, generator: NetworkConfig, discriminator: NetworkConfig) -> Iterator[Problem]:
        yield from GANConfig.misfits(self, generator, discriminator)
        if not generator.conditional:
            yield Problem(
                "generator.conditioning", "cgan needs a generator that is told the class; the paper's is concat"
            )
        if not discriminator.conditional:
            yield Problem("discriminator.conditioning", "cgan needs a discriminator that is told the class: concat")


class CGAN(GAN):
    """Each batch updates the discriminator; every `n_critic`-th then updates the generator: `GAN.training_step`."""

    def discriminator_objective(self, discriminator: BoundDiscriminator, real: Images, fake: Images) -> Scalar:
        """-E[log sigmoid(D(x, y))] - E[log(1 - sigmoid(D(G(z, y), y)))]."""
        return logistic_discriminator_loss(*discriminator.both(real, fake))

    def generator_objective(self, discriminator: BoundDiscriminator, real: Images, fake: Images) -> Scalar:
        """-E[log sigmoid(D(G(z, y), y))]."""
        return nonsaturating_generator_loss(discriminator(fake))
