"""What happens around the updates of a run, each in its own callback, in this order after every batch:

ahead, guard, samples, evaluation, checkpoint, stop. A checkpoint is written after everything that belongs to its
generator update, so a resumed run repeats nothing and leaves nothing out.
"""

from lightning import Callback, Trainer

from ganzoo.training.gan import GAN


class AfterGeneratorUpdates(Callback):
    """Calls `act` at the start, whenever `every` generator updates have been made, and not twice for one.

    The update at which it last acted is in the checkpoint, so a run that was stopped before acting does it on resuming.
    """

    def __init__(self, every: int):
        self.every = every
        self.acted_at = -1

    def act(self, trainer: Trainer, gan: GAN) -> None:
        raise NotImplementedError

    def on_train_start(self, trainer: Trainer, gan: GAN) -> None:  # type: ignore[override]
        self._act_once(trainer, gan)

    def on_train_batch_end(self, trainer: Trainer, gan: GAN, *args, **kwargs) -> None:  # type: ignore[override]
        if gan.generator_updated:
            self._act_once(trainer, gan)

    def due(self, gan: GAN) -> bool:
        return gan.generator_updates % self.every == 0 and self.acted_at != gan.generator_updates

    def _act_once(self, trainer: Trainer, gan: GAN) -> None:
        if self.due(gan):
            self.act_now(trainer, gan)

    def act_now(self, trainer: Trainer, gan: GAN) -> None:
        """Acts, unless it has at this generator update."""
        if self.acted_at != gan.generator_updates:
            self.acted_at = (
                gan.generator_updates
            )  # first: the checkpoint that acting may write is one of a run that has
            self.act(trainer, gan)

    def state_dict(self) -> dict[str, int]:
        return {"acted_at": self.acted_at}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self.acted_at = state_dict["acted_at"]
