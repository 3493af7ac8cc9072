"""Runs what is missing of a table: trainings through the sweep engine, programs one after another."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from ganzoo.errors import Stopped
from ganzoo.records.run_files import record_in
from ganzoo.reproducing.outcomes import Outcome, computed, trained
from ganzoo.reproducing.plan import Plan, lengthen
from ganzoo.reproducing.programs import check_paths, computations
from ganzoo.reproducing.table_file import Scale, TableFile
from ganzoo.sweeping.trials import retry_failed
from ganzoo.terminal import progress_bar
from ganzoo.values import read_values

TO_RUN = "to run"


class Training:
    """A table whose rows are trained.

    Args:
        runs: the folder that the table's own folder is in.

    Raises:
        InputError: with every mistake of the rows' experiments at this scale, and runs that are there and cannot go on.
            Their data need not be on this machine until something is to be trained.
    """

    columns = ("row", "seed", "status", "run directory", "overrides")

    def __init__(self, table: TableFile, scale: Scale, runs: Path):
        self.plan = Plan(table, scale, runs)
        self.plan.check(to_train=False)

    @property
    def left(self) -> int:
        """How many trainings are to be run, or to go on."""
        return len(self.plan.left())

    def listed(self) -> list[tuple[str, ...]]:
        """What there is to be, a row a training, and how those that have ended ended."""
        left = {trial.number for trial in self.plan.left()}
        return [
            (
                trial.row.label,
                str(trial.seed),
                TO_RUN if trial.number in left else str(record_in(trial.run.record).get("status")),
                str(trial.directory),
                " ".join(trial.words),
            )
            for trial in self.plan
        ]

    def finish(self, workers: int | None = None, threads: int | None = None) -> None:
        """Returns when every training has ended, good or bad; what had ended before is left alone.

        Raises:
            Stopped: a signal ended it, after checkpoints; the same call goes on.
            InputError: data are missing.
        """
        if not self.plan.left():
            return
        self.plan.check()
        from ganzoo.sweeping.places import places_for
        from ganzoo.sweeping.pool import Pool
        from ganzoo.sweeping.states import States
        from ganzoo.sweeping.table import LiveTable
        from ganzoo.sweeping.working import Listed

        lengthen(self.plan)
        places = places_for(self._trainer(), len(self.plan), workers, threads)
        with LiveTable(States(self.plan)) as table:
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

    columns = ("program", "seed", "status", "arguments")

    def __init__(self, table: TableFile, scale: Scale, runs: Path):
        self.table = table
        self.calls = computations(table, scale, runs / f"{table.name}-{scale.name}")

    @property
    def left(self) -> int:
        """How many calls are to be made."""
        return sum(not call.record for call in self.calls)

    def listed(self) -> list[tuple[str, ...]]:
        """What there is to be, a row a call."""
        return [
            (
                str(call.program),
                "" if call.seed is None else str(call.seed),
                "done" if call.record else TO_RUN,
                " ".join(call.words),
            )
            for call in self.calls
        ]

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
