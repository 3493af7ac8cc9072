"""Samples, and statistics of features, out of .npz files; nothing in a file can run."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganzoo.data.files import absent
from ganzoo.errors import InputError
from ganzoo.evaluation.metrics.frechet import Gaussian
from ganzoo.evaluation.sources import HeldSource

SYMMETRIC = 1e-6  # of the largest value of a covariance, how far it may be from symmetric


def read_npz(path: str | Path) -> HeldSource:
    """arr_0: uint8 images (n, h, w, 1 or 3) or (n, h, w), or points (n, 2); arr_1, if there is one: their classes.

    Raises InputError for anything else, for points that are NaN or infinite, and for pickled objects.
    """
    arrays = _arrays(path, ("arr_0", "arr_1", "mu"))
    if "arr_0" not in arrays:
        instead = ": these are statistics (mu, sigma), of which no samples can be had" if "mu" in arrays else ""
        raise InputError(path, f"the .npz must hold the samples under the name arr_0{instead}")
    values, labels = _values(path, arrays["arr_0"]), arrays.get("arr_1")
    if labels is None:
        return HeldSource(str(path), values)
    if labels.shape != (len(values),) or labels.dtype.kind not in "iu" or labels.min() < 0:
        have = f"{labels.dtype} {labels.shape}"
        raise InputError(path, f"arr_1 must hold a class, an integer from 0, for each of {len(values)} samples: {have}")
    return HeldSource(str(path), values, torch.from_numpy(labels.astype(np.int64)))


def _values(path: str | Path, array: np.ndarray) -> Tensor:
    """uint8 (n, c, h, w) or float32 (n, 2)."""
    if array.size and array.dtype == np.uint8 and (array.ndim == 3 or (array.ndim == 4 and array.shape[3] in (1, 3))):
        images = array[..., None] if array.ndim == 3 else array
        return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
    if array.size and array.ndim == 2 and array.shape[1] == 2 and array.dtype.kind == "f":
        with np.errstate(over="ignore"):  # beyond float32 is infinite, and refused
            points = torch.from_numpy(array.astype(np.float32))
        if broken := int((~points.isfinite()).any(dim=1).sum()):
            raise InputError(path, f"{broken} of its {len(points)} points are NaN or infinite")
        return points
    have = f"{array.dtype} {array.shape}"
    raise InputError(path, f"arr_0 must be uint8 (n, h, w, 1 or 3), or float points (n, 2), not {have}{_mend(array)}")


def _mend(array: np.ndarray) -> str:
    """What would make images of an array that looks like some."""
    if array.size and array.ndim in (3, 4) and array.dtype.kind == "f":
        low, high = float(array.min()), float(array.max())
        unit, signed = low >= 0 and high <= 1, low >= -1 and high <= 1
        scaled = "255 * arr_0" if unit else "127.5 * (arr_0 + 1)" if signed else "arr_0"
        return f" from {low:.4g} to {high:.4g}: round images to 0..255 first, np.uint8(np.round({scaled}))"
    if array.ndim == 4 and array.shape[1] in (1, 3):
        return ": the channels come last, np.transpose(arr_0, (0, 2, 3, 1))"
    return ""


def holds_statistics(path: str | Path) -> bool:
    """Whether it is an .npz with the mean and the covariance of features: mu and sigma. It may hold samples too."""
    place = Path(path).expanduser()
    if place.suffix != ".npz":
        return False
    try:
        with zipfile.ZipFile(place) as archive:
            return {"mu.npy", "sigma.npy"} <= set(archive.namelist())
    except (OSError, zipfile.BadZipFile):  # `open_source` says what is wrong with it
        return False


def read_statistics(path: str | Path) -> Gaussian:
    """mu (d,) and sigma (d, d) in float64, as pytorch-fid, TTUR, guided-diffusion and EDM store them in an .npz.

    Raises InputError where they are not there, do not fit, are NaN or infinite, or sigma is no covariance.
    """
    if sentence := absent(str(path)):
        raise InputError(path, sentence)
    if Path(path).suffix != ".npz":
        raise InputError(path, f"statistics are read from an .npz with mu and sigma{advice_on(Path(path))}")
    arrays = _arrays(path, ("mu", "sigma"))
    if missing := [name for name in ("mu", "sigma") if name not in arrays]:
        raise InputError(path, f"the .npz has no {' and no '.join(missing)}: it holds no statistics")
    mu, sigma = arrays["mu"], arrays["sigma"]
    if mu.ndim != 1 or not mu.size or sigma.shape != 2 * mu.shape or mu.dtype.kind != "f" or sigma.dtype.kind != "f":
        have = f"{mu.dtype} {mu.shape} and {sigma.dtype} {sigma.shape}"
        raise InputError(path, f"mu and sigma must be floats (d,) and (d, d), not {have}")
    found = Gaussian(*(torch.from_numpy(array.astype(np.float64)) for array in (mu, sigma)))
    if not (found.mean.isfinite().all() and found.covariance.isfinite().all()):
        raise InputError(path, "some of mu and sigma are NaN or infinite")
    skew = (found.covariance - found.covariance.T).abs().max()
    if skew > SYMMETRIC * found.covariance.abs().max() or found.covariance.diagonal().min() < 0:
        raise InputError(path, "sigma is no covariance: it is not symmetric, or has a negative variance")
    return found


def _arrays(path: str | Path, names: Sequence[str]) -> Mapping[str, np.ndarray]:
    """Those arrays of an .npz that it has. Raises InputError for what is no .npz, and for pickled objects."""
    try:
        with Path(path).expanduser().open("rb") as file:
            if not zipfile.is_zipfile(file):
                raise InputError(path, "this file is no .npz, or a damaged one")
            file.seek(0)
            with np.load(file, allow_pickle=False) as arrays:
                return {name: np.asarray(arrays[name]) for name in names if name in arrays}
    except InputError:
        raise
    except Exception as error:  # a broken file makes NumPy and zipfile raise nearly anything
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        pickled = "it holds pickled Python objects, which could run code"
        raise InputError(path, f"cannot be read: {pickled if 'allow_pickle' in reason else reason}") from error


def advice_on(path: Path) -> str:
    """What to say besides of a file that holds a pickle."""
    if path.suffix in (".pkl", ".pickle", ".pt"):
        return ". To read a pickle can run any code in it, so none is read"
    return ""
