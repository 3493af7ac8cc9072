"""The run directory: config.yaml, metrics.jsonl, record.json, checkpoints/, samples/. No torch here."""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from ganzoo.config import to_plain
from ganzoo.errors import InputError, Problem
from ganzoo.experiment import Experiment, build_experiment
from ganzoo.records.claim import Claim, claimed
from ganzoo.records.files import write_text
from ganzoo.values import read_values

# What may differ between a run and its resumption: how long, on what, how it is watched. None changes a weight.
MAY_CHANGE_ON_RESUME = (
    "budget",
    "checkpoint",
    "tracking",
    "trainer.accelerator",
    "trainer.devices",
    "trainer.num_nodes",
    "trainer.cuda_graphs",
    "trainer.progress",
    "data.num_workers",
    "data.root",
    "data.path",
    "data.heldout_path",
)


class RunDirectory:
    """One run's folder and its files, which are the truth about the run."""

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.config = self.path / "config.yaml"
        self.metrics = self.path / "metrics.jsonl"
        self.record = self.path / "record.json"
        self.samples = self.path / "samples"
        self.last_checkpoint = self.path / "checkpoints" / "last.ckpt"
        self.best_checkpoint = self.path / "checkpoints" / "best.ckpt"
        self._claim: Claim | None = None

    @property
    def run_id(self) -> str:
        return self.path.resolve().name

    @classmethod
    def create(cls, experiment: Experiment, path: str | Path | None = None) -> "RunDirectory":
        """A new run's folder with its config.yaml; path: None for runs/<name>/<time and a random part>.

        Raises:
            InputError: there is a run in the folder already, or it cannot be made.
        """
        run = cls(path if path is not None else cls.fresh_path(experiment))
        if run.config.exists():
            raise InputError(run.path, f"there is a run here already; go on with it by --resume {run.path}")
        try:
            run.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(run.path, f"the run directory cannot be made: {error.strerror}") from None
        write_text(run.config, experiment.to_yaml())
        return run

    @staticmethod
    def fresh_path(experiment: Experiment) -> Path:
        """runs/<name>/<time and a random part>."""
        return Path("runs") / experiment.name / f"{datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"

    @classmethod
    def open(cls, path: str | Path) -> "RunDirectory":
        """The run in an existing folder. Raises InputError where there is none."""
        run = cls(path)
        if not run.config.is_file():
            near = sorted(str(config.parent) for config in run.path.glob("**/config.yaml"))
            hint = f"; there are runs below it: {', '.join(near[:5])}" if near else ""
            raise InputError(run.path, f"this is no run directory: it has no config.yaml{hint}")
        return run

    def experiment(self) -> Experiment:
        return build_experiment(read_values(self.config), source=self.config)

    def resumed_experiment(self, overrides: tuple[str, ...] = ()) -> Experiment:
        """The run's experiment with overrides, which may touch only what leaves the weights alone.

        Raises:
            InputError: naming every key that must not change.
        """
        found: list[Problem] = []
        values = read_values(self.config, overrides, found)
        experiment = build_experiment(values, source=self.config, found=found, to_train=True)
        before, after = flat(to_plain(self.experiment())), flat(to_plain(experiment))
        allowed = f"a resumed run may change only {', '.join(MAY_CHANGE_ON_RESUME)}"
        fixed = [
            Problem(key, f"{before.get(key)} -> {after.get(key)}: {allowed}")
            for key in sorted(before.keys() | after.keys())
            if before.get(key) != after.get(key) and not may_change(key)
        ]
        if fixed:
            raise InputError(self.path, fixed)
        return experiment

    def lines(self) -> Iterator[dict[str, Any]]:
        """The whole lines of metrics.jsonl; a line that a kill cut short is passed over."""
        if not self.metrics.exists():
            return
        for line in self.metrics.read_text().splitlines():
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                continue

    def forget_metrics_after(self, generator_updates: int) -> None:
        """Drops the lines that the run, going on from a checkpoint, will write again."""
        kept = [line for line in self.lines() if line["generator_updates"] <= generator_updates]
        write_text(self.metrics, "".join(json.dumps(line) + "\n" for line in kept))

    def read_record(self) -> dict[str, Any] | None:
        return json.loads(self.record.read_text()) if self.record.exists() else None

    def is_done(self, generator_updates: int) -> bool:
        """Whether the run has ended with that budget spent: its record is then that of the work, and stays."""
        record = self.read_record()
        return bool(
            record and record["status"] == "done" and record["budget"]["generator_updates"] >= generator_updates
        )

    def write_record(self, record: dict[str, Any]) -> None:
        self.check_claim()
        write_text(self.record, json.dumps(record, indent=2) + "\n")

    @contextmanager
    def claimed(self, patience_seconds: float = 0.0) -> Iterator[None]:
        """One process at a time trains in this directory. Raises Taken when another one does, for so long."""
        with claimed(self.path, patience_seconds) as self._claim:
            yield
        self._claim = None

    def check_claim(self) -> None:
        """Raises LostClaim where this process had the directory and another one has taken it over."""
        if self._claim is not None:
            self._claim.check()


def flat(values: dict[str, Any], at: str = "") -> dict[str, Any]:
    """Nested sections as one level of dotted keys.

    >>> flat({"data": {"name": "digits", "flip": False}, "seed": 0})
    {'data.name': 'digits', 'data.flip': False, 'seed': 0}
    """
    leaves: dict[str, Any] = {}
    for key, value in values.items():
        leaves |= flat(value, f"{at}{key}.") if isinstance(value, dict) else {f"{at}{key}": value}
    return leaves


def may_change(key: str) -> bool:
    return any(key == prefix or key.startswith(f"{prefix}.") for prefix in MAY_CHANGE_ON_RESUME)
