"""slurm.json in a run directory or a sweep's folder: the jobs that were submitted for it."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ganzoo.cluster.folders import trial_number
from ganzoo.errors import GanzooError, InputError
from ganzoo.records.files import write_text

TASKS = re.compile(r"([0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*)?")


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


@dataclass(frozen=True, kw_only=True)
class SubmittedJob:
    """A job as it was submitted.

    Attributes:
        id: SLURM's, of an array the whole array's.
        submitted: when, in UTC: "2026-11-22T10:00:00Z".
        tasks: of a sweep: the numbers of the array's tasks, as sbatch takes them: "0-3,7".
        per_task: of a sweep: consecutive trials of a task; None: tasks are workers on a bayes search.
    """

    id: str
    submitted: str = field(default_factory=_now)
    tasks: str | None = None
    per_task: int | None = None

    def has_task(self, number: int) -> bool:
        """Whether the array has a task of that number.

        >>> SubmittedJob(id="4711", tasks="0-3,7").has_task(2)
        True
        """
        ranges = [part.split("-") for part in (self.tasks or "").split(",") if part]
        return any(int(part[0]) <= number <= int(part[-1]) for part in ranges)


def jobs_of(folder: Path) -> list[SubmittedJob]:
    """What was submitted for a run or a sweep, the oldest first.

    Raises:
        GanzooError: slurm.json is not what `add_job` wrote.
    """
    return [_read(each, folder) for each in _listed(folder)]


def ids_for(folder: Path) -> list[str]:
    """The jobs of a run or a sweep as the queue has them, the oldest first; of a trial, its tasks: "4711_3".

    Raises:
        GanzooError: see `jobs_of`.
    """
    number = trial_number(folder)
    if number is None:
        return [job.id for job in jobs_of(folder)]
    found = []
    for job in jobs_of(folder.parent):
        if job.per_task and job.has_task(number // job.per_task):  # workers on a bayes search are at any trial
            found.append(f"{job.id}_{number // job.per_task}")
    return found


def add_job(folder: Path, job: SubmittedJob) -> None:
    """Adds a job to the list of its folder. Called within `submitting`.

    Raises:
        GanzooError: slurm.json is not what this wrote before, or cannot be written.
    """
    jobs = [*_listed(folder), {key: value for key, value in asdict(job).items() if value is not None}]
    write_text(_file(folder), json.dumps({"jobs": jobs}, indent=2) + "\n")


@contextmanager
def submitting(folder: Path) -> Iterator[Path]:
    """One process at a time submits the jobs of a folder; others wait. Gives folder/slurm, which is made.

    Raises:
        InputError: it cannot be made.
    """
    from filelock import FileLock

    ours = folder / "slurm"
    try:
        ours.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(ours, f"the folder cannot be made: {error.strerror}") from None
    with FileLock(ours / "lock"):
        yield ours


def _listed(folder: Path) -> list[Any]:
    try:
        jobs = json.loads(_file(folder).read_bytes())["jobs"]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        raise _spoilt(folder) from None
    if not isinstance(jobs, list):
        raise _spoilt(folder)
    return jobs


def _read(values: Any, folder: Path) -> SubmittedJob:
    try:
        job = SubmittedJob(
            id=values["id"],
            submitted=values["submitted"],
            tasks=values.get("tasks"),
            per_task=values.get("per_task"),
        )
    except (LookupError, TypeError, AttributeError):
        raise _spoilt(folder) from None
    fits = (
        isinstance(job.id, str)
        and re.fullmatch(r"[0-9]+", job.id)  # it is to be a word of a command line
        and isinstance(job.submitted, str)
        and isinstance(job.per_task, int | None)
        and TASKS.fullmatch(str(job.tasks or ""))
    )
    if not fits:
        raise _spoilt(folder)
    return job


def _spoilt(folder: Path) -> GanzooError:
    return GanzooError(f"{_file(folder)}: this is not what ganzoo wrote; without it, tasks are submitted anew")


def _file(folder: Path) -> Path:
    return folder / "slurm.json"
