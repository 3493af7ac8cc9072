"""What each worker of this machine gets: threads, and a GPU where there are any. No torch here."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ganzoo.errors import InputError, Problem
from ganzoo.records.environment import usable_cores

MOST_UNASKED = 8  # workers; each takes some hundred megabytes before its networks do


@dataclass(frozen=True)
class Place:
    """What a worker may use of the machine.

    Attributes:
        threads: of torch.
        gpu: the one that it sees, as CUDA_VISIBLE_DEVICES names it; None: there are none.
    """

    threads: int
    gpu: str | None = None

    def settle(self) -> None:
        """Makes this process keep to it. Nothing may have used CUDA before."""
        import torch

        torch.set_num_threads(self.threads)
        if self.gpu is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = self.gpu


def places_for(
    trainer: Mapping[str, Any], trials: int, workers: int | None = None, threads: int | None = None
) -> list[Place]:
    """Where workers run: GPUs are dealt in turn, so that more workers than GPUs share them; cores are divided.

    Args:
        trainer: the experiment's section, as far as its file has one.
        trials: how many there are; more workers than that would have nothing to do.
        workers: None: one a GPU, or without any one a core, and at most MOST_UNASKED.
        threads: of a worker; None: OMP_NUM_THREADS, or the cores divided by the workers.

    Raises:
        InputError: a run of several devices, whose processes Lightning would have to start itself.
    """
    refuse_many_devices(trainer)
    gpus = [] if trainer.get("accelerator", "auto") not in ("auto", "gpu", "cuda") else visible_gpus()
    cores = usable_cores()
    number = workers or min(trials, len(gpus) or min(cores, MOST_UNASKED))
    threads = threads or _asked_threads() or max(1, cores // number)
    return [Place(threads, gpus[worker % len(gpus)] if gpus else None) for worker in range(number)]


def refuse_many_devices(trainer: Mapping[str, Any]) -> None:
    """Raises InputError where the experiment asks for more than one device."""
    if trainer.get("devices", 1) != 1 or trainer.get("num_nodes", 1) != 1:
        text = "a trial of a sweep is trained on one device; set trainer.devices=1 trainer.num_nodes=1"
        raise InputError("--engine", [Problem("trainer.devices", text)])


def visible_gpus() -> list[str]:
    """NVIDIA's GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name.strip() for name in named.split(",") if name.strip() not in ("", "-1")]
    if shutil.which("nvidia-smi") is None:
        return []
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):  # a driver that does not answer: torch would not see any either
        return []
    return [str(index) for index, line in enumerate(listed.splitlines()) if line.startswith("GPU ")]


def _asked_threads() -> int | None:
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isdigit() and int(asked) else None
