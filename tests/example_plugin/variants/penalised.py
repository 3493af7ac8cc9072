"""Penalised: a plugin's variant: the non-saturating game with a per-sample gradient penalty, for labelled data."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from ganzoo.config import setting
from ganzoo.shapes import Images, Scalar
from ganzoo.training import GAN, GANConfig
from ganzoo.variants.dcgan import discriminator_loss, generator_loss


@dataclass(frozen=True, kw_only=True)
class Config(GANConfig):
    penalty_weight: float = setting(1.0, "multiplies the unweighted penalty", at_least=0)

    per_sample_gradients: ClassVar[bool] = True
    needs_labels: ClassVar[bool] = True


class Penalised(GAN):
    def training_step(self, batch, batch_idx: int) -> None:
        real, _ = self.unpack(batch)
        self.update_discriminator(real)
        self.update_generator(len(real))

    def discriminator_objective(self, real: Images, fake: Images) -> Scalar:
        points = real.detach().requires_grad_()
        (slope,) = torch.autograd.grad(self.discriminator(points).sum(), points, create_graph=True)
        penalty = slope.flatten(1).square().sum(1).mean()
        loss = discriminator_loss(self.discriminator(real), self.discriminator(fake))
        return loss + self.config.penalty_weight * penalty

    def generator_objective(self, fake: Images) -> Scalar:
        return generator_loss(self.discriminator(fake))
