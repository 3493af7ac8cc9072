"""A sweep file, read and checked by itself; `checking` checks its trials against the experiment."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ganzoo.errors import InputError, Problem, shorten
from ganzoo.packing.alike import MOST_PACKED
from ganzoo.sweeping.command_words import read_command
from ganzoo.sweeping.distributions import Categorical, Constant, Distribution, Uniform, Weighted
from ganzoo.sweeping.overlaps import overlapping, words_of_parameters
from ganzoo.sweeping.parameters import Parameters, read_parameters
from ganzoo.sweeping.schema import (
    ANYTHING,
    LIST,
    NUMBER,
    SECTION,
    TEXT,
    TRUTH,
    Key,
    is_number,
    not_plain,
    one_of,
    read_section,
    whole_from,
)
from ganzoo.sweeping.sweep_file import COMMAND, Hyperband, Metric, SweepFile, folder_name
from ganzoo.values import read_unresolved, read_values

MOST_SEEDS = 1000
MOST_POINTS = 100_000  # of a grid; each is read before any is trained
LARGEST_SEED = 2**31 - 1
LATEST_BAND = 10**12  # no run logs so many values

_HOW = one_of("latest", "best", "worst")
KEYS: dict[str, Key] = {
    "program": TEXT.demanded(),
    "method": ANYTHING.demanded(),
    "parameters": SECTION.demanded(),
    "metric": SECTION,
    "early_terminate": SECTION,
    "run_cap": whole_from(1, 2**31 - 1),
    "command": LIST,
    "name": TEXT,
    "description": TEXT,
    "project": TEXT,
    "entity": TEXT,
    "controller": SECTION,
    "apiVersion": TEXT,
    "kind": one_of("sweep"),
}
METRIC = {
    "name": TEXT.demanded(),
    "goal": one_of("minimize", "maximize"),
    "target": NUMBER,
    "impute": _HOW,
    "impute_while_running": Key(
        "one of: latest, best, worst, 'false' (in quotes)", lambda it: it == "false" or _HOW.fits(it)
    ),
}
HYPERBAND = {
    "type": one_of("hyperband").demanded(),
    "min_iter": whole_from(1, 10**9),
    "max_iter": whole_from(1, 10**9),
    "s": whole_from(1, 1000),
    "eta": Key("a number above 1", lambda value: is_number(value) and value > 1),
    "strict": TRUTH,
}
# What W&B's schema has and no engine of ganzoo can do: what to do instead.
REFUSED = {
    "metrics": "a sweep has one metric here: write metric: {name: ..., goal: ...}; every run logs all of its scores",
    "scheduler": "leave it out: method bayes searches with Optuna, and W&B's agents search as W&B does",
    "job": "is for W&B Launch; name the experiment in `program`",
    "image_uri": "is for W&B Launch; name the experiment in `program`",
    "seeds": "is written as a parameter, which W&B's schema has: parameters: {seeds: {value: 3}}",
    "pack": "is written as a parameter, which W&B's schema has: parameters: {pack: {value: 8}}",
}


def read_sweep(path: Path) -> SweepFile:
    """The sweep in a YAML file of W&B's schema.

    Raises:
        InputError: with every mistake that the file alone shows. `checking.check` finds those of its trials.
    """
    values = read_unresolved(path)
    if "variant" in values and "method" not in values:
        raise InputError(path, f"this is an experiment, not a sweep file; it is trained by: ganzoo train {path}")
    problems = [*not_plain(values), *(Problem(key, text) for key, text in REFUSED.items() if key in values)]
    right = read_section({key: value for key, value in values.items() if key not in REFUSED}, KEYS, "", problems)
    parameters = read_parameters(right["parameters"], problems) if "parameters" in right else {}
    method = _method(right, problems)
    seeds, pack = _seeds(parameters, problems), _number("pack", MOST_PACKED, parameters, problems)
    words = words_of_parameters(parameters)
    problems += overlapping(words)
    varied = {key for word in words.values() for key in word.keys}
    fixed = read_command(right.get("command", list(COMMAND)), varied, problems)
    metric, early_terminate = _metric(right, problems), _early_terminate(right, problems)
    problems += [*_at_odds(method, right), *_unsearchable(method, parameters)]
    settled = _settled(right["program"], fixed, problems) if "program" in right else {}
    first_seed = _first_seed(settled, seeds, problems)
    if problems:
        raise InputError(path, problems)
    return SweepFile(
        source=path,
        values=values,
        name=folder_name(right.get("name", path.stem)),
        method=method,
        experiment=Path(right["program"]),
        fixed=fixed,
        parameters=parameters,
        metric=metric,
        early_terminate=early_terminate,
        seeds=seeds,
        pack=pack,
        first_seed=first_seed,
        run_cap=right.get("run_cap"),
        settled=settled,
    )


def _method(right: Mapping[str, Any], problems: list[Problem]) -> Any:
    """The file's method; None: it has none that can be."""
    if "method" not in right:
        return None
    methods = one_of("grid", "random", "bayes")
    if methods.fits(right["method"]):
        return right["method"]
    custom = "; custom is for schedulers of W&B's" if right["method"] == "custom" else ""
    problems.append(Problem("method", f"{shorten(right['method'])} must be {methods.what}{custom}"))
    return None


def _seeds(parameters: Parameters, problems: list[Problem]) -> int:
    seeds = _number("seeds", MOST_SEEDS, parameters, problems)
    if seeds > 1 and ("seed",) in parameters:
        problems.append(
            Problem("parameters.seeds", "does not go with the parameter seed: it counts from the first one")
        )
    return seeds


def _number(name: str, most: int, parameters: Parameters, problems: list[Problem]) -> int:
    """`seeds` or `pack`, which is taken out of the parameters: of no experiment, but how it is trained."""
    nested = [path for path in parameters if path[0] == name and len(path) > 1]
    distribution = parameters.pop((name,), None)
    if distribution is None and not nested:
        return 1
    allowed = whole_from(1, most)
    if not isinstance(distribution, Constant) or not allowed.fits(distribution.value):
        problems.append(Problem(f"parameters.{name}", f"must be {{value: N}}, N being {allowed.what}"))
        return 1
    return distribution.value


def _metric(right: Mapping[str, Any], problems: list[Problem]) -> Metric | None:
    """impute and impute_while_running are W&B's own search's, which reads them where it is told the file."""
    if "metric" not in right:
        return None
    before = len(problems)
    section = read_section(right["metric"], METRIC, "metric", problems)
    if len(problems) > before:
        return None
    return Metric(**{key: value for key, value in section.items() if not key.startswith("impute")})


def _early_terminate(right: Mapping[str, Any], problems: list[Problem]) -> Hyperband | None:
    """W&B's hyperband. With max_iter, the bands are counted down from it, and min_iter is not looked at."""
    if "early_terminate" not in right:
        return None
    before = len(problems)
    section = read_section(right["early_terminate"], HYPERBAND, "early_terminate", problems)
    if len(problems) > before:
        return None
    eta = section.get("eta", 3)
    if "max_iter" in section and "s" in section:
        bands = bands_down_from(section["max_iter"], eta, section["s"])
    elif "min_iter" in section and "max_iter" not in section:
        bands = bands_up_from(section["min_iter"], eta)
    else:
        problems.append(Problem("early_terminate", "must have min_iter, or max_iter and s"))
        return None
    if not bands:
        problems.append(Problem("early_terminate.max_iter", f"{section['max_iter']} must be at least eta, {eta}"))
    return Hyperband(bands, float(eta), section.get("strict", True))


def bands_down_from(max_iter: int, eta: float, s: int) -> tuple[int, ...]:
    """max_iter / eta, / eta^2, ..., at most s of them, rising (sweeps 0.3.0, sweeps/hyperband_stopping.py).

    >>> bands_down_from(27, 3, 2)
    (3, 9)
    """
    bands: list[int] = []
    band = float(max_iter)
    while len(bands) < s and (band := band / eta) >= 1:
        bands.append(int(band))
    return tuple(sorted(bands))


def bands_up_from(min_iter: int, eta: float) -> tuple[int, ...]:
    """min_iter, min_iter * eta, ...: a hundred of them, as far as a run can get (as above).

    >>> bands_up_from(3, 3)[:4]
    (3, 9, 27, 81)
    """
    bands: list[int] = []
    band: float = min_iter
    while len(bands) < 100 and band < LATEST_BAND:
        bands.append(int(band))
        band *= eta
    return tuple(bands)


def _at_odds(method: str | None, right: Mapping[str, Any]) -> Iterator[Problem]:
    """Sections that need one another."""
    if "metric" not in right:
        if method == "bayes":
            yield Problem("metric", "must be there: bayes searches for its best value")
        if "early_terminate" in right:
            yield Problem("metric", "must be there: early_terminate judges runs by it")
    controller = right.get("controller", {})
    if controller.get("type", "cloud") != "cloud" or set(controller) - {"type"}:
        yield Problem("controller", "must be {type: cloud}, or left out: `ganzoo sweep` needs no controller of W&B's")


def _unsearchable(method: str | None, parameters: Parameters) -> Iterator[Problem]:
    """Parameters that the method cannot vary."""
    if method == "bayes" and all(isinstance(distribution, Constant) for distribution in parameters.values()):
        yield Problem("parameters", "bayes has nothing to search: every parameter is a constant")
    if method != "grid":
        return
    points = 1
    for path, distribution in parameters.items():
        choices = distribution.choices
        if choices is None:
            yield Problem("parameters." + ".".join(path), _no_grid(distribution))
            continue
        points *= len(choices)
        if isinstance(distribution, Categorical) and (twice := _twice(distribution.values)):
            yield Problem("parameters." + ".".join(path), f"{twice[0]} is there twice; `seeds` repeats trials")
    if points > MOST_POINTS:
        yield Problem("parameters", f"make a grid of {points:,} points; it must have at most {MOST_POINTS:,}")


def _no_grid(distribution: Distribution) -> str:
    if isinstance(distribution, Weighted):
        return "has probabilities, and a grid has every value once: leave them out, or use method: random"
    steps = ", or distribution: q_uniform" if isinstance(distribution, Uniform) else ""
    return f"{distribution.kind} has no end of values, and a grid has every one: write values: [...]{steps}"


def _twice(values: tuple[Any, ...]) -> list[str]:
    """Values that stand there more than once, as W&B compares them: 1 and 1.0 are one value, 1 and true are two."""
    twice, seen = [], set()
    for value in values:
        text = json.dumps(int(value) if isinstance(value, float) and value.is_integer() else value, sort_keys=True)
        if text in seen:
            twice.append(text)
        seen.add(text)
    return twice


def _settled(program: str, fixed: tuple[str, ...], problems: list[Problem]) -> dict[str, Any]:
    """The experiment's own values with the command's words applied."""
    if not program.endswith((".yaml", ".yml")):
        problems.append(Problem("program", f"{shorten(program)} must be the .yaml file of an experiment"))
        return {}
    found: list[Problem] = []
    try:
        settled = read_values(Path(program), fixed, found)
    except InputError as error:
        problems += [Problem("program", f"{program}: {problem.text}") for problem in error.problems]
        return {}
    found += not_plain(settled)
    problems += [Problem("program", f"{program}: {problem.key}: {problem.text}") for problem in found]
    return settled


def _first_seed(settled: Mapping[str, Any], seeds: int, problems: list[Problem]) -> int:
    """The experiment's seed. What is wrong with it in itself, `checking` tells."""
    first = settled.get("seed", 0)
    if isinstance(first, bool) or not isinstance(first, int):
        return 0
    if seeds > 1 and first + seeds - 1 > LARGEST_SEED:
        problems.append(Problem("parameters.seeds", f"{seeds} seeds from {first} on go beyond {LARGEST_SEED}"))
    return first
