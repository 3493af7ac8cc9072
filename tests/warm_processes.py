"""Python processes that have torch and lightning from the beginning, for tests that start many.

Importing them takes six seconds of a processor. Inside `warm`, a Python that is started by `subprocess` is a fork of a
server that has imported them. It is a process like any other: a child of who starts it, with its own words, folder,
environment, pipes, session, signals and exit status. What it starts in turn is forked from itself, also the fork server
of a sweep. Start-up, imports and `ganzoo` as a program are tested without this.
"""

import atexit
import ctypes
import inspect
import json
import multiprocessing.forkserver
import multiprocessing.util
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, NoReturn

import pytest

ROOT = Path(__file__).parent.parent
PIPES = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
CHILD_SUBREAPER = 36  # Linux's PR_SET_CHILD_SUBREAPER
ORDER_BYTES = 1 << 20  # at most


@dataclass(frozen=True)
class Order:
    """What a process is to be: Python with these words.

    Args:
        parent: who adopts it.
    """

    words: list[str]
    folder: str
    environment: dict[str, str]
    new_session: bool
    parent: int


class Popen(subprocess.Popen):
    """subprocess.Popen, whose Pythons are forked: those of a module, of code and of a file, without further options."""

    begin: ClassVar[Callable[[Order, list[int]], int]]  # a process with these files as 0, 1 and 2; its id

    def _execute_child(self, args: Any, *options: Any) -> None:
        _, *names = inspect.signature(super()._execute_child).parameters
        given = dict(zip(names, options, strict=True))
        program, *words = map(os.fspath, [args] if isinstance(args, str) else args)
        if program != sys.executable or not words or (words[0].startswith("-") and words[0] not in ("-m", "-c")):
            return super()._execute_child(args, *options)
        order = Order(
            words=words,
            folder=str(Path(given["cwd"] or ".").absolute()),
            environment=dict(os.environ if given["env"] is None else given["env"]),
            new_session=given["start_new_session"],
            parent=os.getpid(),
        )
        theirs = (given["p2cread"], given["c2pwrite"], given["errwrite"])
        self.pid = Popen.begin(order, [number if end == -1 else end for number, end in enumerate(theirs)])
        self._child_created = True
        self._close_pipe_fds(*(given[name] for name in PIPES))


@contextmanager
def server() -> Iterator[socket.socket]:
    """What to send orders to."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with ours, subprocess.Popen([sys.executable, __file__], stdin=its, stdout=subprocess.DEVNULL, env=environment):
        its.close()
        try:
            yield ours
        finally:
            ours.shutdown(socket.SHUT_RDWR)  # it ends


@contextmanager
def warm(channel: socket.socket) -> Iterator[None]:
    """Pythons that the body starts are forked."""

    def ask(order: Order, files: list[int]) -> int:
        kernel = ctypes.CDLL(None)
        kernel.prctl(CHILD_SUBREAPER, 1)  # the orphan is ours
        socket.send_fds(channel, [json.dumps(asdict(order)).encode()], files)
        told = channel.recv(ORDER_BYTES)
        kernel.prctl(CHILD_SUBREAPER, 0)
        assert told, "the server has ended"
        return int(told)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Popen, "begin", staticmethod(ask), raising=False)
        patch.setattr(subprocess, "Popen", Popen)
        yield


def serve(channel: socket.socket) -> None:
    """Forks a process for every order: a grandchild, which is adopted when its parent ends, at once."""
    while True:
        message, files, _, _ = socket.recv_fds(channel, ORDER_BYTES, 3)
        if not message:
            return
        if between := os.fork():
            os.waitpid(between, 0)
            for file in files:
                os.close(file)
        elif os.fork():
            os._exit(0)
        else:
            order = Order(**json.loads(message))
            while os.getppid() != order.parent:
                time.sleep(0.001)
            channel.send(str(os.getpid()).encode())
            become(order, files)


def fork(order: Order, files: list[int]) -> int:
    """What a forked process starts is forked from itself."""
    if process := os.fork():
        return process
    become(order, files)


def fork_server(path: str, words: list[str], kept: Collection[int]) -> int:
    """multiprocessing's, by the code that it would be started with."""
    if process := os.fork():
        return process
    multiprocessing.forkserver._forkserver.__init__()  # it is about to start one, and holds a lock
    become(Order(words[words.index("-c") :], ".", dict(os.environ), False, os.getppid()), [0, 1, 2], kept)


def become(order: Order, files: list[int], kept: Collection[int] = ()) -> NoReturn:
    """This process is now what the order says, until it ends."""
    status = 1
    try:
        settle(order, files, kept)
        status = status_of(order.words)
        threading._shutdown()
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)  # whatever happens: the callers of this function are another process's


def settle(order: Order, files: list[int], kept: Collection[int]) -> None:
    """Leaves behind what a process that is started does not inherit."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    atexit._clear()
    if order.new_session:
        os.setsid()
    for number, file in enumerate(files):
        os.dup2(file, number)
    for number in {int(path.name) for path in Path("/proc/self/fd").iterdir()} - {0, 1, 2, *kept}:
        with suppress(OSError):  # of the folder that was just listed
            os.close(number)
    os.chdir(order.folder)
    os.environ.clear()
    os.environ.update(order.environment)
    Popen.begin = staticmethod(fork)
    subprocess.Popen = Popen
    multiprocessing.util.spawnv_passfds = fork_server


def status_of(words: list[str]) -> int:
    """Runs the words; the exit status that Python has after them."""
    try:
        run(words)
    except SystemExit as ended:
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
            return 1
        return ended.code or 0
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def run(words: list[str]) -> None:
    """What `python WORDS` runs, by a module's name, as code, or from a file."""
    kind, *rest = words
    sys.path[:1] = [str(Path(kind).parent) if kind not in ("-m", "-c") else "", *paths()]
    if kind == "-m":
        sys.argv = rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif kind == "-c":
        sys.argv = ["-c", *rest[1:]]
        sys.modules["__main__"] = main = ModuleType("__main__")
        exec(rest[0], main.__dict__)
    else:
        sys.argv = words
        runpy.run_path(kind, run_name="__main__")


def paths() -> list[str]:
    return [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]


if __name__ == "__main__":
    from ganzoo.importing import importing

    warnings.filterwarnings("ignore", ".* use of fork", DeprecationWarning)  # Python 3.12's, where there are threads
    with importing():
        import optuna  # noqa: F401
        import sklearn.datasets  # noqa: F401

        import ganzoo.cli
        import ganzoo.evaluation.evaluate
        import ganzoo.training.run  # noqa: F401
    serve(socket.socket(fileno=os.dup(0)))
