"""What a classifier of grey images says of each channel of a colour image: for stacked MNIST, which is three digits.

Srivastava et al. 2017, arXiv:1705.07761; Lin et al. 2017, arXiv:1712.04086.
"""

from torch import Tensor

from ganzoo.evaluation.extractors.base import Extracted, Extractor
from ganzoo.evaluation.extractors.classifier import Classifier

CHANNELS = 3


class Stacked(Extractor):
    """R, G and B, each as a grey image to one classifier; features and logits of the three side by side."""

    def __init__(self, classifier: Classifier):
        super().__init__()
        self.classifier = classifier
        self.identity = f"stacked {classifier.identity}"
        self.weights_sha256, self.about = classifier.weights_sha256, classifier.about
        self.batch_size = max(1, classifier.batch_size // CHANNELS)

    def forward(self, samples: Tensor) -> Extracted:
        """Pixels (uint8) or images in [-1, 1], (n, 3, h, w), of any size. Raises ValueError for other shapes.

        Returns: features (n, 3 d) and logits (n, 3 k) of a classifier with d features and k classes: R, then G, then B.
        """
        if samples.ndim != 4 or samples.shape[1] != CHANNELS:
            raise ValueError(f"stacked images must be (n, {CHANNELS}, h, w), got {tuple(samples.shape)}")
        found = self.classifier(samples.flatten(0, 1)[:, None])
        return Extracted(*(values.unflatten(0, (-1, CHANNELS)).flatten(1) for values in found))
