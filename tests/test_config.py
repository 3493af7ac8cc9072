"""Settings: bounds, types, every mistake at once."""

from dataclasses import dataclass
from typing import Literal

import pytest

from ganzoo.config import Builder, InvalidSettings, Settings, setting, to_plain
from ganzoo.errors import Problem


@dataclass(frozen=True, kw_only=True)
class Inner(Settings):
    rate: float = setting(0.5, "a share", at_least=0, at_most=1)


@dataclass(frozen=True, kw_only=True)
class Outer(Settings):
    size: int = setting(help="needed", at_least=1)
    betas: tuple[float, float] = setting((0.5, 0.9), "moments", at_least=0, below=1)
    kind: Literal["a", "b"] = setting("a", "which")
    limit: float | None = setting(None, "none or positive", above=0)
    inner: Inner = Inner()

    def problems(self):
        if self.kind == "b" and self.size > 5:
            yield Problem("kind", "'b' is for small sizes")


def build(**values):
    builder = Builder()
    return builder.build(Outer, values), [str(problem) for problem in builder.problems]


def test_values_become_their_types_and_come_back():
    outer, problems = build(size=3, betas=[0, 0.99], limit=2, inner={"rate": 1})
    assert problems == []
    assert outer == Outer(size=3, betas=(0.0, 0.99), limit=2.0, inner=Inner(rate=1.0))
    assert to_plain(outer) == {"size": 3, "betas": [0.0, 0.99], "kind": "a", "limit": 2.0, "inner": {"rate": 1.0}}
    assert build(**to_plain(outer)) == (outer, [])


@pytest.mark.parametrize(
    ("values", "key", "says"),
    [
        ({"size": 0}, "size", "at least 1"),
        ({"size": "three"}, "size", "a whole number"),
        ({"size": 1.5}, "size", "a whole number"),
        ({"size": True}, "size", "a whole number"),
        ({"size": None}, "size", "a whole number"),
        ({"size": 1, "betas": [0.5, 1.0]}, "betas", "below 1"),
        ({"size": 1, "betas": [0.5]}, "betas", "a list of 2"),
        ({"size": 1, "betas": [0.5, float("nan")]}, "betas", "nan"),
        ({"size": 1, "kind": "c"}, "kind", "one of: a, b"),
        ({"size": 1, "limit": 0}, "limit", "above 0"),
        ({"size": 1, "limit": float("inf")}, "limit", "inf"),
        ({"size": 1, "inner": 3}, "inner", "section"),
        ({"size": 1, "inner": {"rate": 2}}, "inner.rate", "at most 1"),
        ({"size": 1, "inner": {"rat": 2}}, "inner.rat", "did you mean 'rate'"),
        ({"size": 6, "kind": "b"}, "kind", "small sizes"),
        ({}, "size", "required"),
        ({"sise": 1}, "sise", "did you mean 'size'"),
    ],
)
def test_a_mistake_names_its_key_and_what_is_allowed(values, key, says):
    outer, problems = build(**values)
    assert outer is None
    mine = [problem for problem in problems if problem.startswith(f"{key}: ")]
    assert mine and says in mine[0]


def test_all_mistakes_come_together():
    _, problems = build(sise=1, betas="x", kind="z", inner={"rate": -1, "x": 0})
    assert sorted(problem.partition(":")[0] for problem in problems) == [
        "betas", "inner.rate", "inner.x", "kind", "sise", "size",
    ]  # fmt: skip


def test_built_in_python_it_checks_itself():
    with pytest.raises(InvalidSettings, match="size: 0 must be at least 1"):
        Outer(size=0)
    with pytest.raises(ValueError, match="small sizes"):
        Outer(size=9, kind="b")


def test_settings_must_be_frozen_and_keyword_only():
    @dataclass
    class Loose(Settings):
        size: int = 1

    with pytest.raises(TypeError, match="frozen=True, kw_only=True"):
        Loose()
