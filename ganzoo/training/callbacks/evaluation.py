"""Scores of the averaged generator on schedule, and the best checkpoint by them."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from lightning import Trainer

from ganzoo.errors import InputError
from ganzoo.evaluation.evaluator import Evaluator
from ganzoo.ranks import from_first_, world_size
from ganzoo.training.callbacks import AfterGeneratorUpdates
from ganzoo.training.callbacks.checkpoint import Checkpoints
from ganzoo.training.clock import Clock
from ganzoo.training.gan import GAN
from ganzoo.training.randomness import untouched_randomness


class Evaluation(AfterGeneratorUpdates):
    """Logs `evaluation/<score>` and keeps the best checkpoint by the protocol's primary score.

    Attributes:
        scores: the latest scores.
        best: {"generator_updates": ..., "scores": ...} of the best, or empty.
        first: the scores at the start.
        floor: the scores of held-out real samples.
    """

    def __init__(self, every: int, evaluator: Evaluator, checkpoints: Checkpoints, clock: Clock):
        super().__init__(every)
        self.evaluator, self.checkpoints, self.clock = evaluator, checkpoints, clock
        self.protocol = evaluator.protocol
        self.scores: dict[str, float] = {}
        self.first: dict[str, float] = {}
        self.floor: dict[str, float] = {}
        self.best: dict[str, Any] = {}
        self.seconds = 0.0
        self.tell = lambda gan, scores: None  # the progress display hangs itself in here

    def on_train_start(self, trainer: Trainer, gan: GAN) -> None:  # type: ignore[override]
        self.evaluator.to(gan.device)
        super().on_train_start(trainer, gan)

    def act(self, trainer: Trainer, gan: GAN) -> None:
        started = time.perf_counter()
        with self.clock.paused():
            self.checkpoints.guard.check(gan)
            with untouched_randomness(), of_first_rank(gan.ema_generator):
                self.scores = self.evaluator.score(gan)
                self.floor = self.floor or self.evaluator.floor()
        self._refuse_without_primary()
        self.seconds += time.perf_counter() - started
        self.first = self.first or self.scores
        gan.log_now({f"evaluation/{name}": score for name, score in self.scores.items()})
        self.tell(gan, self.scores)
        if self._is_best(self.scores):
            self.best = {"generator_updates": gan.generator_updates, "scores": self.scores}
            self.checkpoints.keep_as_best(trainer, gan)

    def _refuse_without_primary(self) -> None:
        """The samples may be such as cannot have it: class-wise FID of a generator without classes."""
        if self.protocol.primary not in self.scores:
            refused = f"{self.protocol.name}'s primary score, {self.protocol.primary}, cannot be had of this generator"
            raise InputError("evaluation.protocol", refused)

    def _is_best(self, scores: dict[str, float]) -> bool:
        new = scores[self.protocol.primary]
        old = self.best["scores"][self.protocol.primary] if self.best else math.nan
        better = new < old if self.protocol.lower_is_better else new > old
        return math.isfinite(new) and (math.isnan(old) or better)

    def summary(self) -> dict[str, Any]:
        """For the run's record."""
        return {
            **self.evaluator.about(),
            "first": self.first,
            "last": {"generator_updates": self.acted_at, "scores": self.scores},
            "best": self.best,
            "floor": self.floor,
            "seconds": round(self.seconds, 3),
        }

    def state_dict(self) -> dict[str, Any]:
        kept = {name: getattr(self, name) for name in KEPT}
        return {**super().state_dict(), **kept}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        for name in KEPT:
            setattr(self, name, state_dict[name])


KEPT = ("scores", "first", "floor", "best", "seconds")  # in the checkpoint


@contextmanager
def of_first_rank(network: torch.nn.Module) -> Iterator[None]:
    """The network with the first rank's buffers: each has BatchNorm statistics of its own; one network is scored."""
    if world_size() == 1:
        yield
        return
    own = [buffer.clone() for buffer in network.buffers()]
    for buffer in network.buffers():
        from_first_(buffer)
    try:
        yield
    finally:
        for buffer, kept in zip(network.buffers(), own, strict=True):
            buffer.copy_(kept)
