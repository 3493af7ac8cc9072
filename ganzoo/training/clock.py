"""How long training has run: without evaluation and sampling, and over all resumptions."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Clock:
    """Stands still until started and while paused.

    Attributes:
        seconds_at_start: of training, from the runs that this one goes on from.
    """

    def __init__(self) -> None:
        self.seconds_at_start = 0.0
        self._counted = 0.0
        self._since: float | None = None

    def start(self) -> None:
        self._since = time.perf_counter()

    def seconds(self) -> float:
        """Of training, since the beginning of the run."""
        return round(self.seconds_at_start + self.seconds_here(), 3)

    def seconds_here(self) -> float:
        """Of training, in this process."""
        return self._counted + (time.perf_counter() - self._since if self._since is not None else 0.0)

    @contextmanager
    def paused(self) -> Iterator[None]:
        running, self._counted, self._since = self._since is not None, self.seconds_here(), None
        try:
            yield
        finally:
            if running:
                self.start()
