"""Means over training seeds, how sure they are, and which differences are more than chance.

numpy and scipy are imported when something is computed: the command's --help needs neither.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from statistics import fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

CONFIDENCE = 0.95
RESAMPLES = 1000  # of the seeds of every group, for the interval of its rank
FEWEST_RESAMPLES = 200  # where there are hundreds of groups
DRAWN_AT_ONCE = 1_000_000  # values: all at once would be gigabytes for a thousand groups
BOOTSTRAP_SEED = 0  # the same runs give the same table, to the last digit


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over n values and its 95 % interval by Student's t; low and high are None where n is 1.

    >>> Interval(2.0, 1.5, 2.5, 3).half
    0.5
    """

    mean: float
    low: float | None
    high: float | None
    n: int

    @property
    def half(self) -> float | None:
        """What stands behind the plus-minus sign; None for n < 2."""
        return None if self.high is None else self.high - self.mean


@dataclass(frozen=True, slots=True)
class Sample:
    """What a test needs of a group of values: it may come from a paper. spread: standard deviation, by n - 1."""

    mean: float
    spread: float
    n: int


@dataclass(frozen=True, slots=True)
class Difference:
    """One mean less another by Welch's test: 95 % interval and two-sided p-value."""

    mean: float
    low: float
    high: float
    p_value: float


def sample_of(values: Sequence[float]) -> Sample:
    """Mean and standard deviation, which is exactly 0 where all values are the same; n >= 1."""
    mean, n = fmean(values), len(values)
    if min(values) == max(values):  # rounding would leave something of the order of 1e-17
        return Sample(values[0], 0.0, n)
    return Sample(mean, math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1)), n)


def mean_interval(values: Sequence[float]) -> Interval:
    """The mean with its 95 % Student interval; n >= 1."""
    return interval_of(sample_of(values))


def interval_of(sample: Sample) -> Interval:
    """The same, of what is known of the values."""
    if sample.n < 2:
        return Interval(sample.mean, None, None, sample.n)
    half = _quantile(sample.n - 1) * sample.spread / math.sqrt(sample.n)
    return Interval(sample.mean, sample.mean - half, sample.mean + half, sample.n)


def welch(one: Sample, other: Sample) -> Difference | None:
    """one - other, for means of groups whose spreads may differ. None: too few values to tell, or a spread of only one.

    An exact number, such as a published one without a spread, is Sample(mean, 0.0, 1): it can be compared with a group
    of two or more. Two groups without any spread differ with certainty (p = 0) or not at all (p = 1); so do an infinite
    number and a finite one, but nothing is known of two infinite ones, nor of NaN (p = 1).
    """
    if (one.n < 2 and other.n < 2) or any(sample.n < 2 and sample.spread for sample in (one, other)):
        return None
    difference = one.mean - other.mean
    parts = [(sample.spread**2 / sample.n, sample.n - 1) for sample in (one, other)]
    variance = sum(part for part, _ in parts)
    if variance == 0:
        return Difference(difference, difference, difference, 0.0 if abs(difference) > 0 else 1.0)  # NaN is not above 0
    freedom = 1 / sum((part / variance) ** 2 / n for part, n in parts if n)  # Welch and Satterthwaite's
    error = math.sqrt(variance)
    half = _quantile(freedom) * error
    return Difference(difference, difference - half, difference + half, _two_sided(difference / error, freedom))


@cache
def _quantile(freedom: float) -> float:
    """Of Student's t: what 95 % of it is within, plus or minus."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + CONFIDENCE) / 2))


def _two_sided(t: float, freedom: float) -> float:
    from scipy.special import stdtr

    return float(2 * stdtr(freedom, -abs(t)))


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values of several tests, corrected by Holm's step-down procedure (Holm 1979), in the order given.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    corrected, largest = [0.0] * len(p_values), 0.0
    for done, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - done) * p_values[index]))
        corrected[index] = largest
    return corrected


def rank_intervals(groups: Sequence[Sequence[float]], lower_is_better: bool) -> list[tuple[int, int] | None]:
    """Of every group of values: the 95 % bootstrap interval of its mean's rank; None for a group of one value.

    Within every group as many values as it has are drawn with replacement, the means are ranked, and that a number of
    times. The interval is between the 2.5 and the 97.5 % quantile of these ranks. Of a handful of seeds it is too
    narrow: a resample cannot have what no seed has shown.
    """
    import numpy as np

    if not any(len(values) > 1 for values in groups):
        return [None for _ in groups]
    means = _resampled_means(groups, _resamples(len(groups)))
    means = rounded(means if lower_is_better else -means)
    ranks = np.stack([np.searchsorted(np.sort(row), row) for row in means]) + 1
    ranks.sort(axis=0)
    tail = (1 - CONFIDENCE) / 2 * (len(ranks) - 1)
    low, high = ranks[math.floor(tail)], ranks[math.ceil(len(ranks) - 1 - tail)]
    return [(int(low[g]), int(high[g])) if len(values) > 1 else None for g, values in enumerate(groups)]


def rounded(values: "np.ndarray") -> "np.ndarray":
    """To 40 bits, some 12 digits: what is equal but for the rounding of a computation is the same.

    >>> import numpy as np
    >>> rounded(np.array([0.1 + 0.2])) == rounded(np.array([0.3])), rounded(np.array([0.30000001])) == rounded(0.3)
    (array([ True]), array([False]))
    """
    import numpy as np

    parts, powers = np.frexp(values)
    return np.asarray(np.ldexp(np.round(parts * 2.0**40), powers - 40))


def _resamples(groups: int) -> int:
    """So many that hundreds of groups take a second rather than a minute."""
    return max(FEWEST_RESAMPLES, min(RESAMPLES, 300 * RESAMPLES // max(groups, 1)))


def _resampled_means(groups: Sequence[Sequence[float]], resamples: int) -> "np.ndarray":
    """(resamples, groups): all groups with the same number of values at once."""
    import numpy as np

    random = np.random.default_rng(BOOTSTRAP_SEED)
    means = np.empty((resamples, len(groups)))
    for n in sorted({len(values) for values in groups}):
        at = [g for g, values in enumerate(groups) if len(values) == n]
        values = np.array([groups[g] for g in at])
        at_once = max(1, DRAWN_AT_ONCE // values.size)
        for done in range(0, resamples, at_once):
            chosen = random.integers(n, size=(min(at_once, resamples - done), *values.shape))
            drawn = np.take_along_axis(values[None], chosen, axis=2)
            means[done : done + at_once, at] = drawn.mean(axis=2)
    return means
