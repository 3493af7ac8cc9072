"""Sweeps and run directories written by hand, as training would have left them."""

import json
import math
from pathlib import Path
from typing import Any

from conftest import RING

from ganzoo.sweeping.reading import read_sweep
from ganzoo.sweeping.trials import Sweep, Trial

FID = "evaluation/fid"
RATES = {"distribution": "log_uniform_values", "min": 1e-5, "max": 1e-1}


def sweep_in(folder: Path, **changes: Any) -> Sweep:
    """A random search of ten trials; changes of None leave a key of the sweep file out."""
    values = {
        "program": str(RING),
        "name": "rates",
        "method": "random",
        "run_cap": 10,
        "metric": {"name": FID, "goal": "minimize"},
        "parameters": {"optimizer.generator.lr": RATES, "variant.latent_dim": {"values": [2, 4, 8]}},
        **changes,
    }
    path = folder / "sweep.yaml"
    path.write_text(json.dumps({key: value for key, value in values.items() if value is not None}))  # JSON is YAML
    return Sweep(read_sweep(path), folder / "runs")


def write_run(
    trial: Trial, status: str | None = None, history: tuple[float, ...] = (9.0, 4.0), budget: int = 100, **record: Any
) -> None:
    """A run that logged its metric every ten updates, 0.1 s each, and a loss in between; status None: no record."""
    trial.directory.mkdir(parents=True)
    told = {"number": trial.number, "parameters": trial.parameters, "seed": trial.seed}
    (trial.directory / "trial.json").write_text(json.dumps(told))
    trial.run.config.write_text(f"name: x\nbudget:\n  generator_updates: {budget}\n")
    trial.run.metrics.write_text("".join(line(10 * place, value) for place, value in enumerate(history, start=1)))
    if status:
        write_record(trial, status, updates=10 * len(history), **record)


def line(updates: int, value: float, name: str = FID) -> str:
    """Two lines of metrics.jsonl: the metric and, at the same update, something else."""
    counts = {"generator_updates": updates, "images_seen": 32 * updates, "seconds": updates / 10}
    shown = value if math.isfinite(value) else str(value)
    return json.dumps({**counts, name: shown}) + "\n" + json.dumps({**counts, "generator/loss": 0.5}) + "\n"


def write_record(trial: Trial, status: str, updates: int | None = None, **record: Any) -> None:
    ended = {"ended": "2026-01-02T03:04:05+00:00", "budget": {"generator_updates": updates}}
    trial.run.record.write_text(json.dumps({"status": status, "reason": None, **ended, **record}))
