"""WGAN-GP: Gulrajani et al. 2017, arXiv:1704.00028, algorithm 1: the Wasserstein distance by a gradient penalty.

The penalty is taken at one random point between each real sample and its fake. `one_sided` is the variant of section 4,
`drift_weight` the term of Karras et al. 2018 (arXiv:1710.10196), appendix A.1, that keeps the critic's mean near zero.
"""

from dataclasses import dataclass
from typing import ClassVar

from ganzoo.config import setting
from ganzoo.objectives import (
    gradient_norm_penalty,
    interpolated,
    random_mix,
    wasserstein_discriminator_loss,
    wasserstein_generator_loss,
)
from ganzoo.shapes import Images, Scalar
from ganzoo.training import GAN, BoundDiscriminator, GANConfig
from ganzoo.training.optimizers import Adam, Optimizers


@dataclass(frozen=True, kw_only=True)
class Config(GANConfig):
    n_critic: int = setting(5, "discriminator updates per generator update", at_least=1, at_most=10_000)
    gp_weight: float = setting(10.0, "lambda; multiplies the unweighted penalty", at_least=0)
    one_sided: bool = setting(False, "only gradients longer than 1 are penalised")
    drift_weight: float = setting(0.0, "multiplies E[D(x)^2] at real x", at_least=0)

    paper_optimizers: ClassVar[Optimizers] = Optimizers(
        generator=Adam(lr=1e-4, betas=(0.0, 0.9)), discriminator=Adam(lr=1e-4, betas=(0.0, 0.9))
    )

    @property
    def per_sample_gradients(self) -> bool:
        return self.gp_weight > 0


class WGANGP(GAN):
    """Each batch updates the critic; every `n_critic`-th then updates the generator: `GAN.training_step`."""

    def discriminator_objective(self, discriminator: BoundDiscriminator, real: Images, fake: Images) -> Scalar:
        real_logits, fake_logits = discriminator.both(real, fake)
        points = interpolated(real, fake, random_mix(real))
        penalty = gradient_norm_penalty(discriminator, points, one_sided=self.config.one_sided)
        self.report({"discriminator/penalty": penalty})
        loss = wasserstein_discriminator_loss(real_logits, fake_logits) + self.config.gp_weight * penalty
        return loss + self.config.drift_weight * real_logits.square().mean() if self.config.drift_weight else loss

    def generator_objective(self, discriminator: BoundDiscriminator, real: Images, fake: Images) -> Scalar:
        return wasserstein_generator_loss(discriminator(fake))
