"""Numbers as trials have them: few digits, or steps of q."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

MOST_EXACT = 2**53  # up to here every whole number is a float


def six_digits(value: float) -> float:
    return float(f"{value:.6g}")


def twelve_digits(value: float) -> float:
    """Without the dust of binary arithmetic: 3 * 0.1 is 0.3."""
    return float(f"{value:.12g}")


def within(value: float, low: float, high: float) -> float:
    """Six digits of the value, more where the interval [low, high] is narrow, and never outside of it.

    >>> within(0.123456789, 0.0, 1.0), within(1000.123456789, 1000.0, 1001.0), within(0.9999999, 0.0, 0.9999998)
    (0.123457, 1000.12346, 0.9999998)
    """
    magnitude = max(abs(low), abs(high)) / (high - low)
    more = max(int(f"{magnitude:e}".partition("e")[2]), 0)
    return float(min(max(float(f"{value:.{min(6 + more, 17)}g}"), low), high))


def quantised(value: float, q: float) -> float:
    """The nearest multiple of q; an int where q is one."""
    steps = value / q
    if not math.isfinite(steps):
        return value
    return round(steps) * q if isinstance(q, int) else twelve_digits(round(steps) * q)


@dataclass(frozen=True)
class Steps(Sequence[float]):
    """min, min + q, min + 2 q, ... below max; nothing is kept, for there may be many."""

    min: float
    max: float
    q: float

    def __len__(self) -> int:
        return int(min(math.ceil((self.max - self.min) / self.q), MOST_EXACT))

    @overload
    def __getitem__(self, index: int) -> float: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[float]: ...
    def __getitem__(self, index: int | slice) -> float | Sequence[float]:
        if isinstance(index, slice):
            return [self[number] for number in range(len(self))[index]]
        value = self.min + range(len(self))[index] * self.q
        return value if isinstance(value, int) else twelve_digits(value)
