"""Zip: images of your own in a StyleGAN data set, a zip or the unpacked folder, with labels in its dataset.json."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from ganzoo.data.base import Split
from ganzoo.data.file_sets import load_split
from ganzoo.data.files import Files, FilesConfig, Listing, ZipFiles, complain, images_in, open_files
from ganzoo.data.samples import Samples
from ganzoo.errors import InputError, shorten

INDEX = "dataset.json"
MOST_CLASSES = 65_536


def open_data_set(path: str) -> Files:
    """The files beside dataset.json, which may lie in a folder of the zip (as when a folder was zipped whole)."""
    files = open_files(path)
    if isinstance(files, ZipFiles):
        indices = [name for name in files.names() if name.split("/")[-1] == INDEX]
        if indices:
            top = min(indices, key=lambda name: name.count("/"))
            return ZipFiles(files.archive, top.removesuffix(INDEX))
    return files


def labels_in(path: str) -> dict[str, int] | None:
    """The class of every image by its name; None for unlabelled images. Raises InputError for a broken dataset.json."""
    place = Path(path).expanduser()
    index = place / INDEX if place.is_dir() else place
    stamp = (index.stat().st_mtime_ns, index.stat().st_size) if index.exists() else ()
    return _labels_in(path, stamp)


@lru_cache(maxsize=8)
def _labels_in(path: str, stamp: tuple[int, ...]) -> dict[str, int] | None:
    """The index of ImageNet takes seconds to read: once for a state of the file is enough."""
    files = open_data_set(path)
    if INDEX not in files.names():
        return None
    try:
        content = json.loads(files.read(INDEX))
    except (ValueError, RecursionError) as error:  # of no JSON, and of no text
        raise InputError(path, f"its {INDEX} is no JSON: {error}") from error
    except (OSError, RuntimeError, BadZipFile, NotImplementedError) as error:  # damaged, encrypted, unknown packing
        raise InputError(path, f"its {INDEX} cannot be read: {error}") from error
    if not isinstance(content, dict) or "labels" not in content:
        raise InputError(path, f'its {INDEX} must be {{"labels": [["name.png", 0], ...]}}, or null for the list')
    return None if content["labels"] is None else _parsed(path, content["labels"])


def _parsed(path: str, labels: Any) -> dict[str, int]:
    pairs: Iterable = labels.items() if isinstance(labels, dict) else labels if isinstance(labels, list) else [labels]
    pairs = [tuple(pair) if isinstance(pair, list) else pair for pair in pairs]
    if wrong := [shorten(pair) for pair in pairs if not _is_label(pair)]:
        raise complain(path, f"{len(wrong)} labels in its {INDEX} are not of the form [name, class index]", wrong)
    parsed = {name.replace("\\", "/"): label for name, label in pairs}  # an index made on Windows
    if len(parsed) < len(pairs):
        raise InputError(path, f"its {INDEX} names {len(pairs) - len(parsed)} images twice")
    return parsed


def _is_label(pair: Any) -> bool:
    match pair:
        case (str(), int(label)) if not isinstance(label, bool):
            return 0 <= label < MOST_CLASSES
    return False


@dataclass(frozen=True, kw_only=True)
class Config(FilesConfig):
    """What StyleGAN's `dataset_tool.py` writes. Classes are numbers: 0 up to the highest label."""

    @property
    def num_classes(self) -> int:
        """Read from dataset.json. Raises InputError where there is no such file, or a broken one."""
        return 1 + max((labels_in(self.path) or {}).values(), default=-1)


def load(config: Config, split: Split) -> Samples:
    """uint8 (n, channels, resolution, resolution). Raises InputError that names every file that is wrong."""
    return load_split(config, split, listing)


def listing(path: str) -> Listing:
    """Raises InputError where dataset.json and the images do not match."""
    labels, files = labels_in(path), open_data_set(path)
    names = images_in(files, path)
    if labels is None:
        return Listing(files, names, (0,) * len(names))
    if lost := sorted(labels.keys() - set(names)):
        raise complain(path, f"its {INDEX} labels {len(lost):,} images that are not there", lost)
    if unlabelled := [name for name in names if name not in labels]:
        raise complain(path, f"its {INDEX} has no label for {len(unlabelled):,} of {len(names):,} images", unlabelled)
    classes = tuple(str(label) for label in range(1 + max(labels.values())))
    return Listing(files, names, tuple(labels[name] for name in names), classes)
