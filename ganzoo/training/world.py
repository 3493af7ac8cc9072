"""How many processes train a run together, and which of them this one is. No torch here."""

import os
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
        if all(name in told for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")):
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
        if Agent.above() is not None or "SLURM_STEP_ID" not in told or "SLURM_PROCID" not in told:
            return cls()  # a batch script's own shell has a SLURM_PROCID too
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
        """Of each process: the machine's cores, divided; None: OMP_NUM_THREADS says it."""
        return None if "OMP_NUM_THREADS" in os.environ else max(1, usable_cores() * self.nodes // self.size)
