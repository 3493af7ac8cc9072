"""What a leaderboard needs to know about a run, written when it ends."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ganzoo.config import to_plain
from ganzoo.experiment import Experiment
from ganzoo.records.environment import git_commit, hardware, versions
from ganzoo.records.run_directory import RunDirectory
from ganzoo.records.tracking import mirror_of, wandb_mode

if TYPE_CHECKING:
    from torch import nn

    from ganzoo.training.gan import GAN

RECORD_VERSION = 1
COUNTS = ("generator_updates", "discriminator_updates", "images_seen")


def record_of(
    experiment: Experiment | None, run: RunDirectory, gan: "GAN | None", status: str, reason: str | None = None
) -> dict[str, Any]:
    """The part of a record that does not depend on how long things took. docs/runs.md describes the keys.

    Args:
        experiment: None: there is none, since its file is gone or does not take what it was given.
        gan: what was trained; None: it is not there to be asked, since the process died or never came so far.
    """
    mode = wandb_mode(experiment.tracking.wandb) if experiment else "disabled"
    mirror = mirror_of(experiment, run) if experiment and mode != "disabled" else None
    return {
        "record_version": RECORD_VERSION,
        "status": status,
        "reason": reason,
        "name": experiment and experiment.name,
        "run_id": run.run_id,
        "seed": experiment and experiment.seed,
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "budget": {name: getattr(gan, name, None) for name in COUNTS},
        "ranks": gan and [{"from_generator_update": updates, "ranks": ranks} for updates, ranks in gan.ranks],
        "parameters": gan and {"generator": _count(gan.generator), "discriminator": _count(gan.discriminator)},
        "wandb": mirror and {"mode": mode, "id": mirror.id},
        "git_commit": git_commit(),
        "versions": versions(),
        "hardware": hardware(),
        "config": experiment and to_plain(experiment),
    }


def write_failure(run: RunDirectory, experiment: Experiment | None, reason: str) -> None:
    """The record of a run that has failed before, or beside, its training."""
    spent = {"seconds": None, "images_per_second": None, "evaluation": None}
    run.write_record({**record_of(experiment, run, None, "failed", reason), **spent})


def _count(network: "nn.Module") -> int:
    return sum(parameter.numel() for parameter in network.parameters())
