"""Engine `local`: a pool of warm worker processes on this machine.

Python's fork server imports torch and lightning once; workers are forked from it and train trial after trial. One that
dies is replaced within a moment, and its trial goes on from its last checkpoint.
"""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from ctypes import Array, c_int
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerContext, ForkServerProcess
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType
from typing import Protocol, runtime_checkable

from ganzoo.errors import GanzooError, Stopped
from ganzoo.records.claim import Taken
from ganzoo.records.run_directory import RunDirectory
from ganzoo.records.run_files import MetricsFile
from ganzoo.sweeping.places import Place
from ganzoo.sweeping.pools import at_work
from ganzoo.sweeping.trials import Trial, Trials
from ganzoo.sweeping.working import Failed, Source, record_failure, work

LOOK_SECONDS = 0.1  # between looks at whether the workers live
SHOW_SECONDS = 0.5  # between looks at all run directories
ASK_SECONDS = 1.0  # between requests to stop
ALONE_SECONDS = 0.5  # until a worker whose pool is gone notices
SAME_DEATHS = 3  # in a row at the same place: then the trial has failed
MOST_DEATHS = 10  # in a row anywhere without a checkpoint between them: likewise
MOST_STILLBORN = 3  # workers in a row that died without a trial: something is wrong with all of them
FAILED = 70  # a worker's exit status after a trial that failed: it may be unfit for more, and is replaced
NOBODY = -1
PRELOADED = ["ganzoo.sweeping.preloaded"]


@runtime_checkable
class Display(Protocol):
    """Shows how the sweep stands."""

    def update(self) -> None: ...


@dataclass
class Pool:
    """Workers that finish the trials of a sweep.

    Args:
        make_source: called in each worker; it must be picklable.
        display: updated while they work.
        enough: asked now and then; True ends the sweep, after checkpoints, before all trials have ended.
        pack: the most trials that a worker trains at once.
    """

    sweep: Trials
    make_source: Callable[[], Source]
    places: Sequence[Place]
    display: Display
    enough: Callable[[], bool] = lambda: False
    pack: int = 1
    _show_at: float = 0.0
    _stillborn: int = 0
    _signals: list[int] = field(default_factory=list)
    _deaths: dict[int, list[tuple[int | None, int, bool]]] = field(default_factory=dict)
    _context: ForkServerContext = field(default_factory=lambda: multiprocessing.get_context("forkserver"))

    def run(self) -> None:
        """Returns when all trials have ended, also those that other processes were at, or there is enough.

        Raises:
            Stopped: a signal ended it. Trials that were running have checkpoints.
            GanzooError: workers end before they begin a trial; they have said why.
        """
        os.environ["OMP_NUM_THREADS"] = str(max(place.threads for place in self.places))  # before torch is imported
        self._context.set_forkserver_preload(PRELOADED)
        workers: list[_Worker] = []
        with self._listening(), at_work(self.sweep.folder):
            try:
                workers += [_Worker(self, place) for place in self.places]
                while [worker for worker in workers if self._keep_up(worker)]:
                    self._show()
                    time.sleep(LOOK_SECONDS)
            finally:
                for worker in workers:
                    worker.kill()
                self.display.update()
        if self._signals and not self.enough():
            raise Stopped(f"{self.sweep.folder}: stopped; the same command goes on", self._signals[0])

    def _show(self) -> None:
        if time.monotonic() < self._show_at:
            return
        self.display.update()
        if not self._signals and self.enough():
            self._remember(signal.SIGTERM, None)
        self._show_at = time.monotonic() + SHOW_SECONDS

    def _keep_up(self, worker: "_Worker") -> bool:
        """Replaces a worker that died; False: it has ended as it should."""
        if self._signals:
            worker.stop(at_once=self._signals.count(signal.SIGINT) > 1)
        if worker.is_alive():
            self._stillborn = 0 if worker.trials else self._stillborn
            return True
        if worker.exit_status == 0 or self._signals:
            return False
        if not worker.trials:
            self._stillborn += 1
            if self._stillborn == MOST_STILLBORN:
                raise GanzooError(f"{self.sweep.folder}: workers end before they begin a trial")
        elif worker.exit_status != FAILED:
            for number in worker.trials:
                self._note_death(number, worker.exit_status, alone=len(worker.trials) == 1)
        worker.start()
        return True

    def _note_death(self, number: int, status: int, *, alone: bool) -> None:
        """Counts deaths of a trial's process between which it wrote no checkpoint; too many are a failure.

        A trial that runs out of memory dies at the same place again and again. What dies at different places may have
        been killed by somebody, and has more tries. So has what dies in a pack, where it may have been any of them.
        """
        run = RunDirectory(self.sweep.directory(number))
        saved, place = _changed_at(run.last_checkpoint), _last_update(run)
        deaths = self._deaths.setdefault(number, [])
        if deaths and deaths[-1][0] != saved:
            deaths.clear()
        deaths.append((saved, place, alone))
        at_one_place = deaths[-SAME_DEATHS:] == [(saved, place, True)] * SAME_DEATHS
        if at_one_place or len(deaths) >= MOST_DEATHS:
            with suppress(Taken), run.claimed():  # an idle worker may have taken it up already: then at its next death
                experiment = run.experiment() if run.config.exists() else None
                record_failure(run, experiment, _told(status, len(deaths)))

    @contextmanager
    def _listening(self) -> Iterator[None]:
        before = {number: signal.signal(number, self._remember) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _remember(self, number: int, frame: FrameType | None) -> None:
        self._signals.append(number)


class _Worker:
    """One place in the pool, and the process that is in it now."""

    def __init__(self, pool: Pool, place: Place):
        self._pool, self._place = pool, place
        self._current = pool._context.Array("i", pool.pack, lock=False)
        self.start()

    def start(self) -> None:
        self._current[:] = [NOBODY] * self._pool.pack
        self._ask_at = 0.0
        alone = frozenset(self._pool._deaths)  # one of a pack has ended its process, and nobody knows which
        arguments = (self._pool.sweep, self._pool.make_source, self._place, self._current, alone)
        self._process: ForkServerProcess = self._pool._context.Process(target=_work_here, args=arguments, daemon=False)
        with _held_back(signal.SIGTERM):
            self._process.start()

    @property
    def trials(self) -> list[int]:
        """The numbers of the trials that it is at, or was when it died."""
        return [number for number in self._current if number != NOBODY]

    @property
    def exit_status(self) -> int:
        return self._process.exitcode or 0

    def is_alive(self) -> bool:
        return self._process.is_alive()

    def stop(self, *, at_once: bool) -> None:
        if at_once:
            self.kill()
        elif time.monotonic() >= self._ask_at:  # again and again: a trial that was just ending took it for its own
            self._ask_at = time.monotonic() + ASK_SECONDS
            self._process.terminate()

    def kill(self) -> None:
        if self._process.is_alive():
            self._process.kill()


def _work_here(
    sweep: Trials,
    make_source: Callable[[], Source],
    place: Place,
    current: "Array[c_int]",
    alone: frozenset[int],
) -> None:
    """A worker process."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)  # between trials there is nothing to save
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    _end_with(multiprocessing.parent_process())
    place.settle()

    def beginning(trials: Sequence[Trial]) -> None:
        for place in range(len(current)):
            current[place] = trials[place].number if place < len(trials) else NOBODY

    try:
        work(sweep, make_source(), beginning=beginning, lone=True, pack=len(current), alone=alone)
    except Stopped as stopped:
        sys.exit(stopped.exit_code)
    except Failed:
        sys.exit(FAILED)
    except GanzooError as error:
        print(f"ganzoo: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


@contextmanager
def _held_back(number: signal.Signals) -> Iterator[None]:
    """The signal waits until after the body, and for ever in the fork server, which the body may start.

    Who stops a job sends SIGTERM to every process of it. The fork server must not end then: it alone can tell when a
    worker has written its checkpoint.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, [number])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])


def _end_with(parent: BaseProcess | None) -> None:
    """When the pool or its fork server is gone, this process stops too, after a checkpoint: nobody sees it work."""
    server = os.getppid()

    def wait() -> None:
        while parent is not None and parent.is_alive() and os.getppid() == server:
            time.sleep(ALONE_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True, name="parent").start()


def _changed_at(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None


def _last_update(run: RunDirectory) -> int:
    """The last generator update that was logged."""
    file = MetricsFile(run.metrics, None)
    file.read()
    return file.generator_updates


def _told(status: int, deaths: int) -> str:
    how = f"killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
    hint = "; the system kills so what takes too much memory" if -status == signal.SIGKILL else ""
    return f"its process was {how} {deaths} times before it came to a new checkpoint{hint}"
