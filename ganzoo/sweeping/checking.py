"""A sweep's trials against the experiment that they are variations of, before any is trained."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

from ganzoo.errors import InputError, Problem, did_you_mean, shorten
from ganzoo.experiment import Experiment, build_experiment
from ganzoo.packing.alike import problems_of_packing
from ganzoo.sweeping.logged import logged_by
from ganzoo.sweeping.overlaps import common_key
from ganzoo.sweeping.points import nested, point_of
from ganzoo.sweeping.sweep_file import Metric, SweepFile, words_of
from ganzoo.sweeping.trials import Sweep
from ganzoo.values import read_unresolved, varied

Tell = Callable[[str, int, int], None]
MOST_POINTS = 2000  # that are read: some seconds' worth
VALUE = re.compile(r"^\(= .*\) (?=there is no key)", re.DOTALL)  # of an unknown key, as ganzoo.config tells it
NUMBERS = re.compile(r"[-+]?\d[\d.]*(e[-+]?\d+)?")


def check(sweep: Sweep, tell: Tell | None = None, numbers: Sequence[int] | None = None, pack: int = 1) -> None:
    """Reads the experiment as every trial would, and looks whether it will log the metric.

    Of a grid and a random search, that is every point (the first 2,000, and then every parameter's ends or choices
    beside the others' first ones); of bayes, which has no points yet, every parameter's ends or choices beside the
    others' first ones.

    Args:
        tell: called with (what, done, total).
        numbers: look at the points of these trials of a grid or a random search; None: at all.
        pack: how many trials are to be trained at once, which not every experiment can be.

    Raises:
        InputError: with every mistake, each once. It says in which trials, where not in all.
    """
    checker = _Checker(sweep, packed=pack > 1)
    points, total = _points(sweep, numbers)
    for done, point in enumerate(points, 1):
        checker.look_at(point)
        if tell is not None:
            tell("checking the trials", done, total)
    if problems := checker.problems(total):
        raise InputError(sweep.file.source, problems)


@dataclass(frozen=True)
class _Point:
    """What is tried: parameters and the trials that have them; none: an example, in which one parameter is that."""

    parameters: Mapping[str, Any]
    trials: range = range(0)
    example: str = ""


def _points(sweep: Sweep, numbers: Sequence[int] | None) -> tuple[Iterable[_Point], int]:
    """What to look at, and how many of these there are."""
    if sweep.file.method == "bayes":
        examples = list(_examples(sweep.file))
        return examples, len(examples)
    seeds, trials = sweep.file.seeds, len(sweep)
    starts = list(dict.fromkeys(number // seeds * seeds for number in (range(trials) if numbers is None else numbers)))
    counted = (
        _Point(point_of(sweep.file, start // seeds), range(start, min(start + seeds, trials))) for start in starts
    )
    more = list(_examples(sweep.file)) if len(starts) > MOST_POINTS else []
    return chain(islice(counted, MOST_POINTS), more), min(len(starts), MOST_POINTS) + len(more)


def _examples(file: SweepFile) -> Iterator[_Point]:
    firsts = {path: distribution.examples[0] for path, distribution in file.parameters.items()}
    yield _Point(nested(firsts))
    for path, distribution in file.parameters.items():
        for value in distribution.examples[1:]:
            yield _Point(nested({**firsts, path: value}), example=f"{'.'.join(path)}={value}")


@dataclass
class _Found:
    """One mistake, and where it was met."""

    problem: Problem
    trials: list[range] = field(default_factory=list)
    points: int = 0
    example: str = ""


class _Checker:
    """Collects the mistakes of points."""

    def __init__(self, sweep: Sweep, *, packed: bool):
        self._file, self._packed = sweep.file, packed
        self._values = read_unresolved(sweep.file.experiment)
        self._found: dict[tuple[str, str], _Found] = {}
        self._ranges = [
            ".".join(path) for path, distribution in sweep.file.parameters.items() if distribution.choices is None
        ]

    def look_at(self, point: _Point) -> None:
        for problem in dict.fromkeys(self._problems_of(point)):
            met = self._found.setdefault(self._sort_of(problem), _Found(problem, example=point.example))
            met.points += 1
            met.trials.append(point.trials)

    def _problems_of(self, point: _Point) -> list[Problem]:
        experiment = self._experiment(point)
        if not isinstance(experiment, Experiment):
            return experiment
        metric = self._file.metric
        problems = [] if metric is None else list(metric_problems(metric, experiment))
        return problems + list(problems_of_packing(experiment) if self._packed else ())

    def _experiment(self, point: _Point) -> Experiment | list[Problem]:
        found: list[Problem] = []
        values = varied(self._values, (*self._file.fixed, *words_of(point.parameters)), found)
        try:
            return build_experiment(values, source=self._file.experiment, found=found, to_train=True)
        except InputError as error:
            return error.problems

    def _sort_of(self, problem: Problem) -> tuple[str, str]:
        """What mistakes that are one have in common: an unknown key whatever its value; of a range, any value drawn."""
        text = VALUE.sub("", problem.text)
        return problem.key, NUMBERS.sub("", text) if common_key([problem.key], self._ranges) else text

    def problems(self, total: int) -> list[Problem]:
        return [Problem(met.problem.key, met.problem.text + _where(met, total)) for met in self._found.values()]


def _where(met: _Found, total: int) -> str:
    """In which of the `total` points a mistake is."""
    if met.points == total:
        return ""
    trials = [number for each in met.trials for number in each]
    if not trials:
        return f" (with {met.example})" if met.example else ""
    return f" (trial {trials[0]})" if len(trials) == 1 else f" ({len(trials)} trials, the first is trial {trials[0]})"


def metric_problems(metric: Metric, experiment: Experiment) -> Iterator[Problem]:
    """Why runs of the experiment could not be compared by the metric."""
    logged = logged_by(experiment)
    if metric.name not in logged:
        yield Problem("metric.name", f"{_unknown(metric.name, sorted(logged))}{_why_not(metric.name, experiment)}")
        return
    better = {"minimize": "lower", "maximize": "higher"}[metric.goal]
    if logged[metric.name] not in (better, "neither"):
        yield Problem("metric.goal", f"must not be {metric.goal}: of {metric.name}, {logged[metric.name]} is better")


def _unknown(name: str, logged: list[str]) -> str:
    """What runs log instead; a name without its section, `fid`, is that of evaluation/fid."""
    whole = [each for each in logged if each.rpartition("/")[2] == name.rpartition("/")[2]]
    if not whole:
        return did_you_mean(name, logged, "value that runs log, named")
    return f"{shorten(name)} is no value that runs log; did you mean {whole[0]!r}? There are: {', '.join(logged)}"


def _why_not(name: str, experiment: Experiment) -> str:
    if name.startswith("evaluation/") and experiment.evaluation.protocol is None:
        return "; the experiment has no evaluation.protocol, so nothing is scored"
    if name.startswith(("generator/", "discriminator/")):
        every, budget = experiment.tracking.every_generator_updates, experiment.budget.generator_updates
        if every > budget:
            return f"; losses are logged every {every} generator updates, and the budget is {budget}"
    return ""
