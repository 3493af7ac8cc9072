"""The `parameters` of a sweep file: from sections to distributions, by W&B's schema and its defaults."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ganzoo.errors import Problem, did_you_mean, shorten
from ganzoo.sweeping.distributions import (
    Beta,
    Categorical,
    Constant,
    Distribution,
    IntUniform,
    LogUniform,
    Normal,
    Uniform,
    Weighted,
)
from ganzoo.sweeping.rounding import MOST_EXACT
from ganzoo.sweeping.schema import (
    ANYTHING,
    LIST,
    NUMBER,
    POSITIVE,
    TEXT,
    Key,
    is_number,
    is_whole,
    read_section,
)

Parameters = dict[tuple[str, ...], Distribution]
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")  # W&B's pattern of a parameter's name


@dataclass(frozen=True)
class Kind:
    """One distribution of W&B's schema.

    Attributes:
        make: its class.
        keys: those of its section, `distribution` apart.
        defaults: W&B's, for keys that are not there.
    """

    make: Callable[..., Distribution]
    keys: Mapping[str, Key]
    defaults: Mapping[str, float] = field(default_factory=dict)

    def quantised(self) -> "Kind":
        return Kind(self.make, {**self.keys, "q": POSITIVE}, {**self.defaults, "q": 1.0})


def _chances(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(is_number(part) and part >= 0 for part in value)


_VALUES = {"values": LIST.demanded()}
_CHANCES = Key("a list of numbers from 0 to 1", _chances, required=True)
_WHOLE = Key("a whole number, at most 2^53", lambda value: is_whole(value) and abs(value) <= MOST_EXACT, required=True)
_RANGE = {"min": NUMBER.demanded(), "max": NUMBER.demanded()}
_UNIFORM, _LOG_UNIFORM = Kind(Uniform, _RANGE), Kind(LogUniform, _RANGE)
_NORMAL = Kind(Normal, {"mu": NUMBER, "sigma": POSITIVE}, {"mu": 0.0, "sigma": 1.0})
_BETA = Kind(Beta, {"a": POSITIVE, "b": POSITIVE}, {"a": 1.0, "b": 1.0})

KINDS: dict[str, Kind] = {
    "constant": Kind(Constant, {"value": ANYTHING.demanded()}),
    "categorical": Kind(Categorical, _VALUES),
    "categorical_w_probabilities": Kind(Weighted, {**_VALUES, "probabilities": _CHANCES}),
    "int_uniform": Kind(IntUniform, {"min": _WHOLE, "max": _WHOLE}),
    "uniform": _UNIFORM,
    "q_uniform": _UNIFORM.quantised(),
    "log_uniform": _LOG_UNIFORM,
    "log_uniform_values": _LOG_UNIFORM,
    "inv_log_uniform": _LOG_UNIFORM,
    "inv_log_uniform_values": _LOG_UNIFORM,
    "q_log_uniform": _LOG_UNIFORM.quantised(),
    "q_log_uniform_values": _LOG_UNIFORM.quantised(),
    "normal": _NORMAL,
    "q_normal": _NORMAL.quantised(),
    "log_normal": _NORMAL,
    "q_log_normal": _NORMAL.quantised(),
    "beta": _BETA,
    "q_beta": _BETA.quantised(),
}
_KEYS = sorted({key for kind in KINDS.values() for key in kind.keys} | {"distribution", "parameters"})


def read_parameters(values: Any, problems: list[Problem]) -> Parameters:
    """Every parameter by its path, in the file's order: ("lr",), or ("optimizer", "lr") where sections are nested.

    What is wrong is added to `problems`, and left out.
    """
    if not isinstance(values, Mapping) or not values:
        problems.append(Problem("parameters", f"{shorten(values)} must be a section of one parameter or more"))
        return {}
    found = dict(_read_sections(values, (), "parameters", problems))
    problems += _twice(found)
    return found


def _read_sections(
    values: Mapping[str, Any], path: tuple[str, ...], at: str, problems: list[Problem]
) -> Iterator[tuple[tuple[str, ...], Distribution]]:
    """The parameters of a section, and of those in it."""
    for name, section in values.items():
        key, whole = f"{at}.{name}", (*path, name)
        problems += _misnamed(key, name, nested=bool(path) and not path[0].startswith("_"))
        if isinstance(section, Mapping) and "parameters" in section:
            if others := [other for other in section if other != "parameters"]:
                problems.append(Problem(key, f"a section with `parameters` has nothing else; here is: {others[0]!r}"))
            nested = section["parameters"]
            if isinstance(nested, Mapping) and nested:
                yield from _read_sections(nested, whole, f"{key}.parameters", problems)
            else:
                problems.append(Problem(f"{key}.parameters", f"{shorten(nested)} must be a section of parameters"))
        elif distribution := _distribution(section, key, problems):
            yield whole, distribution


def _misnamed(key: str, name: str, *, nested: bool) -> Iterator[Problem]:
    if not NAME.fullmatch(name):
        yield Problem(key, "W&B takes names of letters, digits, '_', '.' and '-' that begin with a letter or '_'")
    elif nested and "." in name:
        parts = name.split(".")
        yield Problem(
            key, f"below `parameters` no name is dotted: write {parts[0]}: {{parameters: {{{parts[1]}: ...}}}}"
        )


def _distribution(section: Any, at: str, problems: list[Problem]) -> Distribution | None:
    """None: it has a problem."""
    kind = _kind_of(section, at)
    if isinstance(kind, Problem):
        problems.append(kind)
        return None
    before, keys = len(problems), KINDS[kind].keys
    if "q" in section and "q" not in keys:
        problems.append(Problem(f"{at}.q", f"{kind} has no q; q_uniform, q_normal and others that begin with q_ have"))
        section = {key: value for key, value in section.items() if key != "q"}
    right = read_section(section, {**keys, "distribution": TEXT}, at, problems)
    if len(problems) > before:
        return None
    settings = {**KINDS[kind].defaults, **right, "kind": kind}
    settings.pop("distribution", None)
    for key in ("values", "probabilities"):
        if key in settings:
            settings[key] = tuple(settings[key])
    distribution = KINDS[kind].make(**settings)
    wrong = [Problem(f"{at}.{problem.key}", problem.text) for problem in distribution.problems()]
    problems += wrong
    return None if wrong else distribution


def _kind_of(section: Any, at: str) -> str | Problem:
    """The distribution that a parameter's section names, or that its keys mean."""
    if not isinstance(section, Mapping):
        meant = f"{{values: {shorten(section)}}}" if isinstance(section, list) else f"{{value: {shorten(section)}}}"
        return Problem(
            at, f"{shorten(section)} must be a section: {meant}, {{values: [...]}} or {{min: ..., max: ...}}"
        )
    if "distribution" in section:
        named = section["distribution"]
        if isinstance(named, str) and named in KINDS:
            return named
        return Problem(f"{at}.distribution", did_you_mean(str(named), list(KINDS), "distribution"))
    if "value" in section:
        return "constant"
    if "values" in section:
        return "categorical_w_probabilities" if "probabilities" in section else "categorical"
    if "min" in section or "max" in section:
        whole = all(is_whole(section[key]) for key in ("min", "max") if key in section)
        return "int_uniform" if whole else "uniform"
    if unknown := [key for key in section if key not in _KEYS]:
        return Problem(f"{at}.{unknown[0]}", did_you_mean(unknown[0], _KEYS, "key"))
    if section:
        return Problem(f"{at}.distribution", f"must be there: what is drawn by {', '.join(section)}?")
    return Problem(at, "the section is empty: it must have value, values, min and max, or parameters")


def _twice(paths: Iterable[tuple[str, ...]]) -> Iterator[Problem]:
    seen: set[str] = set()
    for path in paths:
        key = ".".join(path)
        if key in seen:
            yield Problem(f"parameters.{path[0]}", f"{key} is varied twice: nested and by its dotted name")
        seen.add(key)
