"""What SLURM knows of this user's jobs, and what it is asked to do with them. SLURM's own programs are called."""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ganzoo.errors import InputError

PATIENCE_SECONDS = 60  # for an answer of SLURM's
OURS = "ganzoo:"  # begins the comment of a job that ganzoo submitted; its folder follows
ASKED = "%F|%K|%T|%r|%L|%S|%N|%j|%k"  # names and folders may have a | in them, so they come last
STILL_THERE = ("PENDING", "RUNNING", "SUSPENDED", "COMPLETING", "CONFIGURING")


@dataclass(frozen=True, kw_only=True)
class QueuedJob:
    """A job that waits or runs; of an array, one of its tasks.

    Attributes:
        array_job, task: of an array's task, the array's id and the task's number; else None.
        state: SLURM's word: PENDING, RUNNING, COMPLETING, ...
        reason: why it waits, in SLURM's word: Resources, Priority, JobArrayTaskLimit, ...; "None" of one that runs.
        time_left: until its time limit, as SLURM writes it: "1-02:03:04", "1:58", "UNLIMITED".
        start: when it began, or is expected to, in the cluster's local time: "2026-11-22T10:00:00"; None: not known.
        nodes: that it runs on: "node[1-2]"; empty while it waits.
        folder: the run directory or the sweep's folder that it is for; None: it is not one of ganzoo's.
    """

    array_job: str | None = None
    task: int | None = None
    id: str
    name: str
    state: str
    reason: str
    time_left: str
    start: str | None
    nodes: str
    folder: Path | None

    @property
    def waits(self) -> bool:
        return self.state == "PENDING"


def comment_for(folder: Path) -> str:
    """The comment by which a job's folder is known: sbatch's option --comment."""
    return f"{OURS}{folder.resolve()}"


def queued_jobs() -> list[QueuedJob] | None:
    """This user's jobs in their order in SLURM's answer; None where SLURM does not answer, or is not there."""
    told = _answer("squeue", "--noheader", "--array", f"--user={os.getuid()}", f"--format={ASKED}")
    if told is None:
        return None
    return [job for line in told.splitlines() if (job := _queued(line)) is not None]


def _queued(line: str) -> QueuedJob | None:
    """A line of squeue's answer; None: it is none, since somebody's comment goes over several lines."""
    job, task, state, reason, left, start, nodes, rest = (*line.split("|", 7), *[""] * 7)[:8]
    if not job.isdigit() or not state:
        return None
    name, ours, folder = rest.partition(f"|{OURS}")
    number = int(task) if task.isdigit() else None
    return QueuedJob(
        id=job if number is None else f"{job}_{number}",
        array_job=None if number is None else job,
        task=number,
        name=name if ours else rest.rpartition("|")[0],
        state=state,
        reason=reason,
        time_left=left,
        start=None if start in ("", "N/A") else start,
        nodes=nodes,
        folder=Path(folder) if ours else None,
    )


@dataclass(frozen=True, kw_only=True)
class JobEnd:
    """How a job ended.

    Attributes:
        state: SLURM's word: COMPLETED, FAILED, TIMEOUT, CANCELLED, NODE_FAIL, OUT_OF_MEMORY, ...
        exit_code: the status, a colon and the signal that ended it: "0:15".
        reason: in SLURM's word: NonZeroExitCode, TimeLimit, ...; None: there is none.
    """

    state: str
    exit_code: str
    reason: str | None

    def __str__(self) -> str:
        reason = f" ({self.reason})" if self.reason else ""
        return f"{self.state}{reason}" + (f", exit code {self.exit_code}" if self.exit_code != "0:0" else "")


def told_end(job: str) -> JobEnd | None:
    """What SLURM still says of the end of a job, or a task ("4711_3"), that is in the queue no more; None: nothing.

    `scontrol` knows it for some minutes, and `sacct` for good where the cluster keeps accounts.
    """
    told = _answer("scontrol", "show", "job", "-o", job) or ""
    found = re.search(r" JobState=(\S+) Reason=(.*?) \w+=.*? ExitCode=(\d+:\d+)", told)
    if found is not None and found[1] not in STILL_THERE:
        # Of a cancelled job the reason is still the one why it waited.
        none = found[2] in ("None", "") or found[1] == "CANCELLED"
        return JobEnd(state=found[1], exit_code=found[3], reason=None if none else found[2])
    told = _answer("sacct", "-X", "--noheader", "--parsable2", "--format=State,ExitCode", f"--jobs={job}") or ""
    found = re.search(r"^(\w+)(?: (.*))?\|(\d+:\d+)$", told, re.MULTILINE)  # "CANCELLED by 1000|0:0"
    if found is None or found[1] in STILL_THERE:
        return None
    return JobEnd(state=found[1], exit_code=found[3], reason=found[2])


def check_sbatch(source: str) -> None:
    """Raises InputError, which names `source`, where there is no SLURM to submit a job to."""
    if shutil.which("sbatch") is None:
        text = "there is no sbatch on this machine: submit from one of a SLURM cluster; --dry-run prints the script"
        raise InputError(source, text)


def sbatch(script: Path, source: str) -> str:
    """Submits a job script; the job's id.

    Args:
        source: what an error names: the option or command that asked for it.

    Raises:
        InputError: SLURM refuses the job: what it says.
    """
    done = subprocess.run(["sbatch", "--parsable", str(script)], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return done.stdout.strip().partition(";")[0]  # behind the semicolon: the cluster's name
    said = " ".join(done.stderr.replace("sbatch: error: ", "").split()) or f"exit status {done.returncode}"
    raise InputError(source, f"sbatch refused the job: {said}")


def scancel(jobs: Sequence[str]) -> None:
    """Cancels jobs and arrays ("4711") and tasks of arrays ("4711_3"). One that has ended meanwhile is no error.

    Raises:
        InputError: SLURM refuses, or is not there: what it says.
    """
    try:
        done = subprocess.run(["scancel", *jobs], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError("scancel", f"{', '.join(jobs)} cannot be cancelled: {error}") from None
    if done.returncode != 0:
        said = " ".join(done.stderr.replace("scancel: error: ", "").split()) or f"exit status {done.returncode}"
        raise InputError("scancel", f"SLURM did not cancel {', '.join(jobs)}: {said}")


def _answer(*words: str) -> str | None:
    """What a program of SLURM's prints; None where it is not there, fails, or takes too long."""
    # The user's SQUEUE_STATES and the like would hide jobs; another time format would not be the one we tell.
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("SQUEUE_", "SACCT_"))}
    environment["SLURM_TIME_FORMAT"] = "standard"
    try:
        done = subprocess.run(
            words,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE_SECONDS,
            check=True,
            env=environment,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
