"""Engine `slurm`: a sweep as a job array, whose tasks are trials (grid, random) or workers (bayes).

The tasks share nothing but the sweep's folder, in which a claim keeps two of them from the same trial. So any may
be killed, preempted or queued again; what a trial has done is in its run directory.
"""

import getpass
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from ganzoo.errors import GanzooError, InputError, Problem, shorten
from ganzoo.records.files import write_text
from ganzoo.sweeping.trials import Sweep, has_ended

WARNING_SECONDS = 120  # ahead of the time limit, for the checkpoint
BODY = Path(__file__).with_name("sweep.sbatch")
OURS = {  # options of sbatch that a sweep sets, each with what to use instead
    "array": "--workers limits how many tasks run at once, --per-task says how many trials a task has",
    "wrap": "the sweep writes the script",
}
SHORT = {"a": "array"}  # one-letter names of those


@dataclass(frozen=True)
class JobArray:
    """How a sweep becomes a job array.

    Attributes:
        per_task: consecutive trials of a task, one after the other; of no meaning for bayes.
        at_once: tasks that run at the same time; None: no limit (bayes: one worker).
        numbers: the trials to run; None: all.
        lines: options of sbatch, one each: "--partition=main", "-p main".
        storage: bayes: Optuna's storage URL; None: a file in the sweep's folder.
        sampler: bayes: Optuna's sampler.

    Raises:
        InputError: options that sbatch cannot be given.
    """

    per_task: int = 1
    at_once: int | None = None
    numbers: range | None = None
    lines: tuple[str, ...] = ()
    storage: str | None = None
    sampler: str = "tpe"

    def __post_init__(self) -> None:
        if problems := [problem for line in self.lines if (problem := _refused(line))]:
            raise InputError("--sbatch", problems)


def script_of(sweep: Sweep, array: JobArray, tasks: Sequence[int] | None = None) -> str:
    """The script that sbatch takes.

    Args:
        tasks: numbers of the array's tasks, rising; None: all that there are. Task t of a grid or a random search has
            the trials t * per_task to t * per_task + per_task - 1.

    Raises:
        InputError: the search has no end, or the path of its folder cannot be given to sbatch.
    """
    folder = sweep.folder.resolve()
    bayes = sweep.file.method == "bayes"
    tasks = all_tasks(sweep, array) if tasks is None else tasks
    limit = f"%{array.at_once}" if array.at_once and not bayes else ""
    options = (
        f"--job-name=ganzoo-{sweep.file.name}",
        f"--array={_ranges(tasks)}{limit}",
        f"--output={_pattern(folder / 'slurm')}/%A_%a.out",
        "--open-mode=append",  # a task that is queued again goes on writing to its file
        "--requeue",
        f"--signal=B:USR1@{WARNING_SECONDS}",
        "--nodes=1",
        "--ntasks=1",
    )
    last = (array.numbers[-1] if array.numbers else len(sweep) - 1) if not bayes else None
    lines = [
        "#!/bin/bash",
        *(f"#SBATCH {shlex.quote(option)}" for option in options),
        *(f"#SBATCH {shlex.join(_words(line))}" for line in array.lines),
        "",
        f"# Sweep {sweep.file.name} ({sweep.file.identity}), {sweep.file.method}: {len(sweep)} trials.",
        f"cd -- {shlex.quote(str(Path.cwd()))} || exit",
        *(_share(array, last) if last is not None else ()),
        f"command=({_command(sweep, array)})",
    ]
    return "\n".join(lines) + "\n\n" + BODY.read_text()


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
    words = [sys.executable, "-m", "ganzoo", "sweep", str(sweep.folder.resolve() / "sweep.yaml")]
    words += ["--runs", str(sweep.runs.resolve()), "--workers", "1"]
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
    if shutil.which("sbatch") is None:
        text = "there is no sbatch on this machine: submit from one of a SLURM cluster; --dry-run prints the script"
        raise InputError("--engine", text)
    from filelock import FileLock

    folder = sweep.folder / "slurm"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        tasks = _tasks_to_do(sweep, array)
        if not tasks:
            return None
        sweep.keep_files()
        script = folder / "sweep.sbatch"
        write_text(script, script_of(sweep, array, tasks))
        script.chmod(0o600)  # a storage's URL may hold a password
        job = _sbatch(script)
        submitted = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        per_task = None if sweep.file.method == "bayes" else array.per_task
        jobs = [*jobs_of(sweep), {"id": job, "per_task": per_task, "tasks": _ranges(tasks), "submitted": submitted}]
        write_text(_jobs_file(sweep), json.dumps({"jobs": jobs}, indent=2) + "\n")
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
    done = subprocess.run(["sbatch", "--parsable", str(script)], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return done.stdout.strip().partition(";")[0]  # behind the semicolon: the cluster's name
    said = " ".join(done.stderr.replace("sbatch: error: ", "").split()) or f"exit status {done.returncode}"
    hint = ". More trials in a task make a smaller array: --per-task N" if "array" in said.lower() else ""
    raise InputError("--engine slurm", f"sbatch refused the job: {said}{hint}")


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
    jobs = {job["id"]: job for job in jobs_of(sweep)}
    if shutil.which("squeue") is None:
        return None
    if not jobs:
        return []
    asked = ["squeue", "--noheader", "--array", f"--user={getpass.getuser()}", "--format=%F|%K|%T|%r"]
    try:
        told = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    tasks = []
    for line in told.splitlines():
        job, task, state, reason = (*line.split("|", 3), "", "", "")[:4]
        if job in jobs and task.isdigit():
            each = jobs[job]["per_task"] or 0
            tasks.append(QueuedTask(job, int(task), state, reason, range(int(task) * each, (int(task) + 1) * each)))
    return sorted(tasks, key=lambda task: (int(task.job), task.task))


def jobs_of(sweep: Sweep) -> list[Mapping[str, Any]]:
    """What was submitted, the oldest first: id, per_task (null: bayes), tasks, submitted.

    Raises:
        GanzooError: slurm.json is not what `submit` wrote.
    """
    file = _jobs_file(sweep)
    if not file.exists():
        return []
    try:
        jobs = json.loads(file.read_text())["jobs"]
        return [{key: job[key] for key in ("id", "per_task", "tasks", "submitted")} for job in jobs]
    except (ValueError, LookupError, TypeError):
        raise GanzooError(f"{file}: this is not what ganzoo wrote; without it, tasks are submitted anew") from None


def _jobs_file(sweep: Sweep) -> Path:
    return sweep.folder / "slurm.json"


def _ranges(numbers: Iterable[int]) -> str:
    """Rising numbers as sbatch wants them.

    >>> _ranges([0, 1, 2, 5, 7, 8])
    '0-2,5,7-8'
    """
    runs = [[n for _, n in run] for _, run in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0])]
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def _words(line: str) -> list[str]:
    """An option and its value: two words where a blank is between them.

    >>> _words("--comment=a b"), _words("--partition main"), _words("-p main")
    (['--comment=a b'], ['--partition', 'main'], ['-p', 'main'])
    """
    return line.split(maxsplit=1) if re.match(r"--?[\w-]+\s", line) else [line]


def _refused(line: str) -> Problem | None:
    if not line.isprintable() or not re.match(r"-[A-Za-z]|--[a-z]", line):
        return Problem("", f"{shorten(line)} must be one option of sbatch, such as --partition=main")
    name = re.split(r"[\s=]", line.lstrip("-"), maxsplit=1)[0]
    name = name if line.startswith("--") else SHORT.get(name[0], name)
    return Problem("", f"{shorten(line)} is the sweep's to say: {OURS[name]}") if name in OURS else None


def _pattern(folder: Path) -> str:
    """A folder as part of sbatch's file patterns, in which % begins a replacement and a backslash ends them."""
    text = str(folder)
    if not text.isprintable() or "\\" in text:
        raise InputError("--runs", f"sbatch cannot write to {shorten(text)}: no line breaks and backslashes there")
    return text.replace("%", "%%")
