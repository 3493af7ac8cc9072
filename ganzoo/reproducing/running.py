"""Runs what is missing of a table: trainings through the sweep engine, programs one after another."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from ganzoo.errors import Stopped
from ganzoo.reproducing.outcomes import Outcome, computed, trained
from ganzoo.reproducing.plan import Plan, lengthen
from ganzoo.reproducing.programs import check_paths, computations
from ganzoo.reproducing.table_file import Scale, TableFile
from ganzoo.sweeping.trials import retry_failed
from ganzoo.terminal import progress_bar
from ganzoo.values import read_values


class Training:
    """A table whose rows are trained.

    Args:
        runs: the folder that the table's own folder is in.

    Raises:
        InputError: with every mistake of the rows' experiments at this scale, and runs that are there and cannot go on.
    """

    columns = ("row", "seed", "run directory", "overrides")

    def __init__(self, table: TableFile, scale: Scale, runs: Path):
        self.plan = Plan(table, scale, runs)
        self.plan.check()

    def listed(self) -> list[tuple[str, ...]]:
        """What there is to be, a row a training."""
        return [(it.row.label, str(it.seed), str(it.directory), " ".join(it.words)) for it in self.plan]

    def finish(self, workers: int | None = None, threads: int | None = None) -> None:
        """Returns when every training has ended, good or bad; what had ended before is left alone.

        Raises:
            Stopped: a signal ended it, after checkpoints; the same call goes on.
        """
        from ganzoo.sweeping.places import places_for
        from ganzoo.sweeping.pool import Pool
        from ganzoo.sweeping.states import States
        from ganzoo.sweeping.table import LiveTable
        from ganzoo.sweeping.working import Listed

        lengthen(self.plan)
        states = States(self.plan)
        if all(state.ended for state in states.refresh()):
            return
        places = places_for(self._trainer(), len(self.plan), workers, threads)
        with LiveTable(states) as table:
            Pool(self.plan, partial(Listed, self.plan), places, table).run()

    def retry_failed(self) -> None:
        """What failed or diverged goes on, when it is finished the next time."""
        retry_failed(self.plan)

    def _trainer(self) -> dict[str, Any]:
        """The settings that decide on the workers' places: the first row's, as a sweep's are its experiment's."""
        row = self.plan.table.rows[0]
        assert row.experiment is not None
        return read_values(row.experiment, self.plan.overrides(row)).get("trainer") or {}

    def outcomes(self) -> list[Outcome]:
        return trained(self.plan)


class Computing:
    """A table whose rows a program computes."""

    columns = ("program", "seed", "arguments")

    def __init__(self, table: TableFile, scale: Scale, runs: Path):
        self.table = table
        self.calls = computations(table, scale, runs / f"{table.name}-{scale.name}")

    def listed(self) -> list[tuple[str, ...]]:
        """What there is to be, a row a call."""
        return [(str(it.program), "" if it.seed is None else str(it.seed), " ".join(it.words)) for it in self.calls]

    def finish(self, workers: int | None = None, threads: int | None = None) -> None:
        """Calls the program as often as is missing; none of the options is for it.

        Raises:
            Stopped: SIGTERM ended it. GanzooError: the program failed.
            InputError: it does not give the values that the table asks for.
        """
        with _obeying(), progress_bar(f"running {self.calls[0].program.name}") as tell:
            for done, call in enumerate(self.calls):
                tell(done, len(self.calls))
                call.run()
                check_paths(self.table, call.numbers)
            tell(len(self.calls), len(self.calls))

    def retry_failed(self) -> None:
        """A call that failed has left nothing: it is made again in any case."""

    def outcomes(self) -> list[Outcome]:
        return computed(self.table, self.calls)


@contextmanager
def _obeying() -> Iterator[None]:
    """SIGTERM ends the body as Ctrl-C does: a program that it has called does not outlive it."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Stopped("stopped by SIGTERM; the same command goes on", number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
