"""Stands in for packages that a peer imports at its head and does not use in training."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any


class Absent(ModuleType):
    """A package that is not installed. It may be imported, and names from it; to call one of them is an error."""

    def __init__(self, name: str):
        super().__init__(name)
        self.__path__ = []  # it may have submodules, too

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Absent(f"{self.__name__}.{name}")

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        raise SystemExit(f"{self.__name__} is called in training, and the package is not installed")


@contextmanager
def standing_in(names: tuple[str, ...]) -> Iterator[dict[str, Absent]]:
    """Those of the packages that are not installed can be imported in the body; they are given, by name."""
    absent = {name: Absent(name) for name in names if not _installed(name)}
    sys.modules.update(absent)
    try:
        yield absent
    finally:
        for name in absent:
            del sys.modules[name]


def _installed(name: str) -> bool:
    try:
        import_module(name)
    except ImportError:
        return False
    return True
