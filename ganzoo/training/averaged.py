"""What is drawn: latents and classes for training, samples of the averaged generator for everybody else."""

from typing import Any

import torch
from lightning import LightningModule
from torch import nn

from ganzoo.ranks import drawn
from ganzoo.shapes import Images, Labels, Latents
from ganzoo.training.bound import classes_of


class AveragedGenerator(LightningModule):
    """The part of `GAN` that makes samples.

    Attributes:
        config: the variant's.
        generator: the one that is trained.
        ema_generator: the averaged one, which samples are drawn from.
    """

    config: Any
    generator: nn.Module
    ema_generator: nn.Module

    def sample_latents(self, n: int, generator: torch.Generator | None = None) -> Latents:
        """n latents of the variant's distribution on the module's device.

        Args:
            generator: a CPU generator, so that the latents are the same on every device; None: training's own stream,
                and on several ranks this rank's part of the batch's latents.
        """
        if generator is None:
            return drawn(lambda rows, stream: self._latents(rows, self.device, stream), n)
        return self._latents(n, torch.device("cpu"), generator).to(self.device)

    def _latents(self, n: int, device: torch.device, generator: torch.Generator | None = None) -> Latents:
        latents = torch.empty(n, self.config.latent_dim, device=device)
        if self.config.latent_distribution == "normal":
            return latents.normal_(generator=generator)
        return latents.uniform_(-1.0, 1.0, generator=generator)

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
