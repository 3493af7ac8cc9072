"""Parameters that set the same key of the experiment: what is meant must not depend on the engine.

Parameters are applied one after the other, and W&B keeps them by the alphabet, whatever the file's order
(wandb/apis/public/sweeps.py writes the file's keys sorted). So where the order of two of them matters, the file must
have them in that order too.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ganzoo.errors import Problem
from ganzoo.sweeping.distributions import Categorical, Constant, Distribution, Weighted

MOST_PARAMETERS = 200  # no experiment has as many keys


@dataclass(frozen=True)
class Word:
    """What one `key=value` word of a trial may set.

    Attributes:
        varied: keys that it always sets.
        within: keys that some of its values, being sections, set.
    """

    varied: frozenset[str]
    within: frozenset[str]

    @property
    def keys(self) -> frozenset[str]:
        return self.varied | self.within


def words_of_parameters(parameters: Mapping[tuple[str, ...], Distribution]) -> dict[str, Word]:
    """By the word's own key, in the file's order. `_group={a.b: 1, c: 2}` sets a.b and c."""
    varied: dict[str, set[str]] = {}
    within: dict[str, set[str]] = {}
    for path, distribution in parameters.items():
        word, grouping = path[0], path[0].startswith("_")
        key = ".".join(path[1:] if grouping else path)
        always, sometimes = varied.setdefault(word, set()), within.setdefault(word, set())
        if key:
            always.add(".".join(path[:-1]) if len(path) > 1 and path[-1] == "name" else key)
        for value in _values(distribution):
            sometimes.update(_keys_in(key, value))
    return {word: Word(frozenset(varied[word]), frozenset(within[word] - varied[word])) for word in varied}


def _values(distribution: Distribution) -> tuple[Any, ...]:
    if isinstance(distribution, (Categorical, Weighted)):
        return distribution.values
    return (distribution.value,) if isinstance(distribution, Constant) else ()


def _keys_in(key: str, value: Any) -> Iterator[str]:
    """The dotted keys that a section sets; its own too where it has a `name`, and so replaces what was there."""
    if not isinstance(value, Mapping):
        return
    if key and "name" in value:
        yield key
    for part, inner in value.items():
        whole = f"{key}.{part}" if key else str(part)
        if isinstance(inner, Mapping):
            yield from _keys_in(whole, inner)
        else:
            yield whole


def overlapping(words: Mapping[str, Word]) -> Iterator[Problem]:
    """Where the order of the file decides and W&B's is another, and values that another parameter always undoes."""
    if len(words) > MOST_PARAMETERS:
        yield Problem("parameters", f"there are {len(words):,}; there must be at most {MOST_PARAMETERS}")
        return
    names = list(words)
    for number, later in enumerate(names):
        for earlier in names[:number]:
            common = common_key(words[later].keys, words[earlier].keys)
            if common and later < earlier:
                swap = f"W&B orders parameters by the alphabet: write {later} before {earlier}, or rename it"
                yield Problem(f"parameters.{later}", f"stands after {earlier}, and both set {common}. {swap}")
            elif lost := words[earlier].within & words[later].varied:
                undone = f"{min(lost)} is set in it, and always set again by {later}, which comes after it"
                yield Problem(f"parameters.{earlier}", undone)


def common_key(keys: Collection[str], others: Collection[str]) -> str | None:
    """A key of one that is also of the other, or is a section that a key of the other lies in."""
    return _inside(keys, others) or _inside(others, keys)


def _inside(keys: Collection[str], sections: Collection[str]) -> str | None:
    known = set(sections)
    for key in sorted(keys):
        parts = key.split(".")
        if any(".".join(parts[:count]) in known for count in range(1, len(parts) + 1)):
            return key
    return None
