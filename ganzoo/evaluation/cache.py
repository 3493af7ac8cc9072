"""Features and statistics of reference samples on the disk, so that they are computed once on a machine.

Entries are found by everything that they depend on (their key) and checked before they are believed. They are never
removed here: the folder may be deleted at any time, at the price of computing them again.
"""

import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from torch import Tensor, uint8

from ganzoo.errors import GanzooError
from ganzoo.records.files import write_atomically

Values = dict[str, Tensor]


def default_folder() -> Path | None:
    """$GANZOO_CACHE, else $XDG_CACHE_HOME/ganzoo, else ~/.cache/ganzoo; None for GANZOO_CACHE=off."""
    named = os.environ.get("GANZOO_CACHE")
    if named:
        return None if named == "off" else Path(named).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "ganzoo"


class FeatureCache:
    """Named tensors on the disk, by key.

    A cache that cannot be used (a folder that cannot be written, a full disk, a damaged file) costs time and a
    warning, never a result.

    Args:
        folder: where; None: as the environment says (`default_folder`), which may be nowhere.
    """

    def __init__(self, folder: Path | None = None):
        self.folder = folder or default_folder()

    @contextmanager
    def entry(self, key: Mapping[str, str]) -> Iterator["Entry"]:
        """The entry of that key, while no other process or thread has it. A killed process gives it back."""
        found = self._entry(key)
        with _held(found.path):
            yield found

    def cached(self, key: Mapping[str, str], compute: Callable[[], Values]) -> Values:
        """What is stored for the key; where that is nothing, `compute()`, stored. Of many processes, one computes.

        The values read are those computed, to the last bit.
        """
        found = self._entry(key).read()  # without the lock: files appear whole, and many may read at once
        if found is not None:
            return found
        with self.entry(key) as entry:
            found = entry.read()
            if found is None:
                found = compute()
                entry.write(found)
            return found

    def _entry(self, key: Mapping[str, str]) -> "Entry":
        canonical = json.dumps(dict(key), sort_keys=True)
        if self.folder is None:
            return Entry(canonical, None)
        name = hashlib.sha256(canonical.encode()).hexdigest()
        return Entry(canonical, self.folder / "features" / f"{name}.safetensors")


@dataclass(frozen=True)
class Entry:
    """One file of the cache.

    Attributes:
        key: as canonical JSON.
        path: of the file, which need not exist; None: there is no cache.
    """

    key: str
    path: Path | None

    def read(self) -> Values | None:
        """The stored tensors, on the CPU; None where there are none, or none that are this key's and whole."""
        from safetensors import SafetensorError, safe_open

        if self.path is None:
            return None
        try:
            with safe_open(self.path, framework="pt") as file:
                metadata = file.metadata() or {}
                values = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no mapping
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, SafetensorError) as error:
            wrong = f"cannot be read ({error})"
        else:
            mine, whole = metadata.get("key") == self.key, metadata.get("sha256") == digest(values)
            if mine and whole:
                return values
            wrong = "is damaged" if mine else "belongs to another key"
        _warn(f"{self.path} {wrong}: it is computed anew")
        return None

    def write(self, values: Values) -> None:
        """Stores named tensors in place of what was there. Only within `FeatureCache.entry`, which holds the lock."""
        from safetensors.torch import save

        if self.path is None:
            return
        for remains in self.path.parent.glob(f".{self.path.name}.*.tmp"):  # of a process killed while it wrote
            with suppress(OSError):
                remains.unlink()
        plain = {name: value.detach().cpu().contiguous() for name, value in values.items()}
        encoded = save(plain, {"key": self.key, "sha256": digest(plain)})
        try:
            write_atomically(self.path, lambda file: file.write(encoded))
        except GanzooError as error:
            _warn(f"reference features are not cached: {error}")


def digest(values: Values) -> str:
    """SHA-256 of named tensors on the CPU: of names, types, shapes and bytes."""
    found = hashlib.sha256()
    for name in sorted(values):
        value = values[name]
        found.update(json.dumps([name, str(value.dtype), list(value.shape)]).encode())
        found.update(value.flatten().view(uint8).numpy().data)
    return found.hexdigest()


@contextmanager
def _held(path: Path | None) -> Iterator[None]:
    """Holds the lock beside the file, where the folder can have one. The system frees the lock of a dead process.

    The empty lock file stays: to remove it would let two waiting processes hold two locks of one name.
    """
    from filelock import FileLock

    if path is None:
        yield
        return
    lock = FileLock(path.with_suffix(".lock"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        _warn(f"{path.parent} cannot be locked ({error.strerror}): its entries may be computed more than once")
    try:
        yield
    finally:
        lock.release()


@cache
def _warn(message: str) -> None:
    """Says it once in a process."""
    logging.getLogger("ganzoo").warning(message)
