"""LSGAN: Mao et al. 2016, arXiv:1611.04076: least squares instead of cross entropy.

The discriminator aims at b for real samples and a for fakes, the generator at c for fakes. Two codings are published:
a, b, c = -1, 1, 0, which minimises a Pearson chi-square divergence (equation 8), and 0, 1, 1 (equation 9). Both losses
carry the paper's halves; others drop some of them (igul222/improved_wgan_training, gan_64x64.py, has none on G).
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from ganzoo.config import setting
from ganzoo.shapes import Images, Logits, Scalar
from ganzoo.training import GAN, BoundDiscriminator, GANConfig
from ganzoo.training.optimizers import Adam, Optimizers

CODINGS = {"zero_one": (0.0, 1.0, 1.0), "pearson": (-1.0, 1.0, 0.0)}  # a, b, c


@dataclass(frozen=True, kw_only=True)
class Config(GANConfig):
    coding: Literal["zero_one", "pearson"] = setting("zero_one", "targets a, b, c: 0, 1, 1 or -1, 1, 0")

    paper_optimizers: ClassVar[Optimizers] = Optimizers(generator=Adam(lr=1e-3), discriminator=Adam(lr=1e-3))


def discriminator_loss(real_logits: Logits, fake_logits: Logits, a: float, b: float) -> Scalar:
    """E[(D(x) - b)^2] / 2 + E[(D(G(z)) - a)^2] / 2, in [0, inf); ((a - b) / 2)^2 where D is (a + b) / 2.

    >>> import torch
    >>> discriminator_loss(torch.full((4,), 0.5), torch.full((4,), 0.5), a=0.0, b=1.0)
    tensor(0.2500)
    """
    return 0.5 * (real_logits - b).square().mean() + 0.5 * (fake_logits - a).square().mean()


def generator_loss(fake_logits: Logits, c: float) -> Scalar:
    """E[(D(G(z)) - c)^2] / 2, in [0, inf).

    >>> import torch
    >>> generator_loss(torch.full((4,), 0.5), c=1.0)
    tensor(0.1250)
    """
    return 0.5 * (fake_logits - c).square().mean()


class LSGAN(GAN):
    """Each batch updates the discriminator; every `n_critic`-th then updates the generator: `GAN.training_step`."""

    def discriminator_objective(self, discriminator: BoundDiscriminator, real: Images, fake: Images) -> Scalar:
        a, b, _ = CODINGS[self.config.coding]
        return discriminator_loss(*discriminator.both(real, fake), a, b)

    def generator_objective(self, discriminator: BoundDiscriminator, real: Images, fake: Images) -> Scalar:
        return generator_loss(discriminator(fake), CODINGS[self.config.coding][2])
