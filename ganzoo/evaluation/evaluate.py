"""Scores a run, a folder of images, a data set zip or an .npz of samples, from any project."""

import zipfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganzoo.components import DATASETS
from ganzoo.config import Builder, to_plain
from ganzoo.data.base import DataConfig
from ganzoo.data.files import Files, complain, images_in, open_files
from ganzoo.data.images import decode, open_image
from ganzoo.errors import InputError
from ganzoo.evaluation.evaluator import Evaluator
from ganzoo.evaluation.protocol import Protocol, load_protocol


def evaluate(
    source: str | Path,
    *,
    protocol: str | None = None,
    against: str | None = None,
    extractor: str | None = None,
    best: bool = False,
) -> dict[str, Any]:
    """The scores of `source`, its protocol, and the floor: held-out real samples scored the same way.

    Args:
        source: a run directory, a folder of images, a StyleGAN zip, or an .npz (arr_0: uint8 NHWC images or points).
        protocol: its name or file; None: that of the run.
        against: the reference: a data set's name, or a folder or zip; None: that of the run or of the protocol.
        extractor: a file made by `ganzoo extractor train`, for protocols that take one.
        best: of a run, the checkpoint with the best score instead of the last one.

    Raises:
        InputError: the source, the protocol or the reference is wrong, or they do not fit.
    """
    source = Path(source)
    if (source / "config.yaml").is_file():
        return _evaluate_run(source, protocol, against, extractor, best)
    if protocol is None:
        raise InputError(source, "this is no run directory, so the protocol must be named: --protocol NAME")
    loaded = _protocol(protocol)
    samples = _read_samples(source, loaded.resolution)
    evaluator = _evaluator(loaded, _reference(loaded, against, samples.shape[1:]), extractor)
    return _answer(source, evaluator, evaluator.score_samples(samples))


def _evaluate_run(
    source: Path, protocol: str | None, against: str | None, extractor: str | None, best: bool
) -> dict[str, Any]:
    from ganzoo.records.run_directory import RunDirectory
    from ganzoo.training.build import load_generator

    experiment = RunDirectory.open(source).experiment()
    name = protocol or experiment.evaluation.protocol
    if name is None:
        raise InputError(source, "the run was not scored, so the protocol must be named: --protocol NAME")
    loaded = _protocol(name)
    data = experiment.data if against is None else _reference(loaded, against, experiment.data.shape)
    evaluator = _evaluator(loaded, data, extractor or experiment.evaluation.extractor)
    gan = load_generator(source, best=best)
    return {
        **_answer(source, evaluator, evaluator.score(gan.draw_labelled)),
        "generator_updates": gan.generator_updates,
    }


def _protocol(name: str) -> Protocol:
    try:
        return load_protocol(name)
    except LookupError as error:
        raise InputError("--protocol", str(error.args[0])) from None


def _evaluator(protocol: Protocol, data: DataConfig, extractor: str | None) -> Evaluator:
    if missing := data.missing():
        raise InputError("--against", missing)
    return Evaluator(protocol, data, extractor_file=Path(extractor) if extractor else None)


def _answer(source: Path, evaluator: Evaluator, scores: dict[str, float]) -> dict[str, Any]:
    reference = {"name": DATASETS.name_of(evaluator.data), **to_plain(evaluator.data)}
    floor = evaluator.floor()
    return {
        "source": str(source),
        "protocol": to_plain(evaluator.protocol),
        "reference": reference,
        "scores": scores,
        "floor": floor,
    }


def _reference(protocol: Protocol, against: str | None, shape: tuple[int, ...]) -> DataConfig:
    """The real data that `against` names, at the samples' resolution."""
    if against is None:
        if len(protocol.data) != 1:
            raise InputError("--against", f"protocol {protocol.name} is for several data sets, so name the reference")
        against = protocol.data[0]
    values: dict[str, Any] = {"channels": shape[0], "resolution": shape[-1]} if len(shape) == 3 else {}
    name = against
    if Path(against).exists():
        name, values = "zip" if zipfile.is_zipfile(against) else "folder", {**values, "path": against}
    builder = Builder()
    try:
        data = builder.build(DATASETS.find(name), values)
    except LookupError as error:
        raise InputError("--against", f"{against!r} is no folder or zip, and {error.args[0]}") from None
    if not isinstance(data, DataConfig):
        raise InputError("--against", builder.problems)
    return data


def _read_samples(source: Path, resolution: int | None) -> Tensor:
    """uint8 (n, c, h, w) or points (n, 2) out of a folder, a zip or an .npz; files are brought to one resolution."""
    if source.suffix == ".npz":
        return _read_npz(source)
    files = open_files(str(source))
    names = images_in(files, str(source))
    read = partial(_read_named, files, names)
    if resolution is None:
        resolution = _side_of_first(read, names, source)
    pixels, wrong = decode(read, names, resolution, channels=3)
    if wrong:
        complaints = [f"{name}: {reason}" for name, reason in wrong.items()]
        raise complain(str(source), f"{len(wrong):,} of {len(names):,} images cannot be used", complaints)
    return pixels


def _read_named(files: Files, names: Sequence[str], index: int) -> bytes:
    return files.read(names[index])


def _side_of_first(read: Callable[[int], bytes], names: Sequence[str], source: Path) -> int:
    try:
        return min(open_image(read(0), channels=3).size)
    except Exception as error:  # whatever Pillow raises for a broken file
        raise InputError(source, f"{names[0]} is not an image that can be decoded: {error}") from None


def _read_npz(source: Path) -> Tensor:
    try:
        with np.load(source, allow_pickle=False) as arrays:
            array = arrays["arr_0"]
    except FileNotFoundError:
        raise InputError(source, "there is no such file") from None
    except KeyError:
        raise InputError(source, "the .npz must hold the samples under the name arr_0") from None
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(source, f"this is not a readable .npz: {str(error).partition(chr(10))[0]}") from None
    if array.ndim == 4 and array.dtype == np.uint8 and array.shape[-1] in (1, 3):
        return torch.from_numpy(np.ascontiguousarray(array.transpose(0, 3, 1, 2)))
    if array.ndim == 2 and array.shape[1] == 2 and np.issubdtype(array.dtype, np.floating):
        return torch.from_numpy(array.astype(np.float32))
    raise InputError(source, f"arr_0 must be uint8 (n, h, w, 1 or 3) or float (n, 2), not {array.dtype} {array.shape}")
