"""What a leaderboard needs to know about a run, written when it ends."""

from datetime import UTC, datetime
from typing import Any

from torch import nn

from ganzoo.config import to_plain
from ganzoo.experiment import Experiment
from ganzoo.records.environment import git_commit, hardware, versions
from ganzoo.records.run_directory import RunDirectory
from ganzoo.records.tracking import wandb_mode
from ganzoo.training.gan import GAN

RECORD_VERSION = 1


def record_of(
    experiment: Experiment, run: RunDirectory, gan: GAN, status: str, reason: str | None = None
) -> dict[str, Any]:
    """The part of a record that does not depend on how long things took. docs/runs.md describes the keys."""
    mode = wandb_mode(experiment.tracking.wandb)
    return {
        "record_version": RECORD_VERSION,
        "status": status,
        "reason": reason,
        "name": experiment.name,
        "run_id": run.run_id,
        "seed": experiment.seed,
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "budget": {
            "generator_updates": gan.generator_updates,
            "discriminator_updates": gan.discriminator_updates,
            "images_seen": gan.images_seen,
        },
        "parameters": {"generator": _count(gan.generator), "discriminator": _count(gan.discriminator)},
        "wandb": None if mode == "disabled" else {"mode": mode, "id": run.run_id},
        "git_commit": git_commit(),
        "versions": versions(),
        "hardware": hardware(),
        "config": to_plain(experiment),
    }


def _count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())
