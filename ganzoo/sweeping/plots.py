"""The trials of a sweep in Optuna's plots, whatever proposed them (Akiba et al. 2019, arXiv:1907.10902)."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import optuna
from optuna import visualization
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.importance import FanovaImportanceEvaluator
from optuna.trial import FrozenTrial, create_trial
from optuna.trial import TrialState as Phase
from plotly.basedatatypes import BaseTraceType
from plotly.colors import sample_colorscale
from plotly.graph_objects import Figure

from ganzoo.pages.page import Plot, wide
from ganzoo.records.run_files import finite
from ganzoo.sweeping.distributions import Distribution
from ganzoo.sweeping.report import short_keys, shown
from ganzoo.sweeping.states import States, Status, TrialState
from ganzoo.sweeping.sweep_file import Metric

FEW = 10  # trials: the importance from fewer is not much more than a guess
MOST_CURVES = 50  # in one plot
COLOURS = ["#e0a458", "#1673c8"]  # from the worst, or the first, on; to be seen on white and on black
PHASES: dict[Status, Phase] = {
    "running": Phase.RUNNING,
    "interrupted": Phase.RUNNING,
    "done": Phase.COMPLETE,
    "pruned": Phase.PRUNED,
    "diverged": Phase.FAIL,
    "failed": Phase.FAIL,
}


def plots_of(states: States) -> list[Plot]:
    """All plots of what the last refresh has seen."""
    if states.sweep.file.metric is None:
        return [Plot("Plots", "The sweep file names no metric, so there is nothing to plot.")]
    begun = [state for state in states.seen if state.status != "waiting"]
    distributions = {".".join(path): each for path, each in states.sweep.file.parameters.items()}
    short = dict(zip(distributions, short_keys(list(distributions)), strict=True))
    points = [
        Point(state, {short.get(key, key): value for key, value in states.varied(state.trial).items()})
        for state in begun
    ]
    axes = axes_of(points, {short[key]: each for key, each in distributions.items()})
    drawing = Drawing(states.sweep.file.metric, points, axes)
    with _quiet():
        history = [drawing.history()] if states.sweep.file.method == "bayes" else []
        return [drawing.coordinates(), drawing.importance(), drawing.slices(), *history, drawing.curves()]


@dataclass(frozen=True)
class Point:
    """A trial that has begun, and what varies of it by short keys."""

    state: TrialState
    varied: Mapping[str, Any]

    @property
    def done(self) -> bool:
        return self.state.status == "done" and self.state.value is not None

    def as_optuna(self, axes: Mapping[str, BaseDistribution]) -> FrozenTrial:
        there = {key: axis for key, axis in axes.items() if key in self.varied}
        phase = PHASES[self.state.status] if self.state.status != "done" or self.done else Phase.FAIL
        return create_trial(
            state=phase,
            value=self.state.value if phase == Phase.COMPLETE else None,
            params={key: _placed(self.varied[key], axis) for key, axis in there.items()},
            distributions=there,
            intermediate_values=dict(self.state.history),
        )


def axes_of(points: Sequence[Point], distributions: Mapping[str, Distribution]) -> dict[str, BaseDistribution]:
    """Every parameter in which trials that are done differ, as Optuna knows it; a seed is none."""
    axes = {}
    for key, distribution in distributions.items():
        having = [point for point in points if key in point.varied]
        if key != "seed" and len({shown(point.varied[key]) for point in having if point.done}) > 1:
            axes[key] = _axis([point.varied[key] for point in having], distribution)
    return axes


def _axis(values: Sequence[Any], distribution: Distribution) -> BaseDistribution:
    numbers = [value for value in values if finite(value) is not None]
    if len(numbers) < len(values):
        return CategoricalDistribution(tuple(dict.fromkeys(shown(value) for value in values)))
    low, high = min(numbers), max(numbers)
    log = low > 0 and ("log" in distribution.kind or ("categorical" in distribution.kind and wide(numbers)))
    if all(isinstance(number, int) for number in numbers):
        return IntDistribution(low, high, log=log)
    return FloatDistribution(low, high, log=log)


def _placed(value: Any, axis: BaseDistribution) -> Any:
    return shown(value) if isinstance(axis, CategoricalDistribution) else value


@dataclass(frozen=True)
class Drawing:
    """What the plots of a sweep are made from.

    Args:
        points: by number.
        axes: the parameters to plot, by the same short keys.
    """

    metric: Metric
    points: Sequence[Point]
    axes: Mapping[str, BaseDistribution]

    @property
    def values(self) -> list[float]:
        return [point.state.value for point in self.points if point.done and point.state.value is not None]

    def study(self) -> optuna.Study:
        """The trials with the numbers that they have in the sweep: Optuna counts all that it is given."""
        trials = {point.state.trial.number: point.as_optuna(self.axes) for point in self.points}
        not_begun = create_trial(state=Phase.WAITING)
        study = optuna.create_study(direction=self.metric.goal)
        study.add_trials([trials.get(number, not_begun) for number in range(max(trials, default=-1) + 1)])
        return study

    def in_decades(self) -> "Drawing":
        """With logarithms of the metric, where its values are so far apart that the worst would hide all others."""
        if not wide(self.values):
            return self
        points = [
            replace(point, state=replace(point.state, value=math.log10(point.state.value)))
            for point in self.points
            if point.done and point.state.value is not None
        ]
        return replace(self, points=points, metric=replace(self.metric, name=f"log10 {self.metric.name}"))

    def coordinates(self) -> Plot:
        title, scaled = "Parallel coordinates", self.in_decades()
        if without := self._too_little():
            return Plot(title, without)
        figure = visualization.plot_parallel_coordinate(scaled.study(), list(self.axes), target_name=scaled.metric.name)
        about = f"A line for each of the {len(self.values)} trials that are done; point at one to read it."
        return Plot(title, about, self._recoloured(figure), width=110 * (len(self.axes) + 1))

    def importance(self) -> Plot:
        title, scaled = "Parameter importance", self.in_decades()
        if without := self._too_little():
            return Plot(title, without)
        if len(self.axes) == 1:
            return Plot(title, f"Only {next(iter(self.axes))} varies: there is nothing to weigh it against.")
        if len(set(self.values)) == 1:
            return Plot(title, f"All trials have the same {self.metric.name}: no parameter matters.")
        figure = visualization.plot_param_importances(
            scaled.study(), self._fanova(), list(self.axes), target_name=scaled.metric.name
        )
        about = f"Each parameter's share of the variance of {scaled.metric.name} that they explain one by one"
        about += f" (fANOVA, {len(self.values)} trials)."
        return Plot(title, about + (" So few trials tell little." if len(self.values) < FEW else ""), figure)

    def slices(self) -> Plot:
        title = "Each parameter by itself"
        if without := self._too_little():
            return Plot(title, without)
        figure = visualization.plot_slice(self.study(), list(self.axes), target_name=self.metric.name)
        figure.update_traces(marker={"colorscale": COLOURS})
        about = "A point for each trial that is done."
        return Plot(title, about, _scaled(figure, self.values), width=220 * len(self.axes))

    def history(self) -> Plot:
        title = "The search"
        if not self.values:
            return Plot(title, "No trial is done yet.")
        figure = visualization.plot_optimization_history(self.study(), target_name=self.metric.name)
        return Plot(title, "What the search came to, trial after trial.", _scaled(figure, self.values))

    def curves(self) -> Plot:
        """Of pruned and unfinished trials too."""
        title = f"{self.metric.name} during training"
        sign = 1 if self.metric.goal == "minimize" else -1
        drawn = [point for point in self.points if point.state.history and PHASES[point.state.status] != Phase.FAIL]
        drawn = sorted(drawn, key=lambda point: sign * point.state.history[-1][1])[:MOST_CURVES]
        if not drawn:
            return Plot(title, f"No trial has logged {self.metric.name} yet.")
        figure = visualization.plot_intermediate_values(replace(self, points=drawn).study())
        figure.update_layout(xaxis_title="generator updates", yaxis_title=self.metric.name)
        about = f"The best {MOST_CURVES} trials." if len(drawn) == MOST_CURVES else "Also of trials that are not done."
        values = [value for point in drawn for _, value in point.state.history]
        return Plot(title, about, _scaled(figure, values))

    def _fanova(self) -> FanovaImportanceEvaluator:
        """With the usual 64 trees as long as they are quick; 2,000 trials would take them half a minute."""
        return FanovaImportanceEvaluator(n_trees=min(64, max(8, 20_000 // len(self.values))), seed=0)

    def _too_little(self) -> str:
        if len(self.values) < 2:
            return "At least two trials must be done before there is something to compare."
        return "" if self.axes else "All trials that are done have the same parameters."

    def _recoloured(self, figure: Figure) -> Figure:
        """Optuna's lines for a white page in colours that can be seen on a black one too, the best above the others."""
        figure.update_layout(plot_bgcolor="rgba(0,0,0,0)").update_annotations(font_color="#888888")
        opacity = min(0.7, max(0.15, 50 / len(self.values)))
        for trace in figure.data:
            if trace.type == "parcoords":  # Optuna before version 5
                trace.line.colorscale = COLOURS
            elif trace.mode == "lines":
                trace.line.color, trace.opacity = sample_colorscale(COLOURS, self._goodness(trace))[0], opacity
            else:
                trace.marker.colorscale = COLOURS
        figure.data = sorted(figure.data, key=self._goodness)
        return figure

    def _goodness(self, trace: BaseTraceType) -> float:
        """From 0 to 1: a line begins on the axis of the metric, which is that high. Other traces: 0."""
        if trace.type == "parcoords" or trace.mode != "lines":
            return 0.0
        return 1 - trace.y[0] if self.metric.goal == "minimize" else trace.y[0]


def _scaled(figure: Figure, values: Sequence[float]) -> Figure:
    return figure.update_yaxes(type="log") if wide(values) else figure


@contextmanager
def _quiet() -> Iterator[None]:
    """Optuna's remarks are for those who call Optuna."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
