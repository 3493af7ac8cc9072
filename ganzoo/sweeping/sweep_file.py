"""W&B's sweep file: read, checked, and what it says.

The schema is W&B's (https://docs.wandb.ai/models/sweeps/sweep-config-keys); the experiment is the file's `program`.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from ganzoo.sweeping.distributions import Distribution
from ganzoo.values import to_yaml

COMMAND = ("${env}", "ganzoo", "train", "${program}", "${args_no_hyphens}")


@dataclass(frozen=True)
class Metric:
    """What a sweep optimises: a value that runs log."""

    name: str
    goal: Literal["minimize", "maximize"] = "minimize"
    target: float | None = None

    def better(self, one: float, other: float) -> bool:
        return one < other if self.goal == "minimize" else one > other


@dataclass(frozen=True)
class Hyperband:
    """W&B's early_terminate: bands are counts of values of the metric that a run has logged, in rising order."""

    bands: tuple[int, ...]
    eta: float
    strict: bool


@dataclass(frozen=True)
class SweepFile:
    """A sweep file that was read and found right.

    Attributes:
        source: where it was read.
        values: the file's contents as plain values.
        name: the file's `name`, or its stem, made fit for a folder.
        experiment: the experiment's YAML file: `program`.
        fixed: the `key=value` words that `command` gives to every run.
        parameters: by their path: ("lr",), or ("optimizer", "lr") for nested ones. Without `seeds` and `pack`.
        seeds: trials of every point, with different seeds.
        pack: the most trials that a worker trains at once, unless it is told otherwise.
        first_seed: the experiment's.
        settled: the experiment's own values, with `fixed` applied: of what all trials are variations.
    """

    source: Path
    values: Mapping[str, Any]
    name: str
    method: Literal["grid", "random", "bayes"]
    experiment: Path
    fixed: tuple[str, ...]
    parameters: Mapping[tuple[str, ...], Distribution]
    metric: Metric | None
    early_terminate: Hyperband | None
    seeds: int
    pack: int
    first_seed: int
    run_cap: int | None
    settled: Mapping[str, Any]

    @cached_property
    def identity(self) -> str:
        """Eight hexadecimal digits of what the trials depend on: another search or another experiment has others.

        That is the order of the parameters too, by which a grid is counted, and the metric where it decides what is
        trained. It is not run_cap: a search may be made longer; nor pack, which changes no trial.
        """
        decides = self.method == "bayes" or self.early_terminate is not None
        depends = {
            "experiment": _ordered(self.settled),
            "method": self.method,
            "parameters": {name: section for name, section in self.values["parameters"].items() if name != "pack"},
            "early_terminate": self.values.get("early_terminate"),
            "metric": self.values.get("metric") if decides else None,
        }
        return hashlib.sha256(json.dumps(depends).encode()).hexdigest()[:8]

    @cached_property
    def grid_size(self) -> int | None:
        """The trials of a grid; None: another method."""
        if self.method != "grid":
            return None
        size = self.seeds
        for distribution in self.parameters.values():
            size *= len(distribution.choices or ())
        return size

    def to_yaml(self, *, program: Path) -> str:
        """The file, with another path to the experiment."""
        return to_yaml({**self.values, "name": self.name, "program": str(program)})


def _ordered(values: Any) -> Any:
    """The same values, the keys of every section sorted: their order says nothing."""
    if isinstance(values, Mapping):
        return {key: _ordered(values[key]) for key in sorted(values)}
    return [_ordered(part) for part in values] if isinstance(values, list) else values


def words_of(parameters: Mapping[str, Any]) -> tuple[str, ...]:
    """`key=value` words, written as W&B's agent writes them for ${args_no_hyphens}.

    >>> words_of({"seed": 3, "optimizer": {"generator": {"lr": 1e-05}}})
    ('seed=3', "optimizer={'generator': {'lr': 1e-05}}")
    """
    return tuple(f"{key}={value}" for key, value in parameters.items())


def folder_name(name: str) -> str:
    """A name as part of a path: what is no letter, digit, '.', '_' or '-' becomes '-'."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:80] or "sweep"
