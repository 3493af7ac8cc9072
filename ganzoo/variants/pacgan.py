"""PacGAN: Lin et al. 2017, arXiv:1712.04086: the discriminator judges several samples at once, so it sees collapse.

The loss is the logistic one on packs of `pack` samples of the same kind, joined along the channels (or coordinates).
Every variant takes `pack`; this one packs two by default, as PacGAN2.
"""

from dataclasses import dataclass
from typing import ClassVar

from ganzoo.config import setting
from ganzoo.objectives import logistic_discriminator_loss, nonsaturating_generator_loss
from ganzoo.shapes import Images, Scalar
from ganzoo.training import GAN, BoundDiscriminator, GANConfig
from ganzoo.training.optimizers import Adam, Optimizers


@dataclass(frozen=True, kw_only=True)
class Config(GANConfig):
    """The optimisers are those of the authors' 2-D experiments (fjxmlzn/PacGAN, synthetic_data_experiments)."""

    pack: int = setting(2, "samples that the discriminator judges together", at_least=1, at_most=64)

    paper_optimizers: ClassVar[Optimizers] = Optimizers(
        generator=Adam(lr=1e-4, betas=(0.8, 0.999)), discriminator=Adam(lr=1e-4, betas=(0.8, 0.999))
    )


class PacGAN(GAN):
    """Each batch updates the discriminator; every `n_critic`-th then updates the generator: `GAN.training_step`."""

    def discriminator_objective(self, discriminator: BoundDiscriminator, real: Images, fake: Images) -> Scalar:
        """-E[log sigmoid(D(x_1, ..., x_m))] - E[log(1 - sigmoid(D(G(z_1), ..., G(z_m))))]."""
        return logistic_discriminator_loss(*discriminator.both(real, fake))

    def generator_objective(self, discriminator: BoundDiscriminator, real: Images, fake: Images) -> Scalar:
        return nonsaturating_generator_loss(discriminator(fake))
