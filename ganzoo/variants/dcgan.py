"""DCGAN: Radford, Metz & Chintala 2015, arXiv:1511.06434: the non-saturating game between convolutional networks.

The objective is that of Goodfellow et al. 2014 (arXiv:1406.2661), section 3, in its non-saturating form; the
paper's own contribution, the architecture, is in ganzoo/networks/dcgan.py. Latents are uniform on [-1, 1], both
optimisers Adam with rate 2e-4 and beta1 0.5, one discriminator update per generator update.
"""

from dataclasses import dataclass
from typing import Literal

from torch.nn.functional import softplus

from ganzoo.config import setting
from ganzoo.shapes import Images, Logits, Scalar
from ganzoo.training import GAN, GANConfig


@dataclass(frozen=True, kw_only=True)
class Config(GANConfig):
    """The paper's latents; everything else is common to all variants."""

    latent_distribution: Literal["normal", "uniform"] = setting("uniform", "N(0, I), or uniform on [-1, 1]")


def discriminator_loss(real_logits: Logits, fake_logits: Logits) -> Scalar:
    """-E[log sigmoid(D(x))] - E[log(1 - sigmoid(D(G(z))))], in [0, inf); 2 log 2 where D cannot tell.

    >>> import torch
    >>> discriminator_loss(torch.zeros(4), torch.zeros(4))
    tensor(1.3863)
    """
    return softplus(-real_logits).mean() + softplus(fake_logits).mean()


def generator_loss(fake_logits: Logits) -> Scalar:
    """-E[log sigmoid(D(G(z)))], in [0, inf); log 2 where D cannot tell.

    >>> import torch
    >>> generator_loss(torch.zeros(4))
    tensor(0.6931)
    """
    return softplus(-fake_logits).mean()


class DCGAN(GAN):
    """Each batch updates the discriminator; every `n_critic`-th then updates the generator."""

    def training_step(self, batch, batch_idx: int) -> None:
        real, _ = self.unpack(batch)
        self.update_discriminator(real)
        if self.discriminator_updates % self.config.n_critic == 0:
            self.update_generator(len(real))

    def discriminator_objective(self, real: Images, fake: Images) -> Scalar:
        return discriminator_loss(self.discriminator(real), self.discriminator(fake))

    def generator_objective(self, fake: Images) -> Scalar:
        return generator_loss(self.discriminator(fake))
