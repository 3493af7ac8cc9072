"""How many processes train a run together, and which of them this one is. No torch here."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ganzoo.errors import InputError, Problem
from ganzoo.records.environment import usable_cores
from ganzoo.records.tracking import Agent
from ganzoo.training.config import TrainerConfig

PARENT = "GANZOO_PARENT"  # in the environment of processes that a run's first one has started: its process id


@dataclass(frozen=True, kw_only=True)
class World:
    """The processes that train together, and which of them this one is.

    Attributes:
        by: who started them.
        rank, size: this one's number, and how many there are.
        local_rank, nodes: its number on its machine, and how many machines there are.
        address, port: where they meet; of SLURM's, Lightning tells it.
    """

    by: Literal["nobody", "slurm", "torchrun", "ganzoo"] = "nobody"
    rank: int = 0
    size: int = 1
    local_rank: int = 0
    nodes: int = 1
    address: str = "127.0.0.1"
    port: int = 0

    @classmethod
    def around(cls) -> "World":
        """What the environment says. A W&B agent's run is alone, whatever the agent was started with."""
        told = os.environ
        if PARENT not in told and Agent.above() is not None:
            return cls()
        as_torch = all(name in told for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"))
        by_srun = "SLURM_STEP_ID" in told and "SLURM_PROCID" in told  # a batch script's own shell has the latter too
        if as_torch and not (by_srun and _only_repeats_slurm(told)):
            return cls._of_torch(told)
        return cls._of_slurm(told) if by_srun else cls()

    @classmethod
    def _of_torch(cls, told: Mapping[str, str]) -> "World":
        size, here = int(told["WORLD_SIZE"]), int(told.get("LOCAL_WORLD_SIZE", told["WORLD_SIZE"]))
        return cls(
            by="ganzoo" if PARENT in told else "torchrun",
            rank=int(told["RANK"]),
            size=size,
            local_rank=int(told["LOCAL_RANK"]),
            nodes=max(size // here, 1),
            address=told["MASTER_ADDR"],
            port=int(told["MASTER_PORT"]),
        )

    @classmethod
    def _of_slurm(cls, told: Mapping[str, str]) -> "World":
        return cls(
            by="slurm",
            rank=int(told["SLURM_PROCID"]),
            size=int(told.get("SLURM_STEP_NUM_TASKS", told.get("SLURM_NTASKS", "1"))),
            local_rank=int(told.get("SLURM_LOCALID", "0")),
            nodes=int(told.get("SLURM_STEP_NUM_NODES", "1")),
        )

    def check(self, settings: TrainerConfig) -> None:
        """Raises InputError where the experiment wants other processes than there are."""
        if (self.size, self.nodes) == (settings.ranks, settings.num_nodes):
            return
        wanted = f"{settings.devices} on each of {settings.num_nodes} nodes"
        there = f"{self.by} has started {self.size} on {self.nodes}"
        mended = f"--nodes={settings.num_nodes} --ntasks-per-node={settings.devices}"
        advice = {"slurm": f"ask SLURM for {mended}, or let `ganzoo submit` do it", "torchrun": "start as many"}
        text = f"the experiment is for {wanted}, and {there}; {advice.get(self.by, 'change one of them')}"
        raise InputError("trainer", [Problem("trainer.devices", text)])

    @property
    def threads(self) -> int | None:
        """Of each process; None: OMP_NUM_THREADS says it.

        Those that SLURM gives a task; else the machine's cores, divided, unless this process is bound to some of them.
        """
        if "OMP_NUM_THREADS" in os.environ:
            return None
        if self.by == "slurm" and os.environ.get("SLURM_CPUS_PER_TASK", "").isdigit():
            return int(os.environ["SLURM_CPUS_PER_TASK"])
        cores = usable_cores()
        shared = self.by != "slurm" or cores == os.cpu_count()
        return max(1, cores * self.nodes // self.size) if shared else cores


def _only_repeats_slurm(told: Mapping[str, str]) -> bool:
    """Whether torch's variables are but SLURM's under other names, as containers and scripts set them."""
    return told["WORLD_SIZE"] == told.get("SLURM_STEP_NUM_TASKS") and not {PARENT, "TORCHELASTIC_RUN_ID"} & set(told)
