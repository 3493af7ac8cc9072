"""DCGAN: Radford, Metz & Chintala 2015, arXiv:1511.06434: the non-saturating game between convolutional networks.

The objective is that of Goodfellow et al. 2014 (arXiv:1406.2661), section 3, in its non-saturating form; the
paper's own contribution, the architecture, is in ganzoo/networks/dcgan.py. Latents are uniform on [-1, 1], both
optimisers Adam with rate 2e-4 and beta1 0.5, one discriminator update per generator update.
"""

from dataclasses import dataclass
from typing import Literal

from ganzoo.config import setting
from ganzoo.objectives import logistic_discriminator_loss, nonsaturating_generator_loss
from ganzoo.shapes import Images, Scalar
from ganzoo.training import GAN, BoundDiscriminator, GANConfig


@dataclass(frozen=True, kw_only=True)
class Config(GANConfig):
    """The paper's latents; everything else is common to all variants."""

    latent_distribution: Literal["normal", "uniform"] = setting("uniform", "N(0, I), or uniform on [-1, 1]")


class DCGAN(GAN):
    """Each batch updates the discriminator; every `n_critic`-th then updates the generator: `GAN.training_step`."""

    def discriminator_objective(self, discriminator: BoundDiscriminator, real: Images, fake: Images) -> Scalar:
        """-E[log sigmoid(D(x))] - E[log(1 - sigmoid(D(G(z))))]."""
        return logistic_discriminator_loss(*discriminator.both(real, fake))

    def generator_objective(self, discriminator: BoundDiscriminator, real: Images, fake: Images) -> Scalar:
        """-E[log sigmoid(D(G(z)))]."""
        return nonsaturating_generator_loss(discriminator(fake))
