"""Several processes for one run: how each finds its place, how they meet, and what the others do while the first leads.

Whoever started them, srun, torchrun or the first of them, only the first one, rank 0, reads what the user wrote, claims
the run directory, writes and prints. It tells the others by orders in a store of keys and values, which is no
collective: one that has gone leaves nobody waiting in the wrong one. Before that, nothing here imports torch.
"""

import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from ganzoo.errors import Diverged, GanzooError, InputError, Problem, Stopped, told_in_a_line
from ganzoo.importing import importing
from ganzoo.training.config import TrainerConfig
from ganzoo.training.meeting import PATIENCE, Meeting, ignore
from ganzoo.training.world import PARENT, World

WITHOUT_A_WORD = "another process of the run has gone without a word: killed, or out of memory?"

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
def _leading(meeting: Meeting, lost: Callable[[], str | None] = lambda: None) -> Iterator[None]:
    global _meeting
    _meeting, code = meeting, 1
    try:
        with meeting.watching(lost):
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
        with _started(settings) as (meeting, others), _leading(meeting, partial(_first_lost, others)):
            meeting.give(order)
            yield meeting.world


def on_loss(tell: Callable[[str], None]) -> None:
    """What is done before this process gives up, since another one has gone; called with the reason."""
    if _meeting is not None:
        _meeting.on_loss = tell


def failure_of_others(error: BaseException) -> str | None:
    """What has happened to another process of the run, where this one's error is but that it has gone; else None."""
    if _meeting is None:
        return None
    if (told := _meeting.failure()) is not None:
        return told
    from torch.distributed import DistError

    broken = isinstance(error, DistError) or any(words in str(error) for words in ("closed by peer", "reset by peer"))
    return WITHOUT_A_WORD if broken else None


@contextmanager
def _started(settings: TrainerConfig) -> Iterator[tuple[Meeting, list[subprocess.Popen[bytes]]]]:
    """The other processes of a run on this machine."""
    if (around := World.around()).by == "slurm":
        around.check(settings)  # SLURM has bound this process to its part of the machine
    if settings.num_nodes > 1:
        text = f"{settings.num_nodes} nodes: start it on a cluster, by `ganzoo submit` or under srun or torchrun"
        raise InputError("trainer", [Problem("trainer.num_nodes", text)])
    from torch import distributed

    opened = distributed.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False, timeout=PATIENCE)
    world = World(by="ganzoo", size=settings.ranks, port=opened.port)
    others = [_start(world, rank) for rank in range(1, world.size)]
    meeting = None
    try:
        _await(others, opened)
        meeting = Meeting(world, opened)
        yield meeting, others
    finally:
        if meeting is not None:
            meeting.part()
        _end(others)


def _first_lost(others: list[subprocess.Popen[bytes]]) -> str | None:
    return WITHOUT_A_WORD if any(process.poll() is not None for process in others) else None


def _await(others: list[subprocess.Popen[bytes]], store: Any) -> None:
    """Until all have come to the store. Raises GanzooError when one has died on the way."""
    missing = dict(enumerate(others, start=1))
    while missing:
        for rank, process in list(missing.items()):
            if store.check([f"here {rank}"]):
                del missing[rank]
            elif process.poll() is not None:
                raise GanzooError(
                    f"process {rank} of {len(others) + 1} did not start: exit status {process.returncode}"
                )
        time.sleep(0.02)


def _start(world: World, rank: int) -> subprocess.Popen[bytes]:
    place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world.size, "LOCAL_WORLD_SIZE": world.size}
    meeting = {"MASTER_ADDR": world.address, "MASTER_PORT": world.port, PARENT: os.getpid()}
    path = {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}  # plugins may be found by it only
    environment = os.environ | path | {name: str(value) for name, value in (place | meeting).items()}
    words = [sys.executable, "-m", "ganzoo", "train"]
    return subprocess.Popen(words, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def _end(processes: list[subprocess.Popen[bytes]], patience_seconds: float = 60.0) -> None:
    until = time.monotonic() + patience_seconds
    for process in processes:
        try:
            process.wait(timeout=max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def follow(world: World) -> int:
    """What every process but the first does: it carries out orders. The exit code that the first one then has.

    What went wrong the first one tells. Only what happens to this one alone is told here.
    """
    with importing():  # after what can be told without torch and lightning
        from ganzoo.training.run import obey

    # Training listens; before and after, the first one's end is this one's, too. Ctrl-C reaches all of a terminal.
    ignore(signal.SIGTERM, signal.SIGUSR1, *([signal.SIGINT] if world.by == "ganzoo" else []))
    if world.by == "ganzoo":
        _die_with_parent()
    meeting = Meeting(world)
    try:
        while (order := meeting.next_order()) is not None:
            _obey(obey, order, world)
        code = meeting.ended()
        meeting.leave()
        return code or 0
    except Exception as error:
        if (code := meeting.ended()) is not None:
            return code  # this error is but that the first one has gone
        if meeting.tell_failure(told_in_a_line(error)) and not isinstance(error, GanzooError):
            traceback.print_exception(error)
        return 1


def _obey(obey: Callable[..., None], order: dict[str, Any], world: World) -> None:
    """Raises what has happened to this process alone; what has happened to all, the first one tells."""
    try:
        obey(order, world)
    except (Stopped, Diverged):
        pass
    except GanzooError as error:
        from ganzoo.ranks import is_of_all

        if not is_of_all(error):
            raise


def _die_with_parent() -> None:
    """Ends this process when the one that started it has died without a word."""
    parent = int(os.environ[PARENT])

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
