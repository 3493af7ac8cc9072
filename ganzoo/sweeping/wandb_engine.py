"""Engine `wandb`: a sweep is registered with W&B once, and W&B's own agents on any number of machines work on it."""

import importlib.util
import io
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import click

from ganzoo.errors import GanzooError, InputError, told_in_a_line
from ganzoo.records.files import write_text
from ganzoo.records.run_directory import RunDirectory
from ganzoo.records.tracking import logged_in
from ganzoo.sweeping.sweep_file import COMMAND
from ganzoo.sweeping.trials import Sweep
from ganzoo.training.config import TrackingConfig

SIGNALS = (signal.SIGINT, signal.SIGTERM)
# W&B's agent stops for good after a few failures of its first runs; a run that diverges is no reason to stop a sweep.
GO_ON = {"WANDB_AGENT_DISABLE_FLAPPING": "true", "WANDB_AGENT_MAX_INITIAL_FAILURES": "1000000"}


@dataclass(frozen=True)
class Registered:
    """A sweep of W&B's; wandb.json in the sweep's folder.

    Attributes:
        url: its page; None where W&B tells none.
    """

    entity: str
    project: str
    sweep_id: str
    url: str | None

    @property
    def path(self) -> str:
        return f"{self.entity}/{self.project}/{self.sweep_id}"


def run_on_wandb(sweep: Sweep, *, agents: int, count: int | None) -> int:
    """Registers the sweep, unless somebody has, and runs W&B agents until it has no more runs for them.

    The runs go to <runs>/<experiment's name>/<sweep id>-<run id>: which points there are is W&B's to say, so they are
    no trials of the sweep's folder. The first Ctrl-C lets them write their checkpoints, a second ends them at once.

    Args:
        agents: how many at a time.
        count: the most runs of all the agents together; None: as many as W&B has.

    Returns:
        The exit code: 0, 1 where a run failed, 3 where none did and some diverged, 130 or 143 stopped.

    Raises:
        InputError: there is no account, or W&B is to stay offline. GanzooError: W&B does not answer, or refuses.
    """
    _refuse_unconnected(sweep)
    registered = register(sweep)
    click.echo(f"W&B sweep {registered.path}{f': {registered.url}' if registered.url else ''}", err=True)
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, **GO_ON, "PATH": _search_path(Path(folder))}
        environment["GANZOO_RUNS"] = str(sweep.runs.resolve())
        crew = Crew([[registered.path, *words] for words in _shares(agents, count)], environment)
        code = crew.work()
    return code or _code_of(sweep.runs, registered)


def register(sweep: Sweep) -> Registered:
    """The sweep at W&B. Who comes second, from another process or machine with this folder, joins the first's."""
    from filelock import FileLock

    kept = sweep.folder / "wandb.json"
    sweep.folder.mkdir(parents=True, exist_ok=True)
    with FileLock(sweep.folder / "wandb.json.lock"):
        if kept.exists():
            try:
                return Registered(**json.loads(kept.read_text()))
            except (ValueError, TypeError):
                raise GanzooError(f"{kept}: damaged; without it the sweep is registered anew") from None
        registered = _registered(sweep)
        write_text(kept, json.dumps(asdict(registered), indent=2) + "\n")
    return registered


def _registered(sweep: Sweep) -> Registered:
    import wandb

    values = sweep.file.values
    config = {"command": list(COMMAND), "name": sweep.file.name, **values}
    project = values.get("project") or _tracking(sweep).get("project") or TrackingConfig().project
    said = io.StringIO()
    try:
        with redirect_stdout(said):  # stdout is for what the command itself has to say
            sweep_id = wandb.sweep(config, entity=values.get("entity"), project=project)
    except (wandb.Error, ValueError) as error:  # ValueError: what W&B's own check of the file does not take
        raise GanzooError(f"W&B does not take the sweep: {told_in_a_line(error)}") from None
    # The server says whose it is, and where; wandb puts that into the environment for the agents.
    entity, project = os.environ.get("WANDB_ENTITY", ""), os.environ.get("WANDB_PROJECT", project)
    url = re.search(r"https?://\S+", said.getvalue())
    return Registered(entity, project, sweep_id, url[0] if url else None)


def _tracking(sweep: Sweep) -> dict[str, Any]:
    return sweep.file.settled.get("tracking") or {}


def _refuse_unconnected(sweep: Sweep) -> None:
    """Told before wandb is imported."""
    if importlib.util.find_spec("wandb") is None:
        raise InputError("--engine", "wandb is not installed: pip install wandb; engine local needs none")
    if (mode := os.environ.get("WANDB_MODE")) in ("offline", "disabled", "dryrun"):
        raise InputError("--engine", f"wandb: WANDB_MODE is {mode}, and W&B's agents need its server; unset it")
    if (tracked := _tracking(sweep).get("wandb")) in ("offline", "disabled"):
        raise InputError(
            sweep.file.experiment, f"tracking.wandb is {tracked}: W&B would never hear of its runs; set auto or online"
        )
    if not logged_in():
        raise InputError(
            "--engine", "wandb: nobody is logged in; run `wandb login` or set WANDB_API_KEY. Engine local needs none"
        )


def _shares(agents: int, count: int | None) -> Iterator[list[str]]:
    """The options of each agent, among whom the count is divided."""
    for number in range(agents):
        if count is None:
            yield []
        elif share := count // agents + (number < count % agents):
            yield ["--count", str(share)]


def _search_path(folder: Path) -> str:
    """PATH with this process's `python` and `ganzoo` first; `folder` gets a `ganzoo` where none is installed."""
    ours = Path(sys.executable).parent
    if shutil.which("ganzoo", path=str(ours)) is None:
        script = folder / "ganzoo"
        script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m ganzoo "$@"\n')
        script.chmod(0o755)
    return os.pathsep.join([str(ours), str(folder), os.environ.get("PATH", os.defpath)])


def _code_of(runs: Path, registered: Registered) -> int:
    records = [RunDirectory(path.parent).read_record() for path in runs.glob(f"*/{registered.sweep_id}-*/record.json")]
    found = {record["status"] for record in records if record}
    return 1 if "failed" in found else 3 if "diverged" in found else 0


@dataclass
class Crew:
    """W&B agents at work, each a process, which pass on to their runs the signals that they get.

    Args:
        words: of each agent: the sweep's path and options.
        environment: of all.
    """

    words: list[list[str]]
    environment: Mapping[str, str]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    signals: list[int] = field(default_factory=list)

    def work(self) -> int:
        """Returns when the last has ended: 0, 1 where an agent failed, or 128 + the signal that ended the work."""
        before = {number: signal.signal(number, self._pass_on) for number in SIGNALS}
        try:
            for words in self.words:
                self._start(words)
            codes = [process.wait() for process in self.processes]
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        return 128 + self.signals[0] if self.signals else int(any(codes))

    def _start(self, words: list[str]) -> None:
        if self.signals:
            return
        command = [sys.executable, "-m", "wandb", "agent", "--forward-signals", *words]
        # A session of its own: the terminal's Ctrl-C would reach it as well, and count twice. Its stdout is not ours.
        process = subprocess.Popen(command, env=dict(self.environment), stdout=2, start_new_session=True)
        self.processes.append(process)
        for number in self.signals:  # that came before it was on the list
            process.send_signal(number)

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        """The first two are the agents' and their runs' to obey; a third is for agents that do not."""
        self.signals.append(number)
        for process in self.processes:
            process.send_signal(number if len(self.signals) < 3 else signal.SIGKILL)
