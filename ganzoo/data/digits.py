"""Digits: 1,797 handwritten digits, 8x8 grey (UCI, Alpaydin & Kaynak 1998), embedded in scikit-learn."""

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from ganzoo.config import setting
from ganzoo.data.base import ImageConfig, Split
from ganzoo.data.images import fit_pixels
from ganzoo.data.samples import Samples

IMAGES = 1797
HELDOUT = 500
DARKEST = 16  # the data count the ink in 4x4 blocks of a 32x32 bitmap: 0..16
SPLIT_SEED = 1998


@dataclass(frozen=True, kw_only=True)
class Config(ImageConfig):
    """There is no official split: 500 are held out, every digit alike, the same in every experiment."""

    channels: Literal[1, 3] = setting(1, "1: grey, 3: the same grey in R, G and B")

    @property
    def num_classes(self) -> int:
        return 10

    @property
    def num_train(self) -> int:
        return IMAGES - HELDOUT

    @property
    def num_heldout(self) -> int:
        return HELDOUT


def load(config: Config, split: Split) -> Samples:
    """uint8 (n, channels, resolution, resolution), white ink on black."""
    ink, target = _ink_and_labels()
    chosen = _positions(target, split)
    grey = np.rint(ink[chosen] * (255 / DARKEST)).astype(np.uint8)
    values = fit_pixels(torch.from_numpy(grey)[:, None], config.resolution, config.channels)
    labels = torch.from_numpy(target[chosen]).to(torch.int64)
    return Samples(values, labels, class_names=tuple("0123456789"))


@cache
def _ink_and_labels() -> tuple[np.ndarray, np.ndarray]:
    """What scikit-learn's load_digits reads: ink (1797, 8, 8) in 0..16, and labels (1797,).

    Importing scikit-learn takes longer than all else that a short run does after torch, so its file is read without.
    """
    package = find_spec("sklearn")
    file = Path(*(package.submodule_search_locations or ()) if package else (), "datasets", "data", "digits.csv.gz")
    if not file.is_file():
        from sklearn.datasets import load_digits

        digits = load_digits()
        return digits.images, digits.target
    rows = np.loadtxt(file, delimiter=",")
    return rows[:, :-1].reshape(-1, 8, 8), rows[:, -1].astype(np.int64)


def _positions(labels: np.ndarray, split: Split) -> np.ndarray:
    """Where the images of the split are: shuffled once, sorted by digit, then evenly spaced ones held out."""
    order = np.random.RandomState(SPLIT_SEED).permutation(IMAGES)  # RandomState: its stream never changes
    by_digit = order[np.argsort(labels[order], kind="stable")]
    heldout = np.zeros(IMAGES, dtype=bool)
    heldout[np.arange(HELDOUT) * IMAGES // HELDOUT] = True
    return np.sort(by_digit[heldout if split == "heldout" else ~heldout])
