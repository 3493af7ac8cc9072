"""From plain values (YAML, `key=value`) to frozen, typed, checked dataclasses; all mistakes in one go.

A configuration is a `Settings` dataclass that lives beside what it configures. `setting()` gives a field its
default, its bounds and the sentence that documents it; `component()` marks a field whose class is chosen by
the `name` in its section. Nothing here imports torch: a spelling mistake must not cost five seconds.
"""

import dataclasses
import math
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, Protocol, TypeVar, Union, get_args, get_origin, get_type_hints, runtime_checkable

from ganzoo.errors import Problem, did_you_mean, shorten


@dataclass(frozen=True)
class Bounds:
    """The numbers that a setting may take; every part of a tuple must be within them."""

    above: float | None = None
    at_least: float | None = None
    below: float | None = None
    at_most: float | None = None

    def refuses(self, value: Any) -> bool:
        if isinstance(value, (list, tuple)):
            return any(self.refuses(part) for part in value)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return False
        return (
            (isinstance(value, float) and not math.isfinite(value))
            or (self.above is not None and value <= self.above)
            or (self.at_least is not None and value < self.at_least)
            or (self.below is not None and value >= self.below)
            or (self.at_most is not None and value > self.at_most)
        )

    def __str__(self) -> str:
        limits = {"above": self.above, "at least": self.at_least, "below": self.below, "at most": self.at_most}
        return " and ".join(f"{word} {limit:.12g}" for word, limit in limits.items() if limit is not None) or "finite"


def setting(default: Any = dataclasses.MISSING, help: str = "", **bounds: float) -> Any:
    """A field of a `Settings` class: default (none: the key is required), documentation, bounds."""
    return dataclasses.field(default=default, metadata={"help": help, "bounds": Bounds(**bounds)})


@runtime_checkable
class Choice(Protocol):
    """Finds the class that a section's `name` stands for."""

    @property
    def kind(self) -> str:
        """What people call it: "variant"."""
        ...

    def names(self, plugins: tuple[str, ...]) -> list[str]: ...

    def find(self, name: str, plugins: tuple[str, ...]) -> "type[Settings]":
        """Raises LookupError, with the sentence to show, when there is none."""
        ...

    def name_of(self, settings: "Settings") -> str: ...


def component(choice: Choice, help: str = "") -> Any:
    """A field whose class is chosen by the `name` in its section."""
    return dataclasses.field(metadata={"choice": choice, "help": help})


AnySettings = TypeVar("AnySettings", bound="Settings")


class InvalidSettings(ValueError):
    """Values that a `Settings` class does not take."""

    def __init__(self, problems: list[Problem]):
        self.problems = problems
        super().__init__("; ".join(str(problem) for problem in problems))


class Settings:
    """Base of every configuration dataclass: frozen, keyword-only, checked when built.

    Raises TypeError for a subclass that is not frozen and keyword-only, InvalidSettings (a ValueError) for values
    out of bounds or at odds with one another.
    """

    def __post_init__(self) -> None:
        made_with = self.__dataclass_params__  # type: ignore[attr-defined]  # subclasses are the dataclasses
        if not made_with.frozen or not all(field.kw_only for field in fields_of(type(self))):
            raise TypeError(f"{type(self).__name__} must be a dataclass(frozen=True, kw_only=True)")
        if problems := [*self._out_of_bounds(), *self.problems()]:
            raise InvalidSettings(problems)

    def _out_of_bounds(self) -> Iterator[Problem]:
        for field in fields_of(type(self)):
            if problem := _bounds_problem(field, getattr(self, field.name)):
                yield problem

    def problems(self) -> Iterator[Problem]:
        """What bounds cannot say: settings that do not go together. Subclasses override."""
        return iter(())

    def replace(self: AnySettings, **changes: Any) -> AnySettings:
        return dataclasses.replace(self, **changes)  # type: ignore[type-var]


def fields_of(cls: type[Settings]) -> tuple[dataclasses.Field, ...]:
    return dataclasses.fields(cls)  # type: ignore[arg-type]


def _bounds_problem(field: dataclasses.Field, value: Any) -> Problem | None:
    bounds = field.metadata.get("bounds", Bounds())
    return Problem(field.name, f"{shorten(value)} must be {bounds}") if bounds.refuses(value) else None


def to_plain(settings: Settings) -> dict[str, Any]:
    """Settings as nested dicts, lists and scalars: what YAML, JSON and W&B take, and what `build` reads back."""
    plain: dict[str, Any] = {}
    for field in fields_of(type(settings)):
        value = getattr(settings, field.name)
        if isinstance(value, Settings):
            choice = field.metadata.get("choice")
            name = {"name": choice.name_of(value)} if choice else {}
            plain[field.name] = {**name, **to_plain(value)}
        else:
            plain[field.name] = list(value) if isinstance(value, tuple) else value
    return plain


@dataclass
class Builder:
    """Builds settings out of plain values and collects every problem on the way.

    A section that has a problem of its own comes out as None; what depends on it is then not judged.
    """

    plugins: tuple[str, ...] = ()
    problems: list[Problem] = dataclasses.field(default_factory=list)

    def build(self, cls: type[Settings], values: Mapping[str, Any], at: str = "") -> Settings | None:
        before, parts = len(self.problems), self.parts(cls, values, at)
        if len(self.problems) > before:
            return None
        try:
            return cls(**parts)
        except InvalidSettings as error:
            self.problems += [Problem(at + problem.key, problem.text) for problem in error.problems]
            return None

    def parts(self, cls: type[Settings], values: Mapping[str, Any], at: str = "") -> dict[str, Any]:
        """The fields of `cls` that could be made from `values`; the rest is in `problems`."""
        fields = {field.name: field for field in fields_of(cls) if field.init}
        parts = {}
        for key, value in values.items():
            if key in fields:
                made = self._field(cls, fields[key], value, at)
                if made is not _NOTHING:
                    parts[key] = made
            else:
                self._complain(f"{at}{key}", f"(= {shorten(value)}) {did_you_mean(str(key), list(fields), 'key')}")
        for name, field in fields.items():
            if name not in values and _required(field):
                self._complain(f"{at}{name}", "this key is required and not there")
        return parts

    def _field(self, cls: type[Settings], field: dataclasses.Field, value: Any, at: str) -> Any:
        key, declared = f"{at}{field.name}", _types_of(cls)[field.name]
        choice = field.metadata.get("choice")
        if choice or (isinstance(declared, type) and issubclass(declared, Settings)):
            if not isinstance(value, Mapping):
                return self._complain(key, f"{shorten(value)} must be a section of keys, such as {{name: ...}}")
            chosen = self._chosen(choice, value, key) if choice else (declared, value)
            made = self.build(chosen[0], chosen[1], at=f"{key}.") if chosen else None
            return _NOTHING if made is None else made
        try:
            typed = _typed(cls, field.name, value)
        except ValueError:
            return self._complain(key, f"{shorten(value)} must be {describe(declared)}")
        if problem := _bounds_problem(field, typed):
            return self._complain(key, problem.text)
        return typed

    def _chosen(self, choice: Choice, section: Mapping[str, Any], key: str) -> tuple[type[Settings], dict] | None:
        name = section.get("name")
        if not isinstance(name, str):
            names = choice.names(self.plugins)
            required = f"this key is required and not there. There are: {', '.join(names)}"
            self._complain(f"{key}.name", required if name is None else did_you_mean(str(name), names, choice.kind))
            return None
        try:
            cls = choice.find(name, self.plugins)
        except LookupError as error:
            self._complain(f"{key}.name", str(error.args[0]))
            return None
        return cls, {k: v for k, v in section.items() if k != "name"}

    def _complain(self, key: str, text: str) -> Any:
        self.problems.append(Problem(key, text))
        return _NOTHING


_NOTHING = object()  # None is a value that a setting may have


def _required(field: dataclasses.Field) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _typed(cls: type[Settings], name: str, value: Any) -> Any:
    """`value` as the field's declared type, by OmegaConf's rules. Raises ValueError where they refuse it."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    declared = _types_of(cls)[name]
    if type(value) is declared and type(value) in (int, float, bool, str):
        return value  # what those rules come to, for most values of a file and at no cost
    if get_origin(declared) is Literal and any(type(value) is type(arg) and value == arg for arg in get_args(declared)):
        return value
    try:
        return getattr(OmegaConf.to_object(OmegaConf.merge(_holder(cls, name), {name: value})), name)
    except (OmegaConfBaseException, TypeError, ValueError, OverflowError) as error:
        raise ValueError(str(error)) from error


def _make_holder(cls: type, name: str) -> Any:
    """OmegaConf's container of just that field, empty, for `merge` to copy. To make one takes a millisecond."""
    from omegaconf import OmegaConf

    return OmegaConf.structured(dataclasses.make_dataclass("Holder", [(name, _types_of(cls)[name])]))


_holder: Callable[[type, str], Any] = cache(_make_holder)
_types_of: Callable[[type], dict[str, Any]] = cache(get_type_hints)


def describe(declared: Any) -> str:
    """What a type admits, for a person.

    >>> describe(Literal["normal", "uniform"])
    'one of: normal, uniform'
    >>> describe(Literal["auto", True, False])
    'one of: auto, true, false'
    >>> describe(int | None)
    'a whole number or null'
    """
    words = {int: "a whole number", float: "a number", str: "text", bool: "true or false", type(None): "null"}
    if declared in words:
        return words[declared]
    origin, args = get_origin(declared), get_args(declared)
    if origin is Literal:
        return f"one of: {', '.join(str(arg).lower() if isinstance(arg, bool) else str(arg) for arg in args)}"
    if origin in (Union, types.UnionType):
        return " or ".join(describe(arg) for arg in args)
    if origin is tuple and args[-1] is not ...:
        return f"a list of {len(args)}: {', '.join(describe(arg) for arg in args)}"
    if origin is tuple:
        return f"a list, each part {describe(args[0])}"
    return str(declared)
