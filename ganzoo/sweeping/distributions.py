"""W&B's distributions of a parameter, each by its quantile function.

They are those of W&B's own search (package `sweeps` 0.3.0, sweeps/params.py), with its oddities: a quantised value may
lie half a step outside [min, max]; `log_uniform` without `_values` takes exponents of e; a whole `q` gives whole
numbers and any other q floats. Continuous values are rounded to six significant digits, so that the last bit of a
machine's logarithm changes no trial.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from ganzoo.errors import Problem, shorten
from ganzoo.sweeping.rounding import Steps, quantised, six_digits, within

LARGEST_EXPONENT = 700.0  # e^709 is the largest float there is
TAIL = 0.001  # of an unbounded distribution: what lies further out is no example of it


@dataclass(frozen=True)
class Distribution(ABC):
    """What a parameter may be.

    Attributes:
        kind: W&B's name of the distribution.
    """

    kind: str

    @property
    def choices(self) -> Sequence[Any] | None:
        """Every value, where a grid can have them all; None: there is no end to them."""
        return None

    @property
    def examples(self) -> Sequence[Any]:
        """Its ends, or every choice: an experiment that takes these takes what lies between."""
        return (self.quantile(TAIL), self.quantile(1 - TAIL))

    @abstractmethod
    def quantile(self, share: float) -> Any:
        """The value that the given share of draws, in (0, 1), stays below."""

    def problems(self) -> Iterator[Problem]:
        """What is wrong with its settings beyond the type of each; keys are those of the parameter's section."""
        return iter(())


@dataclass(frozen=True)
class Constant(Distribution):
    """kind: constant."""

    value: Any

    @property
    def choices(self) -> Sequence[Any]:
        return (self.value,)

    @property
    def examples(self) -> Sequence[Any]:
        return self.choices

    def quantile(self, share: float) -> Any:
        return self.value


@dataclass(frozen=True)
class Categorical(Distribution):
    """kind: categorical. All values have the same chance."""

    values: tuple[Any, ...]

    @property
    def choices(self) -> Sequence[Any]:
        return self.values

    @property
    def examples(self) -> Sequence[Any]:
        return self.values

    def quantile(self, share: float) -> Any:
        return self.values[_uniform_index(share, len(self.values))]


@dataclass(frozen=True)
class Weighted(Distribution):
    """kind: categorical_w_probabilities. No grid has it: there, every value comes once."""

    values: tuple[Any, ...]
    probabilities: tuple[float, ...]

    @property
    def examples(self) -> Sequence[Any]:
        return self.values

    def quantile(self, share: float) -> Any:
        total = 0.0
        possible = [pair for pair in zip(self.values, self.probabilities, strict=True) if pair[1] > 0]
        for value, probability in possible:
            total += probability
            if share < total:
                return value
        return possible[-1][0]  # the sum may be 1 but for its last digits

    def problems(self) -> Iterator[Problem]:
        if len(self.values) != len(self.probabilities):
            counts = f"{len(self.probabilities)} for {len(self.values)} values"
            yield Problem("probabilities", f"there are {counts}; every value needs one")
        elif not math.isclose(total := sum(self.probabilities), 1.0, rel_tol=1e-5):
            yield Problem("probabilities", f"{shorten(list(self.probabilities))} must sum to 1, not to {total:.6g}")


@dataclass(frozen=True)
class IntUniform(Distribution):
    """kind: int_uniform. Whole numbers from min to max, both of them included."""

    min: int
    max: int

    @property
    def choices(self) -> Sequence[int]:
        return range(self.min, self.max + 1)

    @property
    def examples(self) -> Sequence[int]:
        return (self.min, self.max)

    def quantile(self, share: float) -> int:
        return self.min + _uniform_index(share, self.max - self.min + 1)

    def problems(self) -> Iterator[Problem]:
        yield from _no_interval(self.min, self.max)


@dataclass(frozen=True)
class Uniform(Distribution):
    """kind: uniform, or q_uniform where there is a q.

    Its steps in a grid are min, min + q, ... below max, without max itself, as W&B has them.
    """

    min: float
    max: float
    q: float | None = None

    @property
    def choices(self) -> Sequence[float] | None:
        return None if self.q is None else Steps(self.min, self.max, self.q)

    @property
    def examples(self) -> Sequence[float]:
        return tuple(self._rounded(end) for end in (self.min, self.max))

    def quantile(self, share: float) -> float:
        return self._rounded((1 - share) * self.min + share * self.max)

    def _rounded(self, value: float) -> float:
        return within(value, self.min, self.max) if self.q is None else quantised(value, self.q)

    def problems(self) -> Iterator[Problem]:
        yield from _no_interval(self.min, self.max)


@dataclass(frozen=True)
class LogUniform(Distribution):
    """Uniform in its logarithm.

    log_uniform_values, inv_log_uniform_values, q_log_uniform_values: between min and max. log_uniform, q_log_uniform:
    between e^min and e^max. inv_log_uniform: between e^-max and e^-min.
    """

    min: float
    max: float
    q: float | None = None

    @property
    def exponents(self) -> tuple[float, float]:
        """The logarithms of the least and the greatest value."""
        if self.kind.endswith("_values"):
            return math.log(self.min), math.log(self.max)
        return (-self.max, -self.min) if self.kind.startswith("inv_") else (self.min, self.max)

    @property
    def limits(self) -> tuple[float, float]:
        """The least and the greatest value before they are quantised."""
        if self.kind.endswith("_values"):
            return self.min, self.max
        low, high = self.exponents
        return math.exp(low), math.exp(high)

    @property
    def examples(self) -> Sequence[float]:
        return tuple(self._rounded(end) for end in self.limits)

    def quantile(self, share: float) -> float:
        low, high = self.exponents
        return self._rounded(math.exp((1 - share) * low + share * high))

    def _rounded(self, value: float) -> float:
        return within(value, *self.limits) if self.q is None else quantised(value, self.q)

    def problems(self) -> Iterator[Problem]:
        yield from _no_interval(self.min, self.max)
        if self.kind.endswith("_values"):
            if self.min <= 0:
                yield Problem("min", f"{self.min} must be above 0")
            return
        for key, exponent in {"min": self.min, "max": self.max}.items():
            if abs(exponent) > LARGEST_EXPONENT:
                values = f"distribution: {self.kind}_values takes the limits themselves"
                yield Problem(key, f"{exponent} is an exponent of e, which must be within 700 of 0; {values}")


@dataclass(frozen=True)
class Normal(Distribution):
    """kind: normal, q_normal; log_normal, q_log_normal: e to the power of a normal number."""

    mu: float = 0.0
    sigma: float = 1.0
    q: float | None = None

    def quantile(self, share: float) -> float:
        value = self.mu + self.sigma * NormalDist().inv_cdf(share)
        if "log" in self.kind:
            value = math.exp(value)
        return six_digits(value) if self.q is None else quantised(value, self.q)

    def problems(self) -> Iterator[Problem]:
        if "log" in self.kind and abs(self.mu) + 9 * self.sigma > LARGEST_EXPONENT:
            meant = "they are those of the logarithm"
            yield Problem("mu", f"{self.mu} with sigma {self.sigma} goes beyond the largest number; {meant}")


@dataclass(frozen=True)
class Beta(Distribution):
    """kind: beta, q_beta. Between 0 and 1."""

    a: float = 1.0
    b: float = 1.0
    q: float | None = None

    def quantile(self, share: float) -> float:
        from scipy.special import betaincinv

        value = float(betaincinv(self.a, self.b, share))
        return six_digits(value) if self.q is None else quantised(value, self.q)


def _uniform_index(share: float, count: int) -> int:
    """The index below `count` that `share` of equally likely ones stay at or below, as scipy.stats.randint.ppf."""
    return min(max(math.ceil(share * count) - 1, 0), count - 1)


def _no_interval(low: float, high: float) -> Iterator[Problem]:
    if low >= high:
        yield Problem("min", f"{low} must be below max, {high}")
