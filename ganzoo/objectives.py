"""Losses and penalties that two or more variants use: plain functions of tensors, unweighted.

A penalty takes its points and its random numbers as arguments, so that it can be tested. Its coefficient, and the half
that some papers write in front of it, belong to the call.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import softplus

from ganzoo.packing.streams import streams
from ganzoo.ranks import drawn
from ganzoo.shapes import Images, Logits, PerSample, Scalar

Discriminator = Callable[[Images], Logits]


def logistic_discriminator_loss(real_logits: Logits, fake_logits: Logits) -> Scalar:
    """-E[log sigmoid(D(x))] - E[log(1 - sigmoid(D(G(z))))], in [0, inf); 2 log 2 where D cannot tell.

    Goodfellow et al. 2014 (arXiv:1406.2661), equation 1, with D's output before the sigmoid.

    >>> logistic_discriminator_loss(torch.zeros(4), torch.zeros(4))
    tensor(1.3863)
    """
    return softplus(-real_logits).mean() + softplus(fake_logits).mean()


def minimax_generator_loss(fake_logits: Logits) -> Scalar:
    """E[log(1 - sigmoid(D(G(z))))], in (-inf, 0); -log 2 where D cannot tell (arXiv:1406.2661, equation 1).

    >>> minimax_generator_loss(torch.zeros(4))
    tensor(-0.6931)
    """
    return -softplus(fake_logits).mean()


def nonsaturating_generator_loss(fake_logits: Logits) -> Scalar:
    """-E[log sigmoid(D(G(z)))], in [0, inf); log 2 where D cannot tell.

    Goodfellow et al. 2014 (arXiv:1406.2661), section 3: the same fixed point as the minimax loss, and a gradient that
    does not vanish where the discriminator is sure.

    >>> nonsaturating_generator_loss(torch.zeros(4))
    tensor(0.6931)
    """
    return softplus(-fake_logits).mean()


def hinge_discriminator_loss(real_logits: Logits, fake_logits: Logits) -> Scalar:
    """E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))], in [0, inf); 2 where D is 0.

    Lim & Ye 2017 (arXiv:1705.02894); Miyato et al. 2018 (arXiv:1802.05957), equation 16.

    >>> hinge_discriminator_loss(torch.zeros(4), torch.zeros(4))
    tensor(2.)
    """
    return (1.0 - real_logits).relu().mean() + (1.0 + fake_logits).relu().mean()


def wasserstein_discriminator_loss(real_logits: Logits, fake_logits: Logits) -> Scalar:
    """E[D(G(z))] - E[D(x)]: its negative estimates the distance, if D is 1-Lipschitz (arXiv:1701.07875, equation 2).

    >>> wasserstein_discriminator_loss(torch.tensor([2.0, 0.0]), torch.tensor([1.0, 3.0]))
    tensor(1.)
    """
    return fake_logits.mean() - real_logits.mean()


def wasserstein_generator_loss(fake_logits: Logits) -> Scalar:
    """-E[D(G(z))] (arXiv:1701.07875, algorithm 1; also the hinge loss of the generator, arXiv:1705.02894).

    >>> wasserstein_generator_loss(torch.tensor([1.0, 3.0]))
    tensor(-2.)
    """
    return -fake_logits.mean()


def input_gradients(discriminator: Discriminator, points: Images) -> Images:
    """dD/dx at each point, with a graph, so that a loss of it can be descended.

    The discriminator must judge each sample by itself: BatchNorm would mix their gradients.
    """
    if streams() is not None:  # torch.autograd.grad cannot be asked under vmap, and alone it costs less
        return torch.func.grad(lambda points: discriminator(points).sum())(points.detach())
    points = points.detach().requires_grad_()
    (gradients,) = torch.autograd.grad(discriminator(points).sum(), points, create_graph=True)
    return gradients


def squared_gradient_penalty(discriminator: Discriminator, points: Images) -> Scalar:
    """E[|dD/dx|^2] over all dimensions of a sample, in [0, inf): R1 at real points, R2 at fakes.

    Mescheder, Geiger & Nowozin 2018 (arXiv:1801.04406), equations 9 and 10, without their gamma / 2.
    """
    return input_gradients(discriminator, points).flatten(1).square().sum(dim=1).mean()


def weighted_r1_r2(
    discriminator: Discriminator, real: Images, fake: Images, r1_weight: float, r2_weight: float
) -> Scalar:
    """r1_weight * R1 + r2_weight * R2; a penalty whose weight is zero is not computed."""
    penalty = torch.zeros((), device=real.device)
    for weight, points in ((r1_weight, real), (r2_weight, fake)):
        if weight:
            penalty = penalty + weight * squared_gradient_penalty(discriminator, points)
    return penalty


def gradient_norm_penalty(
    discriminator: Discriminator, points: Images, *, target: float = 1.0, one_sided: bool = False
) -> Scalar:
    """E[(|dD/dx| - target)^2], in [0, inf); one-sided: E[max(0, |dD/dx| - target)^2].

    Gulrajani et al. 2017 (arXiv:1704.00028), equation 3 and section 4, with target 1; the norm is over all dimensions
    of a sample.
    """
    norms = input_gradients(discriminator, points).flatten(1).norm(dim=1)
    excess = (norms - target).relu() if one_sided else norms - target
    return excess.square().mean()


def interpolated(real: Images, fake: Images, mix: PerSample) -> Images:
    """mix * real + (1 - mix) * fake, each sample with its own mix in [0, 1] (arXiv:1704.00028, algorithm 1)."""
    mix = mix.view(-1, *(1 for _ in real.shape[1:]))
    return mix * real + (1.0 - mix) * fake


def random_mix(real: Tensor) -> PerSample:
    """One uniform number in [0, 1) for each sample, from training's stream."""
    return drawn(lambda n, stream: torch.rand(n, device=real.device, generator=stream), len(real))
