"""AC-GAN: Odena, Olah & Shlens 2016, arXiv:1610.09585: the discriminator also names the class.

With L_S the log-likelihood of real or fake and L_C that of the class, of real samples and of fakes, the discriminator
ascends L_S + L_C and the generator L_C - L_S (section 3); the generator's -L_S is non-saturating here. WGAN-GP's code
(igul222/improved_wgan_training, gan_cifar_resnet.py) classifies the reals only and gives L_C a tenth in the generator.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from torch.nn.functional import cross_entropy

from ganzoo.config import setting
from ganzoo.errors import Problem
from ganzoo.networks.base import NetworkConfig
from ganzoo.objectives import logistic_discriminator_loss, nonsaturating_generator_loss
from ganzoo.shapes import Images, Scalar
from ganzoo.training import GAN, BoundDiscriminator, GANConfig


@dataclass(frozen=True, kw_only=True)
class Config(GANConfig):
    class_weight: float = setting(1.0, "multiplies L_C in the discriminator", at_least=0)
    generator_class_weight: float = setting(1.0, "multiplies L_C in the generator", at_least=0)
    classify_fakes: bool = setting(True, "the discriminator learns the classes of fakes too, as in the paper")

    needs_labels: ClassVar[bool] = True

    def misfits(self, generator: NetworkConfig, discriminator: NetworkConfig) -> Iterator[Problem]:
        yield from GANConfig.misfits(self, generator, discriminator)
        if not generator.conditional:
            yield Problem(
                "generator.conditioning", "acgan needs a generator that is told the class; the paper's is concat"
            )
        if not discriminator.classifies:
            yield Problem("discriminator.conditioning", "must be auxiliary: the discriminator names the class")


class ACGAN(GAN):
    """Each batch updates the discriminator; every `n_critic`-th then updates the generator: `GAN.training_step`."""

    def discriminator_objective(self, discriminator: BoundDiscriminator, real: Images, fake: Images) -> Scalar:
        """-L_S - class_weight * L_C."""
        real_logits, real_classes = discriminator.classify(real)
        fake_logits, fake_classes = discriminator.classify(fake)
        class_loss = cross_entropy(real_classes, discriminator.labels)
        if self.config.classify_fakes:
            class_loss = class_loss + cross_entropy(fake_classes, discriminator.labels)
        self.report({"discriminator/class_loss": class_loss})
        return logistic_discriminator_loss(real_logits, fake_logits) + self.config.class_weight * class_loss

    def generator_objective(self, discriminator: BoundDiscriminator, real: Images, fake: Images) -> Scalar:
        """-E[log sigmoid(D(G(z, y)))] - generator_class_weight * E[log P(y | G(z, y))]."""
        fake_logits, fake_classes = discriminator.classify(fake)
        class_loss = cross_entropy(fake_classes, discriminator.labels)
        self.report({"generator/class_loss": class_loss})
        return nonsaturating_generator_loss(fake_logits) + self.config.generator_class_weight * class_loss
