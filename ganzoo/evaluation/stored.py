"""Real samples are looked at once: what an extractor makes of them is kept on the disk, for every later evaluation."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property

from torch import Tensor

from ganzoo.evaluation.cache import Entry, FeatureCache
from ganzoo.evaluation.extraction import Seen, Sight, Tell, isolated
from ganzoo.evaluation.extractors.base import Coordinates
from ganzoo.evaluation.metrics.frechet import Gaussian, gaussian_statistics
from ganzoo.evaluation.sources import StoredSource
from ganzoo.ranks import on_first, rank

WORTH_KEEPING = 10_000_000  # numbers: the mean and covariance of fewer features are computed faster than they are read


@dataclass
class StoredView:
    """Some stored samples, as `sight` sees them, with a cache behind it."""

    source: StoredSource
    indices: Tensor
    sight: Sight
    cache: FeatureCache

    @cached_property
    def sha256(self) -> str:
        """Of the samples' content."""
        return self.source.sha256(self.indices)

    @cached_property
    def key(self) -> dict[str, str]:
        """All that the features depend on."""
        extractor = self.sight.extractor
        identity = extractor.identity if extractor else "none"
        return {"samples": self.sha256, "extractor": identity, "quantised": str(self.sight.quantise)}

    @property
    def is_kept(self) -> bool:
        """Whether there is something worth keeping."""
        return self.sight.extractor is not None and not isinstance(self.sight.extractor, Coordinates)

    def see(self, tell: Tell | None = None) -> Seen | None:
        """As `Sight.see`, features and logits from the cache where they are there. By all processes together."""
        if not self.is_kept:
            return self.sight.see(self.source, self.indices, tell)
        with self._entry() as entry, isolated(self.sight.device):
            found = entry.read() if entry else None
            if on_first(lambda: found is None):
                seen = replace(self.sight, keep_pixels=False).see(self.source, self.indices, tell)
                found = None if seen is None else _tensors(seen)
                if entry and found:
                    entry.write(found)
        pixels = replace(self.sight, extractor=None).see(self.source, self.indices) if self.sight.keep_pixels else None
        if found is None:
            return None
        labels = None if self.source.labels is None else self.source.labels[self.indices]
        return Seen(found["features"], found.get("logits"), labels, pixels.pixels if pixels else None)

    def known_statistics(self) -> Gaussian | None:
        """Mean and covariance of the features, where they were kept. For the first process."""
        if not self.is_kept:
            return None
        with self.cache.entry(self._statistics_key) as entry:
            found = entry.read()
        return Gaussian(found["mean"], found["covariance"]) if found else None

    def statistics(self, features: Tensor) -> Gaussian:
        """Mean and covariance of the features, kept where that is worth it. For the first process."""
        found = gaussian_statistics(features)
        if self.is_kept and features.numel() > WORTH_KEEPING and len(features) > features.shape[1]:
            with self.cache.entry(self._statistics_key) as entry:
                entry.write({"mean": found.mean, "covariance": found.covariance})
        return found

    @property
    def _statistics_key(self) -> dict[str, str]:
        return {**self.key, "of": "mean and covariance"}

    @contextmanager
    def _entry(self) -> Iterator[Entry | None]:
        """The entry, held by the first process of several; None on the others."""
        on_first(lambda: self.key)  # what cannot be read is told by all of them, before one of them waits
        if rank() != 0:
            yield None
            return
        with self.cache.entry(self.key) as entry:
            yield entry


def _tensors(seen: Seen) -> dict[str, Tensor]:
    assert seen.features is not None  # it was looked at with an extractor
    return {"features": seen.features} | ({} if seen.logits is None else {"logits": seen.logits})
