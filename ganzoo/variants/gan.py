"""GAN: Goodfellow et al. 2014, arXiv:1406.2661: the minimax game, equation 1.

The generator descends E[log(1 - sigmoid(D(G(z))))], which loses its gradient where the discriminator is sure: the
paper's section 3 recommends the non-saturating form instead (nsgan). The paper trains with momentum SGD at rate 0.1.
"""

from dataclasses import dataclass
from typing import ClassVar

from ganzoo.objectives import logistic_discriminator_loss, minimax_generator_loss
from ganzoo.shapes import Images, Scalar
from ganzoo.training import GAN, BoundDiscriminator, GANConfig
from ganzoo.training.optimizers import SGD, Optimizers


@dataclass(frozen=True, kw_only=True)
class Config(GANConfig):
    """As in the authors' mnist.yaml, but for the decay of the rate and the growth of the momentum."""

    paper_optimizers: ClassVar[Optimizers] = Optimizers(
        generator=SGD(lr=0.1, momentum=0.5), discriminator=SGD(lr=0.1, momentum=0.5)
    )


class MinimaxGAN(GAN):
    """Each batch updates the discriminator; every `n_critic`-th then updates the generator: `GAN.training_step`."""

    def discriminator_objective(self, discriminator: BoundDiscriminator, real: Images, fake: Images) -> Scalar:
        return logistic_discriminator_loss(*discriminator.both(real, fake))

    def generator_objective(self, discriminator: BoundDiscriminator, real: Images, fake: Images) -> Scalar:
        return minimax_generator_loss(discriminator(fake))
