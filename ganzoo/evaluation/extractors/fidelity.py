"""The networks that published scores look through, as torch-fidelity has them: Inception v3, VGG16, CLIP, DINOv2.

Features are bit-identical to torch-fidelity's own extractors (tested). What is done here is what torch-fidelity leaves
out: other resizes, images that are not quantised, and weights that cannot run code.
"""

import hashlib
import io
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ganzoo.errors import InputError
from ganzoo.evaluation.extractors.base import Extracted, Extractor
from ganzoo.evaluation.extractors.resizing import Resize, resized
from ganzoo.evaluation.extractors.weights import (
    DOWNLOAD_FAILURES,
    answers,
    brief,
    checked_state,
    find_weights,
    patience,
    published,
    sha256_of,
)

Colour = tuple[float, float, float]
IMAGENET: tuple[Colour, Colour] = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # mean, standard deviation
OPENAI: tuple[Colour, Colour] = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
HUB_REPOSITORY = "facebookresearch/dinov2"


class Network(NamedTuple):
    """What torch-fidelity's extractors differ in.

    Attributes:
        trunk: from normalised images (n, 3, side, side) to features (n, d).
        mean, std: of R, G and B in 0..255, for the normalisation.
        head: (classes, d), without bias; None where the network does not classify.
    """

    trunk: nn.Module
    side: int
    mean: Colour
    std: Colour
    head: Tensor | None = None


class FidelityExtractor(Extractor):
    """One of torch-fidelity's networks behind a resize of choice; in float32, as all published scores are."""

    batch_size = 64
    mean: Tensor
    std: Tensor
    head: Tensor | None

    def __init__(self, network: Network, *, resize: Resize, identity: str, weights_sha256: str):
        super().__init__()
        self.trunk, self.side, self.resize = network.trunk, network.side, resize
        self.identity, self.weights_sha256 = identity, weights_sha256
        self.register_buffer("mean", torch.tensor(network.mean).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(network.std).view(3, 1, 1))
        self.register_buffer("head", network.head)

    def forward(self, samples: Tensor) -> Extracted:
        """Pixels (uint8) or images in [-1, 1], (n, 1 or 3, h, w), of any size; grey is the same in R, G and B.

        Raises ValueError for other shapes.
        """
        if samples.ndim != 4 or samples.shape[1] not in (1, 3):
            raise ValueError(f"samples must be (n, 1 or 3, h, w), got {tuple(samples.shape)}")
        images = samples.float() if samples.dtype == torch.uint8 else (samples.float() + 1) * 127.5
        images = resized(images.expand(-1, 3, -1, -1).contiguous(), self.side, self.resize)
        features = self.trunk((images - self.mean) / self.std).float()
        return Extracted(features, None if self.head is None else features.mm(self.head.T))


def load_fidelity(name: str, *, file: Path | None = None, resize: Resize | None = None) -> FidelityExtractor:
    """An extractor of torch-fidelity by its name there: `inception-v3-compat`, `vgg16`, `clip-*` or `dinov2-*`.

    Features are torch-fidelity's default layers: Inception's 2048 after the last pooling, VGG16's 4096 of `fc2_relu`,
    CLIP's image embedding, DINOv2's class token. Inception has logits too: the 1008 without bias, which are those that
    the inception score was published with; the others have none.

    Weights are loaded so that nothing in their file can run, with two exceptions that cannot be had otherwise: CLIP's
    are published as TorchScript, which is opened only if its SHA-256 is the published one; and DINOv2's network is
    defined by the code of facebookresearch/dinov2, which torch.hub fetches, and which runs.

    Args:
        file: with the weights, in torch-fidelity's format; None: the published ones, from torch's hub folder or else
            from the network.
        resize: None: torch-fidelity's own, `tf1-bilinear`.

    Raises InputError for an unknown name, for weights (DINOv2: code) that cannot be had, and for a file of others.
    """
    path, resize = find_weights(name, file), resize or "tf1-bilinear"
    digest = sha256_of(path)
    with torch.random.fork_rng(devices=()):  # torch-fidelity initialises what it then overwrites
        network = _builder(name)(name, path)
    extractor = FidelityExtractor(
        network, resize=resize, identity=f"{name} {digest[:16]} {resize}", weights_sha256=digest
    )
    return extractor.float().eval().requires_grad_(False)


def _builder(name: str) -> Callable[[str, Path], Network]:
    builders = {"inception": _inception, "vgg16": _vgg16, "clip": _clip, "dinov2": _dinov2}
    return builders[name.partition("-")[0]]


def _inception(name: str, path: Path) -> Network:
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    trusted = io.BytesIO()  # the class unpickles whatever it is given, so it is given what was written here
    torch.save(checked_state(path), trusted)
    trusted.seek(0)
    with _fitting(name, path):
        whole = FeatureExtractorInceptionV3(name, ["2048"], feature_extractor_weights_path=trusted)
    children = dict(whole.named_children())  # in the order of its forward
    head = children.pop("fc").weight
    half = (128.0, 128.0, 128.0)
    return Network(nn.Sequential(*children.values(), nn.Flatten()), whole.INPUT_IMAGE_SIZE, half, half, head.detach())


def _vgg16(name: str, path: Path) -> Network:
    from torchvision.models import vgg16

    state = checked_state(path)
    with torch.device("meta"):  # or it would initialise 138 million parameters
        whole = vgg16()
    with _fitting(name, path):
        whole.load_state_dict(state, assign=True)
    whole.classifier = nn.Sequential(*whole.classifier[:4], nn.ReLU())  # up to fc2_relu
    return Network(whole, 224, *_in_pixels(IMAGENET))


def _clip(name: str, path: Path) -> Network:
    from torch_fidelity.feature_extractor_clip import build_model

    state = _clip_state(name, path)
    with _fitting(name, path):
        visual = build_model(state, torch.float32).visual
    return Network(visual, visual.input_resolution, *_in_pixels(OPENAI))


def _clip_state(name: str, path: Path) -> dict[str, Tensor]:
    """TorchScript runs what its archive says already when it is opened: hence only the published archive."""
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != published(name).sha256:
        return checked_state(path)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="`torch.jit.load`")  # deprecated, but that is what they published
        return torch.jit.load(io.BytesIO(content), map_location="cpu").state_dict()


def _dinov2(name: str, path: Path) -> Network:
    from torch_fidelity.feature_extractor_dinov2 import MODEL_METADATA

    state, folder = checked_state(path), _hub_folder(name)
    os.environ.setdefault("XFORMERS_DISABLED", "1")  # as torch-fidelity does: its kernels round differently
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="xFormers is")
        trunk = torch.hub.load(str(folder), MODEL_METADATA[name], source="local", pretrained=False)
    with _fitting(name, path):
        trunk.load_state_dict(state)
    return Network(trunk, 224, *_in_pixels(IMAGENET))


def _hub_folder(name: str) -> Path:
    """Where torch.hub keeps the code of DINOv2; fetched if it is not there. Raises InputError where it cannot be."""
    folder = Path(torch.hub.get_dir()) / f"{HUB_REPOSITORY.replace('/', '_')}_main"
    if folder.is_dir():
        return folder
    try:
        answers(f"https://github.com/{HUB_REPOSITORY}")
        with patience(), redirect_stdout(sys.stderr):  # stdout is for answers
            torch.hub.list(f"{HUB_REPOSITORY}:main", skip_validation=True, trust_repo=True, verbose=False)
    except DOWNLOAD_FAILURES as error:
        raise InputError(
            name,
            f"needs the code of github.com/{HUB_REPOSITORY}, which is not in {folder} and could not be downloaded "
            f"({brief(error)}). Download it elsewhere and put it there",
        ) from error
    return folder


def _in_pixels(colours: tuple[Colour, Colour]) -> tuple[Colour, Colour]:
    """From 0..1 to 0..255."""
    (r, g, b), (dr, dg, db) = colours
    return (255 * r, 255 * g, 255 * b), (255 * dr, 255 * dg, 255 * db)


@contextmanager
def _fitting(name: str, path: Path) -> Iterator[None]:
    """What a network says of weights that are not its own, as an InputError."""
    try:
        yield
    except (RuntimeError, LookupError, ValueError, TypeError, AttributeError) as error:
        raise InputError(path, f"holds other weights than those of {name}: {brief(error)}") from error
