"""The games that two numbers play in the Dirac-GAN, made of ganzoo's own losses; gradients are autograd's.

The data are a point at 0, the generator a point at theta, the discriminator is linear with slope psi. In the paper's
notation D is high at fakes, in ganzoo's at reals: so D(x) = -psi * x here, and theta and psi move as in the paper.
Mescheder, Geiger & Nowozin 2018 (arXiv:1801.04406); settings of LMescheder/GAN_stability, notebooks/DiracGAN.ipynb.
"""

import cmath
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from ganzoo.objectives import (
    gradient_norm_penalty,
    interpolated,
    logistic_discriminator_loss,
    minimax_generator_loss,
    nonsaturating_generator_loss,
    wasserstein_discriminator_loss,
    wasserstein_generator_loss,
    weighted_r1_r2,
)

Discriminator = Callable[[Tensor], Tensor]
SLOPE = 0.5  # f'(0) of f(t) = -log(1 + exp(-t))
CURVATURE = -0.25  # f''(0)


@dataclass(frozen=True, kw_only=True)
class Game:
    """Two losses and what is done around them; `eigenvalues` of the field's Jacobian at (0, 0), in closed form."""

    title: str
    discriminator_loss: Callable[[Discriminator, Tensor, Tensor], Tensor]  # of D, real, fake
    generator_loss: Callable[[Tensor], Tensor]  # of fake logits
    eigenvalues: tuple[complex, complex] | None  # None: the field has no derivative there
    noise: float = 0.0  # standard deviation of what is added to real and fake
    clip: float = math.inf  # |psi| is clipped to it after every step
    consensus: float = 0.0  # weight of half the squared length of the field in both losses


def logistic(discriminator: Discriminator, real: Tensor, fake: Tensor) -> Tensor:
    return logistic_discriminator_loss(discriminator(real), discriminator(fake))


def wasserstein(discriminator: Discriminator, real: Tensor, fake: Tensor) -> Tensor:
    return wasserstein_discriminator_loss(discriminator(real), discriminator(fake))


def wasserstein_gp(discriminator: Discriminator, real: Tensor, fake: Tensor) -> Tensor:
    """The notebook's penalty is 0.7 / 2 * (|psi| - 1)^2."""
    points = interpolated(real, fake, torch.full_like(real[:, 0], 0.5))  # any mix: the slope is psi everywhere
    return wasserstein(discriminator, real, fake) + 0.5 * 0.7 * gradient_norm_penalty(discriminator, points)


def logistic_r1(gamma: float) -> Callable[[Discriminator, Tensor, Tensor], Tensor]:
    """The logistic loss + gamma / 2 * R1."""

    def loss(discriminator: Discriminator, real: Tensor, fake: Tensor) -> Tensor:
        return logistic(discriminator, real, fake) + 0.5 * weighted_r1_r2(discriminator, real, fake, gamma, 0.0)

    return loss


def eigenvalues(damping: float, slope: float = SLOPE) -> tuple[complex, complex]:
    """Of [[0, -slope], [slope, -damping]]: -damping / 2 +- sqrt(damping^2 / 4 - slope^2).

    R1 damps by its gamma, so that gamma = 2 * slope is critical: above it the point no longer circles. Instance noise
    of standard deviation sigma damps by 2 * |f''(0)| * sigma^2.
    """
    root = cmath.sqrt(damping**2 / 4 - slope**2)
    return -damping / 2 + root, -damping / 2 - root


def r1_game(gamma: float) -> Game:
    return Game(
        title=f"GAN + R1, γ = {gamma:g}",
        discriminator_loss=logistic_r1(gamma),
        generator_loss=minimax_generator_loss,
        eigenvalues=eigenvalues(gamma),
    )


def games() -> dict[str, Game]:
    """The nine of the notebook, in its order."""
    minimax = {"discriminator_loss": logistic, "generator_loss": minimax_generator_loss}
    critic = {"generator_loss": wasserstein_generator_loss}
    nonsaturated = {"generator_loss": nonsaturating_generator_loss}
    noise_damping = 2 * abs(CURVATURE) * 0.7**2
    return {
        "gan": Game(title="GAN", eigenvalues=eigenvalues(0), **minimax),
        "nsgan": Game(title="NSGAN", discriminator_loss=logistic, eigenvalues=eigenvalues(0), **nonsaturated),
        "wgan": Game(
            title="WGAN, clip 1", discriminator_loss=wasserstein, eigenvalues=eigenvalues(0, 1), clip=1.0, **critic
        ),
        "wgan_gp": Game(title="WGAN-GP", discriminator_loss=wasserstein_gp, eigenvalues=None, **critic),
        "gan_noise": Game(title="GAN + noise, σ = 0.7", eigenvalues=eigenvalues(noise_damping), noise=0.7, **minimax),
        "gan_r1_0_3": r1_game(0.3),
        "gan_r1_1_0": r1_game(1.0),
        "gan_consensus": Game(
            title="GAN + consensus, 1.0",
            eigenvalues=(complex(-(SLOPE**2), SLOPE), complex(-(SLOPE**2), -SLOPE)),
            consensus=1.0,
            **minimax,
        ),
        "nsgan_r1_0_3": Game(
            title="NSGAN + R1, γ = 0.3",
            discriminator_loss=logistic_r1(0.3),
            eigenvalues=eigenvalues(0.3),
            **nonsaturated,
        ),
    }


def normal_points(n: int = 1000) -> Tensor:
    """n quantiles of N(0, 1) in equal steps, scaled to variance 1: its expectations without drawing."""
    points = torch.special.ndtri((torch.arange(n, dtype=torch.float64) + 0.5) / n)
    return points / points.square().mean().sqrt()


def samples(game: Game, theta: Tensor, psi: Tensor) -> tuple[Discriminator, Tensor, Tensor]:
    """The discriminator, real and fake (n, 1): of n games at once, each by itself in its own rows."""
    if game.noise:
        noise = game.noise * normal_points()
        theta, psi = (theta.unsqueeze(1) + noise).flatten(), psi.repeat_interleave(len(noise))
        real = noise.repeat(len(theta) // len(noise)).unsqueeze(1)
    else:
        real = torch.zeros_like(theta).unsqueeze(1)
    return lambda points: -psi * points.flatten(), real, theta.unsqueeze(1)


def field(game: Game, points: Tensor, *, only_psi: bool = False, create_graph: bool = False) -> Tensor:
    """Where n games move from their (theta, psi): minus each loss's gradient in its own player's number; (n, 2).

    Consensus optimisation (Mescheder, Nowozin & Geiger 2017, arXiv:1705.10461) also has both descend |field|^2 / 2. In
    the notebook's gradient of it, written by hand, the term with f'' is half of what it is here.
    """
    theta, psi = (points if points.requires_grad else points.detach().requires_grad_()).unbind(dim=1)
    discriminator, real, fake = samples(game, theta, psi)
    graph = create_graph or bool(game.consensus)
    loss = len(points) * game.discriminator_loss(discriminator, real, fake)  # losses are means, games are apart
    (in_psi,) = torch.autograd.grad(loss, psi, create_graph=graph, retain_graph=True)
    if only_psi and not game.consensus:
        return -torch.stack((torch.zeros_like(in_psi), in_psi), dim=1)
    loss = len(points) * game.generator_loss(discriminator(fake))
    (in_theta,) = torch.autograd.grad(loss, theta, create_graph=graph)
    if game.consensus:
        half_square = 0.5 * game.consensus * (in_theta.square() + in_psi.square()).sum()
        also_theta, also_psi = torch.autograd.grad(half_square, (theta, psi), create_graph=create_graph)
        in_theta, in_psi = in_theta + also_theta, in_psi + also_psi
    moves = -torch.stack((in_theta, in_psi), dim=1)
    return moves if create_graph else moves.detach()


def jacobian_eigenvalues(game: Game) -> list[complex]:
    """Of the field's Jacobian at (0, 0), by autograd; the larger imaginary, then the larger real part first."""
    jacobian = torch.autograd.functional.jacobian(
        lambda point: field(game, point.unsqueeze(0), create_graph=True).squeeze(0), torch.zeros(2, dtype=torch.float64)
    )
    values = torch.linalg.eigvals(jacobian).tolist()
    return sorted(values, key=lambda value: (round(value.imag, 9), value.real), reverse=True)


def trajectories(game: Game, schemes: Iterable[int], *, rate: float, steps: int, start: float = 1.0) -> Tensor:
    """(schemes, steps + 1, 2) from (start, start).

    A scheme is a number of discriminator steps: theta moves once and then psi so many times; 0: both move at once.
    """
    schemes = list(schemes)
    rates = torch.zeros(1 + max(schemes), len(schemes), 2, dtype=torch.float64)
    for index, discriminator_steps in enumerate(schemes):
        rates[0, index, 0] = rate
        rates[0, index, 1] = 0.0 if discriminator_steps else rate
        rates[1 : 1 + discriminator_steps, index, 1] = rate
    points = clipped(game, torch.full((len(schemes), 2), start, dtype=torch.float64))
    paths = [points]
    for _ in range(steps):
        for index, turn in enumerate(rates):
            points = clipped(game, points + turn * field(game, points, only_psi=index > 0))
        paths.append(points)
    return torch.stack(paths, dim=1)


def clipped(game: Game, points: Tensor) -> Tensor:
    """The slope within +-clip: the WGAN's weight clipping."""
    theta, psi = points.unbind(dim=1)
    return torch.stack((theta, psi.clamp(-game.clip, game.clip)), dim=1)
