"""Engine `slurm`: a sweep as a job array, whose tasks are trials (grid, random) or workers (bayes).

The tasks share nothing but the sweep's folder, in which a claim keeps two of them from the same trial. So any may
be killed, preempted or queued again; what a trial has done is in its run directory.
"""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from ganzoo.cluster.jobs import SubmittedJob, add_job, jobs_of, submitting
from ganzoo.cluster.queue import check_sbatch, queued_jobs, sbatch
from ganzoo.cluster.script import JobScript, check_options
from ganzoo.cluster.site import Site
from ganzoo.errors import InputError
from ganzoo.records.files import write_text
from ganzoo.sweeping.trials import Sweep, has_ended

OURS = {  # options of sbatch that a sweep sets, each with what to use instead
    "array": "--workers limits how many tasks run at once, --per-task says how many trials a task has",
}


@dataclass(frozen=True)
class JobArray:
    """How a sweep becomes a job array.

    Attributes:
        per_task: consecutive trials of a task; of no meaning for bayes.
        pack: the most of them that are trained at once; the others follow one another.
        at_once: tasks that run at the same time; None: no limit (bayes: one worker).
        numbers: the trials to run; None: all.
        lines: options of sbatch, one each: "--partition=main", "-p main".
        storage: bayes: Optuna's storage URL; None: a file in the sweep's folder.
        sampler: bayes: Optuna's sampler.
        site: what is the same for all jobs of the cluster.

    Raises:
        InputError: options that sbatch cannot be given.
    """

    per_task: int = 1
    pack: int = 1
    at_once: int | None = None
    numbers: range | None = None
    lines: tuple[str, ...] = ()
    storage: str | None = None
    sampler: str = "tpe"
    site: Site = field(default=Site())

    def __post_init__(self) -> None:
        check_options("--sbatch", self.lines, OURS)
        check_options("site: sbatch", self.site.sbatch, OURS)


def script_of(sweep: Sweep, array: JobArray, tasks: Sequence[int] | None = None) -> str:
    """The script that sbatch takes.

    Args:
        tasks: numbers of the array's tasks, rising; None: all that there are. Task t of a grid or a random search has
            the trials t * per_task to t * per_task + per_task - 1.

    Raises:
        InputError: the search has no end, or the path of its folder cannot be given to sbatch.
    """
    bayes = sweep.file.method == "bayes"
    tasks = all_tasks(sweep, array) if tasks is None else tasks
    limit = f"%{array.at_once}" if array.at_once and not bayes else ""
    last = (array.numbers[-1] if array.numbers else len(sweep) - 1) if not bayes else None
    script = JobScript(
        name=sweep.file.name,
        folder=sweep.folder,
        output="%A_%a.out",
        options=(f"--array={_ranges(tasks)}{limit}", "--nodes=1", "--ntasks=1"),
        lines=array.lines,
        site=array.site,
        before=(
            f"# Sweep {sweep.file.name} ({sweep.file.identity}), {sweep.file.method}: {len(sweep)} trials.",
            *(_share(array, last) if last is not None else ()),
        ),
        command=_command(sweep, array),
        warning="TERM",
    )
    return str(script)


def _share(array: JobArray, last: int) -> Iterator[str]:
    """Shell lines that turn the task's number into its trials."""
    least = array.numbers[0] if array.numbers else 0
    yield (
        f"first=$((SLURM_ARRAY_TASK_ID * {array.per_task})) last=$((SLURM_ARRAY_TASK_ID * {array.per_task} + "
        f"{array.per_task - 1}))"
    )
    if least:
        yield f"((first >= {least})) || first={least}"
    yield f"((last <= {last})) || last={last}"


def _command(sweep: Sweep, array: JobArray) -> str:
    """`ganzoo sweep` on the frozen files, quoted for the shell."""
    words = [JobScript.python(array.site), "-m", "ganzoo", "sweep", str(sweep.folder.resolve() / "sweep.yaml")]
    words += ["--runs", str(sweep.runs.resolve()), "--workers", "1"]
    if array.pack > 1:
        words += ["--pack", str(array.pack)]
    if sweep.count is not None:
        words += ["--count", str(sweep.count)]
    if sweep.file.method == "bayes":
        words += ["--sampler", array.sampler, *(["--storage", array.storage] if array.storage else [])]
    trials = "" if sweep.file.method == "bayes" else ' --trials "$first-$last"'
    return f'{shlex.join(words)}{trials} --threads "${{SLURM_CPUS_PER_TASK:-${{SLURM_CPUS_ON_NODE:-1}}}}"'


def all_tasks(sweep: Sweep, array: JobArray) -> range:
    """The numbers of the tasks that a sweep, or the asked part of it, has."""
    if sweep.file.method == "bayes":
        return range(min(array.at_once or 1, len(sweep)))
    numbers = array.numbers or range(len(sweep))
    return range(numbers[0] // array.per_task, numbers[-1] // array.per_task + 1)


def submit(sweep: Sweep, array: JobArray) -> str | None:
    """Puts the trials that have not ended, and are in no queue yet, into one; its job id. None: there are none.

    Writes the frozen sweep, slurm/sweep.sbatch and slurm.json into the sweep's folder.

    Raises:
        InputError: there is no SLURM here, or it refuses the job: what it says.
    """
    check_sbatch("--engine")
    with submitting(sweep.folder) as folder:
        tasks = _tasks_to_do(sweep, array)
        if not tasks:
            return None
        sweep.keep_files()
        script = folder / "sweep.sbatch"
        write_text(script, script_of(sweep, array, tasks))
        script.chmod(0o600)  # a storage's URL may hold a password
        job = _sbatch(script)
        per_task = None if sweep.file.method == "bayes" else array.per_task
        add_job(sweep.folder, SubmittedJob(id=job, tasks=_ranges(tasks), per_task=per_task))
    return job


def _tasks_to_do(sweep: Sweep, array: JobArray) -> list[int]:
    """Tasks with a trial that has not ended and is in no queue. Of bayes: all, since workers may always be added."""
    if sweep.file.method == "bayes":
        return list(all_tasks(sweep, array))
    queued = {number for task in queue_of(sweep) or () for number in task.trials}
    numbers = array.numbers or range(len(sweep))
    open_ones = (n for n in numbers if n not in queued and not has_ended(sweep[n].run))
    return sorted({number // array.per_task for number in open_ones})


def _sbatch(script: Path) -> str:
    try:
        return sbatch(script, "--engine slurm")
    except InputError as error:
        if "array" not in str(error).lower():
            raise
        hint = "More trials in a task make a smaller array: --per-task N"
        raise InputError(error.source, f"{error.problems[0]}. {hint}") from None


@dataclass(frozen=True)
class QueuedTask:
    """A task of a job array that SLURM knows.

    Attributes:
        job: the array's id.
        state: SLURM's word: PENDING, RUNNING, COMPLETING, ...
        reason: why it waits, in SLURM's word: Resources, Priority, JobArrayTaskLimit, ...; "None" of one that runs.
        trials: its trial numbers; none of a worker on a bayes search.
    """

    job: str
    task: int
    state: str
    reason: str
    trials: range


def queue_of(sweep: Sweep) -> list[QueuedTask] | None:
    """This sweep's tasks that wait or run; None where SLURM does not answer, or is not there."""
    submitted = {job.id: job.per_task or 0 for job in jobs_of(sweep.folder)}
    queue = queued_jobs() if submitted else []
    if queue is None:
        return None
    tasks = []
    for job in queue:
        if job.array_job in submitted and job.task is not None:
            each = submitted[job.array_job]
            trials = range(job.task * each, (job.task + 1) * each)
            tasks.append(QueuedTask(job.array_job, job.task, job.state, job.reason, trials))
    return sorted(tasks, key=lambda task: (int(task.job), task.task))


def _ranges(numbers: Iterable[int]) -> str:
    """Rising numbers as sbatch wants them.

    >>> _ranges([0, 1, 2, 5, 7, 8])
    '0-2,5,7-8'
    """
    runs = [[n for _, n in run] for _, run in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0])]
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
