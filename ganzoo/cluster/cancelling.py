"""Ends what is queued or running of a run or a sweep: by scancel, or by SIGTERM to a process of this machine."""

import os
import signal
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ganzoo.cluster.folders import found_in, is_run, is_sweep, trial_number
from ganzoo.cluster.jobs import ids_for
from ganzoo.cluster.queue import QueuedJob, queued_jobs, scancel
from ganzoo.errors import InputError
from ganzoo.records.claim import holder, process_here
from ganzoo.records.run_directory import RunDirectory
from ganzoo.records.run_state import FollowedRun
from ganzoo.sweeping.pools import pools_of

NAMED = 5  # of the runs below a folder that is none
NOT_OURS = "that is no process of yours on this machine, and no job that ganzoo submitted; stop it there"


@dataclass(frozen=True, kw_only=True)
class Cancelled:
    """One thing that was done: a job was cancelled, or a process was told to write a checkpoint and end."""

    folder: Path
    job: str | None = None
    process: int | None = None

    def __str__(self) -> str:
        if self.job is not None:
            return f"{self.folder}: cancelled SLURM's job {self.job}"
        return f"{self.folder}: told process {self.process} to stop after a checkpoint"


def check(folder: Path) -> None:
    """Raises InputError unless the folder is a run directory, one that a sweep's trial is to have, or a sweep's."""
    if is_run(folder) or is_sweep(folder) or trial_number(folder) is not None:
        return
    near = [str(path) for path in islice(found_in(folder), NAMED)]
    hint = f"; name some of those below it: {', '.join(near)}" if near else ""
    raise InputError(folder, f"this is neither a run directory nor a sweep's folder{hint}")


def cancel(folder: Path) -> Iterator[Cancelled]:
    """Cancels the jobs of a run or a sweep that are in the queue, and stops what this machine trains of it.

    Gives what it has done, one after the other.

    Raises:
        InputError: nothing of it is queued or running, or a part where this machine cannot end it.
        GanzooError: slurm.json is not what ganzoo wrote.
    """
    ids = ids_for(folder)
    queue = queued_jobs() if ids else []
    jobs = _cancel_jobs(ids, queue or [])
    yield from (Cancelled(folder=folder, job=job) for job in jobs)
    # A run has one claim; of a sweep, every process with workers has one. SLURM has told those that are in its jobs.
    claims = pools_of(folder) if is_sweep(folder) else [folder]
    held = {claim: by for claim in claims if (by := holder(claim)) is not None and not (by.job and jobs)}
    if held and trial_number(folder) is not None:
        _refuse_trial_of_a_pool(folder)
    elsewhere = []
    for claim, by in held.items():
        process = process_here(claim)
        if process is None:
            elsewhere.append(f"{by}, in SLURM's job {by.job}" if by.job else str(by))
            continue
        with suppress(ProcessLookupError):  # it has just ended by itself
            os.kill(process, signal.SIGTERM)
        yield Cancelled(folder=folder, process=process)
    if elsewhere:
        raise InputError(folder, f"is trained by {'; '.join(elsewhere)}: {NOT_OURS}")
    if not jobs and not held:
        raise InputError(folder, _why_nothing(folder, ids if queue is None else []))


def _cancel_jobs(ids: Sequence[str], queue: Iterable[QueuedJob]) -> list[str]:
    """Whole arrays by the array's id; of a trial only its task. Those that were in the queue."""
    there = {name for job in queue for name in (job.id, job.array_job)}
    found = [job for job in ids if job in there]
    if found:
        scancel(found)
    return found


def _refuse_trial_of_a_pool(folder: Path) -> None:
    """Its workers would begin the trial again at once."""
    if any(process_here(pool) for pool in pools_of(folder.parent)):
        text = f"`ganzoo sweep` is at work here and would begin it again; stop all: ganzoo cancel {folder.parent}"
        raise InputError(folder, text)


def _why_nothing(folder: Path, unknown: Sequence[str]) -> str:
    """`unknown`: jobs of it, where SLURM does not say what has become of them."""
    if unknown:
        return f"SLURM does not answer, so job {', '.join(unknown)} cannot be cancelled; nothing of it runs here"
    if is_sweep(folder):
        return "nothing to cancel: no job of it is in the queue, and no `ganzoo sweep` is at work on it here"
    return f"nothing to cancel: it is {FollowedRun(RunDirectory(folder)).state().status}, and no job of it is queued"
