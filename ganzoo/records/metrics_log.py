"""metrics.jsonl: a Lightning logger that writes one flushed JSON line for every set of values."""

import json
import math
import os
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from ganzoo.records.run_directory import RunDirectory
from ganzoo.training.clock import Clock


class MetricsLog(Logger):
    """Each line has generator_updates, images_seen and seconds of training, then what was logged."""

    def __init__(self, run: RunDirectory, clock: Clock):
        super().__init__()
        self.run, self.clock = run, clock
        self._file: Any = None

    @property
    def name(self) -> str:
        return "metrics"

    @property
    def version(self) -> str:
        return self.run.run_id

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """config.yaml has them."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        if self._file is None:
            self._file = self.run.metrics.open("a", buffering=1)  # line by line: a kill loses no line
        counts = {"generator_updates": step, "images_seen": metrics.get("images_seen"), "seconds": self.clock.seconds()}
        line = {**counts, **{name: _finite(value) for name, value in metrics.items() if name not in counts}}
        self._file.write(json.dumps(line, allow_nan=False) + "\n")

    def sync(self) -> None:
        """To the disk itself, before a checkpoint says that these lines are there."""
        if self._file is not None:
            os.fsync(self._file.fileno())

    def finalize(self, status: str) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _finite(value: float) -> float | str:
    """JSON has no NaN and no infinity: their names stand for them."""
    return value if not isinstance(value, float) or math.isfinite(value) else str(value)
