"""Which folders are run directories, and which are sweeps' folders."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ganzoo.errors import InputError

OF_A_SWEEP = {"sweep.yaml", "experiment.yaml"}  # the sweep, frozen: both are there
OF_A_RUN = {"config.yaml", "record.json", "metrics.jsonl", "trial.json", "slurm.json"}  # one is enough
PASSED_OVER = ("wandb", "__pycache__")  # like hidden ones: W&B's own folders have a config.yaml, too


def is_sweep(folder: Path) -> bool:
    return all((folder / name).is_file() for name in OF_A_SWEEP)


def is_run(folder: Path) -> bool:
    return any((folder / name).is_file() for name in OF_A_RUN) and not is_sweep(folder)


def trial_number(folder: Path) -> int | None:
    """The number of a sweep's trial by its run directory, which need not be there yet; None: it is of no sweep."""
    named = re.fullmatch(r"[0-9a-f]{8}-([0-9]{4,9})", folder.name)
    return int(named[1]) if named and is_sweep(folder.parent) else None


def found_in(folder: Path) -> Iterator[Path]:
    """Run directories and sweeps' folders, the folder itself included, by name; trials are part of their sweep."""
    waiting = [folder]
    while waiting:
        at = waiting.pop()
        names, below = _entries_of(at)
        if names >= OF_A_SWEEP or not names.isdisjoint(OF_A_RUN):
            yield at
        else:
            waiting += [at / name for name in sorted(below, reverse=True)]


def runs_in(folder: Path) -> Iterator[Path]:
    """Run directories alone, the folder itself included, by name, and those of sweeps' trials too."""
    for path in found_in(folder):
        if is_sweep(path):
            for name in sorted(_entries_of(path)[1]):
                yield from runs_in(path / name)
        else:
            yield path


def found_in_all(folders: Sequence[Path]) -> list[Path]:
    """What is found in several folders, each once.

    Raises:
        InputError: there is no such folder, or nothing in it.
    """
    found: dict[Path, Path] = {}
    for folder in folders:
        here = {path.absolute(): path for path in found_in(folder)}
        if not here:
            problem = "there is no run directory and no sweep here or below" if folder.is_dir() else "no such folder"
            raise InputError(folder, problem)
        found |= {where: path for where, path in here.items() if where not in found}
    return list(found.values())


def shown_folder(folder: Path) -> str:
    """The folder as a person here would type it: from the current one where it is below that."""
    path, here = folder.absolute(), Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _entries_of(folder: Path) -> tuple[set[str], list[str]]:
    """The names of the files, and of the folders worth a look; links are not followed: they may lead in a circle."""
    names, below = set(), []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.is_dir(follow_symlinks=False):
                    names.add(entry.name)
                elif entry.name[0] != "." and entry.name not in PASSED_OVER:
                    below.append(entry.name)
    except OSError:  # removed meanwhile, or somebody else's
        return set(), []
    return names, below
