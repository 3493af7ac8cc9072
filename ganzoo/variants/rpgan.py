"""RpGAN: Jolicoeur-Martineau 2018, arXiv:1807.00734: is this real sample more real than that fake?

The relativistic pairing loss (there: RSGAN). With `r1_weight` and `r2_weight` it is the loss of R3GAN (Huang et al.
2024, arXiv:2501.05441): gamma / 2 times the squared gradients at reals and at fakes. The generator's loss is the
non-saturating form of their code; their equation 2 writes the zero-sum one.
"""

from dataclasses import dataclass

from torch.nn.functional import softplus

from ganzoo.config import setting
from ganzoo.objectives import weighted_r1_r2
from ganzoo.shapes import Images, Logits, Scalar
from ganzoo.training import GAN, BoundDiscriminator, GANConfig


@dataclass(frozen=True, kw_only=True)
class Config(GANConfig):
    r1_weight: float = setting(0.0, "gamma of the penalty at real samples", at_least=0)
    r2_weight: float = setting(0.0, "gamma of the penalty at fakes", at_least=0)

    @property
    def per_sample_gradients(self) -> bool:
        return self.r1_weight > 0 or self.r2_weight > 0


def discriminator_loss(real_logits: Logits, fake_logits: Logits) -> Scalar:
    """E[sp(-(D(x) - D(G(z))))] over pairs, sp = softplus, in [0, inf); log 2 where D is constant.

    The generator's loss is the same with real and fake exchanged.

    >>> import torch
    >>> discriminator_loss(torch.ones(4), torch.ones(4))
    tensor(0.6931)
    """
    return softplus(fake_logits - real_logits).mean()


class RpGAN(GAN):
    """Each batch updates the discriminator; every `n_critic`-th then updates the generator: `GAN.training_step`."""

    def discriminator_objective(self, discriminator: BoundDiscriminator, real: Images, fake: Images) -> Scalar:
        loss = discriminator_loss(*discriminator.both(real, fake))
        if not self.config.per_sample_gradients:
            return loss
        weights = (self.config.r1_weight, self.config.r2_weight)
        penalty = weighted_r1_r2(discriminator, real, fake, *weights)
        self.report({"discriminator/penalty": penalty})
        return loss + 0.5 * penalty

    def generator_objective(self, discriminator: BoundDiscriminator, real: Images, fake: Images) -> Scalar:
        return discriminator_loss(*discriminator.both(fake, real))
