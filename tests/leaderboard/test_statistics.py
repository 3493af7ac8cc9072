"""Intervals, tests, ranks and corrections equal scipy's and statsmodels'; a 95 % interval covers 95 %."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from ganzoo.leaderboard.statistics import Sample, holm, mean_interval, rank_intervals, rounded, sample_of, welch


def drawn(seed: int, n: int, mean: float = 0.0, spread: float = 1.0) -> list[float]:
    return np.random.default_rng(seed).normal(mean, spread, n).tolist()


@pytest.mark.parametrize("n", [2, 3, 5, 10, 100])
@pytest.mark.parametrize("mean, spread", [(0.0, 1.0), (35.0, 0.01), (-1e6, 3.0), (1e-8, 1e-9)])
def test_an_interval_is_scipys(n, mean, spread):
    values = drawn(n, n, mean, spread)
    found = mean_interval(values)
    low, high = stats.t.interval(0.95, n - 1, loc=np.mean(values), scale=stats.sem(values))
    assert (found.mean, found.low, found.high) == pytest.approx((np.mean(values), low, high), rel=1e-9)
    assert found.n == n and found.half == pytest.approx((high - low) / 2, rel=1e-6)


def test_one_value_has_no_interval():
    found = mean_interval([2.5])
    assert (found.mean, found.low, found.high, found.half, found.n) == (2.5, None, None, None, 1)


def test_values_without_a_spread_have_an_interval_of_no_width():
    found = mean_interval([0.1, 0.1, 0.1])
    assert (found.mean, found.low, found.high) == (0.1, 0.1, 0.1)


@pytest.mark.parametrize("n", [2, 3, 5, 30])
def test_the_interval_covers_the_mean_in_95_of_100_simulations(n):
    values = np.random.default_rng(0).normal(7.0, 2.0, (10_000, n)).tolist()
    covered = [(found := mean_interval(row)).low <= 7.0 <= found.high for row in values]
    assert 0.93 < np.mean(covered) < 0.97


@pytest.mark.parametrize("n, m", [(2, 2), (3, 5), (10, 4), (50, 50)])
@pytest.mark.parametrize("shift", [0.0, 0.5, 40.0])
def test_welch_is_scipys(n, m, shift):
    one, other = drawn(n, n, shift, 3.0), drawn(100 + m, m)
    found, right = welch(sample_of(one), sample_of(other)), stats.ttest_ind(one, other, equal_var=False)
    interval = right.confidence_interval(0.95)
    assert found.p_value == pytest.approx(right.pvalue, rel=1e-9)
    assert (found.mean, found.low, found.high) == pytest.approx((np.mean(one) - np.mean(other), *interval), rel=1e-9)


def test_welch_with_a_published_number_that_is_exact_is_the_test_of_one_group():
    values = drawn(3, 6, 1.0)
    found, right = welch(sample_of(values), Sample(0.4, 0.0, 1)), stats.ttest_1samp(values, 0.4)
    assert found.p_value == pytest.approx(right.pvalue, rel=1e-9)
    low, high = right.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((low - 0.4, high - 0.4), rel=1e-9)


def test_welch_where_there_is_nothing_to_estimate():
    assert welch(Sample(1.0, 0.0, 1), Sample(2.0, 0.0, 1)) is None
    for other in (Sample(2.0, 0.0, 3), Sample(2.0, 1.0, 3)):
        assert welch(Sample(1.0, 0.1, 1), other) is welch(other, Sample(1.0, 0.1, 1)) is None  # a spread of one value
        assert welch(Sample(1.0, 0.0, 1), other) is not None
    differ, same = welch(Sample(1.0, 0.0, 3), Sample(2.0, 0.0, 3)), welch(Sample(1.0, 0.0, 3), Sample(1.0, 0.0, 3))
    assert (differ.mean, differ.low, differ.high, differ.p_value) == (-1.0, -1.0, -1.0, 0.0)
    assert (same.low, same.high, same.p_value) == (0.0, 0.0, 1.0)


@pytest.mark.parametrize("n", [1, 2, 3, 10, 30])
@pytest.mark.parametrize("power", [1, 4, 12])  # from p-values all over to such as are nearly all small
def test_holms_correction_is_statsmodels(n, power):
    p_values = [*(np.random.default_rng(n).random(n) ** power).tolist(), 0.0, 1.0, 0.5, 0.5]
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1].tolist(), rel=1e-12)


def test_ranks_of_groups_far_apart_are_sure_and_of_overlapping_ones_are_not():
    apart = [[10.0, 11.0, 12.0], [1.0, 2.0, 3.0], [20.0, 21.0, 22.0]]
    assert rank_intervals(apart, lower_is_better=True) == [(2, 2), (1, 1), (3, 3)]
    assert rank_intervals(apart, lower_is_better=False) == [(2, 2), (3, 3), (1, 1)]
    mixed = rank_intervals([[1.0, 9.0, 4.0, 6.0], [2.0, 8.0, 5.0, 5.5], [100.0, 101.0, 99.0]], lower_is_better=True)
    assert mixed == [(1, 2), (1, 2), (3, 3)]


def test_a_group_of_one_seed_has_no_rank_interval_and_its_value_counts():
    assert rank_intervals([[1.0], [2.0]], lower_is_better=True) == [None, None]
    assert rank_intervals([[5.0], [1.0, 2.0], [8.0, 9.0]], lower_is_better=True) == [None, (1, 1), (3, 3)]


def test_equal_means_share_the_better_rank():
    assert rank_intervals([[3.0, 3.0], [3.0, 3.0], [4.0, 4.0]], lower_is_better=True) == [(1, 1), (1, 1), (3, 3)]
    assert np.mean([0.1] * 3) != np.mean([0.1] * 2)  # what rounding leaves makes no difference
    for lower in (True, False):
        assert rank_intervals([[0.1] * 3, [0.1] * 2], lower) == [(1, 1), (1, 1)]
        apart = rank_intervals([[0.1] * 3, [0.1 * (1 + 1e-9)] * 2], lower)
        assert apart == ([(1, 1), (2, 2)] if lower else [(2, 2), (1, 1)])


@pytest.mark.parametrize("scale", [1e-300, 1e-9, 1.0, 1e99])
def test_what_is_rounded_away_is_as_small_beside_small_numbers_as_beside_large_ones(scale):
    values = np.array([0.3, 0.1 + 0.2, 0.3 * (1 + 1e-10), 0.0, -0.3]) * scale
    one, same, other, nothing, negative = rounded(values)
    assert one == same == -negative and one < other and nothing == 0
    assert rounded(values) == pytest.approx(values, rel=1e-11)


def test_rank_intervals_hold_the_true_rank_about_as_often_as_they_say():
    """Five groups of ten seeds, a standard error apart: of 200 boards, at least 85 % of the intervals have it."""
    truth, held = np.arange(5) * 1 / np.sqrt(10), []
    for seed in range(200):
        groups = np.random.default_rng(seed).normal(truth[:, None], 1.0, (5, 10)).tolist()
        found = rank_intervals(groups, lower_is_better=True)
        held += [low <= rank <= high for rank, (low, high) in enumerate(found, start=1)]
    assert 0.85 < np.mean(held) <= 1.0


def test_the_same_values_give_the_same_ranks_and_hundreds_of_groups_take_no_minute():
    groups = [drawn(seed, 3, seed % 7) for seed in range(1500)]
    found = rank_intervals(groups, lower_is_better=True)
    assert found == rank_intervals(groups, lower_is_better=True)
    assert all(1 <= low <= high <= 1500 for low, high in found)
