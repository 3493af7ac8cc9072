"""The values that a run of an experiment will log, told without training and without torch."""

import ast
import importlib.util
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Literal

from ganzoo.evaluation.protocol import load_protocol
from ganzoo.evaluation.scores import SCORES
from ganzoo.experiment import Experiment

Better = Literal["lower", "higher", "neither"]
LOSSES = ("discriminator/loss", "generator/loss")  # of every variant
LOSS = re.compile(r"(discriminator|generator)/\w+")


def logged_by(experiment: Experiment) -> Mapping[str, Better]:
    """The names of the values that its runs log, and which way each is better.

    A loss that a variant reports under a condition only is among them.
    """
    logged: dict[str, Better] = {f"evaluation/{name}": SCORES[name].better for name in _scores(experiment)}
    if experiment.tracking.every_generator_updates <= experiment.budget.generator_updates:
        logged |= dict.fromkeys((*LOSSES, *reported_in(type(experiment.variant).__module__)), "neither")
    return logged


def _scores(experiment: Experiment) -> Iterator[str]:
    """The scores that the experiment's protocol gives of its samples: see `Protocol` for what is left out."""
    if experiment.evaluation.protocol is None:
        return
    protocol = load_protocol(experiment.evaluation.protocol)
    modes = protocol.extractor == "stacked-classifier" or getattr(experiment.data, "modes", None) is not None
    for name in protocol.scores:
        metric = SCORES[name].metric
        if metric in ("class_accuracy", "class_fid") and not experiment.generator.conditional:
            continue
        if metric == "modes" and not modes:
            continue
        if name == "high_quality" and protocol.samples != "points":
            continue
        yield name


@cache
def reported_in(module: str) -> tuple[str, ...]:
    """The losses that a variant's module names, and those of the variants' modules that it imports from.

    >>> reported_in("ganzoo.variants.acgan")
    ('discriminator/class_loss', 'generator/class_loss')
    """
    seen: dict[str, None] = {}
    queue, read = [module], set()
    while queue:
        name = queue.pop()
        if name in read:
            continue
        read.add(name)
        for node in ast.walk(_tree(name)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and LOSS.fullmatch(node.value):
                seen[node.value] = None
            queue += _variants_imported(node)
    return tuple(seen)


def _variants_imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ImportFrom) and node.module and ".variants." in f"{node.module}.":
        return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [alias.name for alias in node.names if ".variants." in alias.name] if isinstance(node, ast.Import) else []


def _tree(module: str) -> ast.Module:
    """The module's source; empty where the name is no module's, as of a class that is imported."""
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        spec = None
    if spec is None or spec.origin is None:
        return ast.Module(body=[], type_ignores=[])
    return ast.parse(Path(spec.origin).read_bytes())
