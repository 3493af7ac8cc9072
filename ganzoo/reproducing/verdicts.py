"""Whether a paper's table comes out: the rules are written in docs/reproducing.md, and this is them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from ganzoo.leaderboard.statistics import Difference, Interval, holm, welch
from ganzoo.reproducing.outcomes import Outcome
from ganzoo.reproducing.table_file import Claim, Published, Scale, TableFile

Verdict = Literal["reproduced", "direction only", "not comparable at this scale", "not reproduced"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)  # from the best to the worst
REPRODUCED, DIRECTION, _, NOT = VERDICTS
INCOMPARABLE: Literal["not comparable at this scale"] = "not comparable at this scale"
Agreement = Literal["agrees", "not comparable at this scale", "differs"]  # of our number with the published one
AGREES: Agreement = "agrees"
DIFFERS: Agreement = "differs"
OF_CELLS: Mapping[Agreement, Verdict] = {AGREES: DIRECTION, INCOMPARABLE: INCOMPARABLE, DIFFERS: NOT}
SIGNIFICANT = 0.05
ROUNDING = 1e-6


@dataclass(frozen=True, kw_only=True)
class JudgedClaim:
    """A claim and what became of it.

    Attributes:
        interval: the row's mean, of a claim on one row.
        difference: higher - lower, of a claim on two; p_value: of it, corrected by Holm over the table's claims.
        failing: how many of how many trainings failed, of a claim that a row's do.
        why: what the verdict does not tell by itself: seeds that are missing, runs that broke.
    """

    claim: Claim
    verdict: Verdict
    interval: Interval | None = None
    difference: Difference | None = None
    p_value: float | None = None
    failing: tuple[int, int] | None = None
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """Our number beside the published one.

    Attributes:
        ours: None: there is none.
        difference: ours - published; None: one of them is missing, or there are too few seeds.
        verdict: None: nothing is published.
    """

    metric: str
    ours: Interval | None
    published: Published | None
    difference: Difference | None = None
    verdict: Agreement | None = None


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """All verdicts of a table at a scale. cells: by row's label and metric."""

    claims: Sequence[JudgedClaim]
    cells: Mapping[tuple[str, str], Cell]
    verdict: Verdict


def judge(table: TableFile, scale: Scale, outcomes: Sequence[Outcome]) -> Judgement:
    """The verdicts on what rows have come to."""
    by_label = {outcome.row.label: outcome for outcome in outcomes}
    claims = judged_claims(table.claims, by_label, scale)
    cells = {
        (outcome.row.label, metric): judged_cell(outcome, metric, scale)
        for outcome in outcomes
        for metric in table.metrics
    }
    agreements = [cell.verdict for cell in cells.values() if cell.verdict is not None]
    told = [each.verdict for each in claims] or [OF_CELLS[each] for each in agreements]
    return Judgement(claims=claims, cells=cells, verdict=worst(told))


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """A table is as good as the worst of its claims, and one without any cannot be compared.

    >>> worst(["reproduced", "direction only"]), worst([])
    ('direction only', 'not comparable at this scale')
    """
    return max(verdicts, key=VERDICTS.index, default=INCOMPARABLE)


def judged_claims(claims: Sequence[Claim], rows: Mapping[str, Outcome], scale: Scale) -> list[JudgedClaim]:
    """In order. The p-values of those that compare two rows are corrected together."""
    judged = [_judged(claim, rows) for claim in claims]
    tested = [at for at, each in enumerate(judged) if each.difference is not None]
    corrected = holm([each.p_value for at in tested if (each := judged[at]).p_value is not None])
    for at, p_value in zip(tested, corrected, strict=True):
        judged[at] = _decided(judged[at], p_value)
    if not scale.reproduces:
        return [replace(each, verdict=INCOMPARABLE) for each in judged]
    return [replace(each, why=_why(each, [rows[label] for label in each.claim.rows])) for each in judged]


def _judged(claim: Claim, rows: Mapping[str, Outcome]) -> JudgedClaim:
    if claim.row is None:
        return _on_two(claim, rows)
    return (_on_failing if claim.fails else _on_one)(claim, rows[claim.row])


def _on_two(claim: Claim, rows: Mapping[str, Outcome]) -> JudgedClaim:
    """With the p-value as it is; incomparable until that is corrected."""
    assert claim.higher is not None and claim.lower is not None
    higher, lower = (rows[label].sample(claim.metric) for label in (claim.higher, claim.lower))
    difference = welch(higher, lower) if higher is not None and lower is not None else None
    p_value = None if difference is None else difference.p_value
    return JudgedClaim(claim=claim, verdict=INCOMPARABLE, difference=difference, p_value=p_value)


def _decided(judged: JudgedClaim, p_value: float) -> JudgedClaim:
    """By the sign of the difference, and by its corrected p-value: below 0.05, its interval excludes 0."""
    assert judged.difference is not None
    if not judged.difference.mean > 0:  # nor is NaN
        verdict: Verdict = NOT
    else:
        verdict = REPRODUCED if p_value < SIGNIFICANT else DIRECTION
    return replace(judged, verdict=verdict, p_value=p_value)


def _on_one(claim: Claim, outcome: Outcome) -> JudgedClaim:
    """Reproduced: all of the interval is within what is claimed; direction only: the mean is."""
    interval = outcome.interval(claim.metric)
    if interval is None or (interval.low is None and not outcome.exact):
        return JudgedClaim(claim=claim, verdict=INCOMPARABLE, interval=interval)
    ends = [interval.mean] if outcome.exact else [interval.low, interval.high]
    if all(_within(claim, end) for end in ends if end is not None):
        verdict: Verdict = REPRODUCED
    else:
        verdict = DIRECTION if _within(claim, interval.mean) else NOT
    return JudgedClaim(claim=claim, verdict=verdict, interval=interval)


def _on_failing(claim: Claim, outcome: Outcome) -> JudgedClaim:
    """Reproduced: all trainings diverge or end beyond the limit; direction only: more than half do."""
    values, diverged = outcome.values.get(claim.metric, ()), outcome.counts.get("diverged", 0)
    of = len(values) + diverged
    if not of or (of < 2 and not outcome.exact):
        return JudgedClaim(claim=claim, verdict=INCOMPARABLE)
    failing = diverged + sum(not _within(claim, value) for value in values)
    verdict: Verdict = REPRODUCED if failing == of else DIRECTION if failing > of / 2 else NOT
    return JudgedClaim(claim=claim, verdict=verdict, failing=(failing, of))


def _within(claim: Claim, value: float) -> bool:
    above = claim.at_least is None or value >= claim.at_least
    return above and (claim.at_most is None or value <= claim.at_most)


def _why(judged: JudgedClaim, outcomes: Sequence[Outcome]) -> str:
    metric = judged.claim.metric
    if judged.claim.fails:
        return _why_failing(metric, outcomes[0])
    seeds = {outcome.row.label: len(outcome.values.get(metric, ())) for outcome in outcomes}
    few = [outcome.row.label for outcome in outcomes if seeds[outcome.row.label] < 2 and not outcome.exact]
    told = [f"{label}: {_seeds(seeds[label])} with the score" for label in few]
    told += [f"{outcome.row.label}: no value" for outcome in outcomes if outcome.exact and not seeds[outcome.row.label]]
    for outcome in outcomes:
        if outcome.broken and outcome.row.label not in few:
            broken = f"{outcome.broken} of {sum(outcome.counts.values())} runs diverged or failed"
            told.append(f"{outcome.row.label}: {broken}; the others decide")
    return "; ".join(told)


def _why_failing(metric: str, outcome: Outcome) -> str:
    """What the number of trainings that failed does not tell by itself."""
    label, diverged, failed = outcome.row.label, outcome.counts.get("diverged", 0), outcome.counts.get("failed", 0)
    decide = len(outcome.values.get(metric, ())) + diverged
    told = [f"{label}: {_seeds(decide)} that can tell"] if decide < 2 and not outcome.exact else []
    told += [f"{label}: {_seeds(diverged)} diverged"] if diverged else []
    told += [f"{label}: {_seeds(failed)} failed for another reason and do not count"] if failed else []
    return "; ".join(told)


def _seeds(number: int) -> str:
    return f"{number} seed{'' if number == 1 else 's'}"


def judged_cell(outcome: Outcome, metric: str, scale: Scale) -> Cell:
    """It agrees where the interval of the difference has 0. A published number without a spread counts as exact."""
    ours, published = outcome.interval(metric), outcome.row.published.get(metric)
    if published is None:
        return Cell(metric=metric, ours=ours, published=None)
    sample = outcome.sample(metric)
    difference = None if sample is None else welch(sample, published.sample)
    verdict: Agreement = INCOMPARABLE
    if scale.comparable and scale.reproduces and difference is not None:
        verdict = AGREES if _has_zero(difference, exact=outcome.exact) else DIFFERS
    return Cell(metric=metric, ours=ours, published=published, difference=difference, verdict=verdict)


def _has_zero(difference: Difference, *, exact: bool) -> bool:
    """An exact number of ours has no interval of its own, but its last digits are the machine's."""
    room = ROUNDING if exact else 0.0
    return difference.low - room <= 0 <= difference.high + room
