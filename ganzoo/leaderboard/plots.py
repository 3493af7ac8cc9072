"""Scores during training, over the budget and over the time: a line and a band for every group of a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from ganzoo.errors import visible
from ganzoo.leaderboard.board import Group, Table
from ganzoo.leaderboard.recorded import number
from ganzoo.leaderboard.statistics import Interval, mean_interval
from ganzoo.pages.page import Plot, wide
from ganzoo.records.run_files import open_regular, parsed, whole_number

if TYPE_CHECKING:
    from plotly.graph_objects import Figure, Scatter

MOST_LINES = 50  # in one plot, the best of the table
LINES_AT_FIRST = 8  # the others are in the legend, to be switched on
MOST_POINTS = 60  # of a line
MOST_BYTES = 200_000_000  # of a metrics.jsonl
MOST_TOLD = 5  # lines that a sentence names
LONGEST_NAME = 40  # characters in the legend, which a telephone has place for
PREFIX = "evaluation/"
COLOURS = ["#1673c8", "#d9822b", "#2a9d6f", "#b04fc4", "#d1495b", "#7a8b1c", "#3aa6b9", "#8c6d46"]  # on white and black
DASHES = ["solid", "dash", "dot"]
UNITS = [(2 * 86400, 3600.0, "hours"), (600, 60.0, "minutes"), (0, 1.0, "seconds")]


@dataclass(frozen=True)
class Point:
    """Where the seeds of a group stood after so many generator updates: means, and the interval of each score."""

    generator_updates: int
    images_seen: float
    seconds: float
    scores: Mapping[str, Interval]


@dataclass(frozen=True)
class Line:
    """A group: its points are of so many `seeds` of those that it `counted`."""

    name: str
    points: Sequence[Point]
    seeds: int
    counted: int


def plots_of(table: Table) -> dict[str, list[Plot]]:
    """For each score of the table: a plot over generator updates, over images where those differ, over seconds."""
    ranked = [group for group in table.groups if group.counted]
    lines = [line for group in ranked[:MOST_LINES] if len((line := line_of(group)).points) > 1]
    if not lines:
        return {}
    axes = ["generator_updates", *(["images_seen"] if _images_differ(lines) else []), "seconds"]
    more = f" The first {MOST_LINES} of {len(ranked):,} groups." if len(ranked) > MOST_LINES else ""
    scores = [metric.name for metric in table.metrics]
    first = [name for name in scores if name == table.primary]
    drawn = {name: [_plot(lines, name, axis, more) for axis in axes] for name in dict.fromkeys([*first, *scores])}
    return {name: plots for name, plots in drawn.items() if plots[0].figure is not None}


def _short(label: str) -> str:
    """The beginning and the end of a long one: its end tells it from its neighbours.

    >>> _short("dcgan"), _short("a variant of somebody, optimizer.generator.lr=0.0002")
    ('dcgan', 'a variant of somebod…generator.lr=0.0002')
    """
    whole = visible(label, limit=1000)
    return whole if len(whole) <= LONGEST_NAME else f"{whole[: LONGEST_NAME // 2]}…{whole[1 - LONGEST_NAME // 2 :]}"


def line_of(group: Group) -> Line:
    """The evaluations that every seed with any has, at most some sixty, the first and the last among them."""
    runs = [read_scores(run.path / "metrics.jsonl") for run in group.counted if run.path is not None]
    runs = [run for run in runs if run]
    common = sorted(set.intersection(*(set(run) for run in runs))) if runs else []
    kept = {common[round(place)] for place in _evenly(len(common))}
    points = [_point(updates, [run[updates] for run in runs]) for updates in common if updates in kept]
    return Line(_short(group.label), points, len(runs), group.seeds)


def _evenly(count: int) -> list[float]:
    if count <= MOST_POINTS:
        return list(range(count))
    return [place * (count - 1) / (MOST_POINTS - 1) for place in range(MOST_POINTS)]


def read_scores(path: Path) -> dict[int, dict[str, float]]:
    """Of a metrics.jsonl: generator updates -> images_seen, seconds and finite scores by name.

    What cannot be read is passed over. Of two lines of one update the later is that of a resumed run, and counts.
    """
    found: dict[int, dict[str, float]] = {}
    try:
        with open_regular(path, MOST_BYTES) as file:
            for line in file:
                if b'"evaluation/' in line:  # most lines are losses, and need not be parsed
                    _take(parsed(line), found)
    except OSError:
        return {}
    return found


def _take(line: Mapping[str, Any], found: dict[int, dict[str, float]]) -> None:
    updates = whole_number(line.get("generator_updates"))
    values = {name.removeprefix(PREFIX): value for name in line if (value := number(line[name])) is not None}
    if updates is not None:
        found[updates] = {"images_seen": 0.0, "seconds": 0.0, **values}


def _point(updates: int, runs: Sequence[Mapping[str, float]]) -> Point:
    names = [name for name in runs[0] if all(name in run for run in runs)]
    scores = {name: mean_interval([run[name] for run in runs]) for name in names}
    return Point(updates, fmean(run["images_seen"] for run in runs), fmean(run["seconds"] for run in runs), scores)


def _images_differ(lines: Sequence[Line]) -> bool:
    """Whether the same generator updates have cost one group more images than another."""
    rates = [line.points[-1].images_seen / max(line.points[-1].generator_updates, 1) for line in lines]
    return max(rates) > 1.001 * min(rates)


def _plot(lines: Sequence[Line], score: str, axis: str, more: str) -> Plot:
    from plotly.graph_objects import Figure

    having = [(line, [point for point in line.points if score in point.scores]) for line in lines]
    having = [(line, points) for line, points in having if points]
    name = axis.replace("_", " ")
    title = f"{score} over {name if axis != 'seconds' else 'the time of training'}"
    if not having:
        return Plot(title, f"No run has logged {score}.")
    scale, unit = _unit(having) if axis == "seconds" else (1.0, name)
    logarithmic = wide([point.scores[score].mean for _, points in having for point in points])
    figure = Figure()
    for place, (line, points) in enumerate(having):
        places = [_rounded(getattr(point, axis) / scale) for point in points]
        intervals = [point.scores[score] for point in points]
        figure.add_traces(_traces(line.name, places, intervals, place, logarithmic))
    _lay_out(figure, unit, score, len(having), logarithmic)
    about = f"{_seeds([line for line, _ in having])}{_switched(len(having))}{more}"
    return Plot(title, about, figure)


def _seeds(lines: Sequence[Line]) -> str:
    """What a line is: a mean over seeds, and of which lines it is not, or not of all."""
    several = [line for line in lines if line.seeds > 1]
    told = [f"{line.name} ({line.seeds} of {line.counted} seeds)" for line in lines if line.seeds < line.counted]
    told += [f"{line.name} (1 seed)" for line in lines if several and line.seeds == line.counted == 1]
    more = f" and {len(told) - MOST_TOLD:,} more" if len(told) > MOST_TOLD else ""
    means = "Mean over seeds with its 95 % interval." if several else "One seed a line: no mean and no interval."
    return means + (f" Of fewer: {', '.join(told[:MOST_TOLD])}{more}." if told else "")


def _unit(having: Sequence[tuple[Line, Sequence[Point]]]) -> tuple[float, str]:
    longest = max(points[-1].seconds for _, points in having)
    return next((scale, f"{name} of training") for least, scale, name in UNITS if longest >= least)


def _switched(lines: int) -> str:
    return " A click on a name in the legend shows or hides its line." if lines > 1 else ""


def _traces(
    name: str, places: list[float], intervals: Sequence[Interval], place: int, logarithmic: bool
) -> list["Scatter"]:
    """The band, where there is one, below its line: both are switched together."""
    from plotly.graph_objects import Scatter

    colour = COLOURS[place % len(COLOURS)]
    dash = DASHES[place // len(COLOURS) % len(DASHES)]
    common: dict[str, Any] = {"legendgroup": str(place), "visible": True if place < LINES_AT_FIRST else "legendonly"}
    line = Scatter(
        x=places,
        y=[_rounded(interval.mean) for interval in intervals],
        name=escape(name, quote=False),  # plotly takes some tags for what they are
        mode="lines+markers" if len(places) <= 20 else "lines",
        line={"color": colour, "dash": dash},
        marker={"size": 5},
        hovertemplate="%{y:.4~g} at %{x:,.4~g}",
        **common,
    )
    lows = [_low(interval, logarithmic) for interval in intervals]
    highs = [interval.high for interval in intervals if interval.high is not None]
    if not highs:
        return [line]
    band = Scatter(
        x=places + places[::-1],
        y=[_rounded(value) for value in [*highs, *reversed(lows)]],
        fill="toself",
        fillcolor=_translucent(colour),
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
        showlegend=False,
        **common,
    )
    return [band, line]


def _low(interval: Interval, logarithmic: bool) -> float:
    """Zero and less have no place on a logarithmic axis: the band ends at a tenth of the mean."""
    low = interval.mean if interval.low is None else interval.low
    return max(low, interval.mean / 10) if logarithmic else low


def _rounded(value: float) -> float:
    """To six digits: more of them are in the runs, and would only make the page larger."""
    return float(f"{value:.6g}")


def _translucent(colour: str) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.18)"


def _lay_out(figure: "Figure", unit: str, score: str, lines: int, logarithmic: bool) -> None:
    """The legend is below, where a telephone has place for it."""
    names = 24 * lines if lines > 1 else 0
    figure.update_layout(
        height=350 + min(names, 260),
        margin={"t": 10, "r": 10},
        xaxis={"title": unit, "rangemode": "tozero"},
        yaxis={"title": escape(score, quote=False), **({"type": "log", "dtick": "D2"} if logarithmic else {})},
        legend={"x": 0, "y": -0.22, "yanchor": "top", "groupclick": "togglegroup", "maxheight": 260},
        hovermode="closest",
        hoverlabel={"namelength": LONGEST_NAME},
    )
