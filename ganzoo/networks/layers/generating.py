"""The frame of a generator: how class labels come in. Of a discriminator: `heads.py`."""

from torch import nn

from ganzoo.networks.layers.chain import Chain
from ganzoo.networks.layers.conditioning import classes_for, with_one_hot
from ganzoo.shapes import Images, Labels, Latents


class LabelledGenerator(nn.Module):
    """Latents (n, latent_dim) and, where it is conditional, labels (n,) to samples: body(latents, labels).

    Labels come in with the latents, one-hot (`concat`), or at the norms (`batch_norm`).

    Args:
        body: latents, with num_classes more values where `conditioning` is concat, to samples.
        num_classes: of the data; 0: it has no labels.

    Attributes:
        num_classes: how many classes its forward takes labels of; 0: it takes none.
    """

    def __init__(self, body: Chain, *, conditioning: str = "none", num_classes: int = 0):
        super().__init__()
        self.body, self.conditioning = body, conditioning
        self.num_classes = classes_for(conditioning, num_classes)

    def forward(self, latents: Latents, labels: Labels | None = None) -> Images:
        if self.conditioning == "concat":
            latents = with_one_hot(latents, labels, self.num_classes)
        return self.body(latents, labels)
