"""How the groups of one table stand by one metric: means, ranks, tests against the best."""

from collections.abc import Callable, Mapping, Sequence

from ganzoo.leaderboard.board import Metric, Run, Standing
from ganzoo.leaderboard.statistics import (
    Sample,
    holm,
    interval_of,
    mean_interval,
    rank_intervals,
    rounded,
    sample_of,
    welch,
)

SIGNIFICANT = 0.05
Samples = Mapping[int, Sample]  # by the group's place in its table


def standings(groups: Sequence[Sequence[Run]], metric: Metric) -> dict[int, Standing]:
    """By the group's place: how its runs, which are those that count, stand; groups without the score are left out."""
    last = _values(groups, lambda run: run.last.get(metric.name))
    best = _values(groups, lambda run: run.best.get(metric.name))
    samples = {group: sample_of(values) for group, values in last.items()}
    ranks = _ranks(samples, metric.lower_is_better)
    intervals = rank_intervals(list(last.values()), metric.lower_is_better)
    p_values = _p_values(samples, ranks)
    found = {}
    for (group, sample), interval in zip(samples.items(), intervals, strict=True):
        rank, p_value = ranks[group], p_values.get(group)
        found[group] = Standing(
            last=interval_of(sample),
            best=mean_interval(best[group]) if group in best else None,
            rank=rank,
            rank_low=min(interval[0], rank) if interval else None,
            rank_high=max(interval[1], rank) if interval else None,
            p_value=p_value,
            distinguishable=None if p_value is None else p_value < SIGNIFICANT,
        )
    return found


def _values(groups: Sequence[Sequence[Run]], score: Callable[[Run], float | None]) -> dict[int, list[float]]:
    found = {place: [value for run in runs if (value := score(run)) is not None] for place, runs in enumerate(groups)}
    return {place: values for place, values in found.items() if values}


def _ranks(samples: Samples, lower_is_better: bool) -> dict[int, int]:
    """1 is the best; equal means share the better rank."""
    import numpy as np

    means = np.array([sample.mean for sample in samples.values()])
    means = rounded(means if lower_is_better else -means)
    ranks = 1 + np.searchsorted(np.sort(means), means)
    return dict(zip(samples, ranks.tolist(), strict=True))


def _p_values(samples: Samples, ranks: Mapping[int, int]) -> dict[int, float]:
    """Welch's test of every group against the best one, corrected by Holm for their number."""
    if not samples:
        return {}
    best = min(samples, key=lambda group: (ranks[group], -samples[group].n))
    if samples[best].n < 2:
        return {}
    tests = {
        group: difference.p_value
        for group, sample in samples.items()
        if group != best and sample.n > 1 and (difference := welch(sample, samples[best]))
    }
    return dict(zip(tests, holm(list(tests.values())), strict=True))
