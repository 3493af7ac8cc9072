"""Which SLURM jobs have begun with a run, and when: one that is queued again and again without progress must end."""

import json
import os
import platform
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from ganzoo.errors import GanzooError
from ganzoo.records.run_directory import RunDirectory
from ganzoo.records.run_files import parsed, stamp_of


class NoProgress(GanzooError):
    """A job was queued again twice, and no checkpoint was written in between."""


@dataclass(frozen=True, kw_only=True)
class Start:
    """A SLURM job that began, or went on, with a run.

    Attributes:
        job: its id, of an array's task "4711_3".
        restart: how many times it had been queued again before.
        checkpoint: what tells last.ckpt from every other one that was there before or after it.
        host, at: where, and when in UTC.
    """

    job: str
    restart: int
    checkpoint: tuple[int, int, int]
    host: str
    at: str


def current_job() -> str | None:
    """The SLURM job that this process is part of, of an array its task; None: of none."""
    told = os.environ
    if "SLURM_ARRAY_JOB_ID" in told and "SLURM_ARRAY_TASK_ID" in told:
        return f"{told['SLURM_ARRAY_JOB_ID']}_{told['SLURM_ARRAY_TASK_ID']}"
    return told.get("SLURM_JOB_ID")


def note_start(run: RunDirectory) -> None:
    """Adds this start to slurm/starts.jsonl in the run directory; does nothing outside of SLURM.

    Raises:
        NoProgress: the last start was of the same job, which had been queued again even then, and since then no
            checkpoint was written: it would go on like this for ever.
    """
    job = current_job()
    if job is None:
        return
    restart, earlier = os.environ.get("SLURM_RESTART_COUNT", "0"), list(starts_of(run))
    start = Start(
        job=job,
        restart=int(restart) if restart.isdigit() else 0,
        checkpoint=stamp_of(run.last_checkpoint),
        host=platform.node(),
        at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    _add(run, start)
    last = earlier[-1] if earlier else None
    if last and last.job == job and 0 < last.restart < start.restart and last.checkpoint == start.checkpoint:
        raise NoProgress(
            f"{run.path}: job {job} was queued again {start.restart} times, and after the last two it came to no "
            "checkpoint. A longer time limit, or a smaller checkpoint.every_generator_updates, would let it"
        )


def starts_of(run: RunDirectory) -> Iterator[Start]:
    """The starts that were noted, the oldest first; what is no such line is passed over."""
    try:
        lines = _file(run).read_bytes().splitlines()
    except OSError:
        return
    for line in lines:
        with suppress(KeyError, TypeError, ValueError):
            told = parsed(line)
            yield Start(**{**told, "checkpoint": tuple(told["checkpoint"])})


def _add(run: RunDirectory, start: Start) -> None:
    try:
        _file(run).parent.mkdir(parents=True, exist_ok=True)
        with _file(run).open("a") as file:
            file.write(json.dumps(asdict(start)) + "\n")
    except OSError as error:
        raise GanzooError(f"{_file(run)}: cannot be written: {error.strerror}") from None


def _file(run: RunDirectory) -> Path:
    return run.path / "slurm" / "starts.jsonl"
