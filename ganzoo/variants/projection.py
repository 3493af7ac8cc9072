"""Projection: Miyato & Koyama 2018, arXiv:1802.05637: the class enters the discriminator as an inner product.

D(x, y) = v_y . phi(x) + psi(phi(x)), equation 3 of the paper, is the network's (`discriminator.conditioning:
projection`); the generator has conditional BatchNorm (`generator.conditioning: batch_norm`). The loss is the hinge.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from ganzoo.config import setting
from ganzoo.errors import Problem
from ganzoo.networks.base import NetworkConfig
from ganzoo.objectives import hinge_discriminator_loss, wasserstein_generator_loss
from ganzoo.shapes import Images, Scalar
from ganzoo.training import GAN, BoundDiscriminator, GANConfig
from ganzoo.training.optimizers import Adam, Optimizers


@dataclass(frozen=True, kw_only=True)
class Config(GANConfig):
    """The optimisers are those of the paper's section 5, as in SNGAN."""

    n_critic: int = setting(5, "discriminator updates per generator update", at_least=1, at_most=10_000)

    needs_labels: ClassVar[bool] = True
    paper_optimizers: ClassVar[Optimizers] = Optimizers(
        generator=Adam(lr=2e-4, betas=(0.0, 0.9)), discriminator=Adam(lr=2e-4, betas=(0.0, 0.9))
    )

    def misfits(self, generator: NetworkConfig, discriminator: NetworkConfig) -> Iterator[Problem]:
        yield from GANConfig.misfits(self, generator, discriminator)
        if not generator.conditional:
            yield Problem(
                "generator.conditioning", "projection needs a conditional generator; the paper's is batch_norm"
            )
        if getattr(discriminator, "conditioning", None) != "projection":
            yield Problem("discriminator.conditioning", "must be projection: it is what the variant is")


class ProjectionGAN(GAN):
    """Each batch updates the discriminator; every `n_critic`-th then updates the generator: `GAN.training_step`."""

    def discriminator_objective(self, discriminator: BoundDiscriminator, real: Images, fake: Images) -> Scalar:
        return hinge_discriminator_loss(*discriminator.both(real, fake))

    def generator_objective(self, discriminator: BoundDiscriminator, real: Images, fake: Images) -> Scalar:
        """-E[D(G(z, y), y)]."""
        return wasserstein_generator_loss(discriminator(fake))
