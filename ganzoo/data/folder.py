"""Folder: images of your own at any depth below a folder, whose sub-folders (if any) are the classes."""

from dataclasses import dataclass
from pathlib import Path

from ganzoo.data.base import Split
from ganzoo.data.file_sets import load_split
from ganzoo.data.files import FilesConfig, Listing, ZipFiles, complain, hidden, images_in, open_files, scan
from ganzoo.data.samples import Samples
from ganzoo.errors import InputError


def class_folders(path: str) -> tuple[str, ...]:
    """The sub-folders at the top, sorted. Raises InputError where there is no such folder."""
    if isinstance(open_files(path), ZipFiles):
        raise InputError(path, "this is a zip and not a folder: the data set `zip` reads it")
    entries = scan(Path(path).expanduser())
    return tuple(sorted(entry.name for entry in entries if entry.is_dir() and not hidden(entry.name)))


@dataclass(frozen=True, kw_only=True)
class Config(FilesConfig):
    """A photograph tree like `cats/a.jpg`, `dogs/b.png`, or images alone, which are then unlabelled."""

    @property
    def num_classes(self) -> int:
        """Counted on the disk. Raises InputError where there is no such folder."""
        return len(class_folders(self.path))


def load(config: Config, split: Split) -> Samples:
    """uint8 (n, channels, resolution, resolution). Raises InputError that names every file that is wrong."""
    return load_split(config, split, listing)


def listing(path: str) -> Listing:
    """Raises InputError where the folders leave it open which class an image has."""
    classes, files = class_folders(path), open_files(path)
    names = images_in(files, path)
    if not classes:
        return Listing(files, names, (0,) * len(names))
    if loose := [name for name in names if "/" not in name]:
        raise complain(path, f"{len(loose)} images are in no class, beside the classes {', '.join(classes[:5])}", loose)
    class_of = [name.partition("/")[0] for name in names]
    if empty := [name for name in classes if name not in set(class_of)]:
        raise complain(path, f"{len(empty)} of its {len(classes)} class folders have no image", empty)
    index = {name: label for label, name in enumerate(classes)}
    return Listing(files, names, tuple(index[name] for name in class_of), classes)
