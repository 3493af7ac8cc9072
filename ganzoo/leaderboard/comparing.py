"""How runs become a Board: tables that mix nothing, groups in them, the order of both."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from statistics import fmean
from typing import Any

from ganzoo.errors import InputError, did_you_mean
from ganzoo.evaluation.scores import SCORES
from ganzoo.leaderboard import notes
from ganzoo.leaderboard.board import Board, Footnote, Group, Metric, Run, Table
from ganzoo.leaderboard.filters import no_such_key
from ganzoo.leaderboard.grouping import OF_THE_MACHINE, Cluster, Identities, labels_of, names_of, unique
from ganzoo.leaderboard.ordering import in_order
from ganzoo.leaderboard.recorded import canonical
from ganzoo.leaderboard.standings import standings
from ganzoo.leaderboard.titles import title_of, told_apart
from ganzoo.records.run_state import STATUSES

NOT_OF_THE_DATA = (*OF_THE_MACHINE, "data.batch_size")
PATH = "data.path"  # another one may have the same images, as their hash tells, or others


@dataclass
class _Part:
    """The runs of one table, and their groups."""

    runs: list[Run] = field(default_factory=list)
    clusters: list[Cluster] = field(default_factory=list)

    @property
    def scored(self) -> Run:
        """A run that tells of the table; where none was scored, any."""
        return next((run for run in self.runs if run.scoring), self.runs[0])

    @property
    def floor(self) -> Mapping[str, float]:
        """What real samples score: of a finished run if one has it."""
        runs = sorted(self.runs, key=lambda run: not run.finished)
        return next((run.floor for run in runs if run.floor), {})

    @property
    def data(self) -> dict[str, Any]:
        """The data section; the folder of the images where all runs had the same."""
        path = self.scored.config.get(PATH)
        same = path is not None and all(run.config.get(PATH) == path for run in self.runs)
        return _data(self.scored) | ({"path": path} if same else {})


def board_of(
    runs: Sequence[Run],
    footnotes: Sequence[Footnote] = (),
    *,
    group_by: Sequence[str] = (),
    metrics: Sequence[str] = (),
    sort: str | None = None,
) -> Board:
    """The leaderboard of runs.

    Args:
        group_by: dotted keys; runs that are alike in them are one group, whatever else differs. Empty: runs that differ
            in nothing but the seed and the machine.
        metrics: the scores to show, the first ranks. Empty: all of the protocol's, and its primary score ranks.
        sort: the column to sort by instead of the rank.

    Raises:
        InputError: a key, score or column that no run has.
    """
    _check_keys(runs, group_by)
    _check_metrics(runs, metrics)
    identities = Identities(group_by)
    parts = _parts(runs, identities)
    named = names_of([part.clusters for part in parts], group_by)
    labels = iter(labels_of([name for of_part in named for name in of_part], group_by))
    tables = []
    for part, of_part in zip(parts, named, strict=True):
        told = unique([next(labels) for _ in of_part])
        tables.append(_table(part, of_part, told, metrics, identities))
    ordered = told_apart(in_order(tables, sort))
    return Board(tables=ordered, footnotes=footnotes, notes=notes.of_board(ordered))


def _check_keys(runs: Sequence[Run], keys: Sequence[str]) -> None:
    known = dict.fromkeys(key for run in runs for key in run.config) if keys else {}
    for key in keys:
        if key not in known:
            raise InputError("--group-by", no_such_key(key, list(known)))


def _check_metrics(runs: Sequence[Run], metrics: Sequence[str]) -> None:
    there = [score for score in _directed() if any(score in run.last for run in runs)] if metrics else []
    for metric in metrics:
        if metric not in there:
            raise InputError("--metric", did_you_mean(metric, there, "score in these runs"))


def _directed() -> list[str]:
    return [name for name, score in SCORES.items() if score.better != "neither"]


def _parts(runs: Iterable[Run], identities: Identities) -> list[_Part]:
    """Tables' runs: nothing is mixed; a run that was never scored goes where it would have been."""
    parts: dict[str, _Part] = {}
    unscored = []
    for run in runs:
        if run.scoring:
            parts.setdefault(_table_key(run), _Part()).runs.append(run)
        else:
            unscored.append(run)
    _place(unscored, parts, identities)
    for part in parts.values():
        part.clusters = identities.clusters(part.runs)
    return list(parts.values())


def _place(unscored: Sequence[Run], parts: dict[str, _Part], identities: Identities) -> None:
    """A run that was never scored goes to a table of its protocol, data and budget: the one with its group, if any.

    Which images were in its folder nobody has looked: only runs of the same folder tell.
    """
    alike: dict[str, list[tuple[set[str], _Part]]] = {}
    for part in parts.values() if unscored else ():
        there = {identities.of(run) for run in part.runs}
        for key in {_coarse_key(run) for run in part.runs}:
            alike.setdefault(key, []).append((there, part))
    for run in unscored:
        candidates = alike.setdefault(_coarse_key(run), [])
        if not candidates:
            candidates.append((set(), parts.setdefault(f"unscored {_coarse_key(run)}", _Part())))
        identity = identities.of(run)
        _, part = max(candidates, key=lambda each: (identity in each[0], len(each[1].runs)))
        part.runs.append(run)


def _table_key(run: Run) -> str:
    return canonical([run.scoring, run.extractor, run.reference, _data(run), run.asked_updates])


def _coarse_key(run: Run) -> str:
    """What is known of a table before anything was scored."""
    return canonical([run.protocol, _data(run), run.config.get(PATH), run.asked_updates])


def _data(run: Run) -> dict[str, Any]:
    """The data section without the machine's part; the batch size is the training's."""
    return {key.removeprefix("data."): run.config[key] for key in _keys_of_data(tuple(run.config))}


@lru_cache(maxsize=1000)  # thousands of runs have the same keys
def _keys_of_data(keys: tuple[str, ...]) -> list[str]:
    return [key for key in keys if key.startswith("data.") and key not in NOT_OF_THE_DATA]


def _table(
    part: _Part,
    names: Sequence[Mapping[str, Any]],
    labels: Sequence[str],
    asked: Sequence[str],
    identities: Identities,
) -> Table:
    counted = [_counted(cluster.runs, identities) for cluster in part.clusters]
    metrics = _metrics(part, counted, asked)
    found = {metric.name: standings(counted, metric) for metric in metrics}
    groups = [
        replace(
            _group(cluster, name, label, counted[place]),
            standings={metric: of_groups[place] for metric, of_groups in found.items() if place in of_groups},
        )
        for place, (cluster, name, label) in enumerate(zip(part.clusters, names, labels, strict=True))
    ]
    about = part.scored
    seen = [group.images_seen for group in groups if group.images_seen is not None]
    table = Table(
        title=title_of(about),
        protocol=about.scoring or ({"name": about.protocol} if about.protocol else {}),
        extractor=about.extractor,
        reference=about.reference,
        data=part.data,
        generator_updates=about.asked_updates,
        images_seen=(int(min(seen)), int(max(seen))) if seen else None,
        metrics=metrics,
        primary=_primary(about, metrics, asked),
        sorted_by="rank",
        floor=part.floor,
        groups=groups,
    )
    return replace(table, notes=notes.of_table(table, asked, identities.settings_of))


def _metrics(part: _Part, counted: Sequence[Sequence[Run]], asked: Sequence[str]) -> list[Metric]:
    """What was asked for, in that order; else all, in the protocol's, which is the one of SCORES."""
    there = {name for runs in counted for run in runs for name in run.last}
    wanted = dict.fromkeys(asked) or _directed()
    return [Metric(name=name, lower_is_better=SCORES[name].better == "lower") for name in wanted if name in there]


def _primary(run: Run, metrics: Sequence[Metric], asked: Sequence[str]) -> str | None:
    names = [metric.name for metric in metrics]
    primary = run.scoring.get("primary")
    if primary in names and not any(name in names for name in asked):
        return str(primary)
    return names[0] if names else None


def _counted(runs: Sequence[Run], identities: Identities) -> list[Run]:
    """The finished runs by seed; of the same seed and configuration only the one that ended last."""
    by_seed: dict[tuple[int, str], Run] = {}
    for run in runs:
        if run.finished:
            key = (run.seed, identities.settings_of(run) if identities.group_by else "")
            other = by_seed.get(key)
            if other is None or (run.ended or "") >= (other.ended or ""):
                by_seed[key] = run
    return [by_seed[key] for key in sorted(by_seed)]


def _group(cluster: Cluster, name: Mapping[str, Any], label: str, counted: Sequence[Run]) -> Group:
    statuses = [run.status for run in cluster.runs]
    return Group(
        label=label,
        key=name,
        config=cluster.config,
        runs=sorted(cluster.runs, key=lambda run: (run.seed, run.source)),
        counted=counted,
        counts={status: statuses.count(status) for status in STATUSES if status in statuses},
        seconds=_mean(run.seconds for run in counted),
        images_per_second=_mean(run.images_per_second for run in counted),
        images_seen=_mean(run.images_seen for run in counted),
        cpu_hours=_mean(_hours(run) for run in counted if not run.on_gpu),
        gpu_hours=_mean(_hours(run) for run in counted if run.on_gpu),
        parameters={
            network: mean
            for network in ("generator", "discriminator")
            if (mean := _mean(run.parameters.get(network) for run in counted)) is not None
        },
        hardware=tuple(dict.fromkeys(run.hardware for run in counted if run.hardware)),
    )


def _hours(run: Run) -> float | None:
    """Of all its processes, each of which has a GPU, or else a CPU's share."""
    return None if run.seconds is None else run.seconds * run.processes / 3600


def _mean(values: Iterable[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return fmean(there) if there else None
