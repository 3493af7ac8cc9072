"""DRAGAN: Kodali et al. 2017, arXiv:1705.07215: the non-saturating game with a gradient penalty around real samples.

The points follow the authors' code (kodalinaveen3/DRAGAN, DRAGAN.ipynb): x + a * u * std / 2, where std is over the
whole batch, u is uniform on [0, 1) in every dimension and a on [0, 1) for each sample. The paper writes Gaussian noise.
"""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch

from ganzoo.config import setting
from ganzoo.objectives import (
    gradient_norm_penalty,
    interpolated,
    logistic_discriminator_loss,
    nonsaturating_generator_loss,
    random_mix,
)
from ganzoo.ranks import drawn, mean_of_ranks
from ganzoo.shapes import Images, Scalar
from ganzoo.training import GAN, BoundDiscriminator, GANConfig
from ganzoo.training.optimizers import Adam, Optimizers


@dataclass(frozen=True, kw_only=True)
class Config(GANConfig):
    gp_weight: float = setting(10.0, "lambda; multiplies the unweighted penalty", at_least=0)

    paper_optimizers: ClassVar[Optimizers] = Optimizers(
        generator=Adam(lr=1e-4, betas=(0.5, 0.9)), discriminator=Adam(lr=1e-4, betas=(0.5, 0.9))
    )

    @property
    def per_sample_gradients(self) -> bool:
        return self.gp_weight > 0


def perturbed(real: Images, uniform: Images) -> Images:
    """x + u * std / 2: real samples moved by up to half the standard deviation of the batch; u in [0, 1)."""
    mean = mean_of_ranks(real.mean())
    return real + 0.5 * mean_of_ranks((real - mean).square().mean()).sqrt() * uniform


class DRAGAN(GAN):
    """Each batch updates the discriminator; every `n_critic`-th then updates the generator: `GAN.training_step`."""

    def discriminator_objective(self, discriminator: BoundDiscriminator, real: Images, fake: Images) -> Scalar:
        empty = partial(torch.empty, dtype=real.dtype, device=real.device)
        uniform = drawn(lambda n, stream: empty(n, *real.shape[1:]).uniform_(generator=stream), len(real))
        around = interpolated(perturbed(real, uniform), real, random_mix(real))
        penalty = gradient_norm_penalty(discriminator, around)
        self.report({"discriminator/penalty": penalty})
        loss = logistic_discriminator_loss(*discriminator.both(real, fake))
        return loss + self.config.gp_weight * penalty

    def generator_objective(self, discriminator: BoundDiscriminator, real: Images, fake: Images) -> Scalar:
        return nonsaturating_generator_loss(discriminator(fake))
