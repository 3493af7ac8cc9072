"""The points of a grid or a random search, each a pure function of the sweep file and its number."""

import hashlib
from typing import Any

from ganzoo.sweeping.sweep_file import SweepFile


def point_of(file: SweepFile, number: int) -> dict[str, Any]:
    """The parameters of point `number`, nested as W&B nests them.

    A grid has every combination once: in the order of the file, the last parameter changing fastest. A random search
    has no end, and what it draws for a parameter depends on the parameter's path and distribution and the number of
    the point: other parameters may come and go. No state is kept, so that any worker can make any point.

    Raises IndexError beyond the end of a grid, ValueError for a search that has no points of its own.
    """
    if file.method == "grid":
        return nested(_of_grid(file, number))
    if file.method != "random":
        raise ValueError(f"method {file.method} finds its points one after another")
    drawn = {path: part.quantile(share_of(".".join(path), number)) for path, part in file.parameters.items()}
    return nested(drawn)


def _of_grid(file: SweepFile, number: int) -> dict[tuple[str, ...], Any]:
    chosen, rest = {}, number
    for path, distribution in reversed(tuple(file.parameters.items())):
        choices = distribution.choices or ()
        rest, index = divmod(rest, len(choices))
        chosen[path] = choices[index]
    if rest:
        raise IndexError(f"the grid has no point {number}")
    return {path: chosen[path] for path in file.parameters}


def share_of(name: str, number: int) -> float:
    """A number in (0, 1), uniform over names and numbers: 52 bits of a SHA-256 and a half.

    >>> share_of("optimizer.generator.lr", 0), share_of("optimizer.generator.lr", 1)
    (0.9530769600168362, 0.28943669053974397)
    """
    digest = hashlib.sha256(f"{name} {number}".encode()).digest()
    return ((int.from_bytes(digest[:8], "big") >> 12) + 0.5) * 2.0**-52


def nested(values: dict[tuple[str, ...], Any]) -> dict[str, Any]:
    """Values by their paths as sections in sections.

    >>> nested({("seed",): 3, ("optimizer", "generator", "lr"): 0.1})
    {'seed': 3, 'optimizer': {'generator': {'lr': 0.1}}}
    """
    made: dict[str, Any] = {}
    for path, value in values.items():
        section = made
        for part in path[:-1]:
            section = section.setdefault(part, {})
        section[path[-1]] = value
    return made
