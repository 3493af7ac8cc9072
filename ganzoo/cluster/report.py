"""What `ganzoo status` prints of runs, sweeps and the queue: tables, and all of it as JSON takes it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from ganzoo.cluster.folders import shown_folder
from ganzoo.cluster.queue import QueuedJob
from ganzoo.cluster.standing import RunStanding, Standing, SweepStanding
from ganzoo.errors import visible
from ganzoo.sweeping.report import LONGEST_REASON, shown_time
from ganzoo.terminal import print_table

COLUMNS = ("run directory", "status", "updates", "left", "job", "queue", "reason")
OF_THE_QUEUE = ("job", "name", "state", "reason", "left", "start", "nodes", "folder")


def print_standings(found: Sequence[Standing]) -> None:
    """A row for each run and each sweep."""
    rows = [_row_of_run(each) if isinstance(each, RunStanding) else _row_of_sweep(each) for each in found]
    sweeps = sum(isinstance(each, SweepStanding) for each in found)
    print_table(f"runs: {len(found) - sweeps}, sweeps: {sweeps}", COLUMNS, rows)


def print_queue(queue: Sequence[QueuedJob]) -> None:
    """A row for each job, and for each task of an array."""
    rows = [
        (
            job.id,
            visible(job.name),
            job.state,
            visible(job.reason),
            job.time_left,
            job.start or "",
            job.nodes,
            _shown(job.folder),
        )
        for job in queue
    ]
    print_table("your jobs in SLURM's queue", OF_THE_QUEUE, rows)


def as_json(found: Iterable[Standing]) -> dict[str, list[dict[str, Any]]]:
    """Runs and sweeps as JSON takes them.

    Its keys:
        runs: each {run_dir, status, reason, generator_updates, budget, seconds, seconds_left: of training, or null,
            host, jobs: ids, the oldest first, queued: see `queue_as_json`, or null, end: {state, exit_code, reason} of
            the last job, or null}.
        sweeps: each {folder, counts: trials by status, seconds_left, trouble, jobs, queued}.
    """
    runs = [_run_as_json(each) for each in found if isinstance(each, RunStanding)]
    sweeps = [
        {
            "folder": str(each.folder),
            "counts": dict(each.counts),
            "seconds_left": each.seconds_left,
            "trouble": each.trouble,
            "jobs": each.jobs,
            "queued": queue_as_json(each.queued),
        }
        for each in found
        if isinstance(each, SweepStanding)
    ]
    return {"runs": runs, "sweeps": sweeps}


def queue_as_json(queue: Iterable[QueuedJob] | None) -> list[dict[str, Any]] | None:
    """Each job: {id, array_job, task, name, state, reason, time_left, start, nodes, folder}; see QueuedJob."""
    if queue is None:
        return None
    return [{**asdict(job), "folder": None if job.folder is None else str(job.folder)} for job in queue]


def _run_as_json(run: RunStanding) -> dict[str, Any]:
    return {
        "run_dir": str(run.folder),
        "status": run.status,
        "reason": run.reason,
        "generator_updates": run.state.generator_updates,
        "budget": run.state.budget,
        "seconds": run.state.seconds,
        "seconds_left": run.state.seconds_left,
        "host": run.state.host,
        "jobs": run.jobs,
        "queued": queue_as_json(run.queued),
        "end": run.end and asdict(run.end),
    }


def _row_of_run(run: RunStanding) -> tuple[str, ...]:
    state = run.state
    job = min(run.queued or (), key=lambda job: job.waits, default=None)  # one that runs tells more
    return (
        visible(shown_folder(run.folder), limit=500),
        run.status + (f" on {visible(state.host)}" if state.host else ""),
        "" if state.budget is None else f"{state.generator_updates}/{state.budget}",
        "" if state.seconds_left is None else shown_time(state.seconds_left),
        "" if job is None else job.id,
        "" if job is None else _where(job),
        visible(run.reason or "", limit=LONGEST_REASON),
    )


def _where(job: QueuedJob) -> str:
    """A job's place in the queue."""
    if not job.waits:
        return job.state
    return f"{job.state} {visible(job.reason)}" + (f", starts {job.start}" if job.start else "")


def _row_of_sweep(sweep: Standing) -> tuple[str, ...]:
    assert isinstance(sweep, SweepStanding)
    folder = visible(shown_folder(sweep.folder), limit=500)
    counts = ", ".join(f"{count} {status}" for status, count in sweep.counts.items() if count)
    arrays = dict.fromkeys(job.array_job or job.id for job in sweep.queued or ())
    tasks = Counter(job.state for job in sweep.queued or ())
    return (
        folder,
        f"sweep: {counts}" if counts else "sweep",
        "",
        shown_time(sweep.seconds_left) if sweep.seconds_left else "",
        ", ".join(arrays),
        ", ".join(f"{count} {state}" for state, count in tasks.items()),
        visible(sweep.trouble, limit=LONGEST_REASON) if sweep.trouble else f"each: ganzoo sweep {folder} --status",
    )


def _shown(folder: Any) -> str:
    return "" if folder is None else visible(shown_folder(folder), limit=500)
