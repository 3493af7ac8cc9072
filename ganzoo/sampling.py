"""Samples of a finished run: one call in a notebook, and files in the formats that others read."""

import io
import json
from math import isqrt
from pathlib import Path
from zipfile import ZipFile, ZipInfo

import numpy as np
import torch

from ganzoo.data.samples import to_pixels
from ganzoo.errors import InputError
from ganzoo.importing import importing
from ganzoo.records.files import write_atomically
from ganzoo.shapes import Images, Labels, Points

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


def save_samples(samples: Images, out: Path, labels: Labels | None = None) -> None:
    """Writes samples as a grid (.png), an .npz (arr_0: uint8 NHWC, or float points), a StyleGAN zip, or a folder.

    Classes go with them as arr_1 of the .npz and as the labels in dataset.json of the zip and the folder.

    Raises:
        InputError: the name's ending is none of those, or points are asked for as single images.
    """
    if out.suffix == ".png":
        return save_grid(samples, out)
    arrays = samples.cpu().numpy() if samples.ndim == 2 else to_pixels(samples.cpu()).permute(0, 2, 3, 1).numpy()
    if out.suffix == ".npz":
        both = {"arr_0": arrays} if labels is None else {"arr_0": arrays, "arr_1": labels.cpu().numpy()}
        return write_atomically(out, lambda file: np.savez(file, **both))  # type: ignore[arg-type]  # arrays by name
    if out.suffix not in (".zip", ""):
        raise InputError(
            "--out", f"{str(out)!r} must end in one of: {', '.join(FORMATS[:-1])}; without an ending: a folder"
        )
    if samples.ndim == 2:
        raise InputError("--out", f"{str(out)!r}: points are written as .npz or drawn as .png")
    names = [f"{index // 1000:05d}/img{index:08d}.png" for index in range(len(arrays))]
    if out.suffix == ".zip":
        return write_atomically(out, lambda file: _write_zip(file, names, arrays, labels))
    for name, array in zip(names, arrays, strict=True):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(_png(array))
    if labels is not None:
        (out / "dataset.json").write_text(_index(names, labels))


def _index(names: list[str], labels: Labels | None) -> str:
    """StyleGAN's dataset.json."""
    return json.dumps({"labels": labels if labels is None else [*zip(names, labels.tolist(), strict=True)]})


def _write_zip(file, names: list[str], arrays: np.ndarray, labels: Labels | None) -> None:
    with ZipFile(file, "w") as archive:
        for name, array in zip(names, arrays, strict=True):
            archive.writestr(ZipInfo(name), _png(array))  # ZipInfo has no date: the same samples are the same bytes
        archive.writestr(ZipInfo("dataset.json"), _index(names, labels))


def _png(array: np.ndarray) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(array.squeeze(-1) if array.shape[-1] == 1 else array).save(buffer, format="png")
    return buffer.getvalue()


def sample_to_file(
    run_dir: Path,
    out: Path,
    *,
    number: int,
    seed: int = 0,
    label: int | None = None,
    truncation: float | None = None,
    best: bool = False,
) -> None:
    """Writes samples of a run's averaged generator, drawn in batches so that memory does not grow with them twice.

    Args:
        label: the class of all of them; None: classes at random, where the generator is conditional.

    Raises:
        InputError: there is no such run or checkpoint or class, or `out` has an ending that none of the formats has.
    """
    with importing():
        from ganzoo.training.build import load_generator

    if out.suffix not in (".png", ".npz", ".zip", ""):
        raise InputError(
            "--out", f"{str(out)!r} must end in one of: {', '.join(FORMATS[:-1])}; without an ending: a folder"
        )
    gan, generator = load_generator(run_dir, best=best), torch.Generator().manual_seed(seed)
    check_class(label, gan.num_classes)
    drawn = []
    for size in [BATCH] * (number // BATCH) + ([number % BATCH] if number % BATCH else []):
        labels = gan.draw_labels(size, generator) if label is None else torch.full((size,), label)
        drawn.append((gan.draw(size, generator, labels=labels, truncation=truncation), labels))
    classes = torch.cat([labels for _, labels in drawn if labels is not None]) if gan.num_classes else None
    save_samples(torch.cat([samples for samples, _ in drawn]), out, classes)


def check_class(label: int | None, num_classes: int) -> None:
    """Raises InputError for a class that a generator of that many classes has not."""
    if label is None or 0 <= label < num_classes:
        return
    there = f"there are 0 to {num_classes - 1}" if num_classes else "the run's generator is not conditional"
    raise InputError("--class", f"there is no class {label}: {there}")


BATCH = 500  # samples drawn at a time
