"""Loads the data sets that torchvision reads."""

import pickle
import warnings
from collections.abc import Callable

import numpy as np
import torch
from numpy.exceptions import VisibleDeprecationWarning
from torchvision.datasets import VisionDataset

from ganzoo.data.base import Split
from ganzoo.data.images import fit_pixels
from ganzoo.data.samples import Samples
from ganzoo.data.torchvision_config import TorchvisionConfig
from ganzoo.errors import InputError
from ganzoo.shapes import Pixels

# what torchvision lets out for a file that is absent, damaged or cannot be fetched
FAILURES = (OSError, RuntimeError, ValueError, TypeError, KeyError, AssertionError, EOFError, pickle.UnpicklingError)


def load_split(reader: Callable[..., VisionDataset], config: TorchvisionConfig, split: Split) -> Samples:
    """uint8 (n, channels, resolution, resolution). Raises InputError for data that are absent, damaged or unreachable.

    CIFAR's files are pickles, which could run code; torchvision opens only those with the official MD5 sums.
    """
    if sentence := config.missing():
        raise InputError("data", sentence)
    dataset = _read(reader, config, split)
    declared = config.facts.num_train if split == "train" else config.facts.num_heldout
    if not len(dataset.data) == len(dataset.targets) == declared:
        found = f"{len(dataset.data)} images and {len(dataset.targets)} labels in {split}, not {declared} of each"
        raise InputError(config.folder, f"this is not {config.facts.title}: {found}")
    values = fit_pixels(_channels_first(dataset.data), config.resolution, config.channels)
    labels = torch.as_tensor(dataset.targets, dtype=torch.int64)
    return Samples(values, labels, class_names=tuple(dataset.classes))


def _read(reader: Callable[..., VisionDataset], config: TorchvisionConfig, split: Split) -> VisionDataset:
    try:
        with warnings.catch_warnings():
            # the CIFAR pickles are from 2009 and say align=0 where NumPy 2.4 wants False; goes when torchvision reads
            # them without that warning
            warnings.filterwarnings("ignore", message="dtype.*align", category=VisibleDeprecationWarning)
            return reader(str(config.folder), train=split == "train", download=config.download)
    except FAILURES as error:
        what = "cannot be fetched or read" if config.download else "cannot be read"
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(config.folder, f"{config.facts.title} {what}: {reason}") from error


def _channels_first(data: torch.Tensor | np.ndarray) -> Pixels:
    """MNIST's (n, h, w) or CIFAR's (n, h, w, 3) as (n, c, h, w)."""
    pixels = torch.as_tensor(data)
    return pixels[:, None] if pixels.ndim == 3 else pixels.permute(0, 3, 1, 2)
