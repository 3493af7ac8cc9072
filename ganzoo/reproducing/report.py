"""A table's outcome for a terminal and as JSON: ours beside the published numbers, and the verdicts."""

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import click

from ganzoo.leaderboard.answer import counted
from ganzoo.leaderboard.cells import shown_interval, shown_p
from ganzoo.leaderboard.statistics import Difference, Interval
from ganzoo.reproducing.outcomes import Made, Outcome
from ganzoo.reproducing.table_file import Claim, Published, Scale, TableFile
from ganzoo.reproducing.verdicts import Cell, JudgedClaim, Judgement
from ganzoo.terminal import print_table


@dataclass(frozen=True, kw_only=True)
class Report:
    """All that there is to tell of a table at a scale."""

    table: TableFile
    scale: Scale
    outcomes: Sequence[Outcome]
    judgement: Judgement

    @property
    def title(self) -> str:
        return f"{self.table.title} at scale {self.scale.name}"

    @property
    def made(self) -> list[Made]:
        """Of a table that is computed, every row is of the same calls."""
        of_rows = self.outcomes[:1] if self.table.program else self.outcomes
        return [made for outcome in of_rows for made in outcome.made]

    @property
    def cells(self) -> Iterator[tuple[Outcome, Cell]]:
        for outcome in self.outcomes:
            for metric in self.table.metrics:
                yield outcome, self.judgement.cells[outcome.row.label, metric]


def print_report(report: Report) -> None:
    """Tables of the numbers and of the claims, then what the table comes to."""
    table, scale = report.table, report.scale
    numbers = [
        (
            outcome.row.label,
            shown_counts(outcome),
            cell.metric,
            shown_mean(cell.ours),
            shown_published(cell.published, table.sure),
            shown_difference(cell.difference),
            cell.verdict or "",
        )
        for outcome, cell in report.cells
        if cell.ours is not None or cell.published is not None
    ]
    columns = ("row", "seeds", "score", "ours", "published", "difference", "verdict")
    print_table(f"{table.title} ({table.paper}) at scale {scale.name}: {scale.says}", columns, numbers)
    claims = [
        (shown_says(each.claim), shown_claim(each.claim), shown_test(each), each.verdict, each.why)
        for each in report.judgement.claims
    ]
    if claims:
        print_table("claims", ("claim", "which is", "ours", "verdict", "because of"), claims)
    for outcome in report.outcomes:
        for trouble in outcome.troubles:
            click.echo(_beside_rows(f"{outcome.row.label}: {trouble}"))
    click.echo(_beside_rows(f"{table.name} at scale {scale.name}: {report.judgement.verdict}"))


def _beside_rows(line: str) -> str:
    """Without a terminal, what is no row begins with #."""
    return line if sys.stdout.isatty() else f"# {line}"


def shown_counts(outcome: Outcome) -> str:
    """How many seeds the numbers are of, and what became of the others.

    >>> from ganzoo.reproducing.table_file import Row
    >>> row = Row(label="GAN", at={}, values={}, published={})
    >>> shown_counts(Outcome(row=row, values={}, counts={"done": 1, "diverged": 1, "waiting": 1}))
    '1 of 3: 1 diverged, 1 waiting'
    """
    if outcome.exact:
        return "exact" if outcome.counts.get("done") else "waiting"
    total, done = sum(outcome.counts.values()), outcome.counts.get("done", 0)
    others = [f"{count} {status}" for status, count in outcome.counts.items() if status != "done"]
    return f"{done} of {total}: {', '.join(others)}" if others else str(done)


def shown_mean(interval: Interval | None) -> str:
    return "" if interval is None else shown_interval(interval)


def shown_published(published: Published | None, sure: str) -> str:
    """The mean, its standard error, which is half of no interval and says so, and where it is from if not as the rest.

    Args:
        sure: how sure the table is of its numbers.

    >>> shown_published(Published(mean=6.3, standard_error=0.5, trials=10, sure="memory"), "seen")
    '6.3 (s.e. 0.5, n = 10; memory)'
    """
    if published is None:
        return ""
    told = []
    if published.standard_error is not None:
        told.append(f"s.e. {published.standard_error:.2g}, n = {published.trials}")
    if published.sure not in (None, sure):
        told.append(str(published.sure))
    return f"{published.mean:.5g}" + (f" ({'; '.join(told)})" if told else "")


def shown_difference(difference: Difference | None) -> str:
    """With its 95 % interval, where it has one."""
    if difference is None:
        return ""
    interval = shown_interval(Interval(difference.mean, difference.low, difference.high, 2))
    if difference.low == difference.high:
        interval = f"{difference.mean:.5g}"
    return f"+{interval}" if difference.mean > 0 else interval


def shown_says(claim: Claim) -> str:
    """A claim in words; one that no paper makes is marked."""
    return claim.says if claim.of == "paper" else f"{claim.says} (our claim, not the paper's)"


def shown_claim(claim: Claim) -> str:
    """
    >>> shown_claim(Claim(says="it covers all", metric="modes", row="GAN", at_least=24.5))
    'modes: GAN at least 24.5'
    >>> shown_claim(Claim(says="more", metric="modes", higher="PacGAN", lower="GAN"))
    'modes: PacGAN above GAN'
    >>> shown_claim(Claim(says="it fails", metric="modes", row="GAN", at_least=12.5, fails=True))
    'modes: GAN diverges or ends with less than 12.5'
    """
    if claim.fails:
        limit = f"more than {claim.at_most:g}" if claim.at_least is None else f"less than {claim.at_least:g}"
        return f"{claim.metric}: {claim.row} diverges or ends with {limit}"
    if claim.row is None:
        return f"{claim.metric}: {claim.higher} above {claim.lower}"
    if claim.at_least is None or claim.at_most is None:
        limit = f"at most {claim.at_most:g}" if claim.at_least is None else f"at least {claim.at_least:g}"
        return f"{claim.metric}: {claim.row} {limit}"
    if claim.at_least == claim.at_most:
        return f"{claim.metric}: {claim.row} = {claim.at_least:g}"
    return f"{claim.metric}: {claim.row} from {claim.at_least:g} to {claim.at_most:g}"


def shown_test(judged: JudgedClaim) -> str:
    """What was found, by which a claim is judged."""
    if judged.failing is not None:
        return f"{judged.failing[0]} of {judged.failing[1]}"
    if judged.difference is None:
        return shown_mean(judged.interval)
    p_value = "" if judged.p_value is None else f", {shown_p(judged.p_value)}"
    return f"{shown_difference(judged.difference)}{p_value}"


def as_json(report: Report) -> dict[str, Any]:
    """All of a report as JSON takes it; numbers that are not finite are the texts inf, -inf and nan.

    Its keys:
        table, title, paper, source, sure, spread, about, protocol, program, scale {name, seeds, says, ...}, verdict.
        rows: each {label, experiment, overrides, counts, exact, troubles, runs: their directories, metrics: by name,
            {values, ours {mean, low, high, n}, published, difference {mean, low, high, p_value}, verdict}}.
        claims: each {claim, verdict, interval, difference, p_value: Holm's, failing: [how many, of], why}.
        made: where and with what, one for every run.
    """
    table, scale = report.table, report.scale
    whole = {
        "table": table.name,
        "title": table.title,
        "paper": table.paper,
        "source": table.read_from,
        "sure": table.sure,
        "spread": table.spread,
        "about": table.about,
        "protocol": table.protocol,
        "program": table.program and str(table.program),
        "scale": asdict(scale),
        "verdict": report.judgement.verdict,
        "rows": [_row_as_json(report, outcome) for outcome in report.outcomes],
        "claims": [asdict(claim) for claim in report.judgement.claims],
        "made": [asdict(made) for made in report.made],
    }
    return {key: _finite(value) for key, value in whole.items()}


def _finite(value: Any) -> Any:
    """JSON has no infinity and no NaN."""
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _row_as_json(report: Report, outcome: Outcome) -> dict[str, Any]:
    row = outcome.row
    cells = {metric: report.judgement.cells[row.label, metric] for metric in report.table.metrics}
    return {
        "label": row.label,
        "experiment": row.experiment and str(row.experiment),
        "overrides": list(row.overrides),
        "counts": dict(outcome.counts),
        "exact": outcome.exact,
        "troubles": list(outcome.troubles),
        "runs": [str(run.path) for run in outcome.runs],
        "metrics": {
            metric: {"values": list(outcome.values.get(metric, ())), **_without_name(asdict(cell))}
            for metric, cell in cells.items()
        },
    }


def _without_name(cell: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in cell.items() if key != "metric"}


def shown_made(made: Sequence[Made]) -> str:
    """Hardware, versions, commits and days, each once."""
    if not made:
        return "Nothing has been run yet."
    days = sorted({each.ended[:10] for each in made})
    hours = sum(each.seconds for each in made) / 3600
    machines, versions, commits = (
        "; ".join(sorted({getattr(each, what) for each in made})) for what in ("hardware", "versions", "git_commit")
    )
    took = f"{hours:.1f} hours" if hours >= 1 else f"{hours * 60:.0f} minutes"
    when = " to ".join(dict.fromkeys([days[0], days[-1]]))
    return (
        f"{counted(len(made), 'run')}, {took} of computing, ended {when}. Machine: {machines}. Versions: {versions}. "
        f"Commit: {commits.replace('+', ' with ')}."
    )
