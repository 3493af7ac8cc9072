"""`ganzoo submit`: one run as a SLURM job, with as many tasks as its experiment wants devices."""

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ganzoo.cluster.jobs import SubmittedJob, add_job, ids_for, submitting
from ganzoo.cluster.queue import check_sbatch, queued_jobs, sbatch
from ganzoo.cluster.script import JobScript, check_options
from ganzoo.cluster.site import Site
from ganzoo.errors import InputError
from ganzoo.experiment import Experiment
from ganzoo.records.files import write_text
from ganzoo.records.run_directory import RunDirectory

OURS = {  # options of sbatch, each with what to use instead
    "array": "several runs are a sweep: ganzoo sweep FILE --engine slurm",
    "nodes": "say --nodes, or trainer.num_nodes=N",
    "ntasks": "a task is a device: trainer.devices=N on each of trainer.num_nodes=N",
    "ntasks-per-node": "say trainer.devices=N",
    "gpus": "say --gpus-per-node",
    "gres": "say --gpus-per-node; of GPUs of a kind, --gpu-type",
}


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a job is given, beside what follows from its experiment.

    Attributes:
        lines: options of sbatch, one each: "--partition=main", "-p main".
        gpus_per_node: 0: none are asked for.
        gpu_type: as the cluster names it: "a100"; None: any.
    """

    lines: tuple[str, ...] = ()
    gpus_per_node: int = 0
    gpu_type: str | None = None
    site: Site = field(default=Site())

    def check(self) -> None:
        """Raises InputError for options that sbatch cannot be given, or that are ours."""
        check_options("--sbatch", self.lines, OURS)
        check_options("site: sbatch", self.site.sbatch, OURS)


def script_of(experiment: Experiment, run: RunDirectory, request: Request) -> JobScript:
    """One task a device; srun starts them, and ends all of them when one fails."""
    trainer, site = experiment.trainer, request.site
    options = [f"--nodes={trainer.num_nodes}", f"--ntasks-per-node={trainer.devices}"]
    if request.gpus_per_node:
        kind = f"{request.gpu_type}:" if request.gpu_type else ""
        options.append(f"--gres=gpu:{kind}{request.gpus_per_node}")
    words = ["srun", "--kill-on-bad-exit=1", *site.srun]
    words += [JobScript.python(site), "-m", "ganzoo", "train", "--resume", str(run.path.resolve())]
    return JobScript(
        name=experiment.name,
        folder=run.path,
        output="%j.out",
        options=options,
        lines=request.lines,
        site=site,
        before=(
            f"tasks={trainer.devices}  # of each node: one a device",
            "cores=${SLURM_CPUS_PER_TASK:-$((${SLURM_CPUS_ON_NODE:-tasks} / tasks))}",
            'export OMP_NUM_THREADS="${OMP_NUM_THREADS:-$cores}"',
            '[ -z "$SLURM_CPUS_PER_TASK" ] || export SRUN_CPUS_PER_TASK="$SLURM_CPUS_PER_TASK"  # srun asks for itself',
        ),
        command=shlex.join(words),
    )


def submit(experiment: Experiment, run_dir: Path | None, request: Request) -> tuple[RunDirectory, str]:
    """Queues a new run: its directory, with the configuration that the job will train whatever becomes of its file.

    Raises:
        InputError: there is no SLURM here, or it refuses the job: what it says; nothing is left behind then.
    """
    request.check()
    check_sbatch("submit")
    run = RunDirectory.create(experiment, run_dir)
    with _forgotten_unless_queued(run):
        return run, _queue(experiment, run, request)


def submit_again(run: RunDirectory, words: Sequence[str], request: Request) -> str | None:
    """Queues a run that was begun, or only submitted, before; None: its budget is spent.

    Args:
        words: `key=value`, of what may change between a run and its resumption.

    Raises:
        InputError: see `submit`; also where the run is in the queue.
    """
    request.check()
    check_sbatch("submit")
    experiment = run.resumed_experiment(tuple(words))
    if run.is_done(experiment.budget.generator_updates):
        return None
    ours = set(ids_for(run.path))
    if waiting := [job for job in queued_jobs() or () if job.id in ours]:
        text = f"it is in the queue already, as job {waiting[0].id} ({waiting[0].state}); ganzoo cancel takes it out"
        raise InputError(run.path, text)
    if words:
        write_text(run.config, experiment.to_yaml())
    return _queue(experiment, run, request)


def _queue(experiment: Experiment, run: RunDirectory, request: Request) -> str:
    with submitting(run.path) as folder:
        script = folder / "job.sbatch"
        write_text(script, str(script_of(experiment, run, request)))
        job = sbatch(script, "submit")
        add_job(run.path, SubmittedJob(id=job))
    return job


@contextmanager
def _forgotten_unless_queued(run: RunDirectory) -> Iterator[None]:
    """A job that was refused leaves no run: the mended command may take the same directory."""
    try:
        yield
    except InputError:
        for path in (run.path / "slurm" / "job.sbatch", run.path / "slurm" / "lock", run.config):
            path.unlink(missing_ok=True)
        for folder in (run.path / "slurm", run.path):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        raise
