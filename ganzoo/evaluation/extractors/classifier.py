"""What the metrics look at: features and class logits of images, from a small classifier of the images' own domain.

A classifier's file is a safetensors file (it cannot run code) with a card that says what it was trained on.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional

from ganzoo.data.samples import to_network_range
from ganzoo.errors import InputError
from ganzoo.evaluation.extractors.base import Extracted, Extractor
from ganzoo.evaluation.extractors.resizing import resized
from ganzoo.evaluation.extractors.weights import sha256_of
from ganzoo.records.files import write_atomically
from ganzoo.shapes import Images

NativeImages = Float[Tensor, "n channels size size"]

DIGITS = Path(__file__).parent.parent / "weights" / "digits.safetensors"
CARD = "ganzoo_extractor"  # the metadata key; what it holds is JSON
GREY = (0.299, 0.587, 0.114)  # luma of R, G and B, ITU-R BT.601, as in Pillow
WIDTHS = (24, 48, 64, 64)
STRIDES = (2, 2, 1, 2)
FEATURES = WIDTHS[-1]


@dataclass(frozen=True, kw_only=True)
class Card:
    """What a classifier is, and what it was trained on.

    Attributes:
        data: name of the data set; data_sha256: of the training values and labels, as they were loaded.
        resolution, channels: of the images that the network itself sees.
        class_names: one a class.
        heldout_accuracy: share of the held-out images that it gets right, 0 to 1.
        version: of ganzoo.
    """

    data: str
    data_sha256: str
    resolution: int
    channels: int
    class_names: tuple[str, ...]
    heldout_accuracy: float
    version: str


class Classifier(Extractor):
    """Four 3x3 convolutions, the mean over positions (the features), a linear layer (the logits).

    No normalisation: an image's features depend neither on its batch nor on its own contrast being taken out.
    """

    identity = "classifier unsaved"  # one out of a file is known by the hash of it

    def __init__(self, *, resolution: int, channels: int, num_classes: int):
        super().__init__()
        self.resolution, self.channels = resolution, channels
        inputs = (channels, *WIDTHS)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(n, m, 3, stride, padding=1) for n, m, stride in zip(inputs, WIDTHS, STRIDES, strict=False)
        )
        self.head = nn.Linear(FEATURES, num_classes)

    def forward(self, samples: Tensor) -> Extracted:
        """Pixels (uint8) or images in [-1, 1], (n, 1 or 3, h, w), of any size. Raises ValueError for other shapes."""
        hidden = to_native(to_network_range(samples).to(self.head.weight.dtype), self.resolution, self.channels)
        for convolution in self.convolutions:
            hidden = functional.relu(convolution(hidden))
        features = hidden.mean(dim=(2, 3))
        return Extracted(features, self.head(features))

    @property
    def layers(self) -> tuple[str, ...]:
        """What the network consists of, a layer each: with the card, what a record says of an extractor.

        They follow from the card (and the architecture is one), so that no file has to hold them.

        >>> Classifier(resolution=28, channels=1, num_classes=10).layers[3:]
        ('convolution 3x3, stride 2, 64 -> 64, ReLU', 'mean over positions', 'linear, 64 -> 10')
        """
        convolutions = [
            f"convolution 3x3, stride {stride}, {convolution.in_channels} -> {convolution.out_channels}, ReLU"
            for convolution, stride in zip(self.convolutions, STRIDES, strict=True)
        ]
        return *convolutions, "mean over positions", f"linear, {FEATURES} -> {self.head.out_features}"


def to_native(images: Images, resolution: int, channels: int) -> NativeImages:
    """Images (n, 1 or 3, h, w) as grey (1) or RGB (3) squares: bilinear and antialiased, in float, not re-quantised.

    Raises ValueError for other shapes.
    """
    if images.ndim != 4 or images.shape[1] not in (1, 3):
        raise ValueError(f"images must be (n, 1 or 3, h, w), got {tuple(images.shape)}")
    if images.shape[1] == 3 and channels == 1:
        images = (images * images.new_tensor(GREY).view(3, 1, 1)).sum(dim=1, keepdim=True)
    elif images.shape[1] == 1 and channels == 3:
        images = images.expand(-1, 3, -1, -1)
    return resized(images, resolution, "bilinear-antialias")


def save_extractor(path: Path, classifier: Classifier, card: Card) -> None:
    """Writes the file in one piece: it is either whole or not there. Raises GanzooError where it cannot be written."""
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in classifier.state_dict().items()}
    encoded = save(weights, metadata={CARD: json.dumps({**asdict(card), "layers": classifier.layers})})
    write_atomically(path, lambda file: file.write(encoded))


def load_extractor(path: Path) -> tuple[Classifier, Card]:
    """The frozen classifier in a file, in eval mode, and its card. Raises InputError for anything else."""
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(CARD)
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
    except (OSError, SafetensorError) as error:
        raise InputError(path, f"cannot be read as an extractor: {error}") from error
    if text is None:
        raise InputError(path, "is no extractor: make one with `ganzoo extractor train`")
    try:
        card = _card(text)
        classifier = _built(card, weights)
    except (TypeError, ValueError, KeyError, RuntimeError) as error:
        raise InputError(path, f"is a broken extractor: {error}") from error
    digest = sha256_of(path)
    classifier.identity, classifier.weights_sha256 = f"classifier {digest[:16]}", digest
    known = ("data", "data_sha256", "heldout_accuracy")
    classifier.about = {key: getattr(card, key) for key in known} | {"layers": list(classifier.layers)}
    return classifier.eval().requires_grad_(False), card


def _card(text: str) -> Card:
    """Raises TypeError, ValueError or KeyError where the text is no card."""
    fields = json.loads(text)
    fields.pop("layers", None)  # for who reads the file; the network is built from the rest
    card = Card(**{**fields, "class_names": tuple(fields["class_names"])})
    if not (isinstance(card.resolution, int) and 1 <= card.resolution <= 4096 and card.channels in (1, 3)):
        raise ValueError(f"resolution {card.resolution!r} or channels {card.channels!r} cannot be")
    return card


def _built(card: Card, weights: dict[str, Tensor]) -> Classifier:
    """Raises RuntimeError or ValueError where the weights are not those of such a classifier."""
    with torch.device("meta"):  # no initialisation, which would draw from the global random generator
        classifier = Classifier(resolution=card.resolution, channels=card.channels, num_classes=len(card.class_names))
    if any(tensor.dtype != torch.float32 or not tensor.isfinite().all() for tensor in weights.values()):
        raise ValueError("its weights are not finite float32 numbers")
    classifier.load_state_dict(weights, assign=True)
    return classifier
