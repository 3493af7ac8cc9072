"""The loop that one would write by hand, as fast as plain PyTorch lets one write it: what ganzoo is measured against.

The same networks, data, objectives, optimisers and average as an experiment, without Lightning and without anything
that a run needs beside its updates: no counters, checkpoints, random states, checks or signals. Only the losses are
read now and then, as everybody does.
"""

from collections.abc import Callable
from itertools import count

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from ganzoo.components import VARIANTS, implementation
from ganzoo.experiment import Experiment
from ganzoo.training.build import begin_gan

Loss = Callable[[nn.Module, Tensor, Tensor], Tensor]


def discriminator_loss(variant: str) -> Loss:
    """Of (discriminator, real, fake)."""

    def logistic(network: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(-network(real)).mean() + softplus(network(fake)).mean()

    def hinge(network: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        return (1 - network(real)).relu().mean() + (1 + network(fake)).relu().mean()

    def penalised(network: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        mix = torch.rand(len(real), *[1] * (real.dim() - 1), device=real.device)
        points = (mix * real + (1 - mix) * fake).requires_grad_()
        (slopes,) = torch.autograd.grad(network(points).sum(), points, create_graph=True)
        penalty = (slopes.flatten(1).norm(dim=1) - 1).square().mean()
        return network(fake).mean() - network(real).mean() + 10 * penalty

    return {"dcgan": logistic, "sngan": hinge, "wgan_gp": penalised}[variant]


def generator_loss(variant: str, logits: Tensor) -> Tensor:
    return softplus(-logits).mean() if variant == "dcgan" else -logits.mean()


def adam(network: nn.Module, settings: object, fused: bool) -> torch.optim.Adam:
    rate, betas = settings.lr, settings.betas  # type: ignore[attr-defined]
    return torch.optim.Adam(network.parameters(), lr=rate, betas=betas, fused=fused)


def raw_loop(
    experiment: Experiment, *, device: str = "cpu", fused: bool = True, unfold: bool = False, read_every: int = 50
) -> Callable:
    """A function that makes n generator updates, and as many discriminator updates as belong to them, per call.

    Args:
        fused: PyTorch's fused Adam, else its default.
        unfold: resampling before and after convolutions, as one usually writes it, where ganzoo makes one of both.
        read_every: generator updates between looks at the losses.
    """
    gan = begin_gan(experiment).to(device)
    for module in gan.modules():
        if unfold and hasattr(module, "unfolded"):
            module.forward = module.unfolded
    variant, generator, discriminator, average = experiment.variant, gan.generator, gan.discriminator, gan.ema_generator
    optimizers = experiment.optimizer
    step_generator = adam(generator, optimizers.generator, fused)
    step_discriminator = adam(discriminator, optimizers.discriminator, fused)
    module, config = implementation(experiment.data)
    values = module.load(config, "train").values.to(device)
    size, halflife = experiment.data.batch_size, experiment.ema.halflife_images
    name, updates = VARIANTS.name_of(variant), count(1)
    judge = discriminator_loss(name)
    averages = [*average.parameters(), *(b for b in average.buffers() if b.is_floating_point())]
    currents = [*generator.parameters(), *(b for b in generator.buffers() if b.is_floating_point())]
    weights = list(discriminator.parameters())

    def real() -> Tensor:
        images = values[torch.randint(len(values), (size,), device=device)]
        return images.float() / 127.5 - 1 if images.dtype == torch.uint8 else images

    def latents() -> Tensor:
        return torch.randn(size, variant.latent_dim, device=device)

    def update_discriminator() -> Tensor:
        step_discriminator.zero_grad()
        with torch.no_grad():
            fake = generator(latents())
        loss = judge(discriminator, real(), fake)
        loss.backward()
        step_discriminator.step()
        return loss

    def update_generator() -> Tensor:
        step_generator.zero_grad()
        for weight in weights:
            weight.requires_grad_(False)
        loss = generator_loss(name, discriminator(generator(latents())))
        loss.backward()
        for weight in weights:
            weight.requires_grad_(True)
        step_generator.step()
        if halflife is not None:
            with torch.no_grad():
                torch._foreach_lerp_(averages, currents, 1 - 0.5 ** (size * variant.n_critic / halflife))
        return loss

    def run(generator_updates: int) -> None:
        for _ in range(generator_updates):
            for _ in range(variant.n_critic):
                loss = update_discriminator()
            other = update_generator()
            if next(updates) % read_every == 0:
                loss.item(), other.item()
        if device != "cpu":
            torch.cuda.synchronize()

    return run
