"""NSGAN: Goodfellow et al. 2014, arXiv:1406.2661: the non-saturating game of section 3, with one-sided smoothing.

One-sided label smoothing (Salimans et al. 2016, arXiv:1606.03498, section 3.4) replaces the target 1 of real samples by
`real_target`, say 0.9; the target of fakes stays 0, or the discriminator would support the generator's errors.
"""

from dataclasses import dataclass

from torch.nn.functional import softplus

from ganzoo.config import setting
from ganzoo.objectives import nonsaturating_generator_loss
from ganzoo.shapes import Images, Logits, Scalar
from ganzoo.training import GAN, BoundDiscriminator, GANConfig


@dataclass(frozen=True, kw_only=True)
class Config(GANConfig):
    real_target: float = setting(1.0, "what D(x) aims at for real x; below 1: smoothed", above=0, at_most=1)


def discriminator_loss(real_logits: Logits, fake_logits: Logits, real_target: float) -> Scalar:
    """Cross entropies: -E[a log s(x) + (1 - a) log(1 - s(x))] - E[log(1 - s(G(z)))], s = sigmoid(D), a = real_target.

    In [H(a), inf), where H is the binary entropy; 2 log 2 where D cannot tell, whatever a.

    >>> import torch
    >>> discriminator_loss(torch.zeros(4), torch.zeros(4), real_target=0.9)
    tensor(1.3863)
    """
    real = real_target * softplus(-real_logits) + (1.0 - real_target) * softplus(real_logits)
    return real.mean() + softplus(fake_logits).mean()


class NSGAN(GAN):
    """Each batch updates the discriminator; every `n_critic`-th then updates the generator: `GAN.training_step`."""

    def discriminator_objective(self, discriminator: BoundDiscriminator, real: Images, fake: Images) -> Scalar:
        return discriminator_loss(*discriminator.both(real, fake), self.config.real_target)

    def generator_objective(self, discriminator: BoundDiscriminator, real: Images, fake: Images) -> Scalar:
        return nonsaturating_generator_loss(discriminator(fake))
