"""How class labels (n,), whole numbers from 0 to num_classes - 1, come into a network."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import one_hot

from ganzoo.networks.layers.batch_norm import BatchNorm
from ganzoo.shapes import Features, Images, Labels, Latents


def classes_for(conditioning: str, num_classes: int) -> int:
    """How many classes a network of that conditioning is made for: 0 if it is not conditional.

    Raises ValueError for a conditional network where the data has no classes.

    >>> classes_for("concat", 10), classes_for("none", 10)
    (10, 0)
    """
    if conditioning == "none":
        return 0
    if num_classes < 1:
        raise ValueError(f"conditioning: {conditioning} needs class labels, and the data has none")
    return num_classes


def needed(labels: Labels | None) -> Labels:
    """The labels, there. Raises ValueError if they are not."""
    if labels is None:
        raise ValueError("this network is conditional: call it with labels as well")
    return labels


def with_one_hot(latents: Latents, labels: Labels | None, num_classes: int) -> Features:
    """Latents (n, d) with the one-hot labels behind: (n, d + num_classes) (Mirza & Osindero 2014, arXiv:1411.1784).

    >>> with_one_hot(torch.tensor([[0.5], [0.7]]), torch.tensor([1, 0]), 3).tolist()
    [[0.5, 0.0, 1.0, 0.0], [0.699999988079071, 1.0, 0.0, 0.0]]
    """
    codes = one_hot(needed(labels).long(), num_classes)
    return torch.cat([latents, codes.to(latents.dtype)], dim=1)


def with_label_maps(images: Images, labels: Labels | None, num_classes: int) -> Float[Tensor, "n *labelled"]:
    """Images (n, c, h, w) with num_classes more channels, all 0 but the label's, which is 1 at every pixel.

    Points (n, d) get the one-hot labels behind: (n, d + num_classes).
    """
    if images.ndim == 2:
        return with_one_hot(images, labels, num_classes)
    codes = one_hot(needed(labels).long(), num_classes).to(images.dtype)
    return torch.cat([images, codes[:, :, None, None].expand(-1, -1, *images.shape[2:])], dim=1)


class ConditionalBatchNorm(nn.Module):
    """BatchNorm with a gain and a shift for every class: y = gains[label] * normalised(x) + shifts[label].

    x is (n, c, h, w) or (n, c). The statistics are those of the whole batch. Gains begin at 1 and shifts at 0.
    Dumoulin et al. 2017, arXiv:1610.07629; in a GAN's generator: Miyato & Koyama 2018, arXiv:1802.05637.
    """

    takes_labels = True

    def __init__(self, channels: int, num_classes: int):
        super().__init__()
        self.normalise = BatchNorm(channels, affine=False)
        # Plain parameters, no nn.Embedding: spectral norm and the families' initialisers are not meant for them.
        self.gains = nn.Parameter(torch.ones(num_classes, channels))
        self.shifts = nn.Parameter(torch.zeros(num_classes, channels))

    def forward(self, x: Tensor, labels: Labels | None = None) -> Tensor:
        gain, shift = self.gains[needed(labels)], self.shifts[needed(labels)]
        if x.ndim == 4:
            gain, shift = gain[:, :, None, None], shift[:, :, None, None]
        return gain * self.normalise(x) + shift
