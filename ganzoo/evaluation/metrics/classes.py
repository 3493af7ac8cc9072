"""Scores of class predictions: the inception score, how often a sample is of the class asked for, stacked digits."""

import math
from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ganzoo.evaluation.metrics.estimate import Interval, interval_of_splits
from ganzoo.evaluation.metrics.modes import kl_from_uniform
from ganzoo.evaluation.metrics.numerics import refuse_broken
from ganzoo.shapes import ClassLogits, Labels


def inception_scores(logits: ClassLogits, *, splits: int) -> Float[Tensor, "splits"]:
    """exp(E_x KL(p(y|x) | p(y))) of each of consecutive splits of the (n, k) logits.

    In [1, k], higher is better: 1 where all predictions are the same, k where they are certain and balanced.
    Computed from log-probabilities, so that certain predictions are 0 log 0 = 0 and never NaN. Split i is from
    i n // splits on, as in the paper's code. Biased downwards by few samples in a split.
    Salimans et al. 2016, arXiv:1606.03498.

    Raises ValueError for more splits than samples, and for logits that are NaN or infinite.
    """
    n = len(logits)
    if not 1 <= splits <= n:
        raise ValueError(f"{n} samples cannot be split {splits} times")
    refuse_broken(logits)
    edges = [i * n // splits for i in range(splits + 1)]
    return torch.stack([_one_inception_score(logits[start:end]) for start, end in pairwise(edges)])


def _one_inception_score(logits: Tensor) -> Tensor:
    log_conditional = logits.double().log_softmax(dim=1)
    log_marginal = log_conditional.logsumexp(dim=0) - math.log(len(log_conditional))
    return (log_conditional.exp() * (log_conditional - log_marginal)).sum(dim=1).mean().exp()


def inception_score(logits: ClassLogits, *, splits: int) -> tuple[float, float]:
    """The mean and the standard deviation of `inception_scores`.

    The standard deviation divides by the number of splits, as in the paper's code (torchmetrics divides by one less).
    It is the spread of a split's score; `inception_interval` is that of the mean.
    """
    scores = inception_scores(logits, splits=splits)
    return scores.mean().item(), scores.std(correction=0).item()


def inception_interval(logits: ClassLogits, *, splits: int) -> Interval | None:
    """Where the mean score of other samples, as many in as many splits, would fall: by Student's t over the splits.

    None for one split.
    """
    return interval_of_splits(inception_scores(logits, splits=splits).tolist())


def class_accuracy(logits: ClassLogits, labels: Labels) -> float:
    """The share of samples that a classifier, by its (n, k) logits, finds to be of the class they were made to be.

    In [0, 1], higher is better; what the classifier does on real samples is as good as it gets.
    Raises ValueError for logits that are NaN or infinite.

    >>> class_accuracy(torch.tensor([[2.0, 1.0], [0.0, 3.0]]), torch.tensor([0, 0]))
    0.5
    """
    refuse_broken(logits)
    return (logits.argmax(dim=1) == labels).double().mean().item()


class StackedModes(NamedTuple):
    """How many of all combinations of digits the samples show, and how evenly.

    Attributes:
        modes: combinations that at least one sample shows; 0 to k^digits, higher is better.
        reverse_kl: KL(samples | uniform) over the k^digits combinations, in nats; 0 to digits log k, lower is better.
            n samples of a perfect generator have about (k^digits - 1) / 2n where n is well above the number of modes.
    """

    modes: int
    reverse_kl: float


def stacked_modes(logits: ClassLogits, *, digits: int = 3) -> StackedModes:
    """The scores of stacked MNIST: every channel's digit by the classifier, all combinations of them as the modes.

    `logits` are (n, digits k), k classes for one channel after the other. 2,500 samples of a perfect generator have
    about 918 of 1,000 modes and a reverse KL of 0.22; 25,600 samples all of them and 0.0195.
    Srivastava et al. 2017 (VEEGAN), arXiv:1705.07761; Lin et al. 2017 (PacGAN), arXiv:1712.04086.

    Raises ValueError for no samples, logits that do not divide into `digits`, and logits that are NaN or infinite.

    >>> stacked_modes(torch.eye(2).repeat(1, 3))
    StackedModes(modes=2, reverse_kl=1.386294...)
    """
    if len(logits) == 0:
        raise ValueError("no samples to score")
    if logits.shape[1] % digits:
        raise ValueError(f"{logits.shape[1]} logits do not divide into those of {digits} digits")
    refuse_broken(logits)
    classes = logits.shape[1] // digits
    found = logits.unflatten(1, (digits, classes)).argmax(dim=2)
    places = classes ** torch.arange(digits - 1, -1, -1)
    counts = (found * places).sum(dim=1).bincount(minlength=classes**digits)
    return StackedModes(modes=int(counts.count_nonzero()), reverse_kl=kl_from_uniform(counts))
