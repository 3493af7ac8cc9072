"""R1 GAN: Mescheder, Geiger & Nowozin 2018, arXiv:1801.04406: the non-saturating game with zero-centred penalties.

R1 penalises the squared gradient at real samples, R2 at fakes; each is multiplied by its weight (the paper's gamma)
and, with `half`, by the paper's 1/2. The authors' code has no 1/2 (LMescheder/GAN_stability, gan_training/train.py):
its reg_param 10 is a gamma of 20.
"""

from dataclasses import dataclass
from typing import ClassVar

from ganzoo.config import setting
from ganzoo.objectives import logistic_discriminator_loss, nonsaturating_generator_loss, weighted_r1_r2
from ganzoo.shapes import Images, Scalar
from ganzoo.training import GAN, BoundDiscriminator, GANConfig
from ganzoo.training.optimizers import Optimizers, RMSprop


@dataclass(frozen=True, kw_only=True)
class Config(GANConfig):
    r1_weight: float = setting(10.0, "gamma of the penalty at real samples", at_least=0)
    r2_weight: float = setting(0.0, "gamma of the penalty at fakes", at_least=0)
    half: bool = setting(True, "multiply both by 1/2, as the paper does and its code does not")

    paper_optimizers: ClassVar[Optimizers] = Optimizers(generator=RMSprop(lr=1e-4), discriminator=RMSprop(lr=1e-4))

    @property
    def per_sample_gradients(self) -> bool:
        return self.r1_weight > 0 or self.r2_weight > 0


class R1GAN(GAN):
    """Each batch updates the discriminator; every `n_critic`-th then updates the generator: `GAN.training_step`."""

    def discriminator_objective(self, discriminator: BoundDiscriminator, real: Images, fake: Images) -> Scalar:
        loss = logistic_discriminator_loss(*discriminator.both(real, fake))
        weights = (self.config.r1_weight, self.config.r2_weight)
        penalty = weighted_r1_r2(discriminator, real, fake, *weights)
        self.report({"discriminator/penalty": penalty})
        return loss + (0.5 if self.config.half else 1.0) * penalty

    def generator_objective(self, discriminator: BoundDiscriminator, real: Images, fake: Images) -> Scalar:
        return nonsaturating_generator_loss(discriminator(fake))
