"""SLURM's programs as scripts on the PATH, for tests that need no cluster."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest


def stand_in(folder: Path, patch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Puts a program on the PATH, which notes its words in the file that is returned, then does `more`."""

    def program(name: str, more: str = "") -> Path:
        notes = folder / f"{name}.notes"
        (folder / "bin").mkdir(exist_ok=True)
        script = folder / "bin" / name
        script.write_text(f'#!/bin/bash\necho "$@" >> {notes}\n{more}\n')
        script.chmod(0o755)
        return notes

    patch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")
    return program


def queue_line(job: str, state: str = "RUNNING", **more: str) -> str:
    """A line of squeue's answer, as ganzoo asks for it; job: "4711" or "4711_3"."""
    array, _, task = job.partition("_")
    told = {"reason": "None", "left": "1:58", "start": "2026-11-22T10:00:00", "nodes": "node1", "name": "ganzoo-x"}
    told |= {"comment": "(null)", **more}
    return "|".join([array, task or "N/A", state, *told.values()])


def answering(*lines: str) -> str:
    """The part of a program that prints these lines."""
    return "cat <<'END'\n" + "".join(line + "\n" for line in lines) + "END"
