"""docs/results.md out of the records of runs: every number in it is a record's or a paper's."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from scipy.stats import t as student

from ganzoo.components import DATASETS, DISCRIMINATORS, GENERATORS, VARIANTS
from ganzoo.config import fields_of

Record = Mapping[str, Any]
CHOICES = {"data": DATASETS, "variant": VARIANTS, "generator": GENERATORS, "discriminator": DISCRIMINATORS}
ALWAYS = {"lr", "betas", "batch_size", "latent_dim"}  # told even where they are the defaults


@dataclass(frozen=True)
class Column:
    """A score of the records as a column."""

    title: str
    score: str
    digits: int
    factor: float = 1.0
    at_start: bool = False  # before training instead of after it

    def of(self, records: Iterable[Record]) -> str:
        evaluations = [record["evaluation"] for record in records]
        return self.told([e["first"] if self.at_start else e["last"]["scores"] for e in evaluations])

    def told(self, scores: Iterable[Mapping[str, float]]) -> str:
        """Mean and interval; empty where no record has the score."""
        return with_interval([each[self.score] * self.factor for each in scores if self.score in each], self.digits)


COLUMNS = {
    "modes": (
        Column("modes", "modes", 1),
        Column("high quality, %", "high_quality", 1, 100),
        Column("reverse KL", "reverse_kl", 3),
    ),
    "fid": (
        Column("FID at the start", "fid", 1, at_start=True),
        Column("FID", "fid", 2),
        Column("class accuracy, %", "class_accuracy", 1, 100),
    ),
}


def half_width(values: Sequence[float]) -> float | None:
    """Half the 95 % interval of the mean by Student's t, t(.975, n - 1) s / sqrt(n); None for fewer than two values.

    >>> round(half_width([1.0, 2.0, 3.0]), 4)  # t(.975, 2) = 4.3027, s = 1
    2.4841
    """
    if len(values) < 2:
        return None
    return float(student.ppf(0.975, len(values) - 1)) * stdev(values) / math.sqrt(len(values))


def with_interval(values: Sequence[float], digits: int) -> str:
    """Mean ± half the interval, as many digits after the point for both.

    >>> with_interval([1.0, 2.0, 3.0], 1), with_interval([4.0], 1), with_interval([], 1)
    ('2.0 ± 2.5', '4.0', '')
    """
    if not values:
        return ""
    half = half_width(values)
    return f"{fmean(values):.{digits}f}" + ("" if half is None else f" ± {half:.{digits}f}")


def page(plan: Mapping[str, Any], *, root: Path) -> str:
    """The page: a plan whose rows have their `runs`; paths are told from `root`."""
    tables = [
        {**table, "rows": [{**row, "records": [run.record() for run in row["runs"]]} for row in table["rows"]]}
        for table in plan["tables"]
    ]
    records = [record for table in tables for row in table["rows"] for record in row["records"] if record]
    parts = [plan["head"].rstrip(), provenance(records)]
    for table in tables:
        parts += [f"## {table['title']}", table["text"].rstrip(), scores(table), *failures(table)]
        parts += ["What was run:", settings(table, root)]
    parts += ["## What the papers report", plan["published"]["text"].rstrip(), sources(plan["published"]["sources"])]
    return "\n\n".join(parts) + "\n"


def provenance(records: Sequence[Record]) -> str:
    """When, on what and with what the runs were made."""
    if not records:
        return "No run has a record yet."

    def all_of(tell: Callable[[Record], str]) -> str:
        return "; ".join(sorted({tell(record) for record in records}))

    days = sorted({record["ended"][:10] for record in records})
    machine = all_of(lambda record: _machine(record["hardware"]))
    versions = all_of(lambda record: ", ".join(f"{name} {version}" for name, version in record["versions"].items()))
    commit = all_of(lambda record: (record["git_commit"] or "unknown").replace("+", " with "))
    spent = sum((record["seconds"] or 0) + (record["evaluation"] or {}).get("seconds", 0) for record in records)
    return (
        f"{len(records)} runs, {spent / 3600:.1f} hours together, ended {' to '.join([days[0], *days[1:][-1:]])}. "
        f"Machine: {machine}. Versions: {versions}. Commit: {commit}."
    )


def _machine(hardware: Mapping[str, Any]) -> str:
    gpus = f", {', '.join(hardware['gpus'])}" if hardware["gpus"] else ""
    return f"{hardware['processor']}, {hardware['cpu_count']} cores, threads of a run: {hardware['threads']}{gpus}"


def scores(table: Mapping[str, Any]) -> str:
    """One line a row: scores at the end of training over the seeds that are done, and what that took."""
    columns = COLUMNS[table["columns"]]
    beside = ["published"] if any(row["published"] for row in table["rows"]) else []
    rows = [_score_line(row, columns, bool(beside)) for row in table["rows"]]
    finished = [record for row in table["rows"] for record in done(row["records"])]
    if finished:
        floor = finished[0]["evaluation"]["floor"]  # the protocol's: the same in all
        rows.append(
            ["held-out real samples", "", *["" if column.at_start else column.told([floor]) for column in columns]]
        )
    cost = ["generator updates", "discriminator updates", "seconds"]
    return markdown(["", "seeds", *[column.title for column in columns], *beside, *cost], rows)


def _score_line(row: Mapping[str, Any], columns: Sequence[Column], published: bool) -> list[str]:
    records = done(row["records"])
    beside = ["; ".join(row["published"])] if published else []
    budgets = [record["budget"] for record in records]
    updates = [_range(budget[f"{who}_updates"] for budget in budgets) for who in ("generator", "discriminator")]
    took = f"{fmean(record['seconds'] for record in records):.0f}" if records else ""
    return [row["label"], count(row["records"]), *[column.of(records) for column in columns], *beside, *updates, took]


def done(records: Iterable[Record | None]) -> list[Record]:
    return [record for record in records if record and record["status"] == "done"]


def count(records: Sequence[Record | None]) -> str:
    """How many seeds the row's scores are of, and what became of the others.

    >>> count([{"status": "done"}, {"status": "diverged"}, None])
    '1 of 3: 1 diverged, 1 not run'
    """
    states = [record["status"] if record else "not run" for record in records]
    others = [f"{states.count(state)} {state}" for state in dict.fromkeys(states) if state != "done"]
    finished = states.count("done")
    return f"{finished} of {len(states)}: {', '.join(others)}" if others else str(finished)


def failures(table: Mapping[str, Any]) -> list[str]:
    """What became of the runs that are not done: none is left out."""
    lines = []
    for row in table["rows"]:
        for record in row["records"]:
            if record and record["status"] != "done":
                updates, planned = (
                    record["budget"]["generator_updates"],
                    record["config"]["budget"]["generator_updates"],
                )
                at = f"{updates} of {planned} generator updates"
                lines.append(f"- {row['label']}, seed {record['seed']}: {record['status']} at {at}: {record['reason']}")
    if not lines:
        return []
    return ["Not in the means above, because they have no scores at the end of the budget:", "\n".join(lines)]


def settings(table: Mapping[str, Any], root: Path) -> str:
    """One line a row: networks, optimisers and batch, as the record of a run has them."""
    rows = []
    for row in table["rows"]:
        path = row["experiment"].relative_to(root)
        overrides = f" with {' '.join(row['overrides'])}" if row["overrides"] else ""
        config = next((record["config"] for record in row["records"] if record), None)
        told = _told(config) if config else [""] * 5
        rows.append([row["label"], f"[{path.name}](../{path}){overrides}", *told])
    titles = ["", "experiment", "variant", "generator", "discriminator", "optimiser", "data"]
    return markdown(titles, rows)


def _told(config: Mapping[str, Any]) -> list[str]:
    networks = [brief(name, config[name], config["plugins"]) for name in ("variant", "generator", "discriminator")]
    generator, discriminator = (_optimizer(config["optimizer"][who]) for who in ("generator", "discriminator"))
    both = generator if generator == discriminator else f"G {generator}; D {discriminator}"
    return [*networks, both, brief("data", config["data"], config["plugins"])]


def brief(section: str, values: Mapping[str, Any], plugins: Sequence[str] = ()) -> str:
    """A section's name and its settings, those left out that are the defaults of docs/configuration.md.

    >>> brief("generator", {"name": "mlp", "width": 128, "depth": 3})
    'mlp, width 128'
    """
    cls = CHOICES[section].find(values["name"], tuple(plugins))
    defaults = {field.name: field.default for field in fields_of(cls)}
    told = [
        f"{name} {_value(value)}"
        for name, value in values.items()
        if name in ALWAYS or (name != "name" and _value(defaults.get(name, MISSING)) != _value(value))
    ]
    return ", ".join([values["name"], *told])


def _optimizer(values: Mapping[str, Any]) -> str:
    betas = f" ({_value(values['betas'])})" if "betas" in values else ""
    decay = "" if values["schedule"] == "constant" else f", {values['schedule']}"
    return f"{values['name']} {values['lr']:g}{betas}{decay}"


def _value(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _range(values: Iterable[int]) -> str:
    found = sorted(set(values))
    return " to ".join(f"{value:,}" for value in dict.fromkeys([*found[:1], *found[-1:]]))


def sources(listed: Iterable[Mapping[str, str]]) -> str:
    return "\n".join(f"- **{source['name']}**: {source['paper']} {source['differs']}" for source in listed)


def markdown(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join([*line, *[''] * (len(titles) - len(line))])} |" for line in lines)
