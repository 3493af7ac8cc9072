"""What a leaderboard is made of: runs, groups of runs that differ only in their seed, tables of groups.

`ganzoo.leaderboard.comparing.board_of` makes a Board out of runs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ganzoo.leaderboard.statistics import Interval
from ganzoo.records.run_state import Status


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One run, as its record tells; of one that has none, as its directory does.

    Attributes:
        path: the run directory; None: it is in W&B only.
        source: where it was found, for people: the folder, or wandb://entity/project/id.
        status, reason: how it ended or stands, and why.
        config: the complete experiment, flat: dotted key -> value.
        protocol: the name of the protocol; None: it was not to be scored.
        scoring: the whole protocol as the record has it; empty: it was never scored.
        extractor: tells the feature extractor from every other one (the hash of its weights); "" where there is none.
        reference: the hash of the real images; "" where it was never scored.
        first, last, best: scores by name, if they are numbers: untrained, at the end, and at the best of the primary.
        best_at: the generator updates of the best.
        floor: what held-out real samples score.
        asked_updates: the budget that config asks for; generator_updates and images_seen: what was spent.
        seconds: of training, without evaluation. processes: how many trained it together, a mean over its updates.
        parameters: "generator" and "discriminator" -> how many.
        hardware: a line for people.
        ended: ISO 8601, UTC.
    """

    path: Path | None
    source: str
    name: str
    status: Status
    reason: str | None = None
    seed: int
    config: Mapping[str, Any]
    protocol: str | None = None
    scoring: Mapping[str, Any] = field(default_factory=dict)
    extractor: str = ""
    reference: str = ""
    first: Mapping[str, float] = field(default_factory=dict)
    last: Mapping[str, float] = field(default_factory=dict)
    best: Mapping[str, float] = field(default_factory=dict)
    best_at: int | None = None
    floor: Mapping[str, float] = field(default_factory=dict)
    asked_updates: int | None = None
    generator_updates: int | None = None
    images_seen: int | None = None
    seconds: float | None = None
    images_per_second: float | None = None
    processes: float = 1
    parameters: Mapping[str, int] = field(default_factory=dict)
    on_gpu: bool = False
    hardware: str = ""
    git_commit: str | None = None
    ended: str | None = None

    @property
    def finished(self) -> bool:
        """Whether its scores count in means: it came to the end of its budget, and no further."""
        return self.status == "done" and self.generator_updates == self.asked_updates


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """A score that is a column of a table."""

    name: str
    lower_is_better: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """One group by one metric.

    Attributes:
        last: mean over the seeds at the end of the budget, with its interval. Ranks and tests are of it.
        best: the same at each run's best checkpoint by the protocol's primary score; None: no run has one.
        rank: by the mean of `last`; 1 is the best, equal means share the better rank.
        rank_low, rank_high: 95 % bootstrap interval of the rank; None: one seed.
        p_value: Welch's test against the group of rank 1, corrected by Holm within the table and metric; None: one of
            the two has fewer than two seeds, or this is the best group itself.
        distinguishable: whether p_value is below 0.05; None where there is none.
    """

    last: Interval
    best: Interval | None = None
    rank: int
    rank_low: int | None = None
    rank_high: int | None = None
    p_value: float | None = None
    distinguishable: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Group:
    """Runs that differ in nothing but the seed, or are alike in the keys of --group-by.

    Attributes:
        label: what tells it from the other groups, short; unique in its table.
        key: dotted key -> value, of the keys that were grouped by and of those that the label names.
        config: the configuration that all of its runs have in common, flat; without seed, name and machine settings.
        runs: all of them, whatever became of them.
        counted: the finished runs whose scores are in the means, one for every seed.
        counts: runs by status, those that occur.
        standings: by the metric's name; a metric that no counted run has is left out.
        seconds, images_per_second, images_seen: means over the counted runs.
        cpu_hours, gpu_hours: mean of one counted run, by processes and by GPUs; None: none of them ran there.
        parameters: mean of "generator" and "discriminator".
        hardware: the machines of the counted runs, each once.
    """

    label: str
    key: Mapping[str, Any]
    config: Mapping[str, Any]
    runs: Sequence[Run]
    counted: Sequence[Run]
    counts: Mapping[str, int]
    standings: Mapping[str, Standing] = field(default_factory=dict)
    seconds: float | None = None
    images_per_second: float | None = None
    images_seen: float | None = None
    cpu_hours: float | None = None
    gpu_hours: float | None = None
    parameters: Mapping[str, float] = field(default_factory=dict)
    hardware: Sequence[str] = ()

    @property
    def seeds(self) -> int:
        """How many runs are in the means."""
        return len(self.counted)


@dataclass(frozen=True, kw_only=True)
class Table:
    """Groups that can be compared: one protocol, the same data, the same budget.

    Attributes:
        title: for people: data, budget and protocol, and what tells it from other tables of the same. Unique.
        protocol: the whole protocol; where no run was scored, just its name, or empty without one.
        extractor, reference: as in Run.
        data: the data section without what the machine decides and without the batch size; `path`, the folder of the
            images, where it is the same for all runs.
        generator_updates: the budget that was asked for; images_seen: the fewest and the most images that it took.
        metrics: the columns, in the protocol's order. primary: the one that ranks; None: nothing was scored.
        sorted_by: the column that the groups are in order of.
        floor: what held-out real samples score.
        groups: in that order; those without a score last.
        notes: what must be known to read the table.
    """

    title: str
    protocol: Mapping[str, Any]
    extractor: str = ""
    reference: str = ""
    data: Mapping[str, Any]
    generator_updates: int | None
    images_seen: tuple[int, int] | None = None
    metrics: Sequence[Metric]
    primary: str | None
    sorted_by: str
    floor: Mapping[str, float] = field(default_factory=dict)
    groups: Sequence[Group]
    notes: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Footnote:
    """A directory that looks like a run's and could not be read as one."""

    source: str
    problem: str


@dataclass(frozen=True, kw_only=True)
class Board:
    """A leaderboard. `notes` say why there are several tables."""

    tables: Sequence[Table]
    footnotes: Sequence[Footnote] = ()
    notes: Sequence[str] = ()
