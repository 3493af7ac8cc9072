"""Images of one's own, in a folder or in a zip: their configuration, names and split (no torch here)."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable
from zipfile import BadZipFile, ZipFile

from ganzoo.config import setting
from ganzoo.data.base import ImageConfig
from ganzoo.errors import InputError, Problem

SUFFIXES = frozenset(
    (".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp")
)
NAMED = 10  # of many bad files, a message names this many


@dataclass(frozen=True, kw_only=True)
class FilesConfig(ImageConfig):
    """Without `heldout_path`, the held-out images are a fixed pseudo-random part of `path`, chosen by their names."""

    path: str = setting(help="where the images are")
    heldout_path: str | None = setting(None, "held-out images, laid out like `path`; null: a part of `path`")
    heldout: float = setting(0.1, "the part of `path` that is held out without a heldout_path", above=0, below=1)
    resolution: int = setting(64, "height and width in pixels", at_least=4, at_most=1024)
    crop: Literal["centre", "stretch"] = setting(
        "centre", "how an image becomes square: cut to its centre, or squeezed"
    )

    def problems(self) -> Iterator[Problem]:
        if self.heldout_path is not None and Path(self.heldout_path) == Path(self.path):
            yield Problem("heldout_path", f"{self.heldout_path!r} is `path` too: its images would be trained on")

    def missing(self) -> str | None:
        for key, path in (("data.path", self.path), ("data.heldout_path", self.heldout_path)):
            if path is not None and (sentence := absent(path)):
                return f"{key}={path!r}: {sentence}"
        return None


@runtime_checkable
class Files(Protocol):
    """Files to read by name, in a folder or in a zip; "/" stands between folders."""

    def names(self) -> list[str]:
        """Every file, sorted; not the hidden ones."""
        ...

    def read(self, name: str) -> bytes: ...


@dataclass(frozen=True)
class FolderFiles:
    """The files at any depth below a folder; links to folders are followed, but not in a circle."""

    path: Path

    def names(self) -> list[str]:
        return sorted(_walk(self.path, "", ()))

    def read(self, name: str) -> bytes:
        return (self.path / name).read_bytes()


@dataclass(frozen=True)
class ZipFiles:
    """The files in a zip whose names begin with `below`, known by the rest of it. Threads may read at once."""

    archive: ZipFile
    below: str = ""

    def names(self) -> list[str]:
        files = {name for name in self.archive.namelist() if name.startswith(self.below) and not name.endswith("/")}
        return sorted(name.removeprefix(self.below) for name in files if not any(map(hidden, name.split("/"))))

    def read(self, name: str) -> bytes:
        return self.archive.read(self.below + name)


@dataclass(frozen=True)
class Listing:
    """The images of a source and what they are labelled.

    Attributes:
        names: the images, sorted.
        labels: one class index a name; zeros for unlabelled images.
        class_names: one a class; empty for unlabelled images.
    """

    files: Files
    names: tuple[str, ...]
    labels: tuple[int, ...]
    class_names: tuple[str, ...] = ()


def open_files(path: str) -> FolderFiles | ZipFiles:
    """Raises InputError where there is nothing, or a file that is no zip."""
    place = Path(path).expanduser()
    if sentence := absent(path):
        raise InputError(path, sentence)
    try:
        return FolderFiles(place) if place.is_dir() else ZipFiles(ZipFile(place))
    except (BadZipFile, NotImplementedError) as error:
        raise InputError(path, "this file is no zip, or a damaged one") from error
    except OSError as error:
        raise InputError(path, f"cannot be opened: {error.strerror or error}") from error


def images_in(files: Files, path: str) -> tuple[str, ...]:
    """The names that end like an image's, sorted. Raises InputError where there is none."""
    names = files.names()
    images = tuple(name for name in names if Path(name).suffix.lower() in SUFFIXES)
    if not images:
        have = f"no image among its {len(names)} files" if names else "no files"
        raise InputError(path, f"has {have}; an image's name ends in {', '.join(sorted(SUFFIXES))}")
    return images


def held_out(names: Sequence[str], part: float) -> list[bool]:
    """Which of two or more files are held out: round(part * n), at least one and not all, chosen by their names."""
    ranked = sorted(range(len(names)), key=lambda index: sha256(os.fsencode(names[index])).digest())
    chosen = set(ranked[: min(max(round(part * len(names)), 1), len(names) - 1)])
    return [index in chosen for index in range(len(names))]


def absent(path: str) -> str | None:
    """The sentence that says that there is nothing at the path, with the nearest name there; None where there is."""
    place = Path(path).expanduser().absolute()
    if place.exists():
        return None
    parent = next(folder for folder in place.parents if folder.is_dir())
    lost = place.relative_to(parent).parts[0]
    near = get_close_matches(lost, [entry.name for entry in scan(parent)], n=1, cutoff=0.5)
    return f"there is no {lost!r} in {parent}; " + (f"did you mean {near[0]!r}?" if near else "name what is there")


def complain(path: str, what: str, complaints: Sequence[str]) -> InputError:
    """The error about many files: what is wrong, and the first of them."""
    lines = "".join(f"\n  {complaint}" for complaint in complaints[:NAMED])
    more = f"\n  ... and {len(complaints) - NAMED} more" if len(complaints) > NAMED else ""
    return InputError(path, f"{what}:{lines}{more}")


def scan(folder: Path) -> list[os.DirEntry]:
    """What is in the folder. Raises InputError where it cannot be listed."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise InputError(folder, f"cannot be listed: {error.strerror}") from error


def hidden(name: str) -> bool:
    """Whether it is one of those that desktops leave behind in folders and archives."""
    return name.startswith(".") or name == "__MACOSX"


def _walk(folder: Path, prefix: str, above: tuple[tuple[int, int], ...]) -> Iterator[str]:
    here = (folder.stat().st_dev, folder.stat().st_ino)
    if here in above:
        return
    for entry in scan(folder):
        if hidden(entry.name):
            continue
        if entry.is_dir():
            yield from _walk(Path(entry.path), f"{prefix}{entry.name}/", (*above, here))
        else:
            yield prefix + entry.name
