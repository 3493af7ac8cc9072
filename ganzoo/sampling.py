"""Samples of a finished run: one call in a notebook, and files in the formats that others read."""

import io
import json
from math import isqrt
from pathlib import Path
from zipfile import ZipFile, ZipInfo

import numpy as np
import torch
from torch import Tensor

from ganzoo.data.samples import to_pixels
from ganzoo.errors import InputError
from ganzoo.records.files import write_atomically
from ganzoo.shapes import Images, Points

FORMATS = (".png", ".npz", ".zip", "a folder")


def save_grid(samples: Images, path: Path) -> None:
    """A .png: images in a square grid, or a scatter plot of points."""
    from PIL import Image

    picture = Image.fromarray(_scatter(samples) if samples.ndim == 2 else _grid(samples))
    write_atomically(path, lambda file: picture.save(file, format="png"))


def _grid(images: Images) -> np.ndarray:
    from torchvision.utils import make_grid

    pixels = make_grid(to_pixels(images.cpu()), nrow=max(1, isqrt(len(images))), padding=2, pad_value=255)
    return pixels.permute(1, 2, 0).numpy()


def _scatter(points: Points, size: int = 512) -> np.ndarray:
    """Each point darkens its pixel; the square around all of them, 5 % wider."""
    low, high = points.min(), points.max()
    margin = 0.05 * (high - low) + 1e-6
    cells = ((points.cpu().double() - (low - margin)) / (high - low + 2 * margin) * size).long().clamp_(0, size - 1)
    counts = torch.zeros(size, size, dtype=torch.float64)
    counts.index_put_(
        (size - 1 - cells[:, 1], cells[:, 0]), torch.ones(len(cells), dtype=torch.float64), accumulate=True
    )
    shade = 255 * torch.exp(-counts * 0.7)
    return shade.to(torch.uint8).numpy()


def save_samples(samples: Images, out: Path, labels: Tensor | None = None) -> None:
    """Writes samples as a grid (.png), an .npz (arr_0: uint8 NHWC, or float points), a StyleGAN zip, or a folder.

    Raises:
        InputError: the name's ending is none of those, or points are asked for as single images.
    """
    if out.suffix == ".png":
        return save_grid(samples, out)
    arrays = samples.cpu().numpy() if samples.ndim == 2 else to_pixels(samples.cpu()).permute(0, 2, 3, 1).numpy()
    if out.suffix == ".npz":
        return write_atomically(out, lambda file: np.savez(file, arr_0=arrays))
    if out.suffix not in (".zip", ""):
        raise InputError(
            "--out", f"{str(out)!r} must end in one of: {', '.join(FORMATS[:-1])}; without an ending: a folder"
        )
    if samples.ndim == 2:
        raise InputError("--out", f"{str(out)!r}: points are written as .npz or drawn as .png")
    names = [f"{index // 1000:05d}/img{index:08d}.png" for index in range(len(arrays))]
    if out.suffix == ".zip":
        return write_atomically(out, lambda file: _write_zip(file, names, arrays))
    for name, array in zip(names, arrays, strict=True):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(_png(array))


def _write_zip(file, names: list[str], arrays: np.ndarray) -> None:
    with ZipFile(file, "w") as archive:
        for name, array in zip(names, arrays, strict=True):
            archive.writestr(ZipInfo(name), _png(array))  # ZipInfo has no date: the same samples are the same bytes
        archive.writestr(ZipInfo("dataset.json"), json.dumps({"labels": None}))


def _png(array: np.ndarray) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(array.squeeze(-1) if array.shape[-1] == 1 else array).save(buffer, format="png")
    return buffer.getvalue()


def sample_to_file(
    run_dir: Path, out: Path, *, number: int, seed: int = 0, truncation: float | None = None, best: bool = False
) -> None:
    """Writes samples of a run's averaged generator, drawn in batches so that memory does not grow with them twice.

    Raises:
        InputError: there is no such run or checkpoint, or `out` has an ending that none of the formats has.
    """
    from ganzoo.training.build import load_generator

    if out.suffix not in (".png", ".npz", ".zip", ""):
        raise InputError(
            "--out", f"{str(out)!r} must end in one of: {', '.join(FORMATS[:-1])}; without an ending: a folder"
        )
    gan, generator = load_generator(run_dir, best=best), torch.Generator().manual_seed(seed)
    sizes = [BATCH] * (number // BATCH) + ([number % BATCH] if number % BATCH else [])
    save_samples(torch.cat([gan.draw(size, generator, truncation=truncation) for size in sizes]), out)


BATCH = 500  # samples drawn at a time
