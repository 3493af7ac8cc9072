"""W&B's distributions as Optuna is asked for them."""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from ganzoo.sweeping.distributions import (
    TAIL,
    Beta,
    Categorical,
    Constant,
    Distribution,
    IntUniform,
    LogUniform,
    Normal,
    Uniform,
)
from ganzoo.sweeping.rounding import quantised, within


@dataclass(frozen=True)
class Axis:
    """One parameter of a search.

    Attributes:
        asked: what Optuna chooses from.
        value: the parameter's value for Optuna's choice.
    """

    asked: BaseDistribution
    value: Callable[[Any], Any]


def axis_of(distribution: Distribution) -> Axis | None:
    """The same distribution of Optuna's where it has it, else the share of draws that stay below the value.

    None for a constant: there is nothing to ask.
    """
    match distribution:
        case Constant():
            return None
        case Categorical(values=values):
            words = {str(value): value for value in values}  # the words that a run is given: lists and sections too
            return Axis(CategoricalDistribution(tuple(words)), words.__getitem__)
        case IntUniform(min=low, max=high):
            return Axis(IntDistribution(low, high), int)
        case LogUniform(q=None, limits=(low, high)):
            return Axis(FloatDistribution(low, high, log=True), lambda value: within(value, low, high))
        case Uniform(min=low, max=high, q=None) if math.isfinite(high - low):
            return Axis(FloatDistribution(low, high), lambda value: within(value, low, high))
        case Uniform(min=low, max=high, q=float() | int() as q) if math.isfinite((high - low) / q):
            return _steps(low, high, q)
        case _:
            return _share(distribution)


def _steps(low: float, high: float, q: float) -> Axis:
    """The multiples of q that W&B rounds to, which begin and end up to half a step outside [low, high]."""
    with warnings.catch_warnings():  # of the last bits of a q that is no short decimal number
        warnings.filterwarnings("ignore", message=".*not divisible by `step`.*")
        asked = FloatDistribution(quantised(low, q), quantised(high, q), step=q)
    return Axis(asked, lambda value: quantised(value, q))


def _share(distribution: Distribution) -> Axis:
    """Unlike a draw, a search goes to the very ends, which some distributions do not have or nobody means."""
    tail = TAIL if isinstance(distribution, (Beta, Normal)) else 0.0
    return Axis(FloatDistribution(tail, 1 - tail), distribution.quantile)
