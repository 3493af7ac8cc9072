"""Sweep files of ring8, written line by line."""

from pathlib import Path

import pytest
from conftest import RING

from ganzoo.errors import InputError
from ganzoo.sweeping.reading import read_sweep
from ganzoo.sweeping.sweep_file import SweepFile

LINES = (f"program: {RING}", "method: grid", "parameters: {variant.n_critic: {values: [1, 2]}}")


def read_with(folder: Path, *lines: str, name: str = "sweep.yaml") -> SweepFile:
    """A small grid with these lines, each in the place of the line with the same key; `key: absent` leaves it out."""
    path = folder / name
    kept = {line.partition(":")[0]: line for line in (*LINES, *lines)}
    path.write_text("\n".join(line for line in kept.values() if not line.endswith(": absent")))
    return read_sweep(path)


def refused(folder: Path, *lines: str) -> list[str]:
    """The mistakes of such a file, each as a line of text."""
    with pytest.raises(InputError) as caught:
        read_with(folder, *lines)
    return [str(problem) for problem in caught.value.problems]
