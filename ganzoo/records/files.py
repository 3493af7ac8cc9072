"""Writing that a crash, a full disk or a kill cannot leave half done."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from ganzoo.errors import GanzooError


def write_atomically(
    path: Path, write: Callable[[BinaryIO], object], before_naming: Callable[[], object] = lambda: None
) -> None:
    """Writes a file under a temporary name, syncs it to the disk, and only then gives it its name.

    Args:
        before_naming: called between the last two; where it raises, the file does not get its name.

    Raises:
        GanzooError: the disk refused; what was at `path` before is still there.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        before_naming()
        temporary.replace(path)
        _sync_folder(path.parent)
    except (OSError, RuntimeError) as error:  # torch.save reports a full disk as a RuntimeError
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        raise GanzooError(f"{path}: cannot be written: {reason}. What was there before is unchanged.") from error
    finally:
        with suppress(OSError):  # it has its name now; or a parent of the path is a file
            temporary.unlink()


def write_text(path: Path, text: str) -> None:
    write_atomically(path, lambda file: file.write(text.encode()))


def link_atomically(existing: Path, path: Path) -> None:
    """Gives a finished file a second name, replacing what had it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    os.link(existing, temporary)
    temporary.replace(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
