"""Somebody outside looks at what a run logs, and may end it early."""

from collections.abc import Callable, Mapping
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from ganzoo.training.callbacks.stop import Stop

# Called with the generator updates and what was logged at them; a reason ends the run.
Watch = Callable[[int, Mapping[str, float]], str | None]


class Watched(Logger):
    """Shows what is logged to a `Watch`."""

    def __init__(self, watch: Watch, stop: Stop):
        super().__init__()
        self.watch, self.stop = watch, stop

    @property
    def name(self) -> str:
        return "watched"

    @property
    def version(self) -> str:
        return ""

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """config.yaml has them."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.stop.early_reason = self.stop.early_reason or self.watch(step or 0, metrics)
