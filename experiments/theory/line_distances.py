"""How far apart two parallel lines are: by formula, from samples, and by what a trained network says.

Real points are (0, Z), fakes (theta, Z), Z uniform on [0, 1]: Arjovsky, Chintala & Bottou 2017 (arXiv:1701.07875),
example 1. Except at theta = 0, where all four vanish: W1 = |theta|, and TV = 1, JS = ln 2, KL = inf whatever theta.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from torch import Tensor, nn

from ganzoo.objectives import (
    gradient_norm_penalty,
    interpolated,
    logistic_discriminator_loss,
    minimax_generator_loss,
    random_mix,
    wasserstein_discriminator_loss,
    wasserstein_generator_loss,
)

BIN = 0.05  # width of a bin across the lines; theta must be a multiple of it for the lines to fill whole bins
GP_WEIGHT = 10.0


def closed_form(theta: float) -> dict[str, float]:
    apart = theta != 0
    return {"w1": abs(theta), "js": math.log(2) * apart, "kl": math.inf if apart else 0.0, "tv": float(apart)}


def line(x: float, n: int, stream: np.random.Generator) -> np.ndarray:
    """n points (x, Z) of one line."""
    return np.stack((np.full(n, x), stream.random(n)), axis=1)


def from_samples(real: np.ndarray, fake: np.ndarray) -> dict[str, float]:
    """W1 by the best of all pairings; JS, KL(real, fake) and TV of histograms."""
    costs = cdist(real, fake)
    w1 = costs[linear_sum_assignment(costs)].mean().item()
    return {"w1": w1, **divergences(histogram(real), histogram(fake))}


def histogram(points: np.ndarray) -> np.ndarray:
    """Frequencies in bins of BIN across and 0.1 along the lines, with theta = 0 in the middle of a bin."""
    across = np.arange(-2 - BIN / 2, 2 + BIN, BIN)
    counts, *_ = np.histogram2d(*points.T, bins=(across, np.linspace(0, 1, 11)))
    return counts.ravel() / counts.sum()


def divergences(p: np.ndarray, q: np.ndarray) -> dict[str, float]:
    """In nats; 0 log 0 = 0, and KL is infinite where q misses something of p."""
    middle = (p + q) / 2
    js = (relative_entropy(p, middle) + relative_entropy(q, middle)) / 2
    return {"js": js, "kl": relative_entropy(p, q), "tv": np.abs(p - q).sum().item() / 2}


def relative_entropy(p: np.ndarray, q: np.ndarray) -> float:
    mass = p > 0
    if (q[mass] == 0).any():
        return math.inf
    return (p[mass] * np.log(p[mass] / q[mass])).sum().item()


class SideBySide(nn.Module):
    """k small networks, one for each distance: points (k * n, 2) to logits (k * n,), n of each network in turn.

    A loss that is a mean over all points has for gradient, in each network's weights, 1 / k of that network's own, and
    Adam does not mind: so k networks are trained in little more time than one.
    """

    def __init__(self, k: int, width: int = 64) -> None:
        super().__init__()
        sizes = ((2, width), (width, width), (width, 1))
        self.weights = nn.ParameterList(torch.empty(k, n, m).uniform_(-(n**-0.5), n**-0.5) for n, m in sizes)
        self.biases = nn.ParameterList(torch.zeros(k, 1, m) for _, m in sizes)

    def forward(self, points: Tensor) -> Tensor:
        (*inner, last) = zip(self.weights, self.biases, strict=True)
        values = points.unflatten(0, (len(last[0]), -1))
        for weight, bias in inner:
            values = torch.baddbmm(bias, values, weight).relu()
        return torch.baddbmm(last[1], values, last[0]).flatten()


def both_lines(thetas: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Real and fake (k * n, 2): n of each for every theta."""
    across = thetas.repeat_interleave(n)
    real = torch.stack((torch.zeros_like(across), torch.rand(len(across))), dim=1)
    return real, torch.stack((across, torch.rand(len(across))), dim=1)


def critic_loss(critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    penalty = gradient_norm_penalty(critic, interpolated(real, fake, random_mix(real)))
    return wasserstein_discriminator_loss(critic(real), critic(fake)) + GP_WEIGHT * penalty


def discriminator_loss(discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    return logistic_discriminator_loss(discriminator(real), discriminator(fake))


def trained(loss_of: Callable[[nn.Module, Tensor, Tensor], Tensor], thetas: Tensor, updates: int) -> nn.Module:
    """Networks that told the lines apart by one of ganzoo's losses, on 128 fresh points of each at every update."""
    networks = SideBySide(len(thetas))
    optimizer = torch.optim.Adam(networks.parameters(), lr=1e-3, betas=(0.5, 0.9))
    for _ in range(updates):
        loss = loss_of(networks, *both_lines(thetas, 128))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return networks


def told_by_networks(thetas: Sequence[float], *, updates: int, seed: int) -> dict[float, dict[str, float]]:
    """Estimates of W1 and JS by trained networks, and the gradients in theta that they give to their generators.

    The logistic loss is 2 ln 2 - 2 JS at its minimum; the generator's is the minimax game's, whose gradient is then
    that of 2 JS. A critic of slope s across the lines has s * |theta| - GP_WEIGHT * (s - 1)^2 to maximise, so s is
    1 + |theta| / (2 * GP_WEIGHT), and W1 is estimated so much too long.
    """
    torch.manual_seed(seed)
    places = torch.tensor(thetas)
    critics = trained(critic_loss, places, updates)
    discriminators = trained(discriminator_loss, places, updates)
    real, fake = both_lines(places, 4096)
    with torch.no_grad():
        scores, logits = (
            [networks(points).unflatten(0, (len(thetas), -1)) for points in (real, fake)]
            for networks in (critics, discriminators)
        )
    down_w1 = gradients(lambda points: wasserstein_generator_loss(critics(points)), fake, len(thetas))
    down_js = gradients(lambda points: minimax_generator_loss(discriminators(points)), fake, len(thetas))
    return {
        theta: {
            "w1": -wasserstein_discriminator_loss(scores[0][i], scores[1][i]).item(),
            "js": math.log(2) - logistic_discriminator_loss(logits[0][i], logits[1][i]).item() / 2,
            "w1_gradient": down_w1[i],
            "js_gradient": down_js[i],
        }
        for i, theta in enumerate(thetas)
    }


def gradients(loss: Callable[[Tensor], Tensor], fake: Tensor, k: int) -> list[float]:
    """Of k generators' losses in their theta, which moves all their fakes across."""
    fake = fake.clone().requires_grad_()
    (slopes,) = torch.autograd.grad(k * loss(fake), fake)
    return slopes[:, 0].unflatten(0, (k, -1)).sum(dim=1).tolist()
