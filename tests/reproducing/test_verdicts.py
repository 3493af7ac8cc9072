"""The rules of docs/reproducing.md, each on both sides of its border."""

import math
from collections.abc import Sequence
from copy import deepcopy
from itertools import pairwise

import pytest
from scipy import stats
from table_texts import COMPUTED, opened

from ganzoo.leaderboard.statistics import Sample, welch
from ganzoo.reproducing.outcomes import Outcome
from ganzoo.reproducing.table_file import Claim, Published, Row, Scale
from ganzoo.reproducing.verdicts import JudgedClaim, Verdict, judge, judged_cell, judged_claims, worst

CPU = Scale(name="cpu", seeds=3, says="all of it")
PAPER = Scale(name="paper", seeds=3, says="all of it", comparable=True)
SMOKE = Scale(name="smoke", seeds=3, says="plumbing", comparable=True)
T_1 = math.tan(0.475 * math.pi)  # Student's t(.975, 1) in closed form: 12.706


def outcome(label: str, values: Sequence[float], *, exact: bool = False, **counts: int) -> Outcome:
    row = Row(label=label, at={}, values={}, published={})
    return Outcome(row=row, values={"score": values}, counts=counts or {"done": len(values)}, exact=exact)


def compared(higher: Sequence[float], lower: Sequence[float], *, scale: Scale = CPU, exact: bool = False) -> Verdict:
    rows = {label: outcome(label, values, exact=exact) for label, values in {"A": higher, "B": lower}.items()}
    claim = Claim(says="A is higher", metric="score", higher="A", lower="B")
    return judged_claims([claim], rows, scale)[0].verdict


def limited(values: Sequence[float], *, scale: Scale = CPU, exact: bool = False, **limits: float) -> Verdict:
    claim = Claim(says="it is within", metric="score", row="A", **limits)
    return judged_claims([claim], {"A": outcome("A", values, exact=exact)}, scale)[0].verdict


def test_two_rows_by_a_closed_form():
    """Of x ± d and y ± d, Welch's t is (x - y) / (d sqrt 2) with 2 degrees of freedom, and t(.975, 2) is a root."""
    border = 0.95 * math.sqrt(2 / 0.0975) * math.sqrt(2)  # 4.3027 x 1.4142, for d = 1
    for difference, verdict in (
        (border + 0.01, "reproduced"),
        (border - 0.01, "direction only"),
        (0.01, "direction only"),
        (0.0, "not reproduced"),
        (-0.01, "not reproduced"),
        (-border - 0.01, "not reproduced"),
    ):
        assert compared([difference - 1, difference + 1], [-1.0, 1.0]) == verdict, difference


def test_two_rows_as_scipy_tests_them():
    """Spreads and numbers of seeds that differ; the border is where scipy's p is 0.05."""
    narrow, wide = [0.1, -0.1, 0.0, 0.05], [3.0, -1.0, 0.5, -2.0, 4.0]
    for shift in (0.5, 2.0, 3.0, 4.0, 5.0, 10.0):
        p_value = stats.ttest_ind([x + shift for x in narrow], wide, equal_var=False).pvalue
        expected = "reproduced" if p_value < 0.05 else "direction only"
        if shift > sum(wide) / 5:
            assert compared([x + shift for x in narrow], wide) == expected, (shift, p_value)
    assert stats.ttest_ind([x + 3.0 for x in narrow], wide, equal_var=False).pvalue > 0.05
    assert stats.ttest_ind([x + 5.0 for x in narrow], wide, equal_var=False).pvalue < 0.05


def test_claims_are_corrected_together():
    """Alone each of three is significant; by Holm, the largest p-value keeps its own and the smallest is tripled."""
    rows = {"B": outcome("B", [-1.0, 1.0])}
    shifts = {"A": 6.5, "C": 7.0, "D": 100.0}
    rows |= {label: outcome(label, [shift - 1, shift + 1]) for label, shift in shifts.items()}
    raw = {label: stats.ttest_ind([s - 1, s + 1], [-1, 1], equal_var=False).pvalue for label, s in shifts.items()}
    assert all(p_value < 0.05 for p_value in raw.values())
    claims = [Claim(says=label, metric="score", higher=label, lower="B") for label in shifts]
    assert [judged_claims([claim], rows, CPU)[0].verdict for claim in claims] == ["reproduced"] * 3
    judged = judged_claims(claims, rows, CPU)
    assert [each.verdict for each in judged] == ["direction only", "direction only", "reproduced"]
    expected = [max(raw["A"], 2 * raw["C"]), 2 * raw["C"], 3 * raw["D"]]
    assert [each.p_value for each in judged] == pytest.approx(expected, rel=1e-9)
    limits = Claim(says="no test", metric="score", row="B", at_least=-100.0)
    assert judged_claims([*claims, limits], rows, CPU)[:3] == judged  # it has no part in the correction


def test_two_rows_without_spread():
    assert compared([8.0, 8.0], [7.0, 7.0]) == "reproduced"
    assert compared([7.0, 7.0], [7.0, 7.0]) == "not reproduced"
    assert compared([6.0, 6.0], [7.0, 7.0]) == "not reproduced"
    assert compared([7.2, 7.2], [7.0, 7.1]) == "direction only"  # one of them has some: Welch with 1 degree of freedom


def test_too_few_seeds_are_not_comparable():
    assert compared([8.0], [7.0, 7.0]) == "not comparable at this scale"
    assert compared([8.0, 8.0], []) == "not comparable at this scale"
    assert limited([8.0], at_least=1.0) == "not comparable at this scale"
    assert limited([], at_least=1.0) == "not comparable at this scale"


def test_smoke_never_reproduces():
    assert compared([8.0, 8.0], [7.0, 7.0], scale=SMOKE) == "not comparable at this scale"
    assert compared([6.0, 6.0], [7.0, 7.0], scale=SMOKE) == "not comparable at this scale"
    assert limited([8.0, 8.0], scale=SMOKE, at_least=1.0) == "not comparable at this scale"
    assert judged_cell(_published([8.0, 8.0], Published(mean=8.0)), "score", SMOKE).verdict == (
        "not comparable at this scale"
    )


def test_one_row_by_a_closed_form():
    """The 95 % interval of x ± d is x ± t(.975, 1) d."""
    values = [9.0, 11.0]
    for limits, verdict in (
        ({"at_least": 10 - T_1 - 0.01}, "reproduced"),
        ({"at_least": 10 - T_1 + 0.01}, "direction only"),
        ({"at_least": 9.99}, "direction only"),
        ({"at_least": 10.01}, "not reproduced"),
        ({"at_most": 10 + T_1 + 0.01}, "reproduced"),
        ({"at_most": 10 + T_1 - 0.01}, "direction only"),
        ({"at_most": 9.99}, "not reproduced"),
        ({"at_least": 10 - T_1 - 0.01, "at_most": 10 + T_1 + 0.01}, "reproduced"),
        ({"at_least": 10 - T_1 - 0.01, "at_most": 10.01}, "direction only"),
        ({"at_least": 10 - T_1 - 0.01, "at_most": 9.99}, "not reproduced"),
    ):
        assert limited(values, **limits) == verdict, limits
    assert limited([8.0, 8.0, 8.0], at_least=8.0) == "reproduced"


def test_what_is_exact_needs_no_seeds():
    assert limited([8.0], exact=True, at_least=8.0) == "reproduced"
    assert limited([7.9], exact=True, at_least=8.0) == "not reproduced"
    assert limited([math.inf], exact=True, at_least=8.0) == "reproduced"
    assert limited([math.inf], exact=True, at_most=8.0) == "not reproduced"
    assert limited([], exact=True, at_most=8.0) == "not comparable at this scale"
    assert compared([8.0], [7.9], exact=True) == "reproduced"
    assert compared([7.9], [7.9], exact=True) == "not reproduced"


def _published(values: Sequence[float], published: Published, *, exact: bool = False) -> Outcome:
    row = Row(label="A", at={}, values={}, published={"score": published})
    return Outcome(row=row, values={"score": values}, counts={"done": len(values)}, exact=exact)


@pytest.mark.parametrize("mean", [1.0, 4.0, 5.5, 6.0, 6.5, 8.0, 12.0])
def test_a_cell_beside_a_published_mean_with_its_error(mean):
    """As scipy tests two samples of which it knows the mean, the standard deviation and the number."""
    ours, error, trials = [5.0, 6.0, 7.0, 6.5], 0.5, 10
    p_value = stats.ttest_ind_from_stats(
        sum(ours) / 4, stats.tstd(ours), 4, mean, error * math.sqrt(trials), trials, equal_var=False
    ).pvalue
    cell = judged_cell(_published(ours, Published(mean=mean, standard_error=error, trials=trials)), "score", PAPER)
    assert cell.verdict == ("agrees" if p_value >= 0.05 else "differs")
    assert cell.difference is not None and cell.difference.p_value == pytest.approx(p_value)
    assert cell.difference.mean == pytest.approx(sum(ours) / 4 - mean)


def test_a_cell_beside_a_published_number_without_spread():
    """The published number counts as exact: it must be within our own interval, 10 ± t(.975, 1)."""
    for mean, verdict in ((10 + T_1 - 0.01, "agrees"), (10 + T_1 + 0.01, "differs")):
        for sign in (1, -1):
            published = Published(mean=10 + sign * (mean - 10))
            assert judged_cell(_published([9.0, 11.0], published), "score", PAPER).verdict == verdict


def test_cells_are_judged_only_where_they_can_be_compared():
    published = Published(mean=8.0)
    assert judged_cell(_published([8.0, 8.0], published), "score", CPU).verdict == "not comparable at this scale"
    assert judged_cell(_published([8.0], published), "score", PAPER).verdict == "not comparable at this scale"
    assert judged_cell(_published([8.0, 8.0], published), "score", PAPER).verdict == "agrees"
    assert judged_cell(_published([8.1, 8.1], published), "score", PAPER).verdict == "differs"
    assert judged_cell(outcome("A", [8.0, 8.0]), "score", PAPER).verdict is None


def test_an_exact_number_may_differ_by_rounding():
    published = Published(mean=-0.15)
    assert judged_cell(_published([-0.15 + 1e-9], published, exact=True), "score", PAPER).verdict == "agrees"
    assert judged_cell(_published([-0.15 + 1e-5], published, exact=True), "score", PAPER).verdict == "differs"


def test_a_table_is_as_good_as_its_worst_claim():
    order: list[Verdict] = ["reproduced", "direction only", "not comparable at this scale", "not reproduced"]
    for better, worse in pairwise(order):
        assert worst([better, worse, better]) == worse
    assert worst([]) == "not comparable at this scale"


def test_a_table_without_claims_is_at_best_of_the_right_direction(tmp_path):
    """An interval that has 0 is no proof that there is no difference."""
    values = deepcopy(COMPUTED)
    for published, verdict in ((3.0, "direction only"), (9.0, "not reproduced")):
        values["rows"][0]["published"] = {"sum": published}
        values["scales"]["cpu"]["comparable"] = True
        table = opened(tmp_path, values)
        row = Outcome(row=table.rows[0], values={"sum": [2.0, 3.0, 4.0]}, counts={"done": 3})
        assert judge(table, table.scale("cpu"), [row]).verdict == verdict
        assert judge(table, CPU, [row]).verdict == "not comparable at this scale"


def test_what_is_not_finite_reproduces_nothing():
    assert compared([math.inf], [math.inf], exact=True) == "not reproduced"
    assert compared([math.nan], [7.0], exact=True) == "not reproduced"
    assert compared([math.inf], [7.0], exact=True) == "reproduced"  # an infinite distance is a result
    assert compared([7.0], [math.inf], exact=True) == "not reproduced"
    assert limited([math.nan], exact=True, at_most=8.0) == "not reproduced"
    for value in (math.inf, math.nan):
        assert judged_cell(_published([value], Published(mean=1.0), exact=True), "score", PAPER).verdict == "differs"
    for one, other, p_value in ((math.inf, math.inf, 1.0), (math.nan, 1.0, 1.0), (math.inf, 1.0, 0.0)):
        difference = welch(Sample(one, 0.0, 2), Sample(other, 0.0, 2))
        assert difference is not None and difference.p_value == p_value


def failing(values: Sequence[float], *, exact: bool = False, **counts: int) -> JudgedClaim:
    """Trained is what has a score of at most 15."""
    claim = Claim(says="it fails", metric="score", row="A", at_most=15.0, fails=True)
    rows = {"A": outcome("A", values, exact=exact, done=len(values), **counts)}
    return judged_claims([claim], rows, CPU)[0]


def test_trainings_fail_by_diverging_or_by_what_they_end_with():
    for values, diverged, verdict, found in (
        ([], 3, "reproduced", (3, 3)),
        ([15.1, 50.0], 1, "reproduced", (3, 3)),
        ([15.0, 50.0], 1, "direction only", (2, 3)),
        ([15.0, 50.0], 0, "not reproduced", (1, 2)),  # a half is not more than half
        ([2.0, 3.0], 1, "not reproduced", (1, 3)),
        ([50.0], 0, "not comparable at this scale", None),
        ([], 1, "not comparable at this scale", None),
    ):
        judged = failing(values, diverged=diverged)
        assert (judged.verdict, judged.failing) == (verdict, found), (values, diverged)
    assert failing([16.0], exact=True).verdict == "reproduced"
    assert failing([14.0], exact=True).verdict == "not reproduced"
    crashed = failing([50.0, 2.0], failed=4)  # a machine that breaks down says nothing of the method
    assert (crashed.verdict, crashed.failing) == ("not reproduced", (1, 2))
    assert crashed.why == "A: 4 seeds failed for another reason and do not count"
    assert failing([50.0], diverged=1).why == "A: 1 seed diverged"
    below = Claim(says="it fails", metric="score", row="A", at_least=500.0, fails=True)
    assert judged_claims([below], {"A": outcome("A", [499.0, 3.0])}, CPU)[0].verdict == "reproduced"
    assert judged_claims([below], {"A": outcome("A", [500.0, 3.0, 3.0])}, CPU)[0].verdict == "direction only"
    assert judged_claims([below], {"A": outcome("A", [3.0, 3.0])}, SMOKE)[0].verdict == "not comparable at this scale"


def test_runs_that_broke_are_told_beside_the_verdict():
    rows = {
        "A": outcome("A", [8.0, 8.0], done=2, diverged=1),
        "B": outcome("B", [7.0, 7.0], done=2),
        "C": outcome("C", [7.0], done=1, failed=2),
    }
    claims = [Claim(says="so", metric="score", higher="A", lower=label) for label in ("B", "C")]
    decided, short = judged_claims(claims, rows, CPU)
    assert decided.verdict == "reproduced"
    assert decided.why == "A: 1 of 3 runs diverged or failed; the others decide"
    assert short.verdict == "not comparable at this scale"
    assert short.why.startswith("C: 1 seed with the score; A: 1 of 3 runs")
