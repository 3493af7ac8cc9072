"""What ends a mini cluster: every process of a node, or of all of it, whoever started them.

    python cluster_keeper.py FOLDER

waits for a line on standard input, or for its end, which comes with the death of whoever holds the other side; then it
kills all that carries FOLDER/slurm.conf as SLURM_CONF, and what descends from it, and removes the folder.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

# Parent of a slurmd and of what its jobs leave behind: what is below it is the node. It buries the dead at once, for
# which SLURM waits, and a container's first process takes its time.
REAPER = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER
os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ)
try:
    while True:
        os.wait()
except ChildProcessError:
    pass
"""


def kill_below(daemon: subprocess.Popen[bytes]) -> None:
    """Kills all that descends from a process, but not the process: a reaper then ends by itself."""
    while pids := _below([daemon.pid])[1:]:
        _kill(pids)


def _below(pids: list[int]) -> list[int]:
    """These processes and all that descend from them, parents first."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text(errors="replace").rpartition(")")[2].split()[:2]
        except OSError:  # it has ended meanwhile
            continue
        if state != "Z":  # dead
            children.setdefault(int(parent), []).append(int(stat.parent.name))
    found = list(pids)
    for pid in found:
        found += [child for child in children.get(pid, []) if child not in found]
    return found


def carriers(configuration: str) -> list[int]:
    """The processes with this SLURM_CONF in their environment."""
    entry, found = f"SLURM_CONF={configuration}".encode(), []
    for file in Path("/proc").glob("[0-9]*/environ"):
        try:
            if entry in file.read_bytes().split(b"\0"):
                found.append(int(file.parent.name))
        except OSError:  # another user's, or it has ended
            continue
    return found


def _kill(pids: list[int]) -> None:
    """As if all at once: none sees another's end, of which it could tell SLURM.

    Children end first: stopped ones that lose their parent are woken by the kernel.
    """
    for number, order in ((signal.SIGSTOP, pids), (signal.SIGKILL, reversed(pids))):
        for pid in order:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
    time.sleep(0.005)


def main() -> None:
    folder = Path(sys.argv[1])
    sys.stdin.readline()
    while pids := _below(carriers(f"{folder}/slurm.conf")):
        _kill(pids)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
