"""Hinge GAN: Lim & Ye 2017, arXiv:1705.02894: the discriminator only moves samples inside its margin.

Also the loss of SNGAN (Miyato et al. 2018, arXiv:1802.05957, equations 16 and 17), SAGAN and BigGAN.
"""

from dataclasses import dataclass
from typing import ClassVar

from ganzoo.objectives import wasserstein_generator_loss
from ganzoo.shapes import Images, Logits, Scalar
from ganzoo.training import GAN, GANConfig
from ganzoo.training.optimizers import Adam, Optimizers


@dataclass(frozen=True, kw_only=True)
class Config(GANConfig):
    """The optimisers are those of SNGAN's ResNet."""

    paper_optimizers: ClassVar[Optimizers] = Optimizers(
        generator=Adam(lr=2e-4, betas=(0.0, 0.9)), discriminator=Adam(lr=2e-4, betas=(0.0, 0.9))
    )


def discriminator_loss(real_logits: Logits, fake_logits: Logits) -> Scalar:
    """E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))], in [0, inf); 2 where D is 0.

    >>> import torch
    >>> discriminator_loss(torch.zeros(4), torch.zeros(4))
    tensor(2.)
    """
    return (1.0 - real_logits).relu().mean() + (1.0 + fake_logits).relu().mean()


class HingeGAN(GAN):
    """Each batch updates the discriminator; every `n_critic`-th then updates the generator: `GAN.training_step`."""

    def discriminator_objective(self, real: Images, fake: Images) -> Scalar:
        return discriminator_loss(self.discriminator(real), self.discriminator(fake))

    def generator_objective(self, real: Images, fake: Images) -> Scalar:
        """-E[D(G(z))]."""
        return wasserstein_generator_loss(self.discriminator(fake))
