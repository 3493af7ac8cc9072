"""How runs and sweeps stand: what their folders tell, together with what SLURM does."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ganzoo.cluster.folders import is_sweep
from ganzoo.cluster.jobs import ids_for
from ganzoo.cluster.queue import JobEnd, QueuedJob, queued_jobs, told_end
from ganzoo.errors import GanzooError
from ganzoo.records.run_directory import RunDirectory
from ganzoo.records.run_state import FollowedRun, RunState, Status

MOST_ENDS = 20  # SLURM is asked for the end of so many jobs, a program's call each
DEAD = ("waiting", "stopped", "interrupted")  # neither ended nor trained by a living process


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A run directory or a sweep's folder.

    Attributes:
        jobs: the ids of what was submitted for it, the oldest first; of a sweep's trial, its tasks.
        queued: those of them that wait or run; None: SLURM does not answer, is not there, or was not asked.
        end: of the last job, where it is gone and the run has neither ended nor is trained by a living process.
        trouble: what is wrong with the folder's files, or None.
    """

    folder: Path
    jobs: tuple[str, ...] = ()
    queued: tuple[QueuedJob, ...] | None = None
    end: JobEnd | None = None
    trouble: str | None = None


@dataclass(frozen=True, kw_only=True)
class RunStanding(Standing):
    state: RunState

    @property
    def status(self) -> str:
        """The run's, or queued: it has not begun, and its job waits."""
        queued = self.state.status == "waiting" and any(job.waits for job in self.queued or ())
        return "queued" if queued else self.state.status

    @property
    def reason(self) -> str | None:
        """Why it ended or is where it is, as its record, its files and SLURM say."""
        end = None if self.end is None else f"SLURM's job {self.jobs[-1]}: {self.end}"
        return "; ".join(told for told in (self.state.reason, self.trouble, end) if told) or None


@dataclass(frozen=True, kw_only=True)
class SweepStanding(Standing):
    """Attributes: counts: trials by status; seconds_left: of training, or None: nobody knows."""

    counts: Mapping[Status, int]
    seconds_left: float | None = None


def standings(folders: Iterable[Path]) -> list[Standing]:
    """How runs and sweeps stand, in their order. Nothing that is in the folders raises."""
    found = [_read(folder) for folder in folders]
    queue = queued_jobs() if any(each.jobs and not _has_ended(each) for each in found) else None
    if queue is None:
        return found
    by_job: dict[str, list[QueuedJob]] = {}
    for job in queue:
        for name in {job.id, job.array_job or job.id}:
            by_job.setdefault(name, []).append(job)
    found = [replace(each, queued=tuple(job for name in each.jobs for job in by_job.get(name, ()))) for each in found]
    return _with_ends(found)


def _read(folder: Path) -> Standing:
    try:
        jobs, trouble = tuple(ids_for(folder)), None
    except GanzooError as error:
        jobs, trouble = (), str(error)
    standing = Standing(folder=folder, jobs=jobs, trouble=trouble)
    if is_sweep(folder):
        return _sweep(standing)
    return RunStanding(**vars(standing), state=FollowedRun(RunDirectory(folder)).state())


def _sweep(standing: Standing) -> SweepStanding:
    from ganzoo.sweeping.reading import read_sweep
    from ganzoo.sweeping.states import States
    from ganzoo.sweeping.trials import Sweep

    folder = standing.folder.resolve()  # "." has no parent
    told: dict[str, Any] = vars(standing)
    try:
        states = States(Sweep(read_sweep(folder / "sweep.yaml"), folder.parent))
        states.refresh()
    except (GanzooError, OSError, ValueError, RecursionError) as error:
        return SweepStanding(**{**told, "trouble": str(error)}, counts={})
    if states.sweep.folder != folder:
        trouble = f"its trials are looked for in {states.sweep.folder.name}: give the folder that name again"
        return SweepStanding(**{**told, "trouble": trouble}, counts={})
    summary = states.summary()
    return SweepStanding(**told, counts=summary.counts, seconds_left=summary.seconds_left)


def _with_ends(found: Sequence[Standing]) -> list[Standing]:
    """Asks SLURM about the last jobs of runs whose jobs are gone; of many, the newest."""
    dead = [
        each
        for each in found
        if isinstance(each, RunStanding) and each.jobs and not each.queued and each.state.status in DEAD
    ]
    newest = sorted(dead, key=lambda each: int(each.jobs[-1].partition("_")[0]))[-MOST_ENDS:]
    ends = {each.folder: told_end(each.jobs[-1]) for each in newest}
    return [replace(each, end=ends.get(each.folder)) for each in found]


def _has_ended(standing: Standing) -> bool:
    return isinstance(standing, RunStanding) and standing.state.ended
