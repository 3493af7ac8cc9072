"""Progressive GAN: Karras et al. 2018, arXiv:1710.10196: WGAN-GP on networks that grow while they learn.

Training begins at 4 pixels. After `stable_images` real images the next resolution, twice as high, is blended in over
`fade_images`, and so on up to the data's. Where it stands is a function of `images_seen` alone, so a run goes on in the
middle of a fade as if it had not been stopped. The schedule is that of the authors' code, at every batch where the code
looks at every fourth (tkarras/progressive_growing_of_gans, master, train.py, TrainingSchedule).

`reset_optimizers` is from that code and not from the paper: Adam's moments are forgotten when new layers come in. The
code also forgets them at the end of a fade, when no layer is new; here they are kept then. Its other branch
(original-theano-version) raises the learning rate slowly instead.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from ganzoo.config import setting
from ganzoo.errors import Problem
from ganzoo.networks.base import NetworkConfig
from ganzoo.objectives import (
    gradient_norm_penalty,
    interpolated,
    random_mix,
    wasserstein_discriminator_loss,
    wasserstein_generator_loss,
)
from ganzoo.shapes import Images, Labels, Latents, Scalar
from ganzoo.training import GAN, BoundDiscriminator, GANConfig
from ganzoo.training.optimizers import Adam, Optimizers

Shown = Float[Tensor, "n *shown"]  # images of another size than the `Images` of the same signature


@dataclass(frozen=True, kw_only=True)
class Config(GANConfig):
    latent_dim: int = setting(512, "length of a latent vector", at_least=1, at_most=65536)
    stable_images: int = setting(600_000, "real images at each resolution alone", at_least=1, at_most=10**9)
    fade_images: int = setting(
        600_000, "real images while the next resolution is blended in; 0: it comes at once", at_least=0, at_most=10**9
    )
    batch_sizes: tuple[int, ...] = setting(
        (), "batch sizes at 4, 8, 16... pixels, the last for all above; []: data.batch_size", at_least=1, at_most=65536
    )
    reset_optimizers: bool = setting(True, "the optimisers forget their moments when a resolution begins")
    gp_weight: float = setting(10.0, "lambda; multiplies the penalty", at_least=0)
    gp_target: float = setting(1.0, "gamma, the gradient's norm that is not penalised; CIFAR-10: 750", above=0)
    drift_weight: float = setting(0.001, "multiplies E[D(x)^2] at real x", at_least=0)

    paper_optimizers: ClassVar[Optimizers] = Optimizers(
        generator=Adam(lr=1e-3, betas=(0.0, 0.99)), discriminator=Adam(lr=1e-3, betas=(0.0, 0.99))
    )
    never_packed: ClassVar[str | None] = "its networks grow"
    never_captured: ClassVar[str | None] = "its networks grow"

    @property
    def per_sample_gradients(self) -> bool:
        return self.gp_weight > 0

    def misfits(self, generator: NetworkConfig, discriminator: NetworkConfig) -> Iterator[Problem]:
        yield from super().misfits(generator, discriminator)
        for section, network in {"generator": generator, "discriminator": discriminator}.items():
            if not network.grows:
                yield Problem(
                    f"{section}.name", "the variant progressive needs networks that grow, such as progressive"
                )

    def growth(self, images_seen: int, stages: int) -> tuple[int, float]:
        """(stage, fade) after that many real images: the newest of the resolutions, and how much of it is blended in.

        Stage 0 is 4 pixels. A stage begins when the first image of its fade has been seen, so its layers always count.

        >>> config = Config(stable_images=600, fade_images=400)
        >>> [config.growth(images, 3) for images in (0, 600, 700, 1000, 1600, 1900, 2000, 9000)]
        [(0, 1.0), (0, 1.0), (1, 0.25), (1, 1.0), (1, 1.0), (2, 0.75), (2, 1.0), (2, 1.0)]
        """
        stage, images = divmod(images_seen, self.stable_images + self.fade_images)
        if stage >= stages - 1:
            return stages - 1, 1.0
        if images <= self.stable_images:
            return stage, 1.0
        return stage + 1, (images - self.stable_images) / self.fade_images

    def batch_size_at(self, images_seen: int, batch_size: int, shape: tuple[int, ...]) -> int:
        if not self.batch_sizes:
            return batch_size
        stage, _ = self.growth(images_seen, stages_to(shape))
        return self.batch_sizes[min(stage, len(self.batch_sizes) - 1)]


def stages_to(shape: tuple[int, ...]) -> int:
    """How many resolutions there are from 4 pixels to those of the shape, each twice the one before.

    >>> stages_to((3, 4, 4)), stages_to((3, 32, 32)), stages_to((3, 1024, 1024))
    (1, 4, 9)
    """
    return max(1, shape[-1].bit_length() - 2)


def at_stage(images: Images, stages: int, stage: int, fade: float) -> Shown:
    """Images of the last stage as they look at another: averaged down, and blended as the generator's are.

    With y the images at the stage's resolution: (1 - fade) * up(down(y)) + fade * y, where down averages 2x2 pixels
    and up repeats them (the authors' train.py, process_reals).
    """
    below = stages - 1 - stage
    images = avg_pool2d(images, 2**below) if below else images
    if stage == 0 or fade == 1.0:
        return images
    return torch.lerp(interpolate(avg_pool2d(images, 2), scale_factor=2), images, fade)


class Progressive(GAN):
    """The usual order of updates, on images of the current resolution; then both networks and the average grow.

    Networks that have no `grow` are at their only stage, and this is WGAN-GP with a drift term.

    Attributes:
        stages: how many resolutions the networks have.
        stage, fade: where they are: `Config.growth`.
    """

    def __init__(self, generator: nn.Module, discriminator: nn.Module, *args: Any, **kwargs: Any):
        super().__init__(generator, discriminator, *args, **kwargs)
        self.stages = getattr(generator, "stages", 1)
        if self.stages != (judged := getattr(discriminator, "stages", 1)):
            raise ValueError(f"the generator has {self.stages} stages and the discriminator {judged}")
        self.grow()

    def training_step(self, batch: Any, batch_idx: int) -> None:
        real, labels = self.unpack(batch)
        super().training_step((at_stage(real, self.stages, self.stage, self.fade), labels), batch_idx)
        before = self.stage
        self.grow()
        if self.stage > before and self.config.reset_optimizers:
            for optimizer in self.trainer.optimizers:
                optimizer.state.clear()

    def grow(self) -> None:
        """Takes the networks to where `images_seen` says that they are."""
        self.stage, self.fade = self.config.growth(self.images_seen, self.stages)
        for network in (self.generator, self.discriminator, self.ema_generator):
            if grow := getattr(network, "grow", None):
                grow(self.stage, self.fade)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        self.grow()

    def discriminator_objective(self, discriminator: BoundDiscriminator, real: Images, fake: Images) -> Scalar:
        """WGAN-GP's, with drift, and with the penalty divided by gp_target^2 as in the authors' loss.py."""
        real_logits, fake_logits = discriminator.both(real, fake)
        target, points = self.config.gp_target, interpolated(real, fake, random_mix(real))
        penalty = gradient_norm_penalty(discriminator, points, target=target) / target**2
        self.report({"discriminator/penalty": penalty})
        loss = wasserstein_discriminator_loss(real_logits, fake_logits) + self.config.gp_weight * penalty
        return loss + self.config.drift_weight * real_logits.square().mean()

    def generator_objective(self, discriminator: BoundDiscriminator, real: Images, fake: Images) -> Scalar:
        return wasserstein_generator_loss(discriminator(fake))

    @torch.no_grad()
    def images_of(self, latents: Latents, labels: Labels | None) -> Images:
        """As `GAN.images_of`, at the full resolution from the beginning: pixels of a lower one are repeated."""
        images = super().images_of(latents, labels)
        below = self.stages - 1 - self.stage
        return interpolate(images, scale_factor=2**below) if below else images
