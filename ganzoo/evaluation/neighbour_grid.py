"""A picture of fakes beside the real images that are nearest to them, as the extractor sees: are they copies?"""

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from ganzoo.data.samples import to_network_range
from ganzoo.errors import InputError
from ganzoo.evaluation.evaluator import Evaluator
from ganzoo.evaluation.metrics.memorisation import nearest
from ganzoo.evaluation.sources import Source
from ganzoo.sampling import save_grid

ROWS = COLUMNS = 8  # a row: a fake, and its seven nearest


def save_neighbour_grid(evaluator: Evaluator, fakes: Source, path: Path) -> None:
    """Rows of a fake (left) and the nearest images of the reference, nearest first.

    Raises InputError where the protocol has no extractor, or the reference no samples.
    """
    if evaluator.protocol.samples != "images" or evaluator.extractor is None:
        raise InputError("--neighbours", f"protocol {evaluator.protocol.name} has no features of images")
    shown = evaluator.chosen(fakes)[:ROWS]
    found = evaluator.sight.see(fakes, shown)
    assert found is not None and found.features is not None  # this is one process, with an extractor
    _, indices = nearest(found.features, evaluator.reference.features, count=COLUMNS - 1)
    view = evaluator.real_view
    reals = torch.cat(list(view.source.batches(list(view.indices[indices]))))
    save_grid(_rows(_in_range(fakes, shown), to_network_range(reals)), path)


def _in_range(fakes: Source, shown: Tensor) -> Tensor:
    return to_network_range(next(iter(fakes.batches([shown]))).cpu())


def _rows(fakes: Tensor, reals: Tensor) -> Tensor:
    """(rows * columns, c, h, w), at the reals' size and with the reals' channels."""
    resized = functional.interpolate(fakes, size=reals.shape[2:], mode="nearest").expand(-1, reals.shape[1], -1, -1)
    return torch.cat([resized[:, None], reals.view(len(fakes), COLUMNS - 1, *reals.shape[1:])], dim=1).flatten(0, 1)
