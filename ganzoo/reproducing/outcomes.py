"""What a table's rows have come to, read from run directories and from what its program has computed. No torch here."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ganzoo.leaderboard.board import Footnote, Run
from ganzoo.leaderboard.recorded import canonical
from ganzoo.leaderboard.runs import read_run
from ganzoo.leaderboard.statistics import Interval, Sample, mean_interval, sample_of
from ganzoo.records.run_files import record_in
from ganzoo.reproducing.plan import Plan, RowTrial
from ganzoo.reproducing.programs import Computation, number_at
from ganzoo.reproducing.table_file import Row, TableFile

SCORED_OTHERWISE = "scored otherwise"  # beside the statuses of runs


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A row's numbers over its seeds.

    Attributes:
        values: by metric, one of every seed that has it: of runs that are done, at the end of their budgets.
        counts: of its runs, or its program's calls, by status; what has not begun is waiting.
        exact: nothing in it is random: one value says all.
        runs: those that could be read.
        made: where and with what, one for every run or call that has ended: see `Made`.
    """

    row: Row
    values: Mapping[str, Sequence[float]]
    counts: Mapping[str, int]
    exact: bool = False
    runs: Sequence[Run] = ()
    made: Sequence["Made"] = ()
    troubles: Sequence[str] = field(default=())

    def interval(self, metric: str) -> Interval | None:
        """None: no seed has the metric."""
        values = self.values.get(metric, ())
        if values and not all(map(math.isfinite, values)):
            return Interval(values[0], None, None, 1)  # of an exact row: an infinite distance is a result
        return mean_interval(values) if values else None

    def sample(self, metric: str) -> Sample | None:
        """For a test; None: fewer than two seeds have the metric, and it is random."""
        values = self.values.get(metric, ())
        if self.exact and values:
            return Sample(values[0], 0.0, 2)
        return sample_of(values) if len(values) > 1 else None

    @property
    def broken(self) -> int:
        """Runs that diverged or failed."""
        return self.counts.get("diverged", 0) + self.counts.get("failed", 0)


@dataclass(frozen=True, kw_only=True)
class Made:
    """With what a run or a call of a program was made."""

    hardware: str
    versions: str
    git_commit: str
    ended: str
    seconds: float


def made_of(record: Mapping[str, Any]) -> Made | None:
    """None: the record does not tell."""
    hardware, versions = record.get("hardware"), record.get("versions")
    if not isinstance(hardware, dict) or not isinstance(versions, dict) or not isinstance(record.get("ended"), str):
        return None
    gpus = hardware.get("gpus") or []
    machine = ", ".join(gpus) if gpus else f"{hardware.get('processor')}, {hardware.get('cpu_count')} cores"
    return Made(
        hardware=machine,
        versions=", ".join(f"{name} {versions[name]}" for name in ("ganzoo", "python", "torch") if name in versions),
        git_commit=str(record.get("git_commit") or "unknown"),
        ended=record["ended"],
        seconds=float(record.get("seconds") or 0.0),
    )


def trained(plan: Plan) -> list[Outcome]:
    """Of every row, in order. What was scored otherwise than most of the table's runs has no part in its numbers."""
    found = {row.label: [_run_of(trial) for trial in plan.of(row)] for row in plan.table.rows}
    finished = [run for runs in found.values() for run in runs if isinstance(run, Run) and run.finished]
    usual = Counter(map(_scoring, finished)).most_common(1)
    return [_trained(plan, row, found[row.label], usual[0][0] if usual else ("", "")) for row in plan.table.rows]


def _run_of(trial: RowTrial) -> Run | Footnote | None:
    return read_run(trial.directory) if trial.directory.exists() else None


def _scoring(run: Run) -> tuple[str, str]:
    """What must be the same for scores that are compared: the whole protocol, and the extractor's weights."""
    return canonical(run.scoring), run.extractor


def _trained(plan: Plan, row: Row, found: Sequence[Run | Footnote | None], usual: tuple[str, str]) -> Outcome:
    runs = [run for run in found if isinstance(run, Run)]
    counts = Counter[str](run.status for run in runs)
    counts["waiting"] += sum(run is None for run in found)
    counts["failed"] += sum(isinstance(run, Footnote) for run in found)
    finished = [run for run in runs if run.finished and _scoring(run) == usual]
    others = [run for run in runs if run.finished and _scoring(run) != usual]
    counts["done"] -= len(others)
    counts[SCORED_OTHERWISE] += len(others)
    metrics = plan.table.metrics
    records = [record_in(trial.run.record) for trial in plan.of(row)]
    return Outcome(
        row=row,
        values={metric: [run.last[metric] for run in finished if metric in run.last] for metric in metrics},
        counts={status: count for status, count in counts.items() if count},
        runs=runs,
        made=[made for record in records if (made := made_of(record)) is not None],
        troubles=[*(_trouble(run) for run in found if _is_broken(run)), *(_otherwise(run, usual) for run in others)],
    )


def _is_broken(run: Run | Footnote | None) -> bool:
    return isinstance(run, Footnote) or (isinstance(run, Run) and run.status in ("diverged", "failed"))


def _trouble(run: Run | Footnote | None) -> str:
    """Why a run has no numbers."""
    if isinstance(run, Footnote):
        return f"{run.source}: {run.problem}"
    assert run is not None
    return f"seed {run.seed} {run.status}: {run.reason}"


def _otherwise(run: Run, usual: tuple[str, str]) -> str:
    """Why a run that is done has no part in the numbers."""
    what = f"extractor ({run.extractor[:12] or 'none'})" if run.extractor != usual[1] else "protocol's file"
    return f"seed {run.seed} was scored with another {what} than most runs of the table, and is left out: {run.source}"


def computed(table: TableFile, calls: Sequence[Computation]) -> list[Outcome]:
    """Of every row, in order; calls that have not been made are waiting."""
    done = [call for call in calls if call.record]
    numbers = [call.numbers for call in done]
    made = [made for call in done if (made := made_of(call.record)) is not None]
    exact = all(call.seed is None for call in calls)
    counts = {"done": len(done), "waiting": len(calls) - len(done)}
    return [
        Outcome(
            row=row,
            values={metric: _numbers(numbers, path, exact) for metric, path in row.values.items()},
            counts={status: count for status, count in counts.items() if count},
            exact=exact,
            made=made,
        )
        for row in table.rows
    ]


def _numbers(computed: Sequence[Any], path: str, exact: bool) -> list[float]:
    """A mean over seeds needs finite ones; what is null has no value."""
    found = (number_at(each, path) for each in computed)
    return [value for value in found if value is not None and (exact or math.isfinite(value))]


def files_of(outcomes: Sequence[Outcome]) -> list[Path]:
    return [run.path for outcome in outcomes for run in outcome.runs if run.path is not None]
