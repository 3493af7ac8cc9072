"""The base class of every GAN: two networks, two optimisers, the averaged generator, and counters of its own.

A variant gives the objectives and, where it is not the usual one, the order of updates. Lightning's `global_step`
counts the steps of both optimisers and its `batch_idx` starts again at every epoch, so neither is used:
`generator_updates`, `discriminator_updates` and `images_seen` are counted here and kept in the checkpoint.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from ganzoo.ranks import average_, drawn, work_apart, world_size
from ganzoo.shapes import Images, Labels, Latents, Packs, Scalar
from ganzoo.training.augmentation import augmented
from ganzoo.training.averaged import AveragedGenerator
from ganzoo.training.bound import BoundDiscriminator, condition_of, packed
from ganzoo.training.config import EMAConfig, GANConfig
from ganzoo.training.ema import MovingAverage, averaged_copy
from ganzoo.training.layout import lay_states_as_weights
from ganzoo.training.optimizers import OptimizerConfig, Optimizers, spare_gpu_check
from ganzoo.training.randomness import begin_rank, states_of_all_ranks
from ganzoo.training.strategy import AlternatingDDP

if TYPE_CHECKING:
    from ganzoo.packing.pack import Member
    from ganzoo.training.graphs import Graphs

LossOf = Callable[[Images, Labels | None], Scalar]


class GAN(AveragedGenerator):
    """Subclasses define `discriminator_objective` and `generator_objective`, and may define `training_step`.

    Args:
        generator: latents (n, latent_dim) to images in [-1, 1] or points; any module. One with an attribute
            `num_classes` other than 0 is called with latents and labels (n,).
        discriminator: images or points (and labels, as above) to logits (n,); any module.
        config: the variant's `Config`; None: its defaults.
        optimizers: None: those of the variant's paper.
        ema: how the generator is averaged; None: not at all.
        accumulate: parts of a batch that go through the networks one after the other, their gradients added up. What an
            objective or a layer takes from the whole batch, a part's statistics, is then the part's.
        joint: reals and fakes go through the discriminator together, which must judge each sample by itself.

    Attributes:
        ema_generator: the averaged generator, in eval mode: the one to evaluate and sample.
        generator_updates, discriminator_updates, images_seen: counts since the beginning, over all ranks and resumes.
        losses: this rank's latest losses and penalties by name, detached, on the device: see `read_losses`.
        logged_losses: those of the last logged update, as numbers.
        hooked: whether Lightning's hooks around a backward pass and an optimiser's step are called, and its
            `global_step` counts. Those of ganzoo's own trainer that nobody listens to cost as much as a small update.
        generator_updated: whether the current batch has updated the generator.
        ranks: [generator updates, ranks]: from which update on the run has had how many ranks.
        random_states_to_begin_with: of every rank, taken up at the first batch and not before, since whatever is
            imported or built until then may draw; None: the process's own.
        member: what the run is in a pack of runs that are trained at once; None: it is trained alone.
        graphs: what makes the updates as CUDA graphs; None: they are made operation by operation.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        config: GANConfig | None = None,
        *,
        optimizers: Optimizers | None = None,
        ema: EMAConfig | None = None,
        accumulate: int = 1,
        joint: bool = False,
    ):
        super().__init__()
        self.automatic_optimization = False
        self.config: Any = config or sys.modules[type(self).__module__].Config()
        self.optimizer_configs = optimizers or self.config.paper_optimizers
        self.ema, self.accumulate, self.joint = ema or EMAConfig(), accumulate, joint
        self.generator, self.discriminator = generator, discriminator
        self.ema_generator = averaged_copy(generator)
        self._average: MovingAverage | None = None
        self.generator_updates = self.discriminator_updates = self.images_seen = 0
        self.generator_updated = False
        self.losses: dict[str, Tensor] = {}
        self.logged_losses: dict[str, float] = {}
        self._images_averaged = 0  # images_seen when the average last moved
        self._led_from = 0  # discriminator_updates at the last generator update
        self._first, self._share = True, 1.0  # of the part of a batch in work: whether it is the first, how much it is
        self.ranks: list[list[int]] = []
        self.hooked = True
        self._weights: dict[str, list[nn.Parameter]] = {}
        self._optimizers: dict[str, Optimizer] = {}
        self._schedules: list[LambdaLR] = []
        self.random_states_to_begin_with: list[dict[str, Any]] | None = None
        self.member: "Member | None" = None
        self.graphs: "Graphs | None" = None

    # What a variant defines

    def discriminator_objective(self, discriminator: BoundDiscriminator, real: Images, fake: Images) -> Scalar:
        """What a discriminator update descends; `fake` carries no gradient."""
        raise NotImplementedError(f"{type(self).__name__} defines no discriminator_objective")

    def generator_objective(self, discriminator: BoundDiscriminator, real: Images, fake: Images) -> Scalar:
        """What a generator update descends; the discriminator's weights are constants."""
        raise NotImplementedError(f"{type(self).__name__} defines no generator_objective")

    def training_step(self, batch: Any, batch_idx: int) -> None:
        """Updates the discriminator; after `n_critic` such updates, the generator. Override for another schedule."""
        real, labels = self.unpack(batch)
        self.update_discriminator(real, labels)
        if self.discriminator_lead >= self.config.n_critic:
            self.update_generator(real, labels)

    # What training_step calls

    @staticmethod
    def unpack(batch: Any) -> tuple[Images, Labels | None]:
        """(real, labels) out of what a loader gives: images, [images] or [images, labels, ...]."""
        if isinstance(batch, Tensor):
            return batch, None
        return batch[0], batch[1] if len(batch) > 1 else None

    @property
    def discriminator_lead(self) -> int:
        """Discriminator updates since the last generator update."""
        return self.discriminator_updates - self._led_from

    def update_discriminator(self, real: Images, labels: Labels | None = None) -> None:
        """One optimiser step of the discriminator on `real` and as many fresh fakes of the same classes."""
        self.descend("discriminator", self.discriminator_loss, real, labels)
        self.discriminator_updates += 1
        self.images_seen += len(real) * world_size()

    def update_generator(self, real: Images, labels: Labels | None = None) -> None:
        """One optimiser step of the generator on as many fresh fakes, and what follows: average, rates, log."""
        with frozen(self._weights["discriminator"]):
            self.descend("generator", self.generator_loss, real, labels)
        self.generator_updates += 1
        self._led_from = self.discriminator_updates
        self.generator_updated = True
        self._follow_generator()

    def discriminator_loss(self, real: Images, labels: Labels | None) -> Scalar:
        """The discriminator's objective on `real` and fresh fakes, as it is presented with them."""
        with torch.no_grad():
            fake = self.generate(self.sample_latents(len(real)), labels)
        discriminator = BoundDiscriminator(self.discriminator, labels, joint=self.joint)
        return self.discriminator_objective(discriminator, self.presented(real), self.presented(fake))

    def generator_loss(self, real: Images, labels: Labels | None) -> Scalar:
        """The generator's objective on fresh fakes, likewise."""
        fake = self.generate(self.sample_latents(len(real)), labels)
        discriminator = BoundDiscriminator(self.discriminator, labels, joint=self.joint)
        return self.generator_objective(discriminator, self.presented(real), self.presented(fake))

    def generate(self, latents: Latents, labels: Labels | None) -> Images:
        """The generator's samples, of these classes where it is conditional."""
        return self.generator(latents, *condition_of(self.generator, labels))

    def presented(self, samples: Images) -> Packs:
        """Reals or fakes as the discriminator is shown them: augmented, with instance noise, and packed."""
        samples = augmented(samples, self.config.augment)
        if deviation := self.config.instance_noise_at(self.images_seen):
            empty = partial(torch.empty, dtype=samples.dtype, device=samples.device)
            noise = drawn(lambda n, stream: empty(n, *samples.shape[1:]).normal_(generator=stream), len(samples))
            samples = samples + deviation * noise
        return packed(samples, self.config.pack)

    def descend(self, network: str, loss_of: LossOf, real: Images, labels: Labels | None) -> None:
        """One optimiser step of that network down the gradient of a loss of the whole batch, which is all ranks'."""
        if self.member is not None:
            self.member.descend(network, loss_of, real, labels)
        elif self.graphs is None:
            self.descend_eagerly(network, loss_of, real, labels)
        else:
            self.graphs.descend(self, network, loss_of, real, labels)

    def descend_eagerly(self, network: str, loss_of: LossOf, real: Images, labels: Labels | None) -> None:
        """The same, operation by operation."""
        for weight in self._weights[network]:
            weight.grad = None
        self.differentiate(network, loss_of, real, labels)
        if world_size() > 1 and isinstance(self.trainer.strategy, AlternatingDDP):
            self.trainer.strategy.average_gradients(self._optimizers[network])
        if self.hooked:
            self.optimizer_of(network).step()
        else:
            self.clip(network)
            self._optimizers[network].step()

    def differentiate(self, network: str, loss_of: LossOf, real: Images, labels: Labels | None) -> None:
        """Adds the gradient of a loss of this rank's batch to that network's weights."""
        if self.accumulate == 1:
            return self._differentiate_part(network, loss_of, real, labels)
        size = -(-len(real) // self.accumulate)
        for first in range(0, len(real), size):
            part = real[first : first + size]
            self._first, self._share = first == 0, len(part) / len(real)
            self._differentiate_part(network, loss_of, part, None if labels is None else labels[first : first + size])

    def _differentiate_part(self, network: str, loss_of: LossOf, real: Images, labels: Labels | None) -> None:
        loss = loss_of(real, labels)
        backward = self.manual_backward if self.hooked else Tensor.backward
        backward(loss if self._share == 1.0 else loss * self._share)
        self.report({f"{network}/loss": loss})

    def report(self, losses: Mapping[str, Tensor]) -> None:
        """Keeps losses for the log, of several parts their mean; costs nothing until one is read."""
        for name, loss in losses.items():
            value = loss.detach() if self._share == 1.0 else loss.detach() * self._share
            self.losses[name] = value if self._first else self.losses[name] + value

    def read_losses(self) -> dict[str, float]:
        """The latest losses over the whole batch, as numbers: waits for the device, and all ranks must call it."""
        if not self.losses:
            return {}
        values = average_(torch.stack([loss.float() for loss in self.losses.values()]))
        return dict(zip(self.losses, values.tolist(), strict=True))

    # Plumbing

    def optimizer_of(self, network: str) -> LightningOptimizer:
        return self.optimizers()[NETWORKS.index(network)]  # type: ignore[index]

    def configure_optimizers(self) -> tuple[list[Optimizer], list[LambdaLR]]:
        fused = getattr(self.trainer.precision_plugin, "scaler", None) is None
        self._schedules = []
        for name in NETWORKS:
            config = getattr(self.optimizer_configs, name)
            self._weights[name] = list(getattr(self, name).parameters())
            self._optimizers[name] = optimizer = config.build(self._weights[name], fused=fused)
            spare_gpu_check(optimizer)
            if config.is_scheduled:
                self._schedules.append(LambdaLR(optimizer, _factor_of(config)))
        return list(self._optimizers.values()), self._schedules

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Clips here, where mixed precision has already unscaled the gradients."""
        self.clip(next(name for name in NETWORKS if self._optimizers[name] is optimizer))

    def clip(self, network: str) -> None:
        """Shortens that network's gradient where it is longer than its optimiser's `clip_norm`."""
        limit = getattr(self.optimizer_configs, network).clip_norm
        if limit is not None:
            self.clip_gradients(self._optimizers[network], gradient_clip_val=limit, gradient_clip_algorithm="norm")

    def _follow_generator(self) -> None:
        images = self.images_seen - self._images_averaged
        if self._average is None:
            self._average = MovingAverage(self.ema_generator, self.generator)
        self._average.move(images=images, halflife_images=self.ema.halflife(self.images_seen))
        self._images_averaged = self.images_seen
        for schedule in self._schedules:
            schedule.step()
        every: int = self.trainer.log_every_n_steps  # type: ignore[attr-defined]  # the trainer's logger part sets it
        if self.generator_updates % every == 0:
            self.logged_losses = self.read_losses()
            self.log_now(self.logged_losses)

    def log_now(self, values: Mapping[str, float]) -> None:
        """Writes values to every logger, at the current generator update."""
        counts = {"generator_updates": self.generator_updates, "images_seen": self.images_seen}
        for logger in self.loggers:
            logger.log_metrics({**counts, **values}, step=self.generator_updates)

    def __setattr__(self, name: str, value: Any) -> None:
        """As a module's, but for counts and names, which are set dozens of times in an update.

        A module first looks whether what is set is, or was, a parameter, a buffer or a module, for ten times the cost.
        """
        if type(value) in (bool, int, float, str):
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    def train(self, mode: bool = True) -> "GAN":
        super().train(mode)
        self.ema_generator.eval()  # its BatchNorm uses averaged statistics, always
        return self

    def on_fit_start(self) -> None:
        work_apart(self.trainer.world_size == 1)  # several trainings may share a torch.distributed for other things

    def on_fit_end(self) -> None:
        work_apart(False)

    def on_train_start(self) -> None:
        for optimizer in self._optimizers.values():
            lay_states_as_weights(optimizer)
        self._average = None  # whoever built this module may have changed its networks since it was last trained
        if not self.ranks or self.ranks[-1][1] != world_size():
            self.ranks.append([self.generator_updates, world_size()])

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        self.generator_updated = False
        if self.random_states_to_begin_with is not None:
            begin_rank(self.random_states_to_begin_with)
            if self.member is not None:
                self.member.begin(self.device)
            self.random_states_to_begin_with = None

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        counters = {name: getattr(self, name) for name in COUNTERS}
        states = self.random_states_to_begin_with or states_of_all_ranks()
        checkpoint["ganzoo"] = {"counters": counters, "random_states": states, "ranks": self.ranks}
        if self.member is not None:
            self.member.make_own(checkpoint)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        for name, count in checkpoint["ganzoo"]["counters"].items():
            setattr(self, name, count)
        self.random_states_to_begin_with = checkpoint["ganzoo"]["random_states"]
        self.ranks = checkpoint["ganzoo"].get("ranks", [])


NETWORKS = ("generator", "discriminator")
COUNTERS = ("generator_updates", "discriminator_updates", "images_seen", "_images_averaged", "_led_from")


def _factor_of(config: OptimizerConfig) -> Callable[[int], float]:
    """The schedule as a plain function: what else is callable, LambdaLR would write into the checkpoint."""
    return lambda generator_updates: config.factor(generator_updates)


@contextmanager
def frozen(weights: Iterable[nn.Parameter]) -> Iterator[None]:
    """A network's weights are constants in the body: no gradient is computed for them."""
    trained = [weight for weight in weights if weight.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)
