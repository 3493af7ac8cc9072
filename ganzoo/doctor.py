"""What this machine can do: devices, precision, W&B, SLURM, data."""

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from ganzoo.cluster.site import VARIABLE, Site
from ganzoo.components import DATASETS
from ganzoo.config import InvalidSettings
from ganzoo.errors import InputError
from ganzoo.records.environment import hardware, versions
from ganzoo.records.tracking import wandb_mode


@dataclass(frozen=True)
class Finding:
    """One thing looked at: whether it is there, what was found, and what to do if it is missing."""

    what: str
    good: bool
    found: str
    advice: str = ""

    def row(self) -> tuple[str, str, str, str]:
        return ("ok" if self.good else "--", self.what, self.found, self.advice)


def findings() -> list[Finding]:
    return [_versions(), *_devices(), _wandb(), _slurm(), *_weights(), *_data()]


def _versions() -> Finding:
    found = versions()
    return Finding(
        "versions", sys.version_info >= (3, 11), ", ".join(f"{name} {number}" for name, number in found.items())
    )


def _devices() -> Iterator[Finding]:
    import torch

    machine = hardware()
    yield Finding(
        "processor", True, f"{machine['processor']}, {machine['cpu_count']} cores, {machine['threads']} threads"
    )
    if not machine["gpus"]:
        built = f"torch {torch.__version__} sees none"
        yield Finding("GPU", False, built, "trains on the CPU; for a GPU: a driver, and a CUDA build of torch")
    for name in machine["gpus"]:
        bf16 = "bf16-mixed" if torch.cuda.is_bf16_supported() else "16-mixed"
        yield Finding("GPU", True, f"{name}; mixed precision: trainer.precision={bf16}")


def _wandb() -> Finding:
    mode = wandb_mode("auto")
    advice = {
        "offline": "runs are kept offline; wandb login sends them",
        "disabled": "pip install wandb, if you want it",
    }
    return Finding("W&B", mode == "online", f"tracking.wandb: auto means {mode} here", advice.get(mode, ""))


def _slurm() -> Finding:
    sbatch = shutil.which("sbatch")
    if sbatch is None:
        return Finding("SLURM", False, "no sbatch on the path", "needed on clusters only")
    try:
        site = Site.chosen(None)
    except InputError as error:
        return Finding("SLURM", False, sbatch, " ".join(str(error).split()))
    told = f"site: {os.environ[VARIABLE]}" if site != Site() else f"no site: {VARIABLE} names its file"
    return Finding("SLURM", True, f"{sbatch}; {told}")


def _weights() -> Iterator[Finding]:
    """Of the networks that the literature's protocols look through."""
    from ganzoo.evaluation.extractors.weights import hub_folder, published

    for name in ("inception-v3-compat", "vgg16"):
        weights = published(name)
        path = hub_folder() / weights.file
        advice = f"downloaded when a protocol needs it, or by hand from {weights.url}"
        there = path.is_file()
        yield Finding(
            f"weights {name}", there, str(path) if there else f"not in {path.parent}", "" if there else advice
        )


def _data() -> Iterator[Finding]:
    root = os.environ.get("GANZOO_DATA", "data")
    for name in DATASETS.names():
        try:
            missing = DATASETS.find(name)().missing()  # type: ignore[attr-defined]
        except (TypeError, InvalidSettings):
            continue  # a data set that must be told where it is
        yield Finding(f"data {name}", missing is None, "found" if missing is None else f"not in {root}", missing or "")
