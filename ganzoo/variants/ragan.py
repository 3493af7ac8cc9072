"""RaGAN: Jolicoeur-Martineau 2018, arXiv:1807.00734: is this sample more real than the other kind on average?

The relativistic average standard GAN (RaSGAN), with the mean of its two terms, as in the author's code
(AlexiaJM/RelativisticGAN, code/GAN_losses_iter.py).
"""

from dataclasses import dataclass

from torch.nn.functional import softplus

from ganzoo.ranks import mean_of_ranks
from ganzoo.shapes import Images, Logits, Scalar
from ganzoo.training import GAN, BoundDiscriminator, GANConfig


@dataclass(frozen=True, kw_only=True)
class Config(GANConfig):
    """Nothing of its own."""


def discriminator_loss(real_logits: Logits, fake_logits: Logits) -> Scalar:
    """(E[sp(-(D(x) - E D(G(z))))] + E[sp(D(G(z)) - E D(x))]) / 2, sp = softplus, in [0, inf).

    It is log 2 where D is constant.
    The generator's loss is the same with real and fake exchanged.

    >>> import torch
    >>> discriminator_loss(torch.ones(4), torch.ones(4))
    tensor(0.6931)
    """
    real_mean, fake_mean = mean_of_ranks(real_logits.mean()), mean_of_ranks(fake_logits.mean())
    real_beyond, fake_beyond = real_logits - fake_mean, fake_logits - real_mean
    return 0.5 * (softplus(-real_beyond).mean() + softplus(fake_beyond).mean())


class RaGAN(GAN):
    """Each batch updates the discriminator; every `n_critic`-th then updates the generator: `GAN.training_step`."""

    def discriminator_objective(self, discriminator: BoundDiscriminator, real: Images, fake: Images) -> Scalar:
        return discriminator_loss(*discriminator.both(real, fake))

    def generator_objective(self, discriminator: BoundDiscriminator, real: Images, fake: Images) -> Scalar:
        return discriminator_loss(*discriminator.both(fake, real))
