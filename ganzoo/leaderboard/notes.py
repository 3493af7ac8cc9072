"""What must be said beside the numbers: why there are several tables, what is not in the means, and so on."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ganzoo.leaderboard.board import Group, Run, Table
from ganzoo.leaderboard.recorded import canonical
from ganzoo.sweeping.report import shown

NAMED = 5  # groups or values that a note names; of more it says how many


def of_board(tables: Sequence[Table]) -> list[str]:
    """Why there is more than one table; which settings tell them apart."""
    if len(tables) < 2:
        return []
    told = [f"{what} ({_listed(values)})" for what, values in _separating(tables)]
    return [
        f"There are {len(tables)} tables, because scores by different protocols, on different data or after different "
        f"budgets cannot be compared. They differ in {', '.join(told) or 'what is not known of them'}."
    ]


def _separating(tables: Sequence[Table]) -> Iterator[tuple[str, list[str]]]:
    budgets = list(dict.fromkeys(f"{table.generator_updates:,}" for table in tables))
    if len(budgets) > 1:
        yield "generator updates", budgets
    yield from _differing("protocol", [table.protocol or {"name": "none"} for table in tables])
    yield from _differing("data", [table.data for table in tables])
    extractors = [(str(table.protocol.get("name")), table.extractor[:8]) for table in tables]
    yield from _digests("weights of the extractor", extractors)
    yield from _digests("real images", [(canonical(table.data), table.reference[:8]) for table in tables])


def _digests(what: str, sections: Sequence[tuple[str, str]]) -> Iterator[tuple[str, list[str]]]:
    """Their hashes, where tables of one name have several."""
    found = {(name, digest) for name, digest in sections if digest}
    if len(found) > len({name for name, _ in found}):
        yield what, sorted(digest for _, digest in found)


def _differing(what: str, sections: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, list[str]]]:
    """Their names; where these are the same, the keys in which they differ."""
    keys = dict.fromkeys(key for section in sections for key in section)
    for key in sorted(keys, key=lambda key: key != "name"):
        there = {canonical(section[key]): shown(section[key]) for section in sections if key in section}
        if len(there) > 1:
            yield (what if key == "name" else f"{what}.{key}"), list(there.values())
            if key == "name":
                return


def of_table(table: Table, asked: Sequence[str], settings_of: Callable[[Run], str]) -> list[str]:
    """What a reader of one table must know.

    Args:
        asked: the scores of --metric.
        settings_of: what is the same for runs that differ in nothing but the seed.
    """
    groups = table.groups
    found = [
        _one_seed(groups),
        _repeated(groups),
        _not_counted(groups),
        _lacking(table),
        _images_seen(table),
        _both_devices(groups),
        _commits(groups),
        _pooled(groups, settings_of),
        _not_scored(table, asked),
    ]
    return [note for note in found if note]


def _one_seed(groups: Sequence[Group]) -> str:
    single, scored = sum(group.seeds == 1 for group in groups), sum(group.seeds > 0 for group in groups)
    if not single:
        return ""
    which = "Every group has" if single == scored else f"{single} of {scored} groups have"
    return f"{which} one seed: no interval and no test."


def _repeated(groups: Sequence[Group]) -> str:
    extra = {group.label: sum(run.finished for run in group.runs) - group.seeds for group in groups}
    more = [f"{label} ({count})" for label, count in extra.items() if count]
    if not more:
        return ""
    return f"Runs that repeat a seed of their group are left out of its means, the latest counts: {_listed(more)}."


def _not_counted(groups: Sequence[Group]) -> str:
    """Runs that say that they are done and have another number of updates than they were to do."""
    short = [group.label for group in groups if any(run.status == "done" and not run.finished for run in group.runs)]
    if not short:
        return ""
    return f"Runs that ended before or after their budget are not in the means: of {_listed(short)}."


def _lacking(table: Table) -> str:
    lacking = [
        f"{metric.name} of {group.label} ({count})"
        for metric in table.metrics
        for group in table.groups
        if (count := sum(metric.name not in run.last for run in group.counted))
    ]
    return f"Finished runs without a finite score are not in its mean: {_listed(lacking)}." if lacking else ""


def _images_seen(table: Table) -> str:
    if table.images_seen is None or table.images_seen[0] == table.images_seen[1]:
        return ""
    low, high = table.images_seen
    return (
        f"For the same generator updates the groups have seen {low:,} to {high:,} real images: n_critic or the batch "
        "size differ."
    )


def _both_devices(groups: Sequence[Group]) -> str:
    both = [group.label for group in groups if group.cpu_hours is not None and group.gpu_hours is not None]
    if not both:
        return ""
    return f"Some runs were on GPUs and some on CPUs, and seconds and images per second mix them: {_listed(both)}."


def _commits(groups: Sequence[Group]) -> str:
    commits = {run.git_commit[:8] for group in groups for run in group.counted if run.git_commit}
    return f"The runs are of {len(commits)} git commits." if len(commits) > 1 else ""


def _not_scored(table: Table, asked: Sequence[str]) -> str:
    there = [metric.name for metric in table.metrics]
    missing = [name for name in dict.fromkeys(asked) if name not in there]
    if missing:
        return f"No finished run here has {' or '.join(missing)}."
    return "" if there else "No finished run has a score."


def _pooled(groups: Sequence[Group], settings_of: Callable[[Run], str]) -> str:
    pooled = [group.label for group in groups if len({settings_of(run) for run in group.counted}) > 1]
    if not pooled:
        return ""
    return (
        "These groups hold runs that differ in more than the seed, and each run counts: "
        f"{_listed(pooled)}. Their intervals are no intervals over seeds alone."
    )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return "; ".join(names[:NAMED]) + more
