"""What a worker does: it finishes trials, one after another or several at once, until all have ended.

Which trials are open is read from their run directories, and a claim there keeps two workers from the same one. So
workers need not know of each other: they may be in one process pool or in jobs on many machines.
"""

import os
import sys
import time
import traceback
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from ganzoo.errors import Diverged, GanzooError, Stopped, told_in_a_line
from ganzoo.experiment import Experiment
from ganzoo.records.claim import LostClaim, Taken
from ganzoo.records.files import write_text
from ganzoo.records.run_directory import RunDirectory
from ganzoo.sweeping.packing import Packing, experiment_of
from ganzoo.sweeping.trials import Trial, Trials, has_ended

if TYPE_CHECKING:
    from ganzoo.packing.pack import Member

LOOK_AGAIN_SECONDS = 0.5  # at trials that others are working on


@runtime_checkable
class Source(Protocol):
    """Where a worker's trials come from.

    Attributes:
        most_ahead: so many candidates may be looked at to find some that can be trained together; 0: no more than are
            to be trained, since a search that chooses as it goes chooses whatever is looked at.
    """

    most_ahead: int

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

    most_ahead = 1000

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
    sweep: Trials,
    source: Source,
    *,
    beginning: Callable[[Sequence[Trial]], None] = lambda trials: None,
    lone: bool = False,
    pack: int = 1,
    alone: Collection[int] = (),
) -> None:
    """Finishes trials until all have ended, and waits for those that others are finishing.

    Args:
        beginning: called with the trials that are trained next: one, or those of a pack.
        lone: the process is to end after a failure, which may have left it unfit for more.
        pack: the most trials that are trained at once.
        alone: numbers of trials that are trained at once with no other.

    Raises:
        Stopped: a signal ended the trial, after a checkpoint. Failed: one failed, and `lone` is set.
    """
    packing = Packing(sweep, pack, alone)
    while not source.all_ended():
        with ExitStack() as claims:
            taken = _take(packing, source, claims)
            if taken:
                beginning(taken)
                _finish(sweep, taken, lone)
        if taken:
            source.tell_ended()  # and from the front again: there may be one whose worker died meanwhile
        elif not source.all_ended():  # others are at what is left
            time.sleep(LOOK_AGAIN_SECONDS)


class Failed(GanzooError):
    """A trial failed; its record says why."""


def _take(packing: Packing, source: Source, claims: ExitStack) -> list[Trial]:
    """Claims a trial that nobody is at and that has not ended, and as many more as can be trained with it."""
    taken: list[Trial] = []
    for looked, trial in enumerate(source.candidates()):
        if taken and looked >= max(packing.size, source.most_ahead):
            break
        if packing.fit(taken, trial) and _claim(trial, claims):
            taken.append(trial)
            if packing.is_full(taken):
                break
    return taken


def _claim(trial: Trial, claims: ExitStack) -> bool:
    """False: somebody else is at it, or has ended it."""
    run = trial.run
    with ExitStack() as claim:
        try:
            claim.enter_context(run.claimed())
        except Taken:
            return False
        if has_ended(run):
            return False
        claims.push(claim.pop_all())
    return True


def _finish(sweep: Trials, trials: Sequence[Trial], lone: bool) -> None:
    """Trains claimed trials to their ends."""
    for trial in trials:
        trial.write()
    with _output_to(trials):
        failed = _train(sweep, trials[0]) if len(trials) == 1 else _train_at_once(sweep, trials)
    if failed and lone:
        raise Failed(f"{trials[0].directory}: failed")


def _train_at_once(sweep: Trials, trials: Sequence[Trial]) -> bool:
    """Trains the trials as one pack; True: some failed."""
    from ganzoo.packing.pack import Pack  # torch

    failed: list[bool] = []
    works = [partial(_note_failed, failed, sweep, trial) for trial in trials]
    for error in Pack().run(works):
        if error is not None:
            raise error
    return any(failed)


def _note_failed(failed: list[bool], sweep: Trials, trial: Trial, member: "Member") -> None:
    failed.append(_train(sweep, trial, member))


def _train(sweep: Trials, trial: Trial, member: "Member | None" = None) -> bool:
    """Trains, or goes on; True: it failed. Whatever ends the trial is in its record."""
    from ganzoo.training.run import train_claimed  # torch and lightning: only in the processes that train

    run, experiment = trial.run, None
    try:
        experiment = experiment_of(sweep, trial)
        if not run.config.exists():
            write_text(run.config, experiment.to_yaml())
        train_claimed(experiment, run, sweep.watch(trial), member)
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
def _output_to(trials: Sequence[Trial]) -> Iterator[None]:
    """What the body prints, also from libraries below Python, is added to the first trial's output.log.

    The output of a pack is that of one process: the others' files say where it is.
    """
    first = trials[0].directory
    for trial in trials[1:]:
        with (trial.directory / "output.log").open("a") as file:
            file.write(f"trained at once with others: what they print is in ../{first.name}/output.log\n")
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    with (first / "output.log").open("ab") as file:
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
