"""Distances between two sets of features, and scores of class probabilities: pure functions, in float64.

Features are (n, d), whatever their dtype: they are computed with in float64, because float32 statistics move a
Fréchet distance by percents and can make it negative. Every function refuses values that are not finite.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ganzoo.shapes import Features, Labels

OtherFeatures = Float[Tensor, "m features"]  # as many features as the first set has, any number of samples

CHUNK = 1024  # rows of a distance matrix in memory at a time


class Gaussian(NamedTuple):
    """Mean (d,) and unbiased covariance (d, d) of a set of features."""

    mean: Tensor
    covariance: Tensor


def checked(values: Tensor) -> Tensor:
    """`values` in float64. Raises ValueError where some are NaN or infinite."""
    broken = int((~torch.isfinite(values)).flatten(1).any(dim=1).sum())
    if broken:
        raise ValueError(f"{broken} of {len(values)} samples have features that are NaN or infinite")
    return values.double()


def gaussian_statistics(features: Features) -> Gaussian:
    """Mean and covariance, with n - 1 as the divisor. Raises ValueError for fewer than two samples."""
    if len(features) < 2:
        raise ValueError(f"a covariance needs at least 2 samples, got {len(features)}")
    features = checked(features)
    mean = features.mean(dim=0)
    centred = features - mean
    return Gaussian(mean, centred.T @ centred / (len(features) - 1))


def frechet_distance(real: Gaussian, fake: Gaussian) -> float:
    """|m_r - m_f|^2 + tr(C_r + C_f - 2 (C_r C_f)^(1/2)), the squared 2-Wasserstein distance of two Gaussians.

    In [0, inf), lower is better, symmetric; biased upwards by finite samples, about as 1/n.
    Heusel et al. 2017, arXiv:1706.08500; Dowson and Landau 1982.

    The trace of the root is the sum of the singular values of C_r^(1/2) C_f^(1/2): real and never negative, and
    exact to rounding also for singular covariances, where the eigenvalues of C_r C_f are not.

    >>> unit = torch.eye(2, dtype=torch.float64)
    >>> frechet_distance(Gaussian(torch.zeros(2), unit), Gaussian(torch.tensor([3.0, 4.0]), unit))
    25.0
    """
    shift = (real.mean.double() - fake.mean.double()).square().sum()
    roots = torch.linalg.svdvals(_root(real.covariance) @ _root(fake.covariance)).sum()
    spread = real.covariance.double().trace() + fake.covariance.double().trace()
    return max(0.0, (shift + spread - 2 * roots).item())


def _root(covariance: Tensor) -> Tensor:
    """The symmetric square root of a covariance; its tiny negative eigenvalues are rounding, and become zero."""
    eigenvalues, vectors = torch.linalg.eigh(covariance.double())
    return vectors * eigenvalues.clamp_min(0).sqrt() @ vectors.T


def kernel_distance(
    real: Features, fake: OtherFeatures, *, subsets: int, subset_size: int, generator: torch.Generator
) -> float:
    """KID: the unbiased squared MMD with kernel (x.y / d + 1)^3, averaged over random subsets of both sets.

    0 in expectation for equal distributions, so that small negative values happen; lower is better. The kernel mixes
    moments of three orders: features should have a mean square of about 1.
    A subset is drawn without replacement and holds all samples where there are no more than `subset_size`.
    Bińkowski et al. 2018, arXiv:1801.01401.
    """
    real, fake = checked(real), checked(fake)
    size = min(subset_size, len(real), len(fake))
    if size < 2:
        raise ValueError(f"a kernel distance needs at least 2 samples of each kind, got {size}")
    return sum(_mmd(_draw(real, size, generator), _draw(fake, size, generator)) for _ in range(subsets)) / subsets


def _draw(features: Tensor, size: int, generator: torch.Generator) -> Tensor:
    return features[torch.randperm(len(features), generator=generator)[:size]]


def _mmd(real: Tensor, fake: Tensor) -> float:
    """The U-statistic: the diagonals, a sample with itself, are left out. Both are (m, d)."""
    m = len(real)
    within = sum((kernel := _cubic(x, x)).sum() - kernel.diagonal().sum() for x in (real, fake))
    return (within / (m * (m - 1)) - 2 * _cubic(real, fake).mean()).item()


def _cubic(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T / x.shape[1] + 1) ** 3


def inception_score(logits: Features, *, splits: int) -> tuple[float, float]:
    """exp(E_x KL(p(y|x) | p(y))): mean and standard deviation over consecutive splits of the (n, k) logits.

    In [1, k], higher is better: 1 where all predictions are the same, k where they are certain and balanced.
    Computed from log-probabilities, so that certain predictions are 0 log 0 = 0 and never NaN. The standard
    deviation divides by the number of splits, as in the paper's code (torchmetrics divides by one less).
    Salimans et al. 2016, arXiv:1606.03498.
    """
    if not 1 <= splits <= len(logits):
        raise ValueError(f"{len(logits)} samples cannot be split {splits} times")
    log_probabilities = checked(logits).log_softmax(dim=1)
    scores = torch.stack([_one_inception_score(part) for part in log_probabilities.tensor_split(splits)])
    return scores.mean().item(), scores.std(correction=0).item()


def _one_inception_score(log_conditional: Tensor) -> Tensor:
    log_marginal = log_conditional.logsumexp(dim=0) - math.log(len(log_conditional))
    return (log_conditional.exp() * (log_conditional - log_marginal)).sum(dim=1).mean().exp()


def class_accuracy(logits: Features, labels: Labels) -> float:
    """The share of samples that a classifier, by its (n, k) logits, finds to be of the class they were made to be.

    In [0, 1], higher is better; what the classifier does on real samples is as good as it gets.

    >>> class_accuracy(torch.tensor([[2.0, 1.0], [0.0, 3.0]]), torch.tensor([0, 0]))
    0.5
    """
    return (checked(logits).argmax(dim=1) == labels).double().mean().item()


def neighbour_radii(features: Features, k: int) -> Tensor:
    """(n,) distances from every sample to its k-th nearest other sample. Raises ValueError for n <= k."""
    if len(features) <= k:
        raise ValueError(f"the {k}-th nearest neighbour needs more than {k} samples, got {len(features)}")
    radii = []
    for start, distances in _distances(features, features):
        rows = torch.arange(len(distances))
        distances[rows, start + rows] = torch.inf  # not its own neighbour
        radii.append(distances.topk(k, dim=1, largest=False).values[:, -1])
    return torch.cat(radii)


def _distances(x: Features, y: OtherFeatures) -> Iterator[tuple[int, Tensor]]:
    """The Euclidean distance matrix in chunks of rows, each with the index of its first row.

    Not by |x|^2 - 2 x.y + |y|^2: a sample and its copy must be at 0, and equal distances must compare as equal.
    """
    x, y = checked(x), checked(y)
    for start in range(0, len(x), CHUNK):
        yield start, torch.cdist(x[start : start + CHUNK], y, compute_mode="donot_use_mm_for_euclid_dist")


def precision_recall(
    real: Features, fake: OtherFeatures, *, k: int = 3, real_radii: Tensor | None = None
) -> tuple[float, float]:
    """Precision: the share of fakes inside a real sample's ball; recall: of reals inside a fake sample's ball.

    A sample's ball reaches to its k-th nearest neighbour of its own kind, and includes its surface (eq. 1 of the
    paper). Both are in [0, 1], higher is better. `real_radii` is `neighbour_radii(real, k)`, if at hand.
    Kynkäänniemi et al. 2019, arXiv:1904.06991.
    """
    real_radii = neighbour_radii(real, k) if real_radii is None else real_radii
    fake_radii = neighbour_radii(fake, k)
    precise = torch.zeros(len(fake), dtype=torch.bool)
    recalled = 0
    for start, distances in _distances(real, fake):
        precise |= (distances <= real_radii[start : start + CHUNK, None]).any(dim=0)
        recalled += int((distances <= fake_radii).any(dim=1).sum())
    return precise.double().mean().item(), recalled / len(real)


def density_coverage(
    real: Features, fake: OtherFeatures, *, k: int = 5, real_radii: Tensor | None = None
) -> tuple[float, float]:
    """Density: how many real samples' balls a fake lies in, over k; coverage: the share of such balls with a fake.

    A ball reaches to the k-th nearest other real sample, without its surface (as in the authors' code). Density is in
    [0, n / k] and 1 in expectation for equal distributions; coverage is in [0, 1], and about 1 - (n / (n + m))^k
    for n reals and m fakes of equal distributions. Higher is better. `real_radii` as above.
    Naeem et al. 2020, arXiv:2002.09797.
    """
    real_radii = neighbour_radii(real, k) if real_radii is None else real_radii
    balls = covered = 0
    for start, distances in _distances(real, fake):
        inside = distances < real_radii[start : start + CHUNK, None]
        balls += int(inside.sum())
        covered += int(inside.any(dim=1).sum())
    return balls / (k * len(fake)), covered / len(real)
