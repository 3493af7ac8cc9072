"""Small pictures, and the folders, zips and arrays that the tests of sources put them in."""

import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from ganzoo.errors import InputError

GREY = np.arange(60, dtype=np.uint8).reshape(10, 2, 3)  # ten images, 3 wide and 2 high
COLOUR = np.random.default_rng(0).integers(0, 256, (10, 2, 3, 3), dtype=np.uint8)
ALL = torch.arange(10)


def encoded(array: np.ndarray, format: str = "PNG") -> bytes:
    file = BytesIO()
    Image.fromarray(array).save(file, format)
    return file.getvalue()


def named(arrays: np.ndarray, names: str = "{:02}.png") -> dict[str, bytes]:
    return {names.format(number): encoded(array) for number, array in enumerate(arrays)}


def folder(root: Path, files: dict[str, bytes]) -> str:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return str(root)


def packed(path: Path, files: dict[str, bytes]) -> str:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return str(path)


def npz(path: Path, **arrays: np.ndarray) -> str:
    np.savez(path, **arrays)
    return str(path)


def planes(arrays: np.ndarray) -> Tensor:
    return torch.from_numpy(arrays[:, None] if arrays.ndim == 3 else arrays.transpose(0, 3, 1, 2).copy())


def refusal(what: Callable[[], object]) -> str:
    """What the error says, which must be an InputError: exit code 2."""
    with pytest.raises(InputError) as caught:
        what()
    return str(caught.value)


def everything(source) -> Tensor:
    return torch.cat(list(source.batches(list(torch.arange(source.count).split(4)))))
