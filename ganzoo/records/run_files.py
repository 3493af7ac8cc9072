"""The files of a run directory as they are at this moment, whatever moment that is.

A run may be killed, resumed or removed while somebody looks. So nothing here raises: what is not there, is cut short or
is not what it should be is nothing.
"""

import errno
import json
import math
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG
from typing import Any, BinaryIO

TAIL = 200  # bytes before the place to go on reading from: the seconds in them are those of no other line
LAST_LINES = 20_000  # bytes of the end of the file, in which the last line is: all that is read without a metric
UNREADABLE = (OSError, ValueError, RecursionError)  # gone, no rights, cut short, no JSON, no UTF-8, nested too deep
BUDGET = re.compile(rb"^budget:\n(?: +.*\n)*? +generator_updates: (\d{1,18})$", re.MULTILINE)
NOTHING = (0, 0, 0)  # the stamp of a file that is not there


class MetricsFile:
    """metrics.jsonl, each time read from where it was read to before.

    Args:
        metric: the logged value to follow; None: none, and of what is there only the end is read.

    Attributes:
        generator_updates, seconds: of the last line.
        history: (generator updates, value) of the lines in which the metric is finite, in order.
        value: the metric in the last line that has it; None: it is not finite, or there is no such line.
    """

    def __init__(self, path: Path, metric: str | None):
        self.path, self.metric = path, metric
        self._mark, self._stamp = json.dumps(metric).encode(), NOTHING
        self._forget()

    def _forget(self) -> None:
        self._offset, self._tail = 0, b""
        self.generator_updates, self.seconds = 0, 0.0
        self.value: float | None = None
        self.history: tuple[tuple[int, float], ...] = ()
        self._values: dict[int, float] = {}

    def read(self) -> None:
        """Brings the attributes up to date."""
        stamp = stamp_of(self.path)
        if stamp == self._stamp:
            return
        if stamp == NOTHING:
            self._forget()
        else:
            with suppress(OSError):
                self._take(self._new_lines())
        self._stamp = stamp

    def _new_lines(self) -> list[bytes]:
        """The whole lines that were not there; all of them where the file is another one than the one read before."""
        with open_regular(self.path) as file:
            if self.metric is None and not self._offset:
                self._offset = max(file.seek(0, os.SEEK_END) - LAST_LINES, 0)
            file.seek(self._offset - len(self._tail))
            content = file.read()
            if not content.startswith(self._tail):  # a resumed run writes again what came after its checkpoint
                self._forget()
                file.seek(0)
                content = file.read()
        whole_lines = content[len(self._tail) : content.rfind(b"\n") + 1]
        self._offset += len(whole_lines)
        self._tail = (self._tail + whole_lines)[-TAIL:]
        return whole_lines.splitlines()

    def _take(self, lines: list[bytes]) -> None:
        for line in lines:
            if self.metric is not None and self._mark in line:  # most lines have it not, and need not be parsed
                self._take_value(self.metric, parsed(line))
        self.history = tuple(self._values.items())
        for line in reversed(lines):
            last = parsed(line)
            if (updates := whole_number(last.get("generator_updates"))) is not None:
                self.generator_updates, self.seconds = updates, finite(last.get("seconds")) or 0.0
                break

    def _take_value(self, metric: str, line: Mapping[str, Any]) -> None:
        updates = whole_number(line.get("generator_updates"))
        if updates is None or metric not in line:
            return
        self.value = finite(line[metric])
        if self.value is not None:
            self._values[updates] = self.value


class NoFile(OSError):
    """It is none that could be read to its end: `strerror` says why."""


def open_regular(path: Path, most: int | None = None) -> BinaryIO:
    """A file to read, of at most so many bytes: who opens a pipe would wait for whoever writes to it.

    Raises:
        OSError: there is none; NoFile: it is a pipe, a folder or the like, or larger.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    status = os.fstat(descriptor)
    if S_ISREG(status.st_mode) and (most is None or status.st_size <= most):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    problem = f"has more than {most:,} bytes" if S_ISREG(status.st_mode) else "is no file"
    raise NoFile(errno.EINVAL, f"{path.name} {problem}")


def stamp_of(path: Path) -> tuple[int, int, int]:
    """What is another one when the file has changed."""
    try:
        stat = path.stat()
    except OSError:
        return NOTHING
    return stat.st_ino, stat.st_mtime_ns, stat.st_size


def names_in(folder: Path) -> set[str]:
    try:
        with os.scandir(folder) as entries:
            return {entry.name for entry in entries}
    except OSError:
        return set()


def parsed(text: bytes) -> dict[str, Any]:
    """A JSON object; empty where the text is none."""
    try:
        values = json.loads(text)
    except UNREADABLE:
        return {}
    return values if isinstance(values, dict) else {}


def record_in(path: Path) -> dict[str, Any]:
    """record.json; empty where there is none."""
    try:
        with open_regular(path) as file:
            return parsed(file.read())
    except OSError:
        return {}


def budget_in(config: Path) -> int | None:
    """The generator updates that a config.yaml asks for.

    The file is as `Experiment.to_yaml` writes it. A YAML parser takes a hundred times as long, for thousands of files,
    and one in C dies of a file that is nested deep enough.
    """
    try:
        with open_regular(config) as file:
            found = BUDGET.search(file.read())
    except OSError:
        return None
    return int(found[1]) if found else None


def finite(value: Any) -> float | None:
    """A finite number; None for all else, such as the names that stand for NaN and infinity."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    with suppress(OverflowError):
        return float(value) if math.isfinite(value) else None
    return None


def whole_number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
