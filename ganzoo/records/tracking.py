"""The W&B mirror of a run: never asked about, never needed, never the only copy."""

import hashlib
import importlib.util
import json
import netrc
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlparse

from ganzoo.config import to_plain
from ganzoo.errors import GanzooError
from ganzoo.experiment import Experiment
from ganzoo.records.files import write_text
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


@dataclass(frozen=True)
class Mirror:
    """Which run of W&B's a run directory is mirrored to.

    Attributes:
        id: W&B's id of the run.
        project: where it is; None for either: where W&B puts it.
    """

    id: str
    project: str | None
    entity: str | None = None

    def keep(self, folder: Path) -> None:
        """wandb.json in a run directory: whoever goes on with the run, and from wherever, mirrors it to the same."""
        write_text(folder / "wandb.json", json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def kept(cls, folder: Path) -> "Mirror | None":
        """Raises GanzooError where wandb.json is not what `keep` writes."""
        try:
            return cls(**json.loads((folder / "wandb.json").read_text()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError):
            raise GanzooError(f"{folder / 'wandb.json'}: damaged; without it the run has a new mirror in W&B") from None


@dataclass(frozen=True)
class Agent:
    """A W&B sweep's agent that has started this process, and the run that it is to be."""

    sweep: str
    run: Mirror

    @classmethod
    def above(cls) -> "Agent | None":
        """The agent; None: this process was started by somebody else."""
        sweep, run = os.environ.get("WANDB_SWEEP_ID"), os.environ.get("WANDB_RUN_ID")
        if not (sweep and run):
            return None
        return cls(sweep, Mirror(run, os.environ.get("WANDB_PROJECT"), os.environ.get("WANDB_ENTITY")))


def mirror_of(experiment: Experiment, run: RunDirectory) -> Mirror:
    """The kept one; else the agent's, which has given the run its id; else one that is named like the folder."""
    agent = Agent.above()
    named = agent.run if agent else Mirror(_as_id(run.run_id), experiment.tracking.project)
    return Mirror.kept(run.path) or named


def _as_id(name: str) -> str:
    """A folder's name as W&B takes it for an id: the same for the same name, and another for every other one.

    >>> _as_id("20261122-101500-a1b2c3"), _as_id("my run")
    ('20261122-101500-a1b2c3', 'my-run-d33e7609')
    """
    if re.fullmatch(r"[A-Za-z0-9._-]{1,64}", name):
        return name
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-")[:40]
    return f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:8]}".lstrip("-")


@contextmanager
def wandb_logger(experiment: Experiment, run: RunDirectory) -> Iterator["Logger | None"]:
    """A logger into <run directory>/wandb under the id of `mirror_of`, which a resumed run keeps; None when disabled.

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

    mirror = mirror_of(experiment, run)
    swept = _begin_in_sweep(mirror, run)
    try:
        started = wandb.init(
            project=None if swept else mirror.project,
            entity=None if swept else mirror.entity,
            name=f"{experiment.name}/{run.run_id}",
            group=experiment.name,
            id=None if swept else mirror.id,
            resume="allow" if mode == "online" else None,
            dir=run.path,
            mode=mode,
            reinit="create_new",  # other runs of this process may go on: those of a pack
            config=to_plain(experiment),
            allow_val_change=True,
            settings=wandb.Settings(silent=True, console="off"),
        )
    except Exception as error:  # of W&B's many classes, not all are wandb.Error; a mirror is never worth a run
        print(f"W&B does not answer ({error}); the run goes on without it, all in {run.path}", file=sys.stderr)
        return None
    started.define_metric("*", step_metric="generator_updates")
    return WandbLogger(experiment=started)


def _begin_in_sweep(mirror: Mirror, run: RunDirectory) -> bool:
    """Whether W&B itself knows which run this is, from the agent above; it then takes no other word for it.

    The process leaves the sweep with the first run that is not the agent's: W&B would take it for the agent's too.
    """
    agent = Agent.above()
    if agent is None:
        return False
    if agent.run.id == mirror.id:
        mirror.keep(run.path)
        return True
    import wandb

    for name in ("WANDB_SWEEP_ID", "WANDB_RUN_ID", "WANDB_SWEEP_PARAM_PATH"):
        os.environ.pop(name, None)
    wandb.teardown()  # it has read these when it began
    return False
