"""Sections of W&B's sweep schema: the keys that there are, and what each takes.

W&B's schema is stricter than an experiment's: text in the place of a number, `"5"`, is refused.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ganzoo.errors import Problem, did_you_mean, shorten


@dataclass(frozen=True)
class Key:
    """What a key of a section takes: in words, and as a test."""

    what: str
    fits: Callable[[Any], bool]
    required: bool = False

    def demanded(self) -> "Key":
        return Key(self.what, self.fits, required=True)


def is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Whether it is a finite number, one that a float can hold."""
    try:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(float(value))
    except OverflowError:
        return False


def one_of(*words: str) -> Key:
    return Key(f"one of: {', '.join(words)}", lambda value: isinstance(value, str) and value in words)


def whole_from(low: int, high: int) -> Key:
    return Key(f"a whole number from {low:,} to {high:,}", lambda value: is_whole(value) and low <= value <= high)


ANYTHING = Key("anything", lambda value: True)
TEXT = Key("text", lambda value: isinstance(value, str) and bool(value.strip()))
TRUTH = Key("true or false", lambda value: isinstance(value, bool))
NUMBER = Key("a finite number", is_number)
POSITIVE = Key("a number above 0", lambda value: is_number(value) and value > 0)
SECTION = Key("a section of keys", lambda value: isinstance(value, Mapping))
LIST = Key("a list with something in it", lambda value: isinstance(value, list) and bool(value))


def read_section(values: Any, keys: Mapping[str, Key], at: str, problems: list[Problem]) -> dict[str, Any]:
    """The values of a section that are right; everything else is added to `problems`.

    Args:
        at: the section's own key; empty: the whole file.
    """
    if not isinstance(values, Mapping):
        problems.append(Problem(at, f"{shorten(values)} must be a section with keys among: {', '.join(keys)}"))
        return {}
    right, before = {}, f"{at}." if at else ""
    for key, value in values.items():
        if key not in keys:
            problems.append(Problem(f"{before}{key}", f"(= {shorten(value)}) {did_you_mean(key, list(keys), 'key')}"))
        elif not keys[key].fits(value):
            problems.append(Problem(f"{before}{key}", f"{shorten(value)} must be {keys[key].what}"))
        else:
            right[key] = value
    missing = [key for key, what in keys.items() if what.required and key not in values]
    problems += [Problem(f"{before}{key}", f"this key is required and not there: {keys[key].what}") for key in missing]
    return right


def not_plain(values: Any, at: str = "") -> Sequence[Problem]:
    """Values that YAML's tags can make and JSON, which W&B is told the file in, cannot hold."""
    if isinstance(values, Mapping):
        return [found for key, value in values.items() for found in not_plain(value, f"{at}.{key}" if at else str(key))]
    if isinstance(values, list):
        return [found for value in values for found in not_plain(value, at)]
    if values is None or isinstance(values, (bool, int, float, str)):
        return []
    return [Problem(at, f"{shorten(values)} must be a number, text, true, false, null, a list or a section")]
