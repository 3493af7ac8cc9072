"""Scores a generator, or images from anywhere, by a protocol."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from ganzoo.components import DATASETS, implementation
from ganzoo.data.base import DataConfig, PointsConfig, Split
from ganzoo.data.samples import Samples, to_network_range, to_pixels
from ganzoo.errors import Diverged, InputError
from ganzoo.evaluation.extractors.base import Coordinates, Extracted
from ganzoo.evaluation.extractors.classifier import DIGITS, Card, load_extractor
from ganzoo.evaluation.protocol import Protocol
from ganzoo.evaluation.scoring import Modes, Reference, Scores, compare, fewest_samples, make_reference, purpose_seed
from ganzoo.shapes import Images, Labels

EXTRACT = 250  # samples through the extractor at a time, however they were drawn: scores do not depend on batches
RANGE_SLACK = 0.01  # images this far out of [-1, 1] are clipped; beyond, they are in another range

Draw = Callable[[int, torch.Generator], Images | tuple[Images, Labels | None]]


class BrokenSamples(Diverged):
    """The generator's samples are NaN or infinite, so that there is nothing to score."""


class TooFewSamples(InputError):
    """Fewer samples than the protocol scores."""


class Evaluator:
    """Scores samples by `protocol` against the real samples of `data`. The reference is read at the first score.

    It leaves no trace in the process: it draws from random generators of its own, keeps no autograd graph, holds
    autocast off while it works, and its extractor is no part of any other module.

    Args:
        extractor_file: for protocols whose extractor is `classifier`.
        device: where the extractor runs and where fakes are drawn; the scores are computed on the CPU in float64.

    Raises InputError where the protocol does not fit the data, or the extractor file is none.
    """

    def __init__(
        self,
        protocol: Protocol,
        data: DataConfig,
        *,
        extractor_file: Path | None = None,
        device: torch.device | None = None,
    ):
        reason = protocol.refuses(data, DATASETS.name_of(data), extractor_file)
        if reason:
            raise InputError("evaluation", reason)
        self.protocol, self.data, self.device = protocol, data, device or torch.device("cpu")
        self.card: Card | None = None
        if protocol.extractor == "coordinates":
            self._extractor: torch.nn.Module = Coordinates()
        else:
            self._extractor, self.card = load_extractor(extractor_file or DIGITS)
        self.to(self.device)

    def to(self, device: torch.device) -> None:
        """Moves the extractor; from now on fakes are expected on that device."""
        self.device = device
        self._extractor.to(device, self._dtype)

    def score(self, draw: Draw) -> Scores:
        """The scores of `draw(n, generator)`: n fakes in [-1, 1] (points: as they are), or those and their classes.

        All fakes come from one CPU generator seeded by the protocol, so the same weights give the same scores. Of the
        batch size the scores are independent as far as `draw` is: torch.rand is, torch.randn is not.

        Raises BrokenSamples (a Diverged) where fakes are NaN or infinite.
        """
        with isolated(self.device):
            generator = purpose_seed(self.protocol, "fakes")
            labels: list[Labels] = []
            fake = self._extract(self._seen(drawn(draw, n, generator, labels)) for n in self._batch_sizes())
            known = torch.cat(labels) if labels else None
            return compare(self.protocol, self.reference, fake, labels=known, modes=self._modes)

    def score_samples(self, values: Tensor) -> Scores:
        """The scores of given samples: uint8 pixels, or floats in [-1, 1] (points: as they are).

        Where there are more than the protocol scores, a random choice of them, the same every time.

        Raises TooFewSamples where there are fewer, InputError for a wrong shape, another range, NaN or infinity.
        """
        if len(values) < self.protocol.num_fake:
            raise TooFewSamples(
                "samples", f"protocol {self.protocol.name} scores {self.protocol.num_fake}, and there are {len(values)}"
            )
        return self._score_given(values, None)

    def floor(self) -> Scores:
        """The scores of the held-out real samples: what a generator as good as the data gets.

        As many as the protocol has fakes, or all held-out samples where there are fewer. Raises TooFewSamples where
        these do not suffice for the metrics.
        """
        heldout, fewest = self._load("heldout"), fewest_samples(self.protocol)
        values = heldout.values
        if len(values) < fewest:
            raise TooFewSamples(
                "held-out samples", f"protocol {self.protocol.name} needs {fewest} of them, and there are {len(values)}"
            )
        return self._score_given(values, heldout.labels if self.data.num_classes else None)

    def _score_given(self, values: Tensor, labels: Labels | None) -> Scores:
        self._check_given(values)
        with isolated(self.device):
            some = chosen(len(values), self.protocol.num_fake, purpose_seed(self.protocol, "given"))
            fake = self._extract([self._seen(values[some])])
            known = None if labels is None else labels[some]
            return compare(self.protocol, self.reference, fake, labels=known, modes=self._modes)

    def _check_given(self, values: Tensor) -> None:
        points = self.protocol.samples == "points"
        if values.shape[1:] != (2,) if points else values.ndim != 4 or values.shape[1] not in (1, 3):
            wanted = "(n, 2)" if points else "(n, 1 or 3, h, w)"
            raise InputError("samples", f"their shape {tuple(values.shape)} must be {wanted}")
        if values.dtype == torch.uint8:
            return
        if not torch.isfinite(values).all():
            raise InputError("samples", "some are NaN or infinite")
        if not points and values.abs().max() > 1 + RANGE_SLACK:
            raise InputError("samples", f"floats must be in [-1, 1]; these reach {values.abs().max().item():.4g}")

    def _batch_sizes(self) -> Iterator[int]:
        left = self.protocol.num_fake
        while left > 0:
            yield min(left, self.protocol.batch_size)
            left -= self.protocol.batch_size

    def _load(self, split: Split) -> Samples:
        """A split at the protocol's resolution: uint8 pixels, or points, and their labels."""
        at_size = {} if self.protocol.resolution is None else {"resolution": self.protocol.resolution}
        module, config = implementation(self.data.replace(**at_size))
        return module.load(config, split)

    @cached_property
    def reference(self) -> Reference:
        """Raises TooFewSamples where the train split is smaller than the protocol asks for."""
        protocol, values = self.protocol, self._load("train").values
        wanted = protocol.num_real or fewest_samples(protocol)
        if len(values) < wanted:
            raise TooFewSamples(
                "real samples", f"protocol {protocol.name} needs {wanted}, and the train split has {len(values)}"
            )
        with isolated(self.device):
            limit = protocol.num_real or protocol.max_real or len(values)
            some = chosen(len(values), limit, purpose_seed(protocol, "reals"))
            return make_reference(protocol, self._extract([self._seen(values[some])]).features)

    @property
    def _dtype(self) -> torch.dtype:
        """Of the extractor: float64 on CUDA, where float32 convolutions are TF32 or not by a global switch."""
        return torch.float64 if self.device.type == "cuda" else torch.float32

    @property
    def _modes(self) -> Modes | None:
        return self.data.modes if isinstance(self.data, PointsConfig) else None

    def _seen(self, samples: Tensor) -> Tensor:
        """Samples as the protocol looks at them: quantised to uint8 or not. Raises BrokenSamples for NaN, infinity."""
        if samples.dtype == torch.uint8:
            return samples
        refuse_broken(samples, "generated samples")
        return to_pixels(samples) if self.protocol.quantise else samples.float()

    def _extract(self, batches: Iterable[Tensor]) -> Extracted:
        """Features, and logits if any, of all batches, in float64 on the CPU."""
        parts = [
            self._extractor(to_network_range(part.to(self.device)).to(self._dtype))
            for part in regrouped(batches, EXTRACT)
        ]
        features = torch.cat([part.features for part in parts]).cpu().double()
        refuse_broken(features, "features of samples")
        logits = None if parts[0].logits is None else torch.cat([part.logits for part in parts]).cpu().double()
        return Extracted(features, logits)


def drawn(draw: Draw, n: int, generator: torch.Generator, labels: list[Labels]) -> Tensor:
    """The next fakes; their classes, if told, go to `labels`. Raises ValueError for another number than asked for."""
    answer = draw(n, generator)
    batch, classes = answer if isinstance(answer, tuple) else (answer, None)
    if len(batch) != n:
        raise ValueError(f"asked for {n} fakes, the generator gave {len(batch)}")
    if classes is not None:
        labels.append(classes.cpu())
    return batch


def refuse_broken(values: Tensor, what: str) -> None:
    """Raises BrokenSamples where some of the values are NaN or infinite."""
    broken = int((~torch.isfinite(values)).flatten(1).any(dim=1).sum())
    if broken:
        raise BrokenSamples(f"{broken} of {len(values)} {what} are NaN or infinite")


def chosen(count: int, limit: int, generator: torch.Generator) -> Tensor:
    """Indices of `limit` samples at random, in order; of all where there are no more. Data may be sorted by class."""
    if count <= limit:
        return torch.arange(count)
    return torch.randperm(count, generator=generator)[:limit].sort().values


def regrouped(batches: Iterable[Tensor], size: int) -> Iterator[Tensor]:
    """The same samples in groups of `size`, the last one smaller: float32 sums depend on the size of a batch."""
    held = None
    for batch in batches:
        held = batch if held is None else torch.cat([held, batch])
        while len(held) >= size:
            yield held[:size]
            held = held[size:]
    if held is not None and len(held):
        yield held


@contextmanager
def isolated(device: torch.device) -> Iterator[None]:
    """No gradients, no inference tensors (later training could not update them), no autocast."""
    with (
        torch.inference_mode(False),
        torch.no_grad(),
        torch.autocast(device.type, enabled=False),
    ):
        yield
