"""Trains the classifier that images of one domain are scored with: `ganzoo extractor train data=NAME --out FILE`."""

import hashlib
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

import ganzoo
from ganzoo.components import DATASETS, implementation
from ganzoo.data.base import DataConfig
from ganzoo.data.samples import Samples, to_network_range
from ganzoo.errors import InputError
from ganzoo.evaluation.extractors.classifier import Card, Classifier, save_extractor, to_native
from ganzoo.shapes import Images, Labels

LARGEST = 64  # pixels: larger images are made smaller, or the features of a small network would see too little
BATCH_SIZE = 64
UPDATES = 2400  # by default as many epochs as make this many updates
FEWEST_EPOCHS = 6  # 3 leave MNIST at 98.8 % of its held-out images, 6 reach 99.3 %
PEAK_LR = 3e-3
WEIGHT_DECAY = 1e-3
SHIFT = 0.08  # of the width, to either side
ROTATION = 10.0  # degrees, to either side
ZOOM = 0.1


def train_extractor(
    data: DataConfig,
    out: Path,
    *,
    epochs: int | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
    device: torch.device | None = None,
) -> dict[str, Any]:
    """Trains a classifier on the train split, measures it on the held-out split, and writes it to `out`.

    The same data, seed and machine give the same file; the global random generators are left alone.

    Args:
        epochs: passes over the train split; None: `default_epochs`.
        progress: called with (updates done, updates in all) after every update.
        device: default, the CPU.

    Returns: heldout_accuracy (0 to 1), seconds, num_parameters, epochs, and the file.

    Raises InputError for data without labels or held-out images, GanzooError where the file cannot be written.
    """
    started, device = time.monotonic(), device or torch.device("cpu")
    if out.is_dir():  # said now, and not after minutes of training
        raise InputError(out, "is a folder; name the file to write")
    train, heldout = _splits(data)
    epochs = epochs or default_epochs(len(train))
    channels, resolution = data.shape[0], min(data.shape[1], LARGEST)
    classifier = _initialised(resolution, channels, len(train.class_names), seed).to(device)
    _fit(classifier, train, epochs, seed, progress)
    _rescale_features(classifier, train)
    accuracy = _accuracy(classifier, heldout)
    save_extractor(out, classifier, _card(data, train, classifier, accuracy))
    return {
        "heldout_accuracy": accuracy,
        "seconds": time.monotonic() - started,
        "num_parameters": sum(parameter.numel() for parameter in classifier.parameters()),
        "epochs": epochs,
        "file": str(out),
    }


def default_epochs(num_train: int) -> int:
    """Passes over the train split: what makes about 2,400 updates, and at least 6. Digits, MNIST:

    >>> default_epochs(1297), default_epochs(60_000)
    (119, 6)
    """
    return max(FEWEST_EPOCHS, math.ceil(UPDATES * BATCH_SIZE / num_train))


def _splits(data: DataConfig) -> tuple[Samples, Samples]:
    name = DATASETS.name_of(data)
    if len(data.shape) != 3:
        raise InputError(f"data set {name}", "has no images to train an extractor on")
    module, config = implementation(data)
    train, heldout = module.load(config, "train"), module.load(config, "heldout")
    if len(train.class_names) < 2:
        raise InputError(f"data set {name}", "has no labels, and an extractor is trained to tell classes apart")
    if len(heldout) == 0:
        raise InputError(f"data set {name}", "has no held-out images to measure an extractor on")
    return train, heldout


def _initialised(resolution: int, channels: int, num_classes: int, seed: int) -> Classifier:
    """He et al. 2015, arXiv:1502.01852, from a generator of its own."""
    with torch.device("meta"):
        classifier = Classifier(resolution=resolution, channels=channels, num_classes=num_classes)
    classifier.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(seed)
    for module in classifier.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
            assert module.bias is not None  # none of them was made without
            nn.init.zeros_(module.bias)
    return classifier


@torch.enable_grad()
def _fit(
    classifier: Classifier, train: Samples, epochs: int, seed: int, progress: Callable[[int, int], None] | None
) -> None:
    """AdamW and one cycle of the learning rate (Smith & Topin 2017, arXiv:1708.07120) on cross-entropy."""
    total = epochs * math.ceil(len(train) / BATCH_SIZE)
    optimizer = torch.optim.AdamW(classifier.parameters(), weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=PEAK_LR, total_steps=total)
    device = classifier.head.weight.device
    for update, (images, labels) in enumerate(_batches(train, epochs, seed), start=1):
        images = to_native(images.to(device), classifier.resolution, classifier.channels)
        loss = functional.cross_entropy(classifier(images).logits, labels.to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if update < total:
            schedule.step()
        if progress:
            progress(update, total)


def _batches(train: Samples, epochs: int, seed: int) -> Iterator[tuple[Images, Labels]]:
    generator = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        for chosen in torch.randperm(len(train), generator=generator).split(BATCH_SIZE):
            yield augmented(to_network_range(train.values[chosen]), generator), train.labels[chosen]


def augmented(images: Images, generator: torch.Generator) -> Images:
    """Every image shifted, turned and zoomed a little, each differently; what comes in at the edge repeats it."""

    def between(limit: float) -> Tensor:
        return (torch.rand(len(images), generator=generator) * 2 - 1) * limit

    angle, zoom = between(math.radians(ROTATION)), 1 + between(ZOOM)
    across, down = between(2 * SHIFT), between(2 * SHIFT)  # the width is 2 in these coordinates
    cos, sin = zoom * angle.cos(), zoom * angle.sin()
    maps = torch.stack([torch.stack([cos, -sin, across], 1), torch.stack([sin, cos, down], 1)], 1)
    grid = functional.affine_grid(maps, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)


@torch.no_grad()
def _rescale_features(classifier: Classifier, train: Samples) -> None:
    """Makes the mean square of the features 1 on the train split and leaves the logits as they are.

    KID's kernel (x.y / d + 1)^3 mixes moments of three orders: it is only balanced for features of about that size.
    A positive factor passes through a ReLU and the mean, so the last convolution can take it.
    """
    squares = torch.cat([features.square().mean(dim=1) for features, _, _ in _extracted(classifier, train)])
    scale = squares.double().mean().rsqrt().item()
    last = classifier.convolutions[-1]
    for parameter in last.parameters():
        parameter.mul_(scale)
    classifier.head.weight.div_(scale)


@torch.no_grad()
def _accuracy(classifier: Classifier, heldout: Samples) -> float:
    right = 0
    for _, logits, labels in _extracted(classifier, heldout):
        right += int((logits.argmax(dim=1) == labels).sum())
    return right / len(heldout)


def _extracted(classifier: Classifier, samples: Samples) -> Iterator[tuple[Tensor, Tensor, Labels]]:
    """Features, logits and labels of all samples, a batch at a time."""
    device = classifier.head.weight.device
    for values, labels in zip(samples.values.split(250), samples.labels.split(250), strict=True):
        features, logits = classifier(to_network_range(values.to(device)))
        yield features, logits, labels.to(device)


def _card(data: DataConfig, train: Samples, classifier: Classifier, accuracy: float) -> Card:
    digest = hashlib.sha256(train.values.numpy().tobytes())
    digest.update(train.labels.numpy().tobytes())
    return Card(
        data=DATASETS.name_of(data),
        data_sha256=digest.hexdigest(),
        resolution=classifier.resolution,
        channels=classifier.channels,
        class_names=train.class_names,
        heldout_accuracy=accuracy,
        version=ganzoo.__version__,
    )
