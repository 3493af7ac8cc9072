"""Hinge GAN: Lim & Ye 2017, arXiv:1705.02894: the discriminator only moves samples inside its margin.

Also the loss of SNGAN (Miyato et al. 2018, arXiv:1802.05957, equations 16 and 17), SAGAN and BigGAN.
"""

from dataclasses import dataclass
from typing import ClassVar

from ganzoo.objectives import hinge_discriminator_loss, wasserstein_generator_loss
from ganzoo.shapes import Images, Scalar
from ganzoo.training import GAN, BoundDiscriminator, GANConfig
from ganzoo.training.optimizers import Adam, Optimizers


@dataclass(frozen=True, kw_only=True)
class Config(GANConfig):
    """The optimisers are those of SNGAN's ResNet."""

    paper_optimizers: ClassVar[Optimizers] = Optimizers(
        generator=Adam(lr=2e-4, betas=(0.0, 0.9)), discriminator=Adam(lr=2e-4, betas=(0.0, 0.9))
    )


class HingeGAN(GAN):
    """Each batch updates the discriminator; every `n_critic`-th then updates the generator: `GAN.training_step`."""

    def discriminator_objective(self, discriminator: BoundDiscriminator, real: Images, fake: Images) -> Scalar:
        return hinge_discriminator_loss(*discriminator.both(real, fake))

    def generator_objective(self, discriminator: BoundDiscriminator, real: Images, fake: Images) -> Scalar:
        """-E[D(G(z))]."""
        return wasserstein_generator_loss(discriminator(fake))
