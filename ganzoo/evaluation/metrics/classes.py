"""Scores of class predictions: the inception score, and how often a sample is of the class that was asked for."""

import math

import torch
from torch import Tensor

from ganzoo.evaluation.metrics.numerics import checked
from ganzoo.shapes import Features, Labels


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
