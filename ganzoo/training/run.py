"""A whole run: build, train, score, record. What `ganzoo train` calls, and `ganzoo.train` in Python."""

import platform
import signal
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import lightning
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from ganzoo.config import to_plain
from ganzoo.data.loading import GANData
from ganzoo.errors import Diverged, GanzooError, InputError, Stopped, told_in_a_line
from ganzoo.evaluation.evaluator import Evaluator
from ganzoo.evaluation.protocol import load_protocol
from ganzoo.experiment import Experiment, build_experiment, load_experiment
from ganzoo.packing.pack import Member
from ganzoo.ranks import together
from ganzoo.records.claim import LEASE_SECONDS, LostClaim
from ganzoo.records.files import write_text
from ganzoo.records.metrics_log import MetricsLog
from ganzoo.records.record import record_of, write_failure
from ganzoo.records.run_directory import RunDirectory
from ganzoo.records.starts import NoProgress, current_job, note_start
from ganzoo.records.tracking import wandb_logger
from ganzoo.training.build import begin_gan, build_data
from ganzoo.training.callbacks.ahead import Ahead
from ganzoo.training.callbacks.checkpoint import Checkpoints, misfit, read_checkpoint
from ganzoo.training.callbacks.evaluation import Evaluation
from ganzoo.training.callbacks.guard import Guard
from ganzoo.training.callbacks.progress import ProgressDisplay
from ganzoo.training.callbacks.samples import SampleGrids
from ganzoo.training.callbacks.stop import Stop
from ganzoo.training.clock import Clock
from ganzoo.training.gan import GAN
from ganzoo.training.graphs import graphs_for
from ganzoo.training.launching import company, failure_of_others, on_loss
from ganzoo.training.process import prepare_process
from ganzoo.training.strategy import AlternatingDDP, Assigned
from ganzoo.training.watching import Watch, Watched
from ganzoo.training.world import World


def train(
    experiment: Experiment | str | Path,
    overrides: Iterable[str] = (),
    *,
    run_dir: str | Path | None = None,
    member: Member | None = None,
) -> RunDirectory:
    """Trains an experiment to the end of its budget.

    Args:
        experiment: an experiment, or its YAML file.
        overrides: `key=value`, applied to the file.
        run_dir: where to write; None: runs/<name>/<run id>.
        member: what the run is in a pack of runs that are trained at once; None: it is trained alone.

    Raises:
        InputError: the input is wrong. Diverged, Stopped: the run ended early; its directory tells why.
    """
    if not isinstance(experiment, Experiment):
        experiment = load_experiment(experiment, overrides)
    run = RunDirectory.create(experiment, run_dir)
    with run.claimed():
        try:
            train_claimed(experiment, run, member=member)
        except InputError:
            if not run.last_checkpoint.exists():
                run.config.unlink()  # no run has begun here: the mended command may take the same directory
            raise
    return run


def resume(run_dir: str | Path, overrides: Iterable[str] = (), *, member: Member | None = None) -> RunDirectory:
    """Goes on with a run exactly where its last checkpoint is; see `train`.

    Raises:
        InputError: also for overrides of what would change the weights.
    """
    run = RunDirectory.open(run_dir)
    experiment = run.resumed_experiment(tuple(overrides))
    if run.is_done(experiment.budget.generator_updates):
        return run
    # A job that SLURM runs again elsewhere, since its node has died, must wait until that node's claim has run out.
    with run.claimed(patience_seconds=2 * LEASE_SECONDS if current_job() else 0.0):
        write_text(run.config, experiment.to_yaml())
        train_claimed(experiment, run, member=member)
    return run


def train_claimed(
    experiment: Experiment, run: RunDirectory, watch: Watch | None = None, member: Member | None = None
) -> None:
    """Trains in a directory that this process has claimed, from its last checkpoint where there is one.

    Args:
        watch: sees all that is logged, and may end the run early, which its record then calls pruned.
        member: as in `train`.
    """
    try:
        note_start(run)
    except NoProgress as error:
        write_failure(run, experiment, str(error))
        raise
    resumed = run.last_checkpoint.exists()
    order = {"experiment": to_plain(experiment), "run": str(run.path.resolve()), "resumed": resumed}
    if experiment.trainer.ranks > 1 and getattr(experiment.data, "download", False):
        build_data(experiment).setup()  # before the others come: one of them downloads
    with company(experiment.trainer, order) as world:
        together(lambda: None)  # the others may miss what the experiment needs
        _train(experiment, run, world, resumed=resumed, watch=watch, member=member)


def obey(order: dict[str, Any], world: World) -> None:
    """What `train_claimed` does, on the processes that are not the first."""
    here = f"rank {world.rank} on {platform.node()}"
    experiment = together(lambda: build_experiment(order["experiment"], source=here, to_train=True))
    _train(experiment, RunDirectory(order["run"]), world, resumed=order["resumed"])


def _train(
    experiment: Experiment,
    run: RunDirectory,
    world: World,
    *,
    resumed: bool,
    watch: Watch | None = None,
    member: Member | None = None,
) -> None:
    prepare_process(experiment.trainer)
    session = together(lambda: Session.prepare(experiment, run, world, resumed=resumed))
    on_loss(partial(session.write_record, "failed"))
    listening = session.stop.listening() if member is None else member.joined(session.gan, session.stop)
    with listening:  # until the record is written: whoever stops a job may send a signal twice
        try:
            with session.mirror() as mirror:
                session.fit(mirror, watch)
        except (InputError, LostClaim):
            raise  # nothing has been trained, or the run is another's: what the record says still holds
        except Diverged as error:
            session.write_record("diverged", str(error))
            raise Diverged(f"{run.path}: {error} {session.kept()}") from None
        except BaseException as error:
            told = failure_of_others(error)
            session.write_record("failed", told or told_in_a_line(error))
            if told is not None:
                raise GanzooError(f"{run.path}: {told} {session.kept()}") from error
            raise
        session.finish()


@dataclass
class Session:
    """What one process does of a run."""

    experiment: Experiment
    run: RunDirectory
    world: World
    gan: GAN
    clock: Clock
    guard: Guard
    checkpoints: Checkpoints
    samples: SampleGrids | None
    evaluation: Evaluation | None
    stop: Stop
    data: GANData
    resumed: bool
    images_before: int = 0

    @classmethod
    def prepare(cls, experiment: Experiment, run: RunDirectory, world: World, *, resumed: bool) -> "Session":
        """With all that this machine may lack looked at: data, weights of extractors, the checkpoint."""
        if resumed and world.size > 1:
            read_checkpoint(run.last_checkpoint)
        gan, clock, guard = begin_gan(experiment), Clock(), Guard()
        checkpoints = Checkpoints(experiment.checkpoint.every_generator_updates, run, guard, clock)
        samples = evaluation = None
        if (every := experiment.samples.every_generator_updates) is not None:
            samples = SampleGrids(every, run, clock, count=experiment.samples.count, seed=experiment.seed)
        if experiment.evaluation.protocol is not None:
            every = experiment.evaluation.every_generator_updates
            evaluation = Evaluation(every, _evaluator(experiment), checkpoints, clock)
        at_end = [callback for callback in (samples, evaluation) if callback is not None]
        stop = Stop(experiment.budget.generator_updates, checkpoints, at_end)
        data = build_data(experiment)
        data.setup()
        return cls(experiment, run, world, gan, clock, guard, checkpoints, samples, evaluation, stop, data, resumed)

    @property
    def is_first(self) -> bool:
        """Whether this process writes, logs and shows: one does."""
        return self.world.rank == 0

    def mirror(self) -> AbstractContextManager[Logger | None]:
        """W&B's run, of the first process."""
        return wandb_logger(self.experiment, self.run) if self.is_first else nullcontext()

    def fit(self, mirror: Logger | None, watch: Watch | None) -> None:
        # Lightning's own guess is wrong where SLURM's tasks train by themselves.
        rank_zero_only.rank = self.world.rank  # type: ignore[attr-defined]
        self.gan.hooked = self.experiment.trainer.precision == "16-mixed"  # there a hook unscales before it clips
        callbacks: list[Any] = [*self.stop.at_end, self.stop, self.checkpoints]
        if self.experiment.trainer.progress and self.is_first:
            updates = self.experiment.budget.generator_updates
            callbacks.insert(0, ProgressDisplay(updates, self.clock, self.evaluation))
        callbacks = [_Start(self), Ahead(self.data, self.guard, callbacks), self.guard, *callbacks]
        loggers: list[Logger] = [MetricsLog(self.run, self.clock)] if self.is_first else []
        loggers += [*([mirror] if mirror else []), *([Watched(watch, self.stop)] if watch else [])]
        trainer = together(lambda: self._trainer(callbacks, loggers))
        trainer._signal_connector.register_signal_handlers = lambda: None  # type: ignore[method-assign]  # Stop listens
        device, member = trainer.strategy.root_device, self.gan.member
        if self.gan.graphs is None:
            self.gan.graphs = graphs_for(self.experiment, device, member)
        if member is not None and self.gan.graphs is not None and device.type == "cuda":
            member.take_lane(device)
        if not self.resumed and self.is_first:
            self.run.metrics.unlink(missing_ok=True)  # lines of a start that was killed before its first checkpoint
        last = self.run.last_checkpoint
        try:
            trainer.fit(self.gan, datamodule=self.data, ckpt_path=last if self.resumed else None, weights_only=True)
        except RuntimeError as error:
            if str(error).startswith("Error(s) in loading state_dict"):
                raise misfit(last, error) from None
            raise

    def _trainer(self, callbacks: list[lightning.Callback], loggers: list[Logger]) -> lightning.Trainer:
        settings = self.experiment.trainer
        try:
            return lightning.Trainer(
                accelerator=settings.accelerator,
                devices=settings.devices,
                num_nodes=settings.num_nodes,
                strategy=AlternatingDDP(batch_norm=settings.batch_norm) if settings.ranks > 1 else "auto",
                precision=settings.precision,
                deterministic=settings.deterministic,
                benchmark=not settings.deterministic,  # of cuDNN's algorithms: the quickest is not always the same
                max_epochs=-1,  # the loader has one endless epoch; Stop ends it
                callbacks=callbacks,
                logger=loggers,
                log_every_n_steps=self.experiment.tracking.every_generator_updates,
                plugins=[self.checkpoints.io, Assigned(self.world)],
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
                use_distributed_sampler=False,
                default_root_dir=self.run.path,
            )
        except (MisconfigurationException, RuntimeError, ValueError) as error:
            asked = f"accelerator {settings.accelerator}, {settings.devices} devices, {settings.num_nodes} nodes"
            reason = str(error).partition("\n")[0]
            raise InputError("trainer", f"{asked}: {reason} `ganzoo doctor` tells what there is") from None

    def kept(self) -> str:
        if not self.run.last_checkpoint.exists():
            return "There is no checkpoint yet."
        return f"The last good checkpoint is {self.run.last_checkpoint}."

    def finish(self) -> None:
        """Writes the record; raises Stopped when a signal ended the run before its budget."""
        number = self.stop.signal_number
        if self.gan.generator_updates >= self.experiment.budget.generator_updates:
            return self.write_record("done")
        if self.stop.early_reason is not None:
            return self.write_record("pruned", self.stop.early_reason)
        if number is None:
            return self.write_record("done")
        reason = f"{signal.Signals(number).name} after {self.gan.generator_updates} generator updates"
        self.write_record("stopped", reason)
        raise Stopped(
            f"{self.run.path}: stopped by {reason}; go on with: ganzoo train --resume {self.run.path}", number
        )

    def write_record(self, status: str, reason: str | None = None) -> None:
        if not self.is_first:
            return
        seconds, images = self.clock.seconds_here(), self.gan.images_seen - self.images_before
        rate = round(images / seconds, 1) if seconds else None
        evaluation = self.evaluation.summary() if self.evaluation else None
        spent = {"seconds": self.clock.seconds(), "images_per_second": rate, "evaluation": evaluation}
        self.run.write_record({**record_of(self.experiment, self.run, self.gan, status, reason), **spent})


class _Start(lightning.Callback):
    """First of all callbacks: lines to be written again are forgotten, time begins to count."""

    def __init__(self, session: Session):
        self.session = session

    def on_train_start(self, trainer: lightning.Trainer, gan: GAN) -> None:  # type: ignore[override]
        self.session.images_before = gan.images_seen
        if self.session.is_first:
            self.session.run.forget_metrics_after(gan.generator_updates)
        self.session.clock.start()


def _evaluator(experiment: Experiment) -> Evaluator:
    assert experiment.evaluation.protocol is not None
    extractor = experiment.evaluation.extractor
    return Evaluator(
        load_protocol(experiment.evaluation.protocol),
        experiment.data,
        extractor_file=Path(extractor) if extractor else None,
    )
