"""Images in a folder or a zip, decoded a little ahead of who asks for them; and whatever else a path can hold."""

import hashlib
import re
import zipfile
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ganzoo.data import zip as stylegan
from ganzoo.data.files import Listing, ZipFiles, absent, complain, images_in, open_files
from ganzoo.data.folder import class_folders
from ganzoo.data.images import native_planes, reason_of
from ganzoo.data.working import in_threads, threads
from ganzoo.errors import InputError
from ganzoo.evaluation.arrays import advice_on, read_npz
from ganzoo.evaluation.sources import StoredSource

FORMATS = "a folder of images, a zip of images, or an .npz with arr_0: uint8 images (n, h, w, 1 or 3) or points (n, 2)"
AHEAD = 2  # groups of files decoded before they are asked for
PIECE = 16  # files a thread decodes at once: fewer than in a group, so that all threads work on it
NUMBERED = re.compile(r"\d{5}/img\d{8}\.\w+")  # folders of a thousand, as StyleGAN and `ganzoo sample` number files


def open_source(path: str | Path) -> StoredSource:
    """The samples in a folder, a zip or an .npz. Raises InputError for whatever holds none, or holds them otherwise."""
    place = Path(path).expanduser()
    if sentence := absent(str(path)):
        raise InputError(path, sentence)
    if place.suffix == ".npz" and place.is_file():
        return read_npz(path)
    if place.is_dir() or place.suffix == ".zip" or (place.is_file() and zipfile.is_zipfile(place)):
        return FilesSource(str(path))
    raise InputError(path, f"holds no samples that can be read; what can: {FORMATS}{advice_on(place)}")


class FilesSource(StoredSource):
    """Images in a folder or a zip at their own size, decoded in threads a little ahead of who asks for them.

    Classes are those of a dataset.json, or else two or more sub-folders that all images lie in.

    Raises InputError where there are no images, and while reading for the first group with an image that cannot be
    decoded, or is not of the size of the first image, or not grey or in colour as that is.
    """

    def __init__(self, path: str):
        listing = listing_of(path)
        self.name, self.count, self._files, self._names = path, len(listing.names), listing.files, listing.names
        self.labels = torch.tensor(listing.labels) if listing.class_names else None
        Image.init()  # the format drivers: loaded here, and not by whichever thread is first
        first = self._decoded(0)
        if isinstance(first, str):
            raise InputError(path, first)
        self._shape = first.shape

    @property
    def shape(self) -> tuple[int, ...]:
        return self._shape

    def batches(self, groups: Sequence[Tensor]) -> Iterator[Tensor]:
        waiting: deque[tuple[np.ndarray, list[Future[list[str]]]]] = deque()
        with ThreadPoolExecutor(threads()) as pool:
            try:
                for group in groups:
                    waiting.append(self._begin(pool, group.tolist()))
                    if len(waiting) > AHEAD:
                        yield self._end(*waiting.popleft())
                while waiting:
                    yield self._end(*waiting.popleft())
            finally:
                pool.shutdown(wait=False, cancel_futures=True)  # an error, or nobody asks any more

    def _begin(self, pool: ThreadPoolExecutor, indices: list[int]) -> tuple[np.ndarray, list[Future[list[str]]]]:
        """The pixels of a group, being filled, and what fills them."""
        pixels = np.empty((len(indices), *self.shape), dtype=np.uint8)

        def fill(rows: range) -> list[str]:
            return [wrong for row in rows if (wrong := self._fill(pixels[row], indices[row]))]

        starts = range(0, len(indices), PIECE)
        return pixels, [pool.submit(fill, range(s, min(s + PIECE, len(indices)))) for s in starts]

    def _end(self, pixels: np.ndarray, parts: list[Future[list[str]]]) -> Tensor:
        if wrong := [complaint for part in parts for complaint in part.result()]:
            raise complain(self.name, f"{len(wrong):,} of {len(pixels):,} images read together cannot be used", wrong)
        return torch.from_numpy(pixels)

    def _fill(self, pixels: np.ndarray, index: int) -> str | None:
        """Decodes an image into its place; what is wrong with it, if anything is."""
        planes = self._decoded(index)
        if isinstance(planes, str):
            return planes
        if planes.shape != self.shape:
            first = f"{self._names[0]} is {_kind(self.shape)}"
            return f"{self._names[index]} is {_kind(planes.shape)}, but {first}: all must be alike"
        pixels[:] = planes
        return None

    def _decoded(self, index: int) -> np.ndarray | str:
        """The pixels, or what is wrong with the file."""
        try:
            return native_planes(self._files.read(self._names[index]))
        except Exception as error:  # a broken file makes Pillow and zipfile raise nearly anything
            return f"{self._names[index]}: {reason_of(error)}"

    def sha256(self, indices: Tensor) -> str:
        digests, chosen = [b""] * len(indices), indices.tolist()

        def read(row: int) -> None:
            name = self._names[chosen[row]]
            try:
                digests[row] = hashlib.sha256(self._files.read(name)).digest()
            except Exception as error:  # as above
                raise InputError(self.name, f"{name}: {reason_of(error)}") from error

        in_threads(read, len(chosen), "reading images")
        return hashlib.sha256(b"".join(digests)).hexdigest()


def listing_of(path: str) -> Listing:
    """The images in a folder or a zip, and their classes where it says them. Raises InputError where there are none.

    Unlike the data set `folder` it takes any folder: where images lie outside of sub-folders, or in a single one, or
    are numbered through, the sub-folders are no classes.
    """
    if isinstance(open_files(path), ZipFiles) or (Path(path).expanduser() / stylegan.INDEX).is_file():
        return stylegan.listing(path)
    files = open_files(path)
    names, classes = images_in(files, path), class_folders(path)
    if len(classes) < 2 or any("/" not in name or NUMBERED.fullmatch(name) for name in names):
        return Listing(files, names, (0,) * len(names))
    index = {name: label for label, name in enumerate(classes)}
    return Listing(files, names, tuple(index[name.partition("/")[0]] for name in names), classes)


def _kind(shape: Sequence[int]) -> str:
    channels, height, width = shape
    return f"{width}x{height} pixels, {'grey' if channels == 1 else 'in colour'}"
