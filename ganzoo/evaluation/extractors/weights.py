"""Where the published weights of torch-fidelity's extractors are, and how they get here without running code."""

import hashlib
import http.client
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import torch
from torch import Tensor

from ganzoo.errors import InputError, did_you_mean, shorten

INCEPTION, VGG = "inception-v3-compat", "vgg16"
CLIP = ("rn50", "rn101", "rn50x4", "rn50x16", "rn50x64", "vit-b-32", "vit-b-16", "vit-l-14", "vit-l-14-336px")
DINOV2 = ("vit-s-14", "vit-b-14", "vit-l-14", "vit-g-14")
FIDELITY = (INCEPTION, VGG, *(f"clip-{size}" for size in CLIP), *(f"dinov2-{size}" for size in DINOV2))
PATIENCE_SECONDS = 8.0  # a network that drops packets never answers
# of a network, a disk, and (RuntimeError) a file that is not the one that was asked for
DOWNLOAD_FAILURES = (OSError, http.client.HTTPException, RuntimeError)


@dataclass(frozen=True)
class Weights:
    """A published file of weights: its name, its address, and what its sha256 starts with (empty: not published)."""

    file: str
    url: str
    sha256: str


def published(name: str) -> Weights:
    """Of one of torch-fidelity's extractors, by its name there. Raises InputError for another name."""
    if name not in FIDELITY:
        raise InputError("extractor", did_you_mean(name, FIDELITY, "extractor"))
    if name.startswith("clip-"):
        from torch_fidelity.feature_extractor_clip import MODEL_METADATA, MODEL_URLS

        digest = MODEL_METADATA[name]["hash"]
        return Weights(f"{name}-{digest}.pt", MODEL_URLS[name], digest)
    if name.startswith("dinov2-"):
        from torch_fidelity.feature_extractor_dinov2 import MODEL_METADATA as HUB_NAMES

        file = f"{HUB_NAMES[name]}_pretrain.pth"
        return Weights(file, f"https://dl.fbaipublicfiles.com/dinov2/{HUB_NAMES[name]}/{file}", "")
    url = _inception_url() if name == INCEPTION else _vgg_url()
    file = url.rpartition("/")[2]
    return Weights(file, url, Path(file).stem.rpartition("-")[2])  # by the custom of torch.hub


def _inception_url() -> str:
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3

    return URL_INCEPTION_V3


def _vgg_url() -> str:
    from torchvision.models import VGG16_Weights

    return VGG16_Weights.IMAGENET1K_V1.url


def find_weights(name: str, given: Path | None = None) -> Path:
    """The file of weights of an extractor: the given one, or the published one from torch's hub folder or the network.

    A given file may hold any weights; what is found under the published name must be the published file.

    Raises InputError for an unknown name, and where there is no file: it names the file, its address, and where to put
    it. Where the network does not answer, that takes PATIENCE_SECONDS.
    """
    weights = published(name)
    if given is None:
        return hub_weights(name, weights)
    if not given.is_file():
        raise InputError(given, "there is no such file of weights")
    return given


def hub_weights(name: str, weights: Weights) -> Path:
    """The file in `checkpoints` of torch's hub folder ($TORCH_HOME/hub), put there if it is not.

    Raises InputError where it cannot be had or is another file than the published one.
    """
    path = hub_folder() / weights.file
    if not path.is_file():
        _download(name, weights, path)
    elif not sha256_of(path).startswith(weights.sha256):
        raise InputError(
            path,
            f"is not the published file: its sha256 does not start with {weights.sha256}. Delete it, so that it is "
            f"downloaded again from {weights.url}, or name it on purpose: `--extractor FILE`",
        )
    return path


def hub_folder() -> Path:
    """Where torch.hub keeps files of weights."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def _download(name: str, weights: Weights, path: Path) -> None:
    try:
        answers(weights.url)
        path.parent.mkdir(parents=True, exist_ok=True)
        with patience():  # it writes to a temporary name, compares the hash, and only then gives it its name
            torch.hub.download_url_to_file(
                weights.url, str(path), hash_prefix=weights.sha256 or None, progress=sys.stderr.isatty()
            )
    except DOWNLOAD_FAILURES as error:
        raise InputError(
            name,
            f"needs {weights.file}, which is not in {path.parent} and could not be downloaded from {weights.url} "
            f"({brief(error)}). Download it elsewhere and put it there, or name it: `--extractor FILE`",
        ) from error


def answers(url: str) -> None:
    """Raises OSError where nothing answers there within PATIENCE_SECONDS, looking up the name included.

    A look-up has no timeout of its own and cannot be interrupted: it is left behind in a daemon thread.
    """
    outcomes: SimpleQueue[Exception | None] = SimpleQueue()

    def ask() -> None:
        try:
            urlopen(Request(url, method="HEAD"), timeout=PATIENCE_SECONDS).close()
            outcomes.put(None)
        except HTTPError:  # an answer: what it means, the download will find out
            outcomes.put(None)
        except (OSError, http.client.HTTPException) as error:
            outcomes.put(error)

    Thread(target=ask, daemon=True).start()
    try:
        error = outcomes.get(timeout=PATIENCE_SECONDS)
    except Empty:
        raise TimeoutError(f"no answer in {PATIENCE_SECONDS:g} s") from None
    if error is not None:
        raise error


@contextmanager
def patience() -> Iterator[None]:
    """Within, no new socket waits longer than PATIENCE_SECONDS for its next bytes: torch.hub sets no limit."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def sha256_of(path: Path) -> str:
    """Of a file's content. Raises InputError where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(path, f"cannot be read: {brief(error)}") from error


def checked_state(path: Path) -> dict[str, Tensor]:
    """The weights in a file of PyTorch's, on the CPU, loaded so that nothing in it can run.

    Raises InputError for anything but finite tensors by name.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many classes for a broken file, and each means just that
        raise InputError(path, f"is no file of weights: {brief(error)}") from error
    if not isinstance(state, dict) or not state or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise InputError(path, "is no file of weights: it does not hold tensors by name")
    broken = [name for name, tensor in state.items() if not tensor.isfinite().all()]
    if broken:
        raise InputError(path, f"its weights are NaN or infinite: {shorten(broken)}")
    return dict(state)


def brief(error: Exception) -> str:
    """What an error says, on one line that ends: torch's go on for a page."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else f"{text[:199]}…"
