"""The base class of every GAN: two networks, two optimisers, the averaged generator, and counters of its own.

A variant gives the objectives and, where it is not the usual one, the order of updates. Lightning's `global_step`
counts the steps of both optimisers and its `batch_idx` starts again at every epoch, so neither is used:
`generator_updates`, `discriminator_updates` and `images_seen` are counted here and kept in the checkpoint.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from lightning import LightningModule
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from ganzoo.shapes import Images, Labels, Latents, Packs, Scalar
from ganzoo.training.augmentation import augmented
from ganzoo.training.bound import BoundDiscriminator, classes_of, condition_of, packed
from ganzoo.training.config import EMAConfig, GANConfig
from ganzoo.training.ema import averaged_copy, move_average
from ganzoo.training.optimizers import OptimizerConfig, Optimizers
from ganzoo.training.randomness import begin_rank, states_of_all_ranks
from ganzoo.training.strategy import AlternatingDDP


class GAN(LightningModule):
    """Subclasses define `discriminator_objective` and `generator_objective`, and may define `training_step`.

    Args:
        generator: latents (n, latent_dim) to images in [-1, 1] or points; any module. One with an attribute
            `num_classes` other than 0 is called with latents and labels (n,).
        discriminator: images or points (and labels, as above) to logits (n,); any module.
        config: the variant's `Config`; None: its defaults.
        optimizers: None: those of the variant's paper.
        ema: how the generator is averaged; None: not at all.

    Attributes:
        ema_generator: the averaged generator, in eval mode: the one to evaluate and sample.
        generator_updates, discriminator_updates, images_seen: counts since the beginning, over all ranks and resumes.
        losses: the latest losses and penalties by name, detached, on the device: reading one waits for the device.
        logged_losses: those of the last logged update, as numbers.
        generator_updated: whether the current batch has updated the generator.
        random_states_to_begin_with: of every rank, taken up at the first batch and not before, since whatever is
            imported or built until then may draw; None: the process's own.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        config: GANConfig | None = None,
        *,
        optimizers: Optimizers | None = None,
        ema: EMAConfig | None = None,
    ):
        super().__init__()
        self.automatic_optimization = False
        self.config: Any = config or sys.modules[type(self).__module__].Config()
        self.optimizer_configs = optimizers or self.config.paper_optimizers
        self.ema = ema or EMAConfig()
        self.generator, self.discriminator = generator, discriminator
        self.ema_generator = averaged_copy(generator)
        self.generator_updates = self.discriminator_updates = self.images_seen = 0
        self.generator_updated = False
        self.losses: dict[str, Tensor] = {}
        self.logged_losses: dict[str, float] = {}
        self._images_averaged = 0  # images_seen when the average last moved
        self._led_from = 0  # discriminator_updates at the last generator update
        self._schedules: list[LambdaLR] = []
        self.random_states_to_begin_with: list[dict[str, Any]] | None = None

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
        with torch.no_grad():
            fake = self.generate(self.sample_latents(len(real)), labels)
        discriminator = BoundDiscriminator(self.discriminator, labels)
        loss = self.discriminator_objective(discriminator, self.presented(real), self.presented(fake))
        self.descend(self.optimizer_of("discriminator"), loss)
        self.discriminator_updates += 1
        self.images_seen += len(real) * self.trainer.world_size
        self.report({"discriminator/loss": loss})

    def update_generator(self, real: Images, labels: Labels | None = None) -> None:
        """One optimiser step of the generator on as many fresh fakes, and what follows: average, rates, log."""
        with frozen(self.discriminator):
            fake = self.generate(self.sample_latents(len(real)), labels)
            discriminator = BoundDiscriminator(self.discriminator, labels)
            loss = self.generator_objective(discriminator, self.presented(real), self.presented(fake))
            self.descend(self.optimizer_of("generator"), loss)
        self.generator_updates += 1
        self._led_from = self.discriminator_updates
        self.generator_updated = True
        self.report({"generator/loss": loss})
        self._follow_generator()

    def generate(self, latents: Latents, labels: Labels | None) -> Images:
        """The generator's samples, of these classes where it is conditional."""
        return self.generator(latents, *condition_of(self.generator, labels))

    def presented(self, samples: Images) -> Packs:
        """Reals or fakes as the discriminator is shown them: augmented, with instance noise, and packed."""
        samples = augmented(samples, self.config.augment)
        if deviation := self.config.instance_noise_at(self.images_seen):
            samples = samples + deviation * torch.randn_like(samples)
        return packed(samples, self.config.pack)

    def descend(self, optimizer: LightningOptimizer, loss: Scalar) -> None:
        """One optimiser step down the gradient of `loss`."""
        optimizer.zero_grad()
        self.manual_backward(loss)
        if isinstance(self.trainer.strategy, AlternatingDDP):
            self.trainer.strategy.average_gradients(optimizer.optimizer)
        optimizer.step()

    def report(self, losses: Mapping[str, Tensor]) -> None:
        """Keeps losses for the log; costs nothing until one is read."""
        self.losses.update({name: loss.detach() for name, loss in losses.items()})

    def sample_latents(self, n: int, generator: torch.Generator | None = None) -> Latents:
        """n latents of the variant's distribution on the module's device.

        Args:
            generator: a CPU generator, so that the latents are the same on every device; None: training's own stream.
        """
        device = self.device if generator is None else torch.device("cpu")
        latents = torch.empty(n, self.config.latent_dim, device=device)
        if self.config.latent_distribution == "normal":
            latents.normal_(generator=generator)
        else:
            latents.uniform_(-1.0, 1.0, generator=generator)
        return latents.to(self.device)

    @torch.no_grad()
    def draw(
        self,
        n: int,
        generator: torch.Generator,
        *,
        labels: Labels | None = None,
        truncation: float | None = None,
    ) -> Images:
        """n samples of the averaged generator, float32; training's random numbers are not touched.

        Args:
            labels: the classes wanted, where the generator is conditional; None: those of `draw_labels`.
            truncation: no latent value is beyond it, which trades variety for quality (Brock et al. 2018,
                arXiv:1809.11096, section 3.1): a truncated normal, or a narrower uniform; None: no limit.
        """
        latents = self.sample_latents(n, generator)
        if truncation is not None:
            latents = self._truncated(latents, truncation, generator)
        return self.images_of(latents, self.draw_labels(n, generator) if labels is None else labels)

    @torch.no_grad()
    def images_of(self, latents: Latents, labels: Labels | None) -> Images:
        """What the averaged generator makes of latents, and of classes where it is conditional; float32."""
        condition = () if labels is None else (labels.to(self.device),)
        return self.ema_generator(latents.to(self.device), *condition).float()

    def draw_labels(self, n: int, generator: torch.Generator) -> Labels | None:
        """n classes, each as likely as any other; None where the generator is not conditional."""
        return torch.randint(self.num_classes, (n,), generator=generator) if self.num_classes else None

    def draw_inputs(self, n: int, generator: torch.Generator) -> tuple[Latents, Labels | None]:
        """n latents, and n classes where the generator is conditional: what `images_of` takes."""
        labels = self.draw_labels(n, generator)
        return self.sample_latents(n, generator), labels

    @property
    def num_classes(self) -> int:
        """The classes that the generator is conditional on; 0: it takes no labels."""
        return classes_of(self.generator)

    def _truncated(self, latents: Latents, limit: float, generator: torch.Generator) -> Latents:
        if self.config.latent_distribution == "uniform":
            return latents * min(1.0, limit)
        return nn.init.trunc_normal_(torch.empty(latents.shape), a=-limit, b=limit, generator=generator).to(self.device)

    def sample(self, n: int, seed: int = 0, labels: Labels | None = None) -> Images:
        """n samples of the averaged generator, in [-1, 1]; the same for the same seed."""
        return self.draw(n, torch.Generator().manual_seed(seed), labels=labels)

    # Plumbing

    def optimizer_of(self, network: str) -> LightningOptimizer:
        return self.optimizers()[("generator", "discriminator").index(network)]  # type: ignore[index]

    def configure_optimizers(self) -> tuple[list[Optimizer], list[LambdaLR]]:
        configs = (self.optimizer_configs.generator, self.optimizer_configs.discriminator)
        networks = (self.generator, self.discriminator)
        optimizers = [config.build(network.parameters()) for config, network in zip(configs, networks, strict=True)]
        self._schedules = [
            LambdaLR(optimizer, _factor_of(config))
            for config, optimizer in zip(configs, optimizers, strict=True)
            if config.schedule != "constant" or config.warmup_updates
        ]
        return optimizers, self._schedules

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Clips here, where mixed precision has already unscaled the gradients."""
        owner = optimizer is self.optimizer_of("generator").optimizer
        config = self.optimizer_configs.generator if owner else self.optimizer_configs.discriminator
        if config.clip_norm is not None:
            self.clip_gradients(optimizer, gradient_clip_val=config.clip_norm, gradient_clip_algorithm="norm")

    def _follow_generator(self) -> None:
        images = self.images_seen - self._images_averaged
        halflife = self.ema.halflife(self.images_seen)
        move_average(self.ema_generator, self.generator, images=images, halflife_images=halflife)
        self._images_averaged = self.images_seen
        for schedule in self._schedules:
            schedule.step()
        every: int = self.trainer.log_every_n_steps  # type: ignore[attr-defined]  # the trainer's logger part sets it
        if self.generator_updates % every == 0:
            self.logged_losses = {name: loss.item() for name, loss in self.losses.items()}
            self.log_now(self.logged_losses)

    def log_now(self, values: Mapping[str, float]) -> None:
        """Writes values to every logger, at the current generator update."""
        counts = {"generator_updates": self.generator_updates, "images_seen": self.images_seen}
        for logger in self.loggers:
            logger.log_metrics({**counts, **values}, step=self.generator_updates)

    def train(self, mode: bool = True) -> "GAN":
        super().train(mode)
        self.ema_generator.eval()  # its BatchNorm uses averaged statistics, always
        return self

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        self.generator_updated = False
        if self.random_states_to_begin_with is not None:
            begin_rank(self.random_states_to_begin_with, self.trainer.global_rank, self.trainer.world_size)
            self.random_states_to_begin_with = None

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        counters = {name: getattr(self, name) for name in COUNTERS}
        states = self.random_states_to_begin_with or states_of_all_ranks()
        checkpoint["ganzoo"] = {"counters": counters, "random_states": states}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        for name, count in checkpoint["ganzoo"]["counters"].items():
            setattr(self, name, count)
        self.random_states_to_begin_with = checkpoint["ganzoo"]["random_states"]


COUNTERS = ("generator_updates", "discriminator_updates", "images_seen", "_images_averaged", "_led_from")


def _factor_of(config: OptimizerConfig) -> Callable[[int], float]:
    """The schedule as a plain function: what else is callable, LambdaLR would write into the checkpoint."""
    return lambda generator_updates: config.factor(generator_updates)


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """The network's weights are constants in the body: no gradient is computed for them."""
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)
