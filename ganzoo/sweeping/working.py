"""What a worker does: it finishes trials, one after another, until all have ended.

Which trials are open is read from their run directories, and a claim there keeps two workers from the same one. So
workers need not know of each other: they may be in one process pool or in jobs on many machines.
"""

import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, runtime_checkable

from ganzoo.errors import Diverged, GanzooError, Stopped, told_in_a_line
from ganzoo.experiment import Experiment
from ganzoo.records.claim import LostClaim, Taken
from ganzoo.records.files import write_text
from ganzoo.records.run_directory import RunDirectory
from ganzoo.sweeping.trials import Trial, Trials, has_ended

LOOK_AGAIN_SECONDS = 0.5  # at trials that others are working on


@runtime_checkable
class Source(Protocol):
    """Where a worker's trials come from."""

    def candidates(self) -> Iterator[Trial]:
        """Trials that have not ended, in the order in which they should be tried."""
        ...

    def tell_ended(self) -> None:
        """Called whenever a trial has ended."""
        ...

    def all_ended(self) -> bool: ...


class Listed:
    """The trials of a grid or a random search, or some of them.

    Args:
        numbers: those to finish; None: all.
    """

    def __init__(self, sweep: Trials, numbers: Sequence[int] | None = None):
        self.sweep = sweep
        self._open = dict.fromkeys(range(len(sweep)) if numbers is None else numbers)

    def candidates(self) -> Iterator[Trial]:
        for number in list(self._open):
            if has_ended(RunDirectory(self.sweep.directory(number))):
                del self._open[number]  # for good: nobody looks there again
            else:
                yield self.sweep[number]

    def tell_ended(self) -> None:
        """Whoever looks sees it."""

    def all_ended(self) -> bool:
        return not self._open


def work(
    sweep: Trials, source: Source, *, beginning: Callable[[Trial], None] = lambda trial: None, lone: bool = False
) -> None:
    """Finishes trials until all have ended, and waits for those that others are finishing.

    Args:
        beginning: called with every trial before it is trained.
        lone: the process is to end after a failure, which may have left it unfit for more.

    Raises:
        Stopped: a signal ended the trial, after a checkpoint. Failed: one failed, and `lone` is set.
    """
    while not source.all_ended():
        for trial in source.candidates():
            if _finish(sweep, trial, beginning, lone):
                source.tell_ended()
                break  # from the front again: there may be one whose worker died meanwhile
        else:
            if not source.all_ended():  # others are at what is left
                time.sleep(LOOK_AGAIN_SECONDS)


class Failed(GanzooError):
    """A trial failed; its record says why."""


def _finish(sweep: Trials, trial: Trial, beginning: Callable[[Trial], None], lone: bool) -> bool:
    """Trains a trial to its end; False: somebody else is at it, or has ended it."""
    run = trial.run
    try:
        with run.claimed():
            if has_ended(run):
                return False
            beginning(trial)
            trial.write()
            with _output_to(trial.directory / "output.log"):
                failed = _train(sweep, trial, run)
    except Taken:
        return False
    if failed and lone:
        raise Failed(f"{run.path}: failed")
    return True


def _train(sweep: Trials, trial: Trial, run: RunDirectory) -> bool:
    """Trains, or goes on; True: it failed. Whatever ends the trial is in its record."""
    from ganzoo.training.run import train_claimed  # torch and lightning: only in the processes that train

    experiment = None
    try:
        experiment = run.experiment() if run.config.exists() else sweep.experiment_of(trial)
        if not run.config.exists():
            write_text(run.config, experiment.to_yaml())
        train_claimed(experiment, run, sweep.watch(trial))
    except (Stopped, LostClaim):
        raise
    except Diverged:
        return False
    except Exception as error:  # of a plugin, of torch, of the disk: the other trials do not depend on it
        traceback.print_exc()
        record_failure(run, experiment, told_in_a_line(error))
        return True
    return False


def record_failure(run: RunDirectory, experiment: Experiment | None, reason: str) -> None:
    """A record of a trial that could not write one itself; if it has, that stays."""
    from ganzoo.records.record import write_failure

    if not has_ended(run):
        write_failure(run, experiment, reason)


@contextmanager
def _output_to(path: Path) -> Iterator[None]:
    """What the body prints, also from libraries below Python, is added to the file."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    with path.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, descriptor in enumerate(kept, start=1):
            os.dup2(descriptor, number)
            os.close(descriptor)
