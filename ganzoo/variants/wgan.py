"""WGAN: Arjovsky, Chintala & Bottou 2017, arXiv:1701.07875, algorithm 1: the Wasserstein distance by weight clipping.

The weights are clipped after the critic's step, as in the paper; the authors' code clips before it. Their code also
trains the critic 100 times for each of the first 25 generator updates and at every 500th (`warmup: true`).
"""

from dataclasses import dataclass
from typing import ClassVar

import torch

from ganzoo.config import setting
from ganzoo.objectives import wasserstein_discriminator_loss, wasserstein_generator_loss
from ganzoo.shapes import Images, Scalar
from ganzoo.training import GAN, BoundDiscriminator, GANConfig
from ganzoo.training.optimizers import Optimizers, RMSprop


@dataclass(frozen=True, kw_only=True)
class Config(GANConfig):
    n_critic: int = setting(5, "discriminator updates per generator update", at_least=1, at_most=10_000)
    clip: float = setting(0.01, "every weight of the critic stays within -clip and clip", above=0)
    warmup: bool = setting(False, "100 critic updates for the first 25 generator updates and every 500th")

    paper_optimizers: ClassVar[Optimizers] = Optimizers(generator=RMSprop(lr=5e-5), discriminator=RMSprop(lr=5e-5))

    def n_critic_at(self, generator_updates: int) -> int:
        """Discriminator updates before the next generator update, after that many (martinarjovsky/WassersteinGAN).

        >>> [Config(warmup=True).n_critic_at(updates) for updates in (0, 24, 25, 499, 500, 501)]
        [100, 100, 5, 5, 100, 5]
        """
        long = self.warmup and (generator_updates < 25 or generator_updates % 500 == 0)
        return 100 if long else self.n_critic


class WGAN(GAN):
    """Each batch updates the critic and clips it; after its share of updates the generator follows."""

    def training_step(self, batch, batch_idx: int) -> None:
        real, labels = self.unpack(batch)
        self.update_discriminator(real, labels)
        self.clip_weights()
        if self.discriminator_lead >= self.config.n_critic_at(self.generator_updates):
            self.update_generator(real, labels)

    def discriminator_objective(self, discriminator: BoundDiscriminator, real: Images, fake: Images) -> Scalar:
        return wasserstein_discriminator_loss(*discriminator.both(real, fake))

    def generator_objective(self, discriminator: BoundDiscriminator, real: Images, fake: Images) -> Scalar:
        return wasserstein_generator_loss(discriminator(fake))

    @torch.no_grad()
    def clip_weights(self) -> None:
        weights: list[torch.Tensor] = list(self.discriminator.parameters())
        torch._foreach_clamp_min_(weights, -self.config.clip)
        torch._foreach_clamp_max_(weights, self.config.clip)
