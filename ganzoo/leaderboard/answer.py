"""Which is better, in words: what the first lines of a leaderboard say of a table."""

from collections import Counter
from collections.abc import Sequence

from ganzoo.errors import visible
from ganzoo.leaderboard.board import Group, Table
from ganzoo.leaderboard.cells import shown_interval, shown_p

NAMED = 5  # groups in one sentence
LONGEST_LABEL = 80  # characters; the table has all of it


def answer(table: Table) -> list[str]:
    """The best group, what cannot be told from it and by which test, and what must be known to believe it."""
    lines = [verdict(table)]
    primary, scored = table.primary, _scored(table)
    if primary is not None and len(scored) > 1:
        lines += _comparisons(scored, primary)
    counts = Counter(run.status for group in table.groups for run in group.runs)
    if missing := [f"{counted(count, 'run')} {status}" for status, count in counts.items() if status != "done"]:
        lines.append(f"Not in any mean: {', '.join(missing)}.")
    return lines


def verdict(table: Table) -> str:
    """The best group in one sentence."""
    scored, primary = _scored(table), table.primary
    if primary is None or not scored:
        return "No finished run has a score to compare by."
    standing = scored[0].standings[primary]
    mean, seeds = shown_interval(standing.last), counted(standing.last.n, "seed")
    name, without = named(scored[0]), ", so no interval" if standing.last.n == 1 else ""
    if len(scored) == 1:
        return f"Only {name} has a score: {primary} {mean} ({seeds}{without})."
    lower = any(metric.lower_is_better for metric in table.metrics if metric.name == primary)
    best = [group for group in scored if group.standings[primary].rank == 1]
    level = f", level with {_listed(best[1:], primary)}" if len(best) > 1 else ""
    return f"Best by {primary} ({'lower' if lower else 'higher'} is better): {name}, {mean} ({seeds}{without}){level}."


def _comparisons(scored: Sequence[Group], primary: str) -> list[str]:
    """What the tests against the best say of all others, and which tests they are."""
    others = [(group, group.standings[primary]) for group in scored[1:]]
    alike = [group for group, standing in others if standing.distinguishable is False and standing.rank > 1]
    worse = [group for group, standing in others if standing.distinguishable]
    untested = [group for group, standing in others if standing.distinguishable is None]
    lines = []
    if alike:
        lines.append(f"Not distinguishable from it: {_listed(alike, primary)}.")
    if worse:
        lines.append(f"Distinguishably worse: {_listed(worse, primary)}.")
    if tests := len(others) - len(untested):
        lines.append(
            "Tested by Welch's t-test of the means over seeds against the best, at 5 %, Holm-corrected for "
            f"{counted(tests, 'comparison')}; ± is the 95 % interval of a mean over seeds."
        )
    if untested:
        some = counted(len(untested), "other") if tests else "The others"
        lines.append(f"{some} could not be tested: a test needs two seeds of both groups.")
    return lines


def _scored(table: Table) -> list[Group]:
    """The groups that the primary score ranks, from the best."""
    having = [group for group in table.groups if table.primary in group.standings]
    return sorted(having, key=lambda group: group.standings[str(table.primary)].rank)


def _listed(groups: Sequence[Group], primary: str) -> str:
    words = [_with_numbers(group, primary) for group in groups[:NAMED]]
    more = f" and {len(groups) - NAMED:,} more" if len(groups) > NAMED else ""
    return ", ".join(words) + more


def _with_numbers(group: Group, primary: str) -> str:
    standing = group.standings[primary]
    p_value = "" if standing.p_value is None else f", {shown_p(standing.p_value)}"
    return f"{named(group)} ({shown_interval(standing.last)}{p_value})"


def named(group: Group) -> str:
    return visible(group.label, limit=LONGEST_LABEL)


def counted(number: int, thing: str) -> str:
    """
    >>> counted(1, "seed"), counted(3000, "run")
    ('1 seed', '3,000 runs')
    """
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
