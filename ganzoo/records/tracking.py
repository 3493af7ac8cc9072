"""The W&B mirror of a run: never asked about, never needed, never the only copy."""

import importlib.util
import netrc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlparse

from ganzoo.config import to_plain
from ganzoo.errors import GanzooError
from ganzoo.experiment import Experiment
from ganzoo.records.run_directory import RunDirectory

if TYPE_CHECKING:
    from lightning.pytorch.loggers import Logger

Mode = Literal["online", "offline", "disabled"]


def wandb_mode(wanted: str) -> Mode:
    """The mode that `tracking.wandb` comes to on this machine; WANDB_MODE has the say where the file says auto."""
    if wanted != "auto":
        return wanted  # type: ignore[return-value]
    if importlib.util.find_spec("wandb") is None:
        return "disabled"
    asked = os.environ.get("WANDB_MODE")
    if asked in ("online", "offline", "disabled"):
        return asked  # type: ignore[return-value]
    return "online" if logged_in() else "offline"


def logged_in() -> bool:
    """Whether a key for the W&B server is in the environment or in .netrc; asks nobody."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    try:
        return netrc.netrc(os.environ.get("NETRC")).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False


@contextmanager
def wandb_logger(experiment: Experiment, run: RunDirectory) -> Iterator["Logger | None"]:
    """A logger into <run directory>/wandb under the run's id, which a resumed run keeps; None when disabled.

    W&B's run ends with the body, so that all of it is written and the next one in this process is another.

    Raises:
        GanzooError: W&B was asked for and is not installed.
    """
    mode = wandb_mode(experiment.tracking.wandb)
    logger = None if mode == "disabled" else _started(experiment, run, mode)
    try:
        yield logger
    except BaseException:
        _finish(logger, exit_code=1)
        raise
    _finish(logger, exit_code=0)


def _finish(logger: "Logger | None", exit_code: int) -> None:
    if logger is not None:
        logger.experiment.finish(exit_code=exit_code)  # type: ignore[attr-defined]


def _started(experiment: Experiment, run: RunDirectory, mode: Mode) -> "Logger | None":
    if importlib.util.find_spec("wandb") is None:
        raise GanzooError(
            f"tracking.wandb is {mode} and wandb is not installed: pip install wandb, or set it to disabled"
        )
    import wandb
    from lightning.pytorch.loggers import WandbLogger

    try:
        mirror = wandb.init(
            project=experiment.tracking.project,
            name=f"{experiment.name}/{run.run_id}",
            group=experiment.name,
            id=run.run_id,
            resume="allow" if mode == "online" else None,
            dir=run.path,
            mode=mode,
            config=to_plain(experiment),
            allow_val_change=True,
            settings=wandb.Settings(silent=True, console="off"),
        )
    except wandb.Error as error:
        print(f"W&B does not answer ({error}); the run goes on without it, all in {run.path}", file=sys.stderr)
        return None
    mirror.define_metric("*", step_metric="generator_updates")
    return WandbLogger(experiment=mirror)
