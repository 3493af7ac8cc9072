"""Two normal distributions, the discriminator that is best between them, and one that learns it.

Goodfellow et al. 2014 (arXiv:1406.2661), proposition 1: for a fixed generator the best discriminator is
sigmoid(D*(x)) = p(x) / (p(x) + q(x)), p real, q fake; theorem 1: the loss is then 2 ln 2 - 2 JS(p, q).
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganzoo.objectives import logistic_discriminator_loss


@dataclass(frozen=True)
class Normal:
    mean: float
    std: float

    def log_density(self, x: Tensor) -> Tensor:
        return -0.5 * ((x - self.mean) / self.std).square() - math.log(self.std * math.sqrt(2 * math.pi))

    def draw(self, n: int) -> Tensor:
        return self.mean + self.std * torch.randn(n, 1)

    def quantiles(self, n: int) -> Tensor:
        """n points of equal weight, for expectations without drawing."""
        return self.mean + self.std * torch.special.ndtri((torch.arange(n, dtype=torch.float64) + 0.5) / n)


REAL = Normal(-1.0, 0.5)
FAKE = Normal(1.0, 1.5)


def best_logit(x: Tensor) -> Tensor:
    """D*(x) = ln p(x) - ln q(x)."""
    return REAL.log_density(x) - FAKE.log_density(x)


def jensen_shannon(points: int = 20_001) -> float:
    """JS(p, q) in nats by the trapezoid rule over 10 standard deviations."""
    x = torch.linspace(-16, 16, points, dtype=torch.float64)
    log_p, log_q = REAL.log_density(x), FAKE.log_density(x)
    log_middle = torch.logaddexp(log_p, log_q) - math.log(2)
    integrand = log_p.exp() * (log_p - log_middle) + log_q.exp() * (log_q - log_middle)
    return 0.5 * torch.trapezoid(integrand, x).item()


def expected_loss(logit, n: int = 100_000) -> float:
    """ganzoo's logistic loss of a discriminator x (n,) to logits (n,), on quantiles of p and q."""
    with torch.no_grad():
        return logistic_discriminator_loss(logit(REAL.quantiles(n)), logit(FAKE.quantiles(n))).item()


def trained(*, updates: int, batch_size: int, seed: int) -> tuple[nn.Module, list[float]]:
    """A small discriminator that saw fresh samples at each update, its rate falling to zero, and its losses."""
    torch.manual_seed(seed)
    network = nn.Sequential(
        nn.Linear(1, 64), nn.Softplus(), nn.Linear(64, 64), nn.Softplus(), nn.Linear(64, 1), nn.Flatten(0)
    )
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, updates)
    losses = []
    for _ in range(updates):
        real, fake = REAL.draw(batch_size), FAKE.draw(batch_size)
        loss = logistic_discriminator_loss(network(real), network(fake))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return network.double(), losses
