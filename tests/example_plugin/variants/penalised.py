"""Penalised: a plugin's variant: the non-saturating game with a per-sample gradient penalty, for labelled data."""

from dataclasses import dataclass
from typing import ClassVar

from ganzoo.config import setting
from ganzoo.objectives import logistic_discriminator_loss, nonsaturating_generator_loss, squared_gradient_penalty
from ganzoo.shapes import Images, Scalar
from ganzoo.training import GAN, BoundDiscriminator, GANConfig


@dataclass(frozen=True, kw_only=True)
class Config(GANConfig):
    penalty_weight: float = setting(1.0, "multiplies the unweighted penalty", at_least=0)

    needs_labels: ClassVar[bool] = True

    @property
    def per_sample_gradients(self) -> bool:
        return True


class Penalised(GAN):
    def discriminator_objective(self, discriminator: BoundDiscriminator, real: Images, fake: Images) -> Scalar:
        loss = logistic_discriminator_loss(discriminator(real), discriminator(fake))
        return loss + self.config.penalty_weight * squared_gradient_penalty(discriminator, real)

    def generator_objective(self, discriminator: BoundDiscriminator, real: Images, fake: Images) -> Scalar:
        return nonsaturating_generator_loss(discriminator(fake))
