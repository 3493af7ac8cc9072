"""Networks that know nothing of ganzoo's, and data for them: what any variant must be able to train."""

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

CLASSES = 3


class Generator(nn.Module):
    """Latents, and labels where it is conditional, to points."""

    def __init__(self, latent_dim: int, num_classes: int = 0):
        super().__init__()
        self.num_classes = num_classes
        self.layers = nn.Sequential(nn.Linear(latent_dim + num_classes, 8), nn.ReLU(), nn.Linear(8, 2))

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.layers(latents if labels is None else joined(latents, labels))


class Discriminator(nn.Module):
    """Packs of points, and labels where it is conditional, to logits; it can also name the class."""

    def __init__(self, pack: int = 1, num_classes: int = 0):
        super().__init__()
        self.num_classes = num_classes
        self.hidden = nn.Sequential(nn.Linear(2 * pack + num_classes, 8), nn.LeakyReLU())
        self.judge, self.name = nn.Linear(8, 1), nn.Linear(8, CLASSES)

    def features(self, points: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.hidden(points if labels is None else joined(points, labels))

    def forward(self, points: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.judge(self.features(points, labels)).squeeze(1)

    def classify(self, points: Tensor) -> tuple[Tensor, Tensor]:
        features = self.features(points)
        return self.judge(features).squeeze(1), self.name(features)


def joined(values: Tensor, labels: Tensor) -> Tensor:
    return torch.cat([values, nn.functional.one_hot(labels, CLASSES).to(values)], dim=1)


def unconditional(config) -> tuple[nn.Module, nn.Module]:
    return Generator(config.latent_dim), Discriminator(config.pack)


def conditional(config) -> tuple[nn.Module, nn.Module]:
    return Generator(config.latent_dim, CLASSES), Discriminator(config.pack, CLASSES)


def classifying(config) -> tuple[nn.Module, nn.Module]:
    return Generator(config.latent_dim, CLASSES), Discriminator(config.pack)


def loader(shape: tuple[int, ...] = (2,), batch_size: int = 4) -> DataLoader:
    random = torch.Generator().manual_seed(0)
    samples = torch.randn(64, *shape, generator=random)
    return DataLoader(TensorDataset(samples, torch.randint(CLASSES, (64,), generator=random)), batch_size=batch_size)
