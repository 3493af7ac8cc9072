"""Rows that a program computes: it is run once for every seed, and its numbers are kept by what they depend on."""

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ganzoo.errors import GanzooError, InputError, Problem, shorten
from ganzoo.records.environment import git_commit, hardware, versions
from ganzoo.records.files import write_text
from ganzoo.records.run_directory import RunDirectory
from ganzoo.records.run_files import record_in
from ganzoo.reproducing.sources import sources_of, takes_seed
from ganzoo.reproducing.table_file import Scale, TableFile

MOST_TOLD = 2000  # characters of what a program said before it failed


@dataclass(frozen=True)
class Computation:
    """One call of a table's program.

    Attributes:
        seed: None: the program has no --seed, and its numbers are the same every time.
        directory: where its files go. Another program, other arguments or another seed have another one.
    """

    program: Path
    arguments: tuple[str, ...]
    seed: int | None
    directory: Path

    @property
    def words(self) -> list[str]:
        seed = [] if self.seed is None else ["--seed", str(self.seed)]
        return [*self.arguments, *seed, "--out", str(self.directory)]

    @property
    def record(self) -> dict[str, Any]:
        """Where and when it was computed; empty: it was not, or its numbers are no longer there to be read."""
        told = record_in(self.directory / "computed.json")
        return told if told and self._has_numbers() else {}

    def _has_numbers(self) -> bool:
        try:
            self.numbers  # noqa: B018  # reading them is what can fail
        except (OSError, ValueError, RecursionError):
            return False
        return True

    @property
    def numbers(self) -> Any:
        return json.loads((self.directory / f"{self.program.stem}.json").read_text())

    def run(self) -> None:
        """Computes it, if that has not been done.

        Raises:
            GanzooError: the program failed, with what it said last; or another process is at it.
        """
        if self.record:
            return
        with RunDirectory(self.directory).claimed():
            self._run()

    def _run(self) -> None:
        began = time.monotonic()
        with _told_by(self):
            self.numbers  # noqa: B018  # they must be readable before they count as there
        told = {
            "status": "done",
            "program": str(self.program),
            "arguments": list(self.arguments),
            "seed": self.seed,
            "seconds": time.monotonic() - began,
            "ended": datetime.now(UTC).isoformat(timespec="seconds"),
            "git_commit": git_commit(),
            "versions": versions(),
            "hardware": hardware(),
        }
        write_text(self.directory / "computed.json", json.dumps(told, indent=2) + "\n")


@contextmanager
def _told_by(computation: Computation) -> Iterator[None]:
    """Runs the program, and then the body, whose mistakes are the program's."""
    words = [sys.executable, str(computation.program), *computation.words]
    done = subprocess.run(words, capture_output=True, text=True, errors="replace")
    where = f"{computation.program} {' '.join(computation.words)}"
    if done.returncode != 0:
        raise GanzooError(f"{where}: ended with status {done.returncode}: {done.stderr.strip()[-MOST_TOLD:]}")
    try:
        yield
    except (OSError, ValueError) as error:
        raise GanzooError(f"{where}: its numbers cannot be read: {error}") from None


def computations(table: TableFile, scale: Scale, folder: Path) -> list[Computation]:
    """The calls of a table's program at a scale, one for every seed where it has --seed."""
    assert table.program is not None
    seeds = range(scale.seeds) if takes_seed(table.program) else [None]
    identity = _identity(table.program, scale.arguments)
    return [
        Computation(
            table.program,
            scale.arguments,
            seed,
            folder / f"{table.program.stem}-{identity}{'' if seed is None else f'-{seed}'}",
        )
        for seed in seeds
    ]


def _identity(program: Path, arguments: tuple[str, ...]) -> str:
    """Eight hexadecimal digits of the arguments, the program, and what it imports from its own folder and of ganzoo."""
    told = hashlib.sha256(json.dumps(arguments).encode())
    for path in sources_of(program):
        told.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return told.hexdigest()[:8]


def check_paths(table: TableFile, computed: Any) -> None:
    """Raises InputError where a row's value is not in the numbers of the program."""
    problems = []
    for row in table.rows:
        for metric, path in row.values.items():
            try:
                number_at(computed, path)
            except LookupError as error:
                problems.append(Problem(f"{row.label}: values.{metric}", str(error.args[0])))
    if problems:
        raise InputError(table.source, problems)


def number_at(node: Any, path: str) -> float | None:
    """The number at a dotted path of sections' keys and lists' indexes; true is 1, and a key may have dots in it.

    None: it is null there. Raises LookupError, with the sentence to show, where there is no number.

    >>> number_at({"games": {"0.5": [1, "inf"]}}, "games.0.5.1")
    inf
    """
    found = _at(node, path.split("."))
    if found is None:
        return None
    if isinstance(found, str) and found in ("inf", "-inf", "nan"):  # JSON has no names for them
        return float(found)
    if not isinstance(found, (int, float)):
        what = "there is nothing" if found is _NOTHING else f"{shorten(found)} is no number"
        raise LookupError(f"{shorten(path)}: {what} in the numbers of the program")
    return float(found)


def _at(node: Any, parts: list[str]) -> Any:
    if not parts:
        return node
    if isinstance(node, list) and parts[0].isdecimal() and int(parts[0]) < len(node):
        return _at(node[int(parts[0])], parts[1:])
    for count in range(1, len(parts) + 1) if isinstance(node, Mapping) else ():
        key = ".".join(parts[:count])
        if key in node and (found := _at(node[key], parts[count:])) is not _NOTHING:
            return found
    return _NOTHING


_NOTHING = object()
