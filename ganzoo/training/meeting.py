"""Where the processes of a run meet: what each tells the others, apart from tensors."""

import json
import os
import platform
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

from ganzoo.errors import GanzooError
from ganzoo.training.world import World

PATIENCE = timedelta(minutes=10)  # for the slowest to import torch, from a disk that all nodes read at once
LOSS_SECONDS = 15.0  # after another process has failed, until this one must have noticed; SLURM gives half a minute


class Meeting:
    """All processes of a world, met: torch.distributed is begun, and orders can be given.

    Attributes:
        on_loss: called with the reason before this process gives up, since another one has gone; see `watching`.
    """

    def __init__(self, world: World, opened: Any = None):
        """`opened`: the store, where it is there already."""
        import torch
        from torch import distributed

        from ganzoo.ranks import work_apart

        work_apart(False)  # a training by this process alone may have ended in an error
        # Nodes that meet over one network are to talk over it, not over whichever their names lead to.
        named = os.environ.get("NCCL_SOCKET_IFNAME", "")
        if named.isalnum():
            os.environ.setdefault("GLOO_SOCKET_IFNAME", named)
        self.world, self._given = world, 0
        self.on_loss: Callable[[str], None] = lambda reason: None
        store = distributed.PrefixStore(_attempt(world), opened or _open_store(world))
        # gloo for what the processes tell each other; gradients of GPUs have a group of their own: AlternatingDDP.
        # All may wait for the first one, which computes scores.
        hours = timedelta(hours=6)
        distributed.init_process_group("gloo", store=store, rank=world.rank, world_size=world.size, timeout=hours)
        self._store = distributed.PrefixStore("ganzoo", store)
        self._threads_before = torch.get_num_threads()
        if world.threads is not None:
            torch.set_num_threads(world.threads)

    def give(self, order: Any) -> None:
        """To all others, as JSON."""
        self._store.set(f"order {self._given}", json.dumps(order))
        self._given += 1

    def next_order(self) -> Any:
        """Waits for it; None: there are no more. Raises an error of torch's where the first process has gone."""
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
            self.give(None)
            if code != GanzooError.exit_code:
                self._store.wait([f"left {rank}" for rank in range(1, self.world.size)], timedelta(seconds=10))
        self._settle()

    def leave(self) -> None:
        """Tells the first process that this one has heard of the end."""
        self._store.set(f"left {self.world.rank}", "")
        self._settle()

    def _settle(self) -> None:
        """When the first task ends, srun stops the others: whoever is about to end keeps its own exit code."""
        if self.world.by != "ganzoo":
            ignore(signal.SIGTERM, signal.SIGUSR1)

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
        with suppress(Exception):  # the store has gone, with torchrun's agent
            if self._store.check(["failure"]):
                return self._store.get("failure").decode()
        return None

    @contextmanager
    def watching(self, lost: Callable[[], str | None]) -> Iterator[None]:
        """Ends this process where another one has failed and it does not notice: NCCL waits for those that have gone.

        Args:
            lost: why one has gone, or None; asked beside what they tell.
        """
        over = threading.Event()

        def watch() -> None:
            while not over.wait(1.0):
                if (reason := self.failure() or lost()) and not over.wait(LOSS_SECONDS):
                    with suppress(Exception):
                        self.on_loss(reason)
                    os._exit(GanzooError.exit_code)

        threading.Thread(target=watch, daemon=True, name="watching the other ranks").start()
        try:
            yield
        finally:
            over.set()

    def part(self) -> None:
        import torch

        torch.distributed.destroy_process_group()
        torch.set_num_threads(self._threads_before)


def ignore(*numbers: signal.Signals) -> None:
    """Signals that this process is to live through from now on; outside of its main thread there is no saying so."""
    if threading.current_thread() is threading.main_thread():
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)


def _open_store(world: World) -> Any:
    """The keys and values that all share: the first process has them, or torchrun."""
    from torch import distributed

    address, port = _meeting_place(world)
    by_torchrun = world.by == "torchrun" and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    opens = world.rank == 0 and not by_torchrun
    store = distributed.TCPStore(address, port, world.size, is_master=opens, wait_for_workers=False, timeout=PATIENCE)
    store.set(f"here {world.rank}", "")
    return store


def _attempt(world: World) -> str:
    """What tells these processes' keys from those of others that may have come to the same store."""
    told = os.environ
    if world.by == "slurm":
        return f"{told['SLURM_JOB_ID']}.{told['SLURM_STEP_ID']}"
    return told.get("TORCHELASTIC_RESTART_COUNT", "0") if world.by == "torchrun" else "0"


def _meeting_place(world: World) -> tuple[str, int]:
    """Of SLURM's tasks: the first node of their step, and a port that follows from it."""
    if world.by != "slurm":
        return world.address, world.port
    from lightning.fabric.plugins.environments import SLURMEnvironment

    told = os.environ
    address = told.get("MASTER_ADDR") or SLURMEnvironment.resolve_root_node_address(told["SLURM_STEP_NODELIST"])
    port = 15000 + (int(told["SLURM_JOB_ID"]) + 97 * int(told["SLURM_STEP_ID"])) % 10000
    return address, int(told.get("MASTER_PORT") or port)
