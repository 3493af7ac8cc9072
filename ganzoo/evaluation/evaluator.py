"""Scores a generator, or samples from anywhere, by a protocol."""

from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganzoo.components import DATASETS
from ganzoo.config import to_plain
from ganzoo.data.base import DataConfig
from ganzoo.errors import InputError
from ganzoo.evaluation.cache import FeatureCache
from ganzoo.evaluation.extraction import Seen, Sight, Tell, isolated
from ganzoo.evaluation.extractors.base import Extractor
from ganzoo.evaluation.extractors.loading import extractor_of
from ganzoo.evaluation.metrics.frechet import Gaussian
from ganzoo.evaluation.metrics.perceptual import load_lpips
from ganzoo.evaluation.protocol import Protocol
from ganzoo.evaluation.references import Mirrored, Reals, fitting, reals_of
from ganzoo.evaluation.scoring import (
    Comparison,
    Estimates,
    Reference,
    Scores,
    compare,
    fewest_samples,
    purpose_seed,
)
from ganzoo.evaluation.sources import Draw, Drawable, DrawnSource, GeneratedSource, HeldSource, Source
from ganzoo.evaluation.stored import StoredView
from ganzoo.ranks import on_first, rank

RANGE_SLACK = 0.01  # images this far out of [-1, 1] are clipped; beyond, they are in another range


class TooFewSamples(InputError):
    """Fewer samples than the protocol scores."""


class Evaluator:
    """Scores samples by `protocol` against real samples. These are read at the first score.

    It leaves no trace in the process: it draws from random generators of its own, keeps no autograd graph, holds
    autocast off while it works, and its extractor is no part of any other module.

    On several processes all must call the same methods; each looks at its part of the samples, and all get the scores,
    which are those of one process.

    Args:
        real: a data set, or `Reals`.
        extractor_file: of weights, for protocols that take one.
        extractor: the protocol's, if it is loaded already.
        device: where the extractor runs and where fakes are drawn; the scores are computed on the CPU in float64.
        batch_size: samples through generator and extractor at a time; None: what suits the extractor. Of it the
            scores are independent to rounding.
        tell: called with (what, done, all) while samples are looked at.

    Raises InputError where the protocol does not fit the data, or the extractor cannot be had.
    """

    def __init__(
        self,
        protocol: Protocol,
        real: DataConfig | Reals,
        *,
        extractor_file: Path | None = None,
        extractor: Extractor | None = None,
        device: torch.device | None = None,
        batch_size: int | None = None,
        tell: Tell | None = None,
    ):
        if isinstance(real, DataConfig):
            if reason := protocol.refuses(real, DATASETS.name_of(real), extractor_file):
                raise InputError("evaluation", reason)
            real = reals_of(real, protocol)
        elif reason := protocol.refuses_extractor(extractor_file):
            raise InputError("--extractor", reason)
        self.protocol, self.real, self.tell = protocol, real, tell
        self.extractor = extractor or extractor_of(protocol, extractor_file)
        self.distance = load_lpips() if protocol.needs("perception") else None
        self.batch_size = batch_size or (self.extractor.batch_size if self.extractor else protocol.batch_size)
        self.cache = FeatureCache()
        self.to(device or torch.device("cpu"))

    def to(self, device: torch.device) -> None:
        """Moves the extractor; from now on fakes are expected on that device."""
        self.device = device
        if self.extractor is not None:
            self.extractor.to(device)
        if self.distance is not None:
            self.distance.to(device)

    @property
    def sight(self) -> Sight:
        pixels = self.protocol.needs("pixels")
        return Sight(self.extractor, self.device, self.batch_size, self.protocol.quantise, pixels)

    def score(self, draw: Draw | Drawable) -> Scores:
        """The scores of `draw(n, generator)`: n fakes in [-1, 1] (points: as they are), or those and their classes.

        All fakes come from one CPU generator seeded by the protocol, so the same weights give the same scores.

        Raises BrokenSamples (a Diverged) where fakes are NaN or infinite.
        """
        fakes = self.fakes_of(draw)
        seen = self.sight.see(fakes, torch.arange(fakes.count), self.tell)
        return values_of(self.estimates(seen, drawable=draw if isinstance(draw, Drawable) else None))

    def fakes_of(self, draw: Draw | Drawable) -> Source:
        """The protocol's fakes, numbered."""
        protocol, generator = self.protocol, purpose_seed(self.protocol, "fakes")
        if isinstance(draw, Drawable):
            return GeneratedSource(draw, protocol.num_fake, block=protocol.batch_size, generator=generator)
        return DrawnSource(draw, protocol.num_fake, block=protocol.batch_size, generator=generator)

    def score_samples(self, values: Tensor) -> Scores:
        """The scores of given samples: uint8 pixels, or floats in [-1, 1] (points: as they are).

        Where there are more than the protocol scores, a random choice of them, the same every time.

        Raises TooFewSamples where there are fewer, InputError for a wrong shape, another range, NaN or infinity.
        """
        self._check_given(values)
        samples = HeldSource("samples", values, None)
        return values_of(self.estimates(self.sight.see(samples, self.chosen(samples), self.tell)))

    def chosen(self, samples: Source) -> Tensor:
        """Indices of the samples that are scored. Raises TooFewSamples where the protocol scores more."""
        refuse_too_few(self.protocol, samples)
        return some_of(samples.count, self.protocol.num_fake, purpose_seed(self.protocol, "given"))

    def estimates(self, seen: Seen | None, *, drawable: Drawable | None = None, intervals: bool = False) -> Estimates:
        """The scores of what was seen of samples (None: on another process than the first)."""
        reference = self.reference

        def compared() -> Estimates:
            assert seen is not None  # on the first process something was
            self._refuse_other_features(seen)
            modes, distance = self.real.modes, self.distance
            return compare(Comparison(self.protocol, reference, seen, modes, drawable, intervals, distance))

        with isolated(self.device):
            return on_first(compared)

    def _refuse_other_features(self, seen: Seen) -> None:
        real = self.real.reference
        if isinstance(real, Gaussian) and seen.features is not None and seen.features.shape[1] != len(real.mean):
            mine = f"{self.protocol.extractor} gives {seen.features.shape[1]}"
            raise InputError(self.real.name, f"these are statistics of {len(real.mean)} features, and {mine}")

    def floor(self) -> Scores:
        """The scores of other real samples, by default the held-out ones: what a generator as good as the data gets.

        As many as the protocol has fakes, or all there are. Raises TooFewSamples where these do not suffice, InputError
        where there are no other real samples.
        """
        if self.real.floor is None:
            raise InputError(self.real.name, "has no other real samples to measure a floor on")
        source, fewest = self.real.floor(), fewest_samples(self.protocol)
        if source.count < fewest:
            wanted = f"protocol {self.protocol.name} needs {fewest} of them, and there are {source.count}"
            raise TooFewSamples(f"real samples for the floor ({source.name})", wanted)
        some = some_of(source.count, self.protocol.num_fake, purpose_seed(self.protocol, "given"))
        return values_of(self.estimates(StoredView(source, some, self.sight, self.cache).see(self.tell)))

    @cached_property
    def reference(self) -> Reference:
        """Raises TooFewSamples where the real samples are fewer than the protocol asks for."""
        real = self.real.reference
        if not self.compares:
            return Reference(self.protocol, None, _unread)
        if isinstance(real, Gaussian):
            statistics = real
            return Reference(self.protocol, None, lambda: statistics)
        view = self.real_view
        if not self.protocol.needs("reals"):
            known = view.known_statistics() if rank() == 0 else None
            if on_first(lambda: known is not None):
                return Reference(self.protocol, None, lambda: known)  # type: ignore[arg-type,return-value]
        seen = view.see(self.tell)
        return Reference(self.protocol, seen, lambda: view.statistics(seen.features))  # type: ignore

    @cached_property
    def real_view(self) -> StoredView:
        """The reference's samples. Raises TooFewSamples where they are fewer than the protocol asks for."""
        real, protocol = self.real.reference, self.protocol
        assert not isinstance(real, Gaussian)  # which has none
        source = Mirrored(real()) if protocol.flips else real()
        wanted = protocol.num_real or fewest_samples(protocol)
        if source.count < wanted:
            found = f"protocol {protocol.name} needs {wanted}, and there are {source.count}"
            raise TooFewSamples(f"real samples ({source.name})", found)
        limit = protocol.num_real or protocol.max_real or source.count
        some = some_of(source.count, limit, purpose_seed(protocol, "reals"))
        return StoredView(source, some, self.sight, self.cache)

    def fitted(self, samples: Source) -> Source:
        """The samples as they can be compared with the reference. Raises InputError where they cannot."""
        real = self.real.reference
        return fitting(samples, real(), self.protocol) if self.compares and not isinstance(real, Gaussian) else samples

    @property
    def compares(self) -> bool:
        """Whether a metric looks at real samples: a path length does not."""
        return self.protocol.needs("features") or self.protocol.needs("reals")

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

    def about(self) -> dict[str, Any]:
        """For records: the protocol, the extractor and its weights, the reference."""
        extractor: dict[str, Any] = {"name": self.protocol.extractor}
        if self.extractor is not None and self.extractor.weights_sha256:
            extractor |= {"weights_sha256": self.extractor.weights_sha256, **self.extractor.about}
        reference = dict(self.real.about)
        if "real_view" in self.__dict__:  # it was read
            reference |= {"count": len(self.real_view.indices), "sha256": self.real_view.sha256}
        return {"protocol": to_plain(self.protocol), "extractor": extractor, "reference": reference}


def refuse_too_few(protocol: Protocol, samples: Source) -> None:
    """Raises TooFewSamples where the protocol scores more than there are."""
    if samples.count < protocol.num_fake:
        wanted = f"protocol {protocol.name} scores {protocol.num_fake} samples, and there are {samples.count}"
        raise TooFewSamples(samples.name, wanted)


def _unread() -> Gaussian:
    raise ValueError("no metric of this protocol looks at the real samples")


def values_of(estimates: Estimates) -> Scores:
    """The scores without their intervals."""
    return {name: estimate.value for name, estimate in estimates.items()}


def some_of(count: int, limit: int, generator: torch.Generator) -> Tensor:
    """Indices of `limit` samples at random, in order; of all where there are no more. Data may be sorted by class.

    Of one generator, those of a smaller limit are among those of a larger one.
    """
    if count <= limit:
        return torch.arange(count)
    return torch.randperm(count, generator=generator)[:limit].sort().values
