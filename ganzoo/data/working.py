"""Work on many small pieces: in threads, with a progress bar once it turns out to be long."""

import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ganzoo.ranks import rank

CHUNK = 256  # pieces a task: a task for each piece would cost more than decoding a 32x32 image
QUIET_SECONDS = 2.0  # shorter work shows no bar


def in_threads(work: Callable[[int], None], count: int, title: str) -> None:
    """Calls work(0) ... work(count - 1), in any order; raises what it raises. Pillow and zlib release the GIL."""

    def run(chunk: range) -> int:
        for index in chunk:
            work(index)
        return len(chunk)

    chunks = [range(start, min(start + CHUNK, count)) for start in range(0, count, CHUNK)]
    bar = _Bar(title, count)
    with ThreadPoolExecutor(threads()) as pool:
        try:
            for done in as_completed([pool.submit(run, chunk) for chunk in chunks]):
                bar.advance(done.result())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # the first error, or Ctrl-C, ends it all
            raise
        finally:
            bar.close()


class _Bar:
    """A progress bar on stderr that appears late, and never where stderr is no terminal."""

    def __init__(self, title: str, count: int):
        self.title, self.count, self.done = title, count, 0
        self.started = time.monotonic()
        self.progress: Progress | None = None

    def advance(self, pieces: int) -> None:
        self.done += pieces
        shown = sys.stderr.isatty() and rank() == 0
        if self.progress is None and shown and time.monotonic() - self.started > QUIET_SECONDS:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self.progress = Progress(*columns, console=Console(stderr=True), transient=True)
            self.progress.add_task(self.title, total=self.count)
            self.progress.start()
        if self.progress is not None:
            self.progress.update(self.progress.task_ids[0], completed=self.done)

    def close(self) -> None:
        if self.progress is not None:
            self.progress.stop()


def threads() -> int:
    """The cores that this process may use (a SLURM job's share, not the node's), at most 16."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(allowed, 16)
