"""A score with the interval that it could as well have come out in, and how that interval was made."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from scipy import stats
from torch import Tensor

LEVEL = 0.95


class Interval(NamedTuple):
    """Where the score of other samples of the same kind would fall 95 times in 100, and what that was computed from."""

    low: float
    high: float
    how: str


class Estimate(NamedTuple):
    """A score, and its interval where there is one."""

    value: float
    interval: Interval | None = None


def interval_of_splits(values: Sequence[float], what: str = "splits") -> Interval | None:
    """Of the mean of independent values, by Student's t; None where there are fewer than two.

    >>> interval_of_splits([1.0, 2.0, 3.0])
    Interval(low=-0.4841377..., high=4.4841377..., how='Student t over 3 splits')
    """
    n = len(values)
    if n < 2:
        return None
    mean = math.fsum(values) / n
    error = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1) / n)
    reach = float(stats.t.ppf((1 + LEVEL) / 2, n - 1)) * error
    return Interval(mean - reach, mean + reach, f"Student t over {n} {what}")


def interval_of_share(share: float, n: int) -> Interval:
    """Of a share of n independent samples, by Wilson's score (Wilson 1927): within [0, 1], also at its ends.

    >>> interval_of_share(0.5, 100)
    Interval(low=0.403831..., high=0.596168..., how='Wilson over 100 samples')
    """
    z = float(stats.norm.ppf((1 + LEVEL) / 2))
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low, high = (0.0 if share == 0 else centre - reach), (1.0 if share == 1 else centre + reach)  # without rounding
    return Interval(low, high, f"Wilson over {n} samples")


def interval_of_mean(values: Tensor, how: str = "normal") -> Interval | None:
    """Of the mean of (n,) independent values, by the normal distribution; None for fewer than two.

    >>> import torch
    >>> interval_of_mean(torch.tensor([1.0, 2.0, 3.0]))
    Interval(low=0.868414..., high=3.131585..., how='normal over 3 samples')
    """
    n = len(values)
    if n < 2:
        return None
    values = values.double()
    reach = float(stats.norm.ppf((1 + LEVEL) / 2)) * values.std().item() / math.sqrt(n)
    mean = values.mean().item()
    return Interval(mean - reach, mean + reach, f"{how} over {n} samples")
