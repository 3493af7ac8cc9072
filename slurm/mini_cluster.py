"""A real SLURM of several nodes on this one machine, for an hour's experiment or for pytest; without root, as you like.

    python slurm/mini_cluster.py --nodes 2 -- srun -N2 hostname

starts SLURM's own daemons in a folder below /tmp, runs the command with SLURM_CONF set, and takes everything down. In
Python, MiniCluster does the same. Each node is a slurmd of its own, named as a loop-back address, so that whoever looks
its name up needs no /etc/hosts. SLURM is Debian's or Ubuntu's.
"""

import argparse
import os
import platform
import pwd
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import cluster_keeper
from cluster_keeper import REAPER, kill_below

PROGRAMS = ("munged", "slurmctld", "slurmd", "scontrol", "sdiag", "sinfo", "srun", "sbatch")
INSTALL = "On Debian and Ubuntu: sudo apt-get install --no-install-recommends slurmctld slurmd slurm-client munge"
MOST_NODES = 24
ENDED = frozenset({"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "PREEMPTED", "OUT_OF_MEMORY"})
FIRST_PORT, PORTS, BLOCKS = 25000, 28, 250  # each cluster has a block; from 32768 on, ports are the kernel's to give
SLURMD = (sys.executable, "-I", "-S", "-c", REAPER, "slurmd", "-D", "-N")
FIELD = re.compile(r"(?m)(?:^ *| )([\w:/]+)=((?<=(?:Comment|JobName)=).*?(?= *$)|.*?(?= [\w:/]+=| *$))")  # NAME=VALUE
NOTHING_TO_TELL = re.compile(r"(?m)^Agent count: *0$")
START_SECONDS = 60.0  # a quiet machine takes a fifth of a second

# cred_expire: so long a requeued job waits; by default two minutes, and less than 5 s is not taken.
# config_overrides: nodes may be said to have more processors than this machine.
CONFIGURATION = """\
ClusterName=mini
FirstJobId={job}
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
AuthInfo=socket={folder}/munge.socket,cred_expire=5
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={folder}
SlurmdSpoolDir={folder}/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
ProctrackType=proctrack/pgid
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=bf_interval=1,sched_interval=1,batch_sched_delay=0
SlurmdParameters=config_overrides
GresTypes=gpu
ReturnToService=2
KillWait=10
MinJobAge=3600
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
{nodes}
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE PriorityTier=1 PreemptMode=REQUEUE GraceTime={grace}
PartitionName=high Nodes=ALL MaxTime=INFINITE PriorityTier=10 PreemptMode=OFF
"""


class ClusterError(RuntimeError):
    """SLURM is not installed, does not start, or refuses what it is asked."""


class MiniCluster:
    """A SLURM that runs inside a `with` block; any number of them side by side.

    Whatever becomes of this process, nothing stays behind: a keeper, a process of its own, kills all that carries this
    cluster's SLURM_CONF and removes the folder, once it is told to or this process is no more.

    Args:
        nodes: 1 to 24.
        cpus: processors of each node, whatever the machine has.
        gpus: of each node: CUDA_VISIBLE_DEVICES names them, but there is nothing behind it.
        grace_seconds: how long a job of partition main lives on after a job of partition high has preempted it.

    Attributes:
        nodes: their names.
        environment: what a program needs to have in its environment to use this SLURM: SLURM_CONF and PATH.
        folder: configuration, state and logs, below /tmp: paths of sockets must be short.

    Raises:
        ClusterError: SLURM is not installed or does not start, with what its daemons said.
    """

    def __init__(self, nodes: int = 2, cpus: int = 4, gpus: int = 0, grace_seconds: int = 15):
        if not 1 <= nodes <= MOST_NODES:
            raise ValueError(f"nodes must be 1 to {MOST_NODES}, got {nodes}")
        if missing := missing_programs():
            raise ClusterError(f"SLURM is not installed, or not on PATH: there is no {', '.join(missing)}. {INSTALL}")
        self._cpus, self._grace, self._devices = cpus, grace_seconds, _devices(gpus)
        self._reservation, self._block = _reserve(1 + nodes)
        self.nodes = [f"127.0.{self._block + 2}.{number}" for number in range(1, nodes + 1)]
        self.folder = Path(tempfile.mkdtemp(prefix="mini-slurm-", dir="/tmp"))
        self.environment = {"SLURM_CONF": f"{self.folder}/slurm.conf", "PATH": _path()}
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}
        words = [sys.executable, "-I", cluster_keeper.__file__, str(self.folder)]
        self._keeper = subprocess.Popen(words, stdin=subprocess.PIPE, start_new_session=True)

    def __enter__(self) -> "MiniCluster":
        try:
            self._configure()
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Kills the jobs and the daemons, and removes the folder. May be called twice."""
        for daemon in self._daemons.values():
            kill_below(daemon)
        if self._keeper.returncode is None:
            self._keeper.communicate(b"stop\n")
        for daemon in self._daemons.values():
            daemon.wait()
        self._reservation.close()

    def run(self, *command: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Runs a program, such as squeue, on this cluster; options are those of subprocess.run."""
        usual = {"env": self.variables(), "capture_output": True, "text": True, "timeout": 60, "check": False}
        return subprocess.run(command, **{**usual, **options})

    def submit(self, *arguments: str, **options: Any) -> str:
        """The id of the job that sbatch makes of these arguments. Raises ClusterError where it refuses."""
        return self._ask("sbatch", "--parsable", *arguments, **options).strip()

    def show(self, job: str) -> dict[str, str]:
        """What `scontrol show job` says: JobState, Reason, Restarts, ... Of a whole array: its first line."""
        return self._records(job)[0]

    def wait(self, job: str, states: str | Collection[str], timeout: float = 60) -> dict[str, str]:
        """What `show` says once the job, or every task of the array, is in one of these states.

        Raises:
            TimeoutError: it was in none of them for that many seconds.
        """
        wanted, end = {states} if isinstance(states, str) else set(states), time.monotonic() + timeout
        while {record["JobState"] for record in self._records(job)} - wanted:
            if time.monotonic() > end:
                raise TimeoutError(f"{job} is not {' or '.join(sorted(wanted))} after {timeout} s: {self.show(job)}")
            time.sleep(0.05)
        return self.show(job)

    def hurry(self, job: str) -> None:
        """Spares a requeued job most of the seconds that SLURM lets it wait."""
        self.wait(job, "PENDING")
        # Not before the next second: whatever is started in the one in which the job ended is taken for ended, too.
        self._ask("scontrol", "update", f"JobId={job}", "StartTime=now+1")

    def crash_node(self, name: str) -> None:
        """Takes a node's power away and tells SLURM, which would need half a minute to notice."""
        kill_below(self._daemons[name])
        self._daemons.pop(name).wait()
        self._ask("scontrol", "update", f"NodeName={name}", "State=DOWN", "Reason=crashed")

    def revive_node(self, name: str) -> None:
        """Starts a crashed node again, and waits until SLURM has it back and has nothing left to tell anybody.

        To a node that goes down, SLURM says for ten seconds that its jobs are to end; one that is back sooner hears of
        it, and ends the job that has just begun there again.
        """
        self._spawn(name, *SLURMD, name)
        self._until(lambda: self._states()[name] in {"idle", "mix", "alloc", "comp"}, f"{name} does not come back")
        self._until(lambda: NOTHING_TO_TELL.search(self._ask("sdiag")), f"{name} is told of what was before its crash")

    def logs(self) -> str:
        """What the daemons have written so far."""
        return "\n".join(f"--- {file.name}\n{file.read_text()}" for file in sorted(self.folder.glob("*.log")))

    def variables(self) -> dict[str, str]:
        """This process's environment with that of the cluster; without another's, in whose job this may run."""
        others = ("SLURM", "SBATCH", "SRUN")
        return {name: value for name, value in os.environ.items() if not name.startswith(others)} | self.environment

    def _configure(self) -> None:
        host, port, gpus = platform.node().partition(".")[0], FIRST_PORT + PORTS * self._block, len(self._devices)
        nodes = (
            f"NodeName={name} NodeHostname={host} NodeAddr={name} Port={port + number} CPUs={self._cpus} "
            f"RealMemory=64000" + (f" Gres=gpu:{gpus}" if gpus else "")
            for number, name in enumerate(self.nodes, 1)
        )
        # A job's last four digits make the port on which its tasks meet: two clusters' should differ.
        job = random.randrange(1, 1000) * 10000 + self._block * (10000 // BLOCKS) + 1
        names = {"host": host, "user": pwd.getpwuid(os.getuid()).pw_name, "folder": self.folder}
        text = CONFIGURATION.format(job=job, port=port, nodes="\n".join(nodes), grace=self._grace, **names)
        (self.folder / "slurm.conf").write_text(text)
        (self.folder / "gres.conf").write_text("".join(f"Name=gpu File={device}\n" for device in self._devices))
        # Control groups need root, and look different everywhere. Version 24.05 learnt to do without.
        plugin = "disabled" if self._ask("slurmctld", "-V").split()[1] >= "24.05" else "cgroup/v1"
        (self.folder / "cgroup.conf").write_text(f"CgroupPlugin={plugin}\n")
        (self.folder / "munge.key").touch(0o600)
        (self.folder / "munge.key").write_bytes(os.urandom(1024))

    def _start(self) -> None:
        files = {"socket": "munge.socket", "key-file": "munge.key", "pid-file": "munge.pid", "seed-file": "munge.seed"}
        self._spawn("munged", "munged", "-F", "--force", *(f"--{key}={self.folder / files[key]}" for key in files))
        self._until((self.folder / "munge.socket").exists, "munged does not start")
        self._spawn("slurmctld", "slurmctld", "-D")
        # A slurmd that finds no slurmctld asks again only after a second.
        self._until(lambda: "is UP" in self.run("scontrol", "ping").stdout, "slurmctld does not start")
        for name in self.nodes:
            self._spawn(name, *SLURMD, name)
        self._until(lambda: set(self._states().values()) == {"idle"}, "the nodes do not start")

    def _spawn(self, name: str, *command: str) -> None:
        """A daemon, out of reach of the terminal's Ctrl-C."""
        env, null = self.variables(), subprocess.DEVNULL
        with (self.folder / f"{name}.log").open("ab") as log:
            daemon = subprocess.Popen(command, env=env, stdin=null, stdout=log, stderr=log, start_new_session=True)
        self._daemons[name] = daemon

    def _until(self, condition: Callable[[], object], problem: str) -> None:
        end = time.monotonic() + START_SECONDS
        while not condition():
            if time.monotonic() > end or any(daemon.poll() is not None for daemon in self._daemons.values()):
                raise ClusterError(f"{problem}:\n{self.logs()}")
            time.sleep(0.01)

    def _states(self) -> dict[str, str]:
        """Of each node: idle, alloc, mix, comp, down, ...; "idle*" of one that does not answer."""
        told = self.run("sinfo", "--Node", "--noheader", "--partition=main", "--format=%N %t").stdout
        return dict.fromkeys(self.nodes, "unknown") | dict(line.split() for line in told.splitlines())

    def _records(self, job: str) -> list[dict[str, str]]:
        return [dict(FIELD.findall(text)) for text in self._ask("scontrol", "show", "job", job).strip().split("\n\n")]

    def _ask(self, *command: str, **options: Any) -> str:
        done = self.run(*command, **options)
        if done.returncode:
            raise ClusterError(f"{' '.join(command)}: {done.stderr.strip() or f'exit status {done.returncode}'}")
        return done.stdout


def missing_programs() -> list[str]:
    """Those of SLURM's programs that this machine does not have."""
    return [name for name in PROGRAMS if shutil.which(name, path=_path()) is None]


def _path() -> str:
    return os.pathsep.join(filter(None, [os.environ.get("PATH"), "/usr/sbin", "/sbin"]))


def _reserve(ports: int) -> tuple[socket.socket, int]:
    """A block of free ports that is ours while the socket is open: the kernel gives its name to one process only."""
    for block in random.sample(range(BLOCKS), BLOCKS):
        reservation, first = socket.socket(socket.AF_UNIX), FIRST_PORT + PORTS * block
        try:
            reservation.bind(f"\0mini-slurm-{block}")
            for port in range(first, first + ports):
                socket.create_server(("", port)).close()
            return reservation, block
        except OSError:
            reservation.close()
    raise ClusterError(f"there are no {ports} free ports in a row from {FIRST_PORT} on")


def _devices(gpus: int) -> list[Path]:
    """As many different character devices: what SLURM takes for a GPU. Nobody opens them."""
    names = ("null", "zero", "full", "random", "urandom", "tty", *(f"tty{number}" for number in range(64)))
    devices = [device for name in names if (device := Path("/dev", name)).is_char_device()]
    if gpus > len(devices):
        raise ClusterError(f"this machine can pretend to have {len(devices)} GPUs a node, not {gpus}")
    return devices[:gpus]


def main() -> int:
    """The command's exit code; 2: there is no SLURM, or no such command."""
    about = "Runs a command, or your shell, on a SLURM that exists on this machine only, and only for so long."
    end = "Example: python slurm/mini_cluster.py -- srun -N2 hostname. What the command leaves running ends with it."
    parser = argparse.ArgumentParser(description=about, epilog=end)
    for option, default, text in (
        ("--nodes", 2, f"1 to {MOST_NODES}; default 2"),
        ("--cpus", 4, "of each node, whatever the machine has; default 4"),
        ("--gpus", 0, "of each node, with nothing behind them; default 0"),
        ("--grace-seconds", 15, "of a job in partition main that one in partition high preempts; default 15"),
    ):
        parser.add_argument(option, type=int, default=default, metavar="N", help=text)
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="[--] COMMAND", help="default: $SHELL")
    asked = parser.parse_args()
    command = asked.command[asked.command[:1] == ["--"] :] or [os.environ.get("SHELL", "/bin/sh")]
    try:
        with MiniCluster(asked.nodes, asked.cpus, asked.gpus, asked.grace_seconds) as cluster:
            signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C reaches the command too, whose business it is
            status = subprocess.call(command, env=cluster.variables())
        return status if status >= 0 else 128 - status
    except (ClusterError, ValueError, OSError) as error:
        print(f"mini_cluster: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
