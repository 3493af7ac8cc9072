"""A report as sections of words and tables: for Markdown files such as docs/results.md, and for the HTML page."""

from collections.abc import Iterator, Sequence
from statistics import fmean

from ganzoo.cluster.folders import shown_folder
from ganzoo.leaderboard.page import Section
from ganzoo.leaderboard.text import markdown_row, markdown_text
from ganzoo.reproducing.outcomes import Outcome
from ganzoo.reproducing.report import (
    Report,
    shown_claim,
    shown_counts,
    shown_difference,
    shown_made,
    shown_mean,
    shown_published,
    shown_says,
    shown_test,
)
from ganzoo.reproducing.table_file import TableFile
from ganzoo.sweeping.report import shown_time

SURE = {
    "seen": "The published numbers were read there.",
    "memory": "The published numbers are from memory.",
    "derived": "The published numbers are values of formulas.",
    "measured": "The published numbers were measured by us.",
}
HELD_OUT = "held-out real samples"
READING = (
    "Ours is the mean over training seeds, ± half of its 95 % interval by Student's t, at the end of the budget; a "
    "difference is ours less the published number, by Welch. docs/reproducing.md has the rules of the verdicts."
)


def as_markdown(report: Report, level: int = 2) -> str:
    """The whole of a report.

    Args:
        level: of its heading: 2 for ##.
    """
    first, *others = sections_of(report)
    parts = [f"{'#' * level} {markdown_text(report.table.title)}", *_body(first)]
    for section in others:
        parts += [f"**{markdown_text(section.heading)}**", *_body(section)]
    return "\n\n".join(parts) + "\n"


def _body(section: Section) -> Iterator[str]:
    yield from (markdown_text(paragraph) for paragraph in section.about)
    if section.head:
        rows = [section.head, *section.rows]
        head, *lines = [markdown_row(row) for row in rows]
        yield "\n".join([head, "|" + "---|" * len(section.head), *lines])


def sections_of(report: Report) -> list[Section]:
    """What the table comes to with its numbers, the claims, and what was run."""
    return [_numbers(report), *_claims(report), _run(report)]


def _numbers(report: Report) -> Section:
    table, scale = report.table, report.scale
    about = [
        f"{table.paper}. Source: {table.read_from}.{_of_the_published(table)}",
        *(" ".join(paragraph.split()) for paragraph in table.about.split("\n\n")),
        f"Scale {scale.name}: {scale.says}.",
        f"Verdict: {report.judgement.verdict}.",
        *([] if any(outcome.exact for outcome in report.outcomes) else [READING]),
    ]
    columns = list(_columns(report))
    rows = [[outcome.row.label, *(cells[at] for _, cells in columns)] for at, outcome in enumerate(report.outcomes)]
    head = ["", *(name for name, _ in columns)]
    return Section(heading="Ours beside the published", about=about, head=head, rows=[*rows, *_floor(report, head)])


def _of_the_published(table: TableFile) -> str:
    """Where the published numbers are from, and what their spread is; nothing where none is published."""
    if not any(row.published for row in table.rows):
        return ""
    return f" {SURE[table.sure]}" + (f" Their ± is: {table.spread}." if table.spread else "")


def _floor(report: Report, head: Sequence[str]) -> Iterator[list[str]]:
    """What held-out real samples score: no generator does better. Data have one each, and where there are several the
    rows that it is of are named."""
    labels: dict[tuple[str, ...], list[str]] = {}
    for outcome in report.outcomes:
        for run in outcome.runs:
            if run.floor:
                scores = {metric: f"{run.floor[metric]:.4g}" for metric in report.table.metrics if metric in run.floor}
                of = labels.setdefault(tuple(scores.get(name, "") for name in head[1:]), [])
                of += [outcome.row.label] if outcome.row.label not in of else []
    for cells, of in labels.items():
        yield [f"({HELD_OUT})" if len(labels) == 1 else f"({HELD_OUT} of: {'; '.join(of)})", *cells]


def _columns(report: Report) -> Iterator[tuple[str, Sequence[str]]]:
    """Each with its cells, one of every row; what no row has is left out."""
    outcomes = report.outcomes
    if not all(outcome.exact for outcome in outcomes):
        yield "seeds", [shown_counts(outcome) for outcome in outcomes]
    for metric in report.table.metrics:
        cells = [report.judgement.cells[outcome.row.label, metric] for outcome in outcomes]
        yield metric, [shown_mean(cell.ours) for cell in cells]
        if any(cell.published is not None for cell in cells):
            yield f"{metric}, published", [shown_published(cell.published, report.table.sure) for cell in cells]
            yield "difference", [shown_difference(cell.difference) for cell in cells]
            if report.scale.comparable:
                yield "verdict", [cell.verdict or "" for cell in cells]


def _claims(report: Report) -> Iterator[Section]:
    rows = [
        [shown_says(each.claim), shown_claim(each.claim), shown_test(each), each.verdict, each.why]
        for each in report.judgement.claims
    ]
    if rows:
        because = any(row[-1] for row in rows)
        head = ["claim", "which is", "ours", "verdict", *(["because of"] if because else [])]
        yield Section(heading="Claims", head=head, rows=[row[: len(head)] for row in rows])


def _run(report: Report) -> Section:
    about = [shown_made(report.made), *(f"{it.row.label}: {told}" for it in report.outcomes for told in it.troubles)]
    if report.table.program is not None:
        command = " ".join(["python", shown_folder(report.table.program), *report.scale.arguments])
        return Section(heading="What was run", about=[f"Computed by {command}.", *about])
    if words := [*report.table.overrides, *report.scale.overrides]:
        about.insert(0, f"All rows with {' '.join(words)}")
    rows = [_run_row(report, outcome) for outcome in report.outcomes]
    head = ["", "experiment", "with", "generator updates", "images seen", "training"]
    return Section(heading="What was run", about=about, head=head, rows=rows)


def _run_row(report: Report, outcome: Outcome) -> list[str]:
    row, finished = outcome.row, [run for run in outcome.runs if run.finished]
    words = [*row.overrides, *row.at.get(report.scale.name, ())]
    updates, images, seconds = (
        [value for run in finished if (value := getattr(run, what)) is not None]
        for what in ("generator_updates", "images_seen", "seconds")
    )
    return [
        row.label,
        "" if row.experiment is None else shown_folder(row.experiment),
        " ".join(words),
        f"{fmean(updates):,.0f}" if updates else "",
        f"{fmean(images):,.0f}" if images else "",
        shown_time(fmean(seconds)) if seconds else "",
    ]
