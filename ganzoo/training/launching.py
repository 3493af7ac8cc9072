"""Several processes for one run: how each finds its place, how they meet, and what the others do while the first leads.

Whoever started them, srun, torchrun or the first of them, only the first one, rank 0, reads what the user wrote, claims
the run directory, writes and prints. It tells the others by orders in a store of keys and values, which is no
collective: one that has gone leaves nobody waiting in the wrong one. Before that, nothing here imports torch.
"""

import json
import os
import platform
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

from ganzoo.errors import GanzooError, InputError, Problem, told_in_a_line
from ganzoo.training.config import TrainerConfig
from ganzoo.training.world import PARENT, World

PATIENCE = timedelta(minutes=10)  # for the slowest to import torch, from a disk that all nodes read at once
END = "end"


class Meeting:
    """All processes of a world, met: torch.distributed is begun, and orders can be given."""

    def __init__(self, world: World):
        import torch
        from torch import distributed

        self.world, self._given = world, 0
        address, port = _meeting_place(world)
        opens = world.rank == 0 and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True"  # torchrun has, else
        opened = distributed.TCPStore(address, port, world.size, is_master=opens, timeout=PATIENCE)
        store = distributed.PrefixStore(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"), opened)
        # gloo for what the processes tell each other; gradients of GPUs have a group of their own: AlternatingDDP.
        distributed.init_process_group("gloo", store=store, rank=world.rank, world_size=world.size)
        self._store = distributed.PrefixStore("ganzoo", store)
        self._threads_before = torch.get_num_threads()
        if world.threads is not None:
            torch.set_num_threads(world.threads)

    def give(self, order: Any) -> None:
        """To all others, as JSON."""
        self._store.set(f"order {self._given}", json.dumps(order))
        self._given += 1

    def next_order(self) -> Any:
        """Waits for it. Raises an error of torch's where the first process has gone."""
        key = f"order {self._given}"
        self._store.wait([key], timedelta(days=1))
        self._given += 1
        return json.loads(self._store.get(key))

    def end(self, code: int) -> None:
        """No more orders. The others end with the same exit code, also those that are in the middle of one.

        Waits for them, since the store ends with this process; not after a failure, when some may wait for this one.
        """
        with suppress(Exception):
            self._store.set("end", str(code))
            self.give({END: code})
            if code != GanzooError.exit_code:
                self._store.wait([f"left {rank}" for rank in range(1, self.world.size)], timedelta(seconds=10))

    def leave(self) -> None:
        """Tells the first process that this one has heard of the end."""
        self._store.set(f"left {self.world.rank}", "")

    def ended(self) -> int | None:
        """The exit code with which the first process has ended, or is about to; None: it has not."""
        try:
            return int(self._store.get("end")) if self._store.check(["end"]) else None
        except Exception:  # of torch's: the store has gone with the first process
            return 1

    def tell_failure(self, reason: str) -> bool:
        """Why this process is about to end, for the first one, which will only see that it has gone.

        False: another one has told already, so that this one's failure is but that the other has gone.
        """
        told = f"rank {self.world.rank} on {platform.node()}: {reason}"
        return self._store.compare_set("failure", "", told).decode() == told

    def failure(self) -> str | None:
        """What one of the others has told, or None."""
        return self._store.get("failure").decode() if self._store.check(["failure"]) else None

    def part(self) -> None:
        import torch

        torch.distributed.destroy_process_group()
        torch.set_num_threads(self._threads_before)


_meeting: Meeting | None = None  # what this process, rank 0, leads


@contextmanager
def led(world: World) -> Iterator[None]:
    """The others of the world, who have been started already, follow this process as long as the body lasts."""
    if world.size == 1:
        yield
        return
    with _leading(Meeting(world)):
        yield


@contextmanager
def _leading(meeting: Meeting) -> Iterator[None]:
    global _meeting
    _meeting, code = meeting, 1
    try:
        yield
        code = 0
    except BaseException as error:
        code = getattr(error, "exit_code", 1)
        raise
    finally:
        _meeting = None
        meeting.end(code)


@contextmanager
def company(settings: TrainerConfig, order: dict[str, Any]) -> Iterator[World]:
    """As many processes as the experiment asks for carry out the order together with the body, which is the first's.

    Raises:
        InputError: others have been started than are asked for, or some would have to be on other machines.
    """
    if _meeting is not None:
        _meeting.world.check(settings)
        _meeting.give(order)
        yield _meeting.world
    elif settings.ranks == 1:
        yield World()
    else:
        with _started(settings) as meeting, _leading(meeting):
            meeting.give(order)
            yield meeting.world


def failure_of_others(error: BaseException) -> str | None:
    """What has happened to another process of the run, where this one's error is but that it has gone; else None."""
    if _meeting is None:
        return None
    if (told := _meeting.failure()) is not None:
        return told
    from torch.distributed import DistError

    broken = isinstance(error, DistError) or any(words in str(error) for words in ("closed by peer", "reset by peer"))
    return "another process of the run has gone without a word: killed, or out of memory?" if broken else None


@contextmanager
def _started(settings: TrainerConfig) -> Iterator[Meeting]:
    """The other processes of a run on this machine."""
    if (around := World.around()).by == "slurm":
        around.check(settings)  # SLURM has bound this process to its part of the machine
    if settings.num_nodes > 1:
        text = f"{settings.num_nodes} nodes: start it on a cluster, by `ganzoo submit` or under srun or torchrun"
        raise InputError("trainer", [Problem("trainer.num_nodes", text)])
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    world = World(by="ganzoo", size=settings.ranks, port=port)
    others = [_start(world, rank) for rank in range(1, world.size)]
    meeting = None
    try:
        meeting = Meeting(world)
        yield meeting
    finally:
        if meeting is not None:
            meeting.part()
        for process in others:
            _end(process)


def _start(world: World, rank: int) -> subprocess.Popen[bytes]:
    place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world.size, "LOCAL_WORLD_SIZE": world.size}
    meeting = {"MASTER_ADDR": world.address, "MASTER_PORT": world.port, PARENT: os.getpid()}
    path = {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}  # plugins may be found by it only
    environment = os.environ | path | {name: str(value) for name, value in (place | meeting).items()}
    words = [sys.executable, "-m", "ganzoo", "train"]
    return subprocess.Popen(words, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def follow(world: World) -> int:
    """What every process but the first does: it carries out orders. The exit code that the first one then has.

    What went wrong the first one tells. Only what happens to this one alone is told here.
    """
    from ganzoo.training.run import obey  # torch and lightning, after what can be told without them

    if world.by == "ganzoo":
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # until training listens; Ctrl-C comes to all, one is enough
        _die_with_parent()
    meeting = Meeting(world)
    try:
        while END not in (order := meeting.next_order()):
            with suppress(GanzooError):  # it is the first one's too
                obey(order, world)
        meeting.leave()
        return order[END]
    except Exception as error:
        if (code := meeting.ended()) is not None:
            return code  # this error is but that the first one has gone
        if meeting.tell_failure(told_in_a_line(error)):
            traceback.print_exception(error)
        return 1


def _die_with_parent() -> None:
    """Ends this process when the one that started it has died without a word."""
    parent = int(os.environ[PARENT])

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _meeting_place(world: World) -> tuple[str, int]:
    """Of SLURM's tasks: the first node of their step, and a port that follows from the job, as Lightning's."""
    if world.by != "slurm":
        return world.address, world.port
    from lightning.fabric.plugins.environments import SLURMEnvironment

    told = os.environ
    address = told.get("MASTER_ADDR") or SLURMEnvironment.resolve_root_node_address(told["SLURM_STEP_NODELIST"])
    return address, int(told.get("MASTER_PORT") or 15000 + int(told["SLURM_JOB_ID"][-4:]))
