"""ganzoo trains, compares and reproduces generative adversarial networks. Names load on first use."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from ganzoo.evaluation.evaluate import evaluate
    from ganzoo.experiment import load_experiment
    from ganzoo.training.build import load_generator
    from ganzoo.training.run import resume, train

__all__ = ["evaluate", "load_experiment", "load_generator", "resume", "train"]

_HOMES = {
    "evaluate": "ganzoo.evaluation.evaluate",
    "load_experiment": "ganzoo.experiment",
    "load_generator": "ganzoo.training.build",
    "resume": "ganzoo.training.run",
    "train": "ganzoo.training.run",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
