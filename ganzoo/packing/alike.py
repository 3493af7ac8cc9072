"""Which runs can be trained at once. No torch here: it is asked before anything is trained."""

from collections.abc import Iterator

from ganzoo.components import VARIANTS
from ganzoo.config import to_plain
from ganzoo.errors import Problem
from ganzoo.experiment import Experiment
from ganzoo.records.run_directory import flat

MOST_PACKED = 1024
# What each member of a pack has for itself. All else is part of the one computation of their losses, or of the process.
MAY_DIFFER = (
    "name",
    "seed",
    "optimizer",
    "budget",
    "ema",
    "evaluation",
    "samples",
    "checkpoint",
    "tracking",
    "trainer.progress",
)


def kind_of(experiment: Experiment) -> str:
    """Two experiments can be trained at once where this is equal."""
    settings = flat(to_plain(experiment))
    return repr({key: value for key, value in settings.items() if not _may_differ(key)})


def problems_of_packing(experiment: Experiment) -> Iterator[Problem]:
    """Why runs of the experiment cannot be trained at once, whatever the others are."""
    reason, trainer = type(experiment.variant).never_packed, experiment.trainer
    if reason is not None:
        name = VARIANTS.name_of(experiment.variant)
        yield Problem("variant.name", f"{name} cannot be trained in a pack: {reason}; leave pack out")
    if str(trainer.precision) != "32":
        yield Problem("trainer.precision", f"{trainer.precision} must be 32 in a pack; or leave pack out")
    if trainer.ranks > 1:
        yield Problem("trainer.devices", f"a pack is trained on one device, not on {trainer.ranks}; leave pack out")
    if trainer.accumulate > 1:
        yield Problem("trainer.accumulate", f"{trainer.accumulate} must be 1 in a pack; or leave pack out")


def _may_differ(key: str) -> bool:
    return any(key == prefix or key.startswith(f"{prefix}.") for prefix in MAY_DIFFER)
