"""What a discriminator ends in: from the features (n, d) of a sample to its logit, and to its class.

A discriminator is head(features(images)); `FeatureDiscriminator` is the frame that every family shares.
"""

from torch import nn

from ganzoo.networks.layers.conditioning import classes_for, needed, with_label_maps
from ganzoo.shapes import ClassLogits, Features, Images, Labels, Logits


class LinearHead(nn.Module):
    """w . phi + b."""

    def __init__(self, features: int):
        super().__init__()
        self.linear = nn.Linear(features, 1)

    def forward(self, features: Features) -> Logits:
        return self.linear(features).squeeze(1)


class ProjectionHead(nn.Module):
    """psi(phi) + <v_y, phi>, psi affine, one vector v for each class (Miyato & Koyama 2018, arXiv:1802.05637, eq. 3).

    The vectors begin Glorot-uniform, as in the authors' code (pfnet-research/sngan_projection:dis_models).
    """

    takes_labels = True

    def __init__(self, features: int, num_classes: int):
        super().__init__()
        self.linear = nn.Linear(features, 1)
        self.vectors = nn.Embedding(num_classes, features)
        nn.init.xavier_uniform_(self.vectors.weight)

    def forward(self, features: Features, labels: Labels | None = None) -> Logits:
        return self.linear(features).squeeze(1) + (self.vectors(needed(labels)) * features).sum(dim=1)


class AuxiliaryHead(nn.Module):
    """A logit and, beside it, the logits of the classes (AC-GAN: Odena, Olah & Shlens 2016, arXiv:1610.09585)."""

    def __init__(self, features: int, num_classes: int):
        super().__init__()
        self.linear = nn.Linear(features, 1)
        self.classifier = nn.Linear(features, num_classes)

    def forward(self, features: Features) -> Logits:
        return self.linear(features).squeeze(1)

    def classify(self, features: Features) -> tuple[Logits, ClassLogits]:
        return self(features), self.classifier(features)


def head_of(conditioning: str, features: int, num_classes: int) -> nn.Module:
    """The head for a `conditioning`: none, concat (the labels came in with the images), projection or auxiliary.

    Raises ValueError for a conditional one where the data has no classes.
    """
    classes = classes_for(conditioning, num_classes)
    if conditioning == "projection":
        return ProjectionHead(features, classes)
    return AuxiliaryHead(features, classes) if conditioning == "auxiliary" else LinearHead(features)


class FeatureDiscriminator(nn.Module):
    """Images (n, c, h, w) or points (n, d) to logits (n,): head(features), features (n, d) = body(images).

    Labels come in with the images, as constant maps (`concat`), or at the head (`projection`); an `auxiliary` head
    takes none and tells them instead. A family builds a body and a head:

        super().__init__(body, head_of(conditioning, d, num_classes), conditioning=..., num_classes=...)

    Args:
        body: images, with num_classes more channels where `conditioning` is concat, to features (n, d).
        num_classes: of the data; 0: it has no labels.

    Attributes:
        num_classes: how many classes its forward takes labels of; 0: it takes none.
    """

    def __init__(self, body: nn.Module, head: nn.Module, *, conditioning: str = "none", num_classes: int = 0):
        super().__init__()
        self.body, self.head, self.conditioning = body, head, conditioning
        classes = classes_for(conditioning, num_classes)
        self.num_classes = 0 if conditioning == "auxiliary" else classes

    def features(self, images: Images, labels: Labels | None = None) -> Features:
        """What the head is a function of."""
        if self.conditioning == "concat":
            images = with_label_maps(images, labels, self.num_classes)
        return self.body(images)

    def forward(self, images: Images, labels: Labels | None = None) -> Logits:
        features = self.features(images, labels)
        return self.head(features, labels) if self.conditioning == "projection" else self.head(features)

    def classify(self, images: Images) -> tuple[Logits, ClassLogits]:
        """(logits (n,), class logits (n, classes)) from one pass."""
        if not isinstance(self.head, AuxiliaryHead):
            raise ValueError(f"a discriminator with conditioning: {self.conditioning} does not tell classes")
        return self.head.classify(self.features(images))
