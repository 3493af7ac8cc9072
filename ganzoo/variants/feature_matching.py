"""Feature matching: Salimans et al. 2016, arXiv:1606.03498, section 3.1: the generator matches the mean features.

|E f(x) - E f(G(z))|_2^2, where f is what the discriminator's head looks at. The authors' code takes the mean absolute
difference instead (openai/improved-gan, mnist_svhn_cifar10/train_cifar_feature_matching.py): `distance: absolute`.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from ganzoo.config import setting
from ganzoo.objectives import logistic_discriminator_loss
from ganzoo.ranks import mean_of_ranks
from ganzoo.shapes import Features, Images, Scalar
from ganzoo.training import GAN, BoundDiscriminator, GANConfig
from ganzoo.training.optimizers import Adam, Optimizers


@dataclass(frozen=True, kw_only=True)
class Config(GANConfig):
    """The optimisers are those of the authors' CIFAR-10 code."""

    distance: Literal["squared", "absolute"] = setting("squared", "of the means: |.|_2^2, or the mean of |.|")

    paper_optimizers: ClassVar[Optimizers] = Optimizers(generator=Adam(lr=3e-4), discriminator=Adam(lr=3e-4))


def matching_loss(real_features: Features, fake_features: Features, distance: str) -> Scalar:
    """|E f(x) - E f(G(z))|_2^2, or the mean over features of |E f(x) - E f(G(z))|; in [0, inf).

    >>> import torch
    >>> matching_loss(torch.tensor([[3.0, 4.0]]), torch.zeros(1, 2), "squared")
    tensor(25.)
    """
    difference = mean_of_ranks(real_features.mean(dim=0) - fake_features.mean(dim=0))
    return difference.square().sum() if distance == "squared" else difference.abs().mean()


class FeatureMatchingGAN(GAN):
    """Each batch updates the discriminator; every `n_critic`-th then updates the generator: `GAN.training_step`."""

    def discriminator_objective(self, discriminator: BoundDiscriminator, real: Images, fake: Images) -> Scalar:
        return logistic_discriminator_loss(*discriminator.both(real, fake))

    def generator_objective(self, discriminator: BoundDiscriminator, real: Images, fake: Images) -> Scalar:
        real_features = discriminator.features(real).detach()
        return matching_loss(real_features, discriminator.features(fake), self.config.distance)
