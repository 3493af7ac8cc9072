"""Which runs are repetitions of each other, and what to call them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ganzoo.leaderboard.board import Run
from ganzoo.leaderboard.recorded import canonical
from ganzoo.records.run_directory import MAY_CHANGE_ON_RESUME
from ganzoo.sweeping.report import short_keys, shown

NAMING = ("variant.name", "generator.name", "discriminator.name")  # what a group is called by, first of all
# What changes neither a weight nor a score: other samples, another machine, or what the table tells already.
OF_THE_MACHINE = (*MAY_CHANGE_ON_RESUME, "samples", "data.download", "evaluation.protocol", "evaluation.extractor")
MOST_NAMED = 4  # keys of a label, where fewer would do
NO_DIFFERENCE = ("seed", "name", *OF_THE_MACHINE)


@dataclass(frozen=True)
class Cluster:
    """Runs of one group: `identity` is the same for these and no others; config is what they have in common."""

    identity: str
    config: Mapping[str, Any]
    runs: Sequence[Run]


def matters(key: str) -> bool:
    """Whether runs that differ in this key are no repetitions of each other.

    >>> matters("seed"), matters("data.num_workers"), matters("trainer.precision")
    (False, False, True)
    """
    return not any(key == name or key.startswith(f"{name}.") for name in NO_DIFFERENCE)


@lru_cache(maxsize=1000)  # thousands of runs have the same keys
def _mattering(keys: tuple[str, ...]) -> list[str]:
    return [key for key in keys if matters(key)]


class Identities:
    """What tells runs apart, computed once a run."""

    def __init__(self, group_by: Sequence[str]):
        self.group_by = tuple(group_by)
        self._settings: dict[int, str] = {}  # by the identity of a run, which has no hash

    def config_of(self, run: Run) -> dict[str, Any]:
        """Of the run's configuration what matters."""
        return {key: run.config[key] for key in _mattering(tuple(run.config))}

    def settings_of(self, run: Run) -> str:
        """The same for runs that differ in nothing but the seed and the machine."""
        if (found := self._settings.get(id(run))) is None:
            found = self._settings[id(run)] = canonical(self.config_of(run))
        return found

    def of(self, run: Run) -> str:
        """The same for runs of one group. With group_by, what is no key of it counts no more."""
        if not self.group_by:
            return self.settings_of(run)
        return canonical([[key, run.config[key]] for key in self.group_by if key in run.config])

    def clusters(self, runs: Iterable[Run]) -> list[Cluster]:
        """The groups of runs, in the order of their first ones."""
        together: dict[str, list[Run]] = {}
        for run in runs:
            together.setdefault(self.of(run), []).append(run)
        return [Cluster(identity, self._common(members), members) for identity, members in together.items()]

    def _common(self, runs: Sequence[Run]) -> Mapping[str, Any]:
        first = self.config_of(runs[0])
        if not self.group_by:
            return first
        for run in runs[1:]:
            first = {key: value for key, value in first.items() if key in run.config and run.config[key] == value}
        return first


def names_of(tables: Sequence[Sequence[Cluster]], group_by: Sequence[str]) -> list[list[dict[str, Any]]]:
    """For every cluster of every table the keys and values that tell it from the others of the board.

    First come the names of variant and networks where those differ; among groups that are alike in these, the further
    keys that differ. So a setting that only one variant has names no group of another.
    """
    clusters = [cluster for of_table in tables for cluster in of_table]
    if group_by:
        return _names_by(tables, group_by)
    naming = _differing([cluster.config for cluster in clusters], NAMING)
    alike: dict[str, list[Cluster]] = {}
    for cluster in clusters:
        alike.setdefault(_told(cluster, NAMING), []).append(cluster)
    keys = _keys(clusters, tables)
    further = {id(cluster): more for members in alike.values() for cluster, more in _further(members, keys)}
    return [
        [_values(cluster.config, [*naming, *further[id(cluster)]] or NAMING[:1]) for cluster in of_table]
        for of_table in tables
    ]


def _names_by(tables: Sequence[Sequence[Cluster]], group_by: Sequence[str]) -> list[list[dict[str, Any]]]:
    """Keys of --group-by, such as matter to no score among them: any run of a group has the values of all."""
    configs = [cluster.runs[0].config for of_table in tables for cluster in of_table]
    chosen = _differing(configs, group_by) or list(group_by)
    return [[_values(cluster.runs[0].config, chosen) for cluster in of_table] for of_table in tables]


def _further(clusters: Sequence[Cluster], among: Sequence[str]) -> Iterator[tuple[Cluster, list[str]]]:
    """Every cluster with the keys that tell it from the others: all that differ, or of many no more than are needed."""
    keys = _differing([cluster.config for cluster in clusters], among)
    if len(keys) <= MOST_NAMED or len(clusters) < 2:
        yield from ((cluster, keys) for cluster in clusters)
        return
    apart = {key: _by_value(clusters, key) for key in keys}
    chosen = max(keys, key=lambda key: len(apart[key]))
    for members in apart[chosen].values():
        yield from ((cluster, [chosen, *more]) for cluster, more in _further(members, keys))


def _by_value(clusters: Sequence[Cluster], key: str) -> dict[str, list[Cluster]]:
    found: dict[str, list[Cluster]] = {}
    for cluster in clusters:
        found.setdefault(canonical(cluster.config[key]) if key in cluster.config else "", []).append(cluster)
    return found


def _keys(clusters: Sequence[Cluster], tables: Sequence[Sequence[Cluster]]) -> list[str]:
    """The keys that a label may name, in the order of the configurations.

    Of the data and the evaluation, which tell tables apart, only what groups of one table differ in.
    """
    keys = [key for key in dict.fromkeys(key for cluster in clusters for key in cluster.config) if key not in NAMING]
    of_tables = [key for key in keys if key.startswith(("data.", "evaluation."))]
    configs = [[cluster.config for cluster in of_table] for of_table in tables]
    within = {key for of_table in configs for key in _differing(of_table, of_tables)}
    return [key for key in keys if key not in of_tables or key in within]


def _differing(configs: Sequence[Mapping[str, Any]], keys: Iterable[str]) -> list[str]:
    if len(configs) < 2:
        return []
    first, nothing = configs[0], object()
    return [key for key in keys if any(config.get(key, nothing) != first.get(key, nothing) for config in configs)]


def _told(cluster: Cluster, keys: Iterable[str]) -> str:
    return canonical([cluster.config.get(key) for key in keys])


def _values(config: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    return {key: config[key] for key in keys if key in config}


def labels_of(names: Sequence[Mapping[str, Any]], group_by: Sequence[str] = ()) -> list[str]:
    """A label for every group, each key as short as tells it from the others; the variant's name is its value alone.

    Args:
        group_by: every label has all of these keys that differ, also those that its group has not.

    >>> labels_of([{"variant.name": "wgan", "variant.n_critic": 5}, {"variant.name": "gan"}])
    ['wgan, n_critic=5', 'gan']
    >>> labels_of([{"variant.n_critic": 5}, {}], ["variant.n_critic"])
    ['n_critic=5', 'n_critic=(not set)']
    """
    there = dict.fromkeys(key for name in names for key in name)
    short = dict(zip(there, short_keys(list(there)), strict=True))
    every = {key: "(not set)" for key in group_by if key in there}
    return [", ".join(_part(short[key], key, value) for key, value in {**every, **name}.items()) for name in names]


def _part(short: str, key: str, value: Any) -> str:
    return shown(value) if key == "variant.name" else f"{shown(short)}={shown(value)}"


def unique(labels: Sequence[str]) -> list[str]:
    """Labels of one table: very long values are cut, and then two may look alike.

    >>> unique(["a", "b", "a"])
    ['a', 'b', 'a (2)']
    """
    found: dict[str, None] = {}  # a set that keeps their order
    for label in labels:
        number, tried = 1, label
        while tried in found:
            number += 1
            tried = f"{label} ({number})"
        found[tried] = None
    return list(found)
