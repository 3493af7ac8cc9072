"""The settings of a training run, section by section (no torch here: see `ganzoo.components`)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

from ganzoo.config import Settings, setting
from ganzoo.errors import Problem
from ganzoo.networks.base import NetworkConfig
from ganzoo.training.optimizers import Adam, Optimizers


@dataclass(frozen=True, kw_only=True)
class GANConfig(Settings):
    """What every variant has; a variant's `Config` adds its own.

    Class attributes, for a variant to set:
        needs_labels: it cannot train without class labels.
        paper_optimizers: used where an experiment or a caller names none.
        never_packed: why runs of it cannot be trained several at once; None: they can.
        never_captured: why an update cannot be a CUDA graph, say that it reads a count; None: it can.
    """

    latent_dim: int = setting(100, "length of a latent vector", at_least=1, at_most=65536)
    latent_distribution: Literal["normal", "uniform"] = setting("normal", "N(0, I), or uniform on [-1, 1]")
    n_critic: int = setting(1, "discriminator updates per generator update", at_least=1, at_most=10_000)

    augment: tuple[Literal["color", "translation", "cutout"], ...] = setting(
        (), "changes made to reals and fakes before they are judged: DiffAugment"
    )
    pack: int = setting(1, "samples that the discriminator judges together, as PacGAN", at_least=1, at_most=64)
    instance_noise: float = setting(
        0.0, "standard deviation of noise on reals and fakes before they are judged", at_least=0
    )
    instance_noise_images: int | None = setting(
        None, "real images seen until that has fallen linearly to 0; null: it stays", at_least=1
    )

    needs_labels: ClassVar[bool] = False
    paper_optimizers: ClassVar[Optimizers] = Optimizers(generator=Adam(), discriminator=Adam())
    never_packed: ClassVar[str | None] = None
    never_captured: ClassVar[str | None] = None

    @property
    def not_captured(self) -> str | None:
        """Why an update with these settings cannot be a CUDA graph; None: it can."""
        if self.instance_noise and self.instance_noise_images is not None:
            return "its instance noise falls from update to update"
        return self.never_captured

    @property
    def per_sample_gradients(self) -> bool:
        """Whether the objective differentiates each logit by its own sample, so that BatchNorm in D would be wrong."""
        return False

    def misfits(self, generator: NetworkConfig, discriminator: NetworkConfig) -> Iterator[Problem]:
        """What is wrong with these networks for this variant, the key in each problem from the experiment's root."""
        if discriminator.conditional and not generator.conditional:
            yield Problem(
                "generator.conditioning", "the discriminator judges images with labels; the generator must too"
            )
        if generator.conditional and not (discriminator.conditional or discriminator.classifies):
            yield Problem("discriminator.conditioning", "nothing tells the generator whether its class is right")
        if self.pack > 1 and (discriminator.conditional or discriminator.classifies):
            yield Problem("variant.pack", f"{self.pack} samples that are judged together have no one class")

    def optimizer_misfits(self, optimizers: Optimizers) -> Iterator[Problem]:
        """What is wrong with these optimisers for this variant, keys as above."""
        yield from ()

    def instance_noise_at(self, images_seen: int) -> float:
        """The standard deviation in force (Sønderby et al. 2017, arXiv:1610.04490).

        >>> [GANConfig(instance_noise=0.1, instance_noise_images=100).instance_noise_at(n) for n in (0, 50, 100, 200)]
        [0.1, 0.05, 0.0, 0.0]
        """
        if self.instance_noise_images is None:
            return self.instance_noise
        return self.instance_noise * max(0.0, 1.0 - images_seen / self.instance_noise_images)

    def batch_size_at(self, images_seen: int, batch_size: int, shape: tuple[int, ...]) -> int:
        """Real images in the batch that follows `images_seen`, where data.batch_size is `batch_size`."""
        return batch_size


@dataclass(frozen=True, kw_only=True)
class Budget(Settings):
    """When training is done."""

    generator_updates: int = setting(help="optimiser steps of the generator", at_least=0, at_most=10**9)


@dataclass(frozen=True, kw_only=True)
class EMAConfig(Settings):
    """The averaged generator, which is the one evaluated and sampled."""

    halflife_images: float | None = setting(
        None, "real images seen until a weight counts half; null: no average", above=0
    )
    rampup_ratio: float = setting(0.05, "the half-life is at most this share of the images seen so far", above=0)

    def halflife(self, images_seen: int) -> float | None:
        """The half-life in force: short at first, so that the first weights are soon forgotten (arXiv:2006.06676).

        >>> EMAConfig(halflife_images=1000).halflife(10_000), EMAConfig(halflife_images=1000).halflife(100_000)
        (500.0, 1000)
        """
        return None if self.halflife_images is None else min(self.halflife_images, self.rampup_ratio * images_seen)


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig(Settings):
    """Scoring on schedule."""

    protocol: str | None = setting(None, "name of a protocol, or a .yaml file of one; null: no scores")
    every_generator_updates: int = setting(1000, "also at the start and at the end", at_least=1)
    extractor: str | None = setting(None, "a file of weights for it: of `ganzoo extractor train`, or PyTorch's")

    def problems(self) -> Iterator[Problem]:
        if self.extractor is not None and self.protocol is None:
            yield Problem("extractor", f"{self.extractor!r} needs a protocol that uses it")


@dataclass(frozen=True, kw_only=True)
class SamplesConfig(Settings):
    """Grids of samples from fixed latents, in samples/."""

    every_generator_updates: int | None = setting(1000, "also at the start and at the end; null: none", at_least=1)
    count: int = setting(64, "samples in a grid", at_least=1, at_most=4096)


@dataclass(frozen=True, kw_only=True)
class CheckpointConfig(Settings):
    """checkpoints/last.ckpt, which a killed run goes on from."""

    every_generator_updates: int = setting(1000, "also at the end and when stopped", at_least=1)


@dataclass(frozen=True, kw_only=True)
class TrackingConfig(Settings):
    """metrics.jsonl is always written; W&B mirrors it."""

    wandb: Literal["auto", "online", "offline", "disabled"] = setting(
        "auto", "auto: online when logged in, else offline"
    )
    project: str = setting("ganzoo", "W&B project")
    every_generator_updates: int = setting(50, "generator updates between logged losses", at_least=1)


@dataclass(frozen=True, kw_only=True)
class TrainerConfig(Settings):
    """The machine: what may differ between a run and its resumption."""

    accelerator: Literal["auto", "cpu", "gpu", "mps"] = setting("auto", "auto: a GPU if there is one")
    devices: int = setting(1, "devices per node", at_least=1, at_most=1024)
    num_nodes: int = setting(1, "nodes", at_least=1, at_most=10_000)
    precision: Literal[32, "32", "bf16-mixed", "16-mixed"] = setting(32, "of the networks' arithmetic")
    batch_norm: Literal["synchronised", "per_rank"] = setting(
        "synchronised", "over the batch of all devices, or over each device's own part of it"
    )
    accumulate: int = setting(
        1, "parts of a batch that a device works through one after the other, to save memory", at_least=1, at_most=65536
    )
    channels_last: bool = setting(
        False, "images lie in memory with the channels last: convolutions are often faster, and round differently"
    )
    joint_batches: bool = setting(
        False,
        "reals and fakes go through the discriminator in one call, which must not compare samples: quicker, and rounds "
        "differently; spectral norm then iterates once in an update instead of twice",
    )
    tf32: Literal["never", "convolutions", "always"] = setting(
        "convolutions", "where a GPU may take factors of 10 bits: never; in convolutions, as torch does; always"
    )
    deterministic: bool = setting(
        True, "only algorithms that give the same bits every time; false: the quickest, on a GPU by trying them out"
    )
    cuda_graphs: Literal["auto", True, False] = setting(
        "auto",
        "each update is launched at once, as a CUDA graph; auto: on a GPU, where all that is trained is ganzoo's",
    )
    progress: bool = setting(True, "a progress bar, where the output is a terminal")

    def problems(self) -> Iterator[Problem]:
        if self.cuda_graphs is not True:
            return
        if self.accelerator in ("cpu", "mps"):
            yield Problem("cuda_graphs", f"true needs a GPU, and accelerator is {self.accelerator}")
        if self.precision == "16-mixed":
            yield Problem("cuda_graphs", "true is not for 16-mixed, whose scale changes; take bf16-mixed")
        if self.ranks > 1:
            yield Problem("cuda_graphs", f"true is for one device, and there are {self.ranks}")

    @property
    def captures(self) -> bool:
        """Whether updates may be CUDA graphs, if there is a GPU."""
        return self.cuda_graphs is not False and self.ranks == 1 and self.precision != "16-mixed"

    @property
    def ranks(self) -> int:
        """Processes that train together: one a device."""
        return self.devices * self.num_nodes
