"""All the scores of a protocol, from what is seen of real and of fake samples."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, TypeVar, get_args

import torch
from torch import Tensor

from ganzoo.errors import InputError
from ganzoo.evaluation.extraction import Seen
from ganzoo.evaluation.metrics.classes import class_accuracy, inception_interval, inception_score, stacked_modes
from ganzoo.evaluation.metrics.estimate import Estimate, Interval, interval_of_share
from ganzoo.evaluation.metrics.frechet import (
    Gaussian,
    class_frechet,
    frechet_distance,
    frechet_infinity,
    frechet_interval,
    gaussian_statistics,
)
from ganzoo.evaluation.metrics.kernel import kernel_distance, kernel_interval
from ganzoo.evaluation.metrics.memorisation import authenticity
from ganzoo.evaluation.metrics.modes import mode_coverage
from ganzoo.evaluation.metrics.ms_ssim import ms_ssim_diversity
from ganzoo.evaluation.metrics.neighbours import NeighbourScores, neighbour_scores, radii
from ganzoo.evaluation.metrics.perceptual import Distance, lpips_diversity, perceptual_path_length
from ganzoo.evaluation.metrics.sliced_wasserstein import sliced_wasserstein
from ganzoo.evaluation.protocol import Protocol
from ganzoo.evaluation.references import Modes
from ganzoo.evaluation.scores import NEEDS, SCORES, Metric
from ganzoo.evaluation.sources import Drawable
from ganzoo.shapes import Labels

Part = TypeVar("Part")
Scores = dict[str, float]
Estimates = dict[str, Estimate]
Purpose = Literal["fakes", "given", "reals", "subsets", "infinity", "pairs", "patches", "paths"]
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)  # in an order that stays: it is part of what a seed means

PATHS_AT_ONCE = 32


def purpose_seed(protocol: Protocol, purpose: Purpose) -> torch.Generator:
    """A CPU generator for one purpose: what is chosen for one must not depend on how much another drew."""
    return torch.Generator().manual_seed(protocol.seed + 1_000_003 * PURPOSES.index(purpose))


def fewest_samples(protocol: Protocol) -> int:
    """The fewest samples that every metric of the protocol can do with."""
    line = protocol.fid_infinity_smallest + protocol.fid_infinity_sizes if "fid_infinity" in protocol.metrics else 2
    return max(line, protocol.precision_recall_k + 1, protocol.density_coverage_k + 1, protocol.inception_splits)


@dataclass(frozen=True)
class Reference:
    """The real samples' side of every score; what several comparisons need of it is computed once.

    Attributes:
        seen: what is seen of the samples; None where only statistics are at hand.
        summarise: mean and covariance of the features.
    """

    protocol: Protocol
    seen: Seen | None = field(repr=False)
    summarise: Callable[[], Gaussian] = field(repr=False)

    @property
    def samples(self) -> Seen:
        """Raises InputError where only statistics are at hand."""
        if self.seen is None:
            missing = ", ".join(metric for metric in self.protocol.metrics if "reals" in NEEDS[metric])
            refused = f"{missing} of protocol {self.protocol.name} needs the real samples, and these are statistics"
            raise InputError("--against", refused)
        return self.seen

    @property
    def features(self) -> Tensor:
        return _there(self.samples.features)

    @cached_property
    def statistics(self) -> Gaussian:
        return self.summarise()

    @cached_property
    def radii(self) -> dict[int, Tensor]:
        """For every k that the protocol uses, the (n,) distances to the k-th nearest other real samples."""
        return radii(self.features, _ks(self.protocol))


@dataclass(frozen=True)
class Comparison:
    """What is compared, and how.

    Attributes:
        modes: of the data, where they are a mixture.
        drawable: what made the fakes, where that is at hand.
        intervals: whether intervals are wanted that take work of their own.
        distance: LPIPS, where a metric of the protocol is made of it.
    """

    protocol: Protocol
    real: Reference
    fake: Seen
    modes: Modes | None = None
    drawable: Drawable | None = None
    intervals: bool = False
    distance: Distance | None = None

    @property
    def features(self) -> Tensor:
        return _there(self.fake.features)

    def in_no_order(self, rows: Tensor) -> Tensor:
        """What is cut short, split or blocked must be in no order, and files may be sorted by class."""
        return rows[torch.randperm(len(rows), generator=purpose_seed(self.protocol, "given"))]

    def fakes_in_no_order(self, rows: Tensor) -> Tensor:
        """The same of fakes; those that were drawn here are in none."""
        return rows if self.drawable is not None else self.in_no_order(rows)

    @cached_property
    def neighbours(self) -> NeighbourScores:
        """Both pairs of neighbour scores, in one pass over the distances."""
        asked = self.protocol.metrics
        return neighbour_scores(
            self.real.features,
            self.features,
            precision_recall_k=self.protocol.precision_recall_k if "precision_recall" in asked else None,
            density_coverage_k=self.protocol.density_coverage_k if "density_coverage" in asked else None,
            real_radii=self.real.radii,
        )


def compare(comparison: Comparison) -> Estimates:
    """Every score of the protocol that these samples can have, in the order of `SCORES`.

    Raises InputError where only statistics of the reference are at hand and a metric needs its samples, and for
    samples that a metric cannot do with (a class of which there is one, images too small).
    """
    found = Estimates()
    for metric in comparison.protocol.metrics:
        try:
            found |= METRICS[metric](comparison)
        except ValueError as error:
            raise InputError(f"protocol {comparison.protocol.name}", f"{metric}: {error}") from error
    return {key: found[key] for key in SCORES if key in found}


def _fid(c: Comparison) -> Estimates:
    features = c.features
    if c.protocol.fid_num_fake is not None:
        features = c.fakes_in_no_order(features)[: c.protocol.fid_num_fake]
    distance = frechet_distance(c.real.statistics, gaussian_statistics(features))
    return {"fid": Estimate(distance, frechet_interval(c.real.statistics, features) if c.intervals else None)}


def _fid_infinity(c: Comparison) -> Estimates:
    sizes, smallest = c.protocol.fid_infinity_sizes, c.protocol.fid_infinity_smallest
    generator = purpose_seed(c.protocol, "infinity")
    found = frechet_infinity(c.real.statistics, c.features, sizes=sizes, smallest=smallest, generator=generator)
    return {"fid_infinity": found}


def _class_fid(c: Comparison) -> Estimates:
    real, fake = c.real.samples.labels, c.fake.labels
    if real is None or fake is None:
        return {}
    return {"class_fid": class_frechet(c.real.features, real, c.features, fake)}


def _kid(c: Comparison) -> Estimates:
    size = c.protocol.kid_subset_size
    generator = purpose_seed(c.protocol, "subsets")
    distance = kernel_distance(
        c.real.features, c.features, subsets=c.protocol.kid_subsets, subset_size=size, generator=generator
    )
    if not c.intervals:
        return {"kid": Estimate(distance)}
    blocks = kernel_interval(c.in_no_order(c.real.features), c.in_no_order(c.features), block_size=size)
    reach = (blocks.high - blocks.low) / 2 if blocks else 0.0
    return {"kid": Estimate(distance, blocks and Interval(distance - reach, distance + reach, blocks.how))}


def _inception_score(c: Comparison) -> Estimates:
    logits, splits = c.fakes_in_no_order(_there(c.fake.logits)), c.protocol.inception_splits
    mean, deviation = inception_score(logits, splits=splits)
    interval = inception_interval(logits, splits=splits)
    return {"inception_score": Estimate(mean, interval), "inception_score_std": Estimate(deviation)}


def _precision_recall(c: Comparison) -> Estimates:
    found = c.neighbours.precision_recall
    return {} if found is None else found._asdict()


def _density_coverage(c: Comparison) -> Estimates:
    found = c.neighbours.density_coverage
    return {} if found is None else found._asdict()


def _authenticity(c: Comparison) -> Estimates:
    return {"authenticity": authenticity(c.real.features, c.features)}


def _class_accuracy(c: Comparison) -> Estimates:
    if c.fake.labels is None:
        return {}
    share = class_accuracy(_there(c.fake.logits), c.fake.labels)
    return {"class_accuracy": Estimate(share, interval_of_share(share, len(c.fake.labels)))}


def _modes(c: Comparison) -> Estimates:
    if c.fake.logits is not None:
        reached = stacked_modes(c.fake.logits)._asdict()
    elif c.modes is not None:
        centres, sigma = c.modes
        reached = mode_coverage(c.features, torch.tensor(centres, dtype=torch.float64), sigma)._asdict()
    else:
        return {}
    found = {key: Estimate(float(value)) for key, value in reached.items()}
    if quality := found.get("high_quality"):
        found["high_quality"] = Estimate(quality.value, interval_of_share(quality.value, len(c.fake)))
    return found


def _ms_ssim(c: Comparison) -> Estimates:
    images, generator = _there(c.fake.pixels), purpose_seed(c.protocol, "pairs")
    pairs = min(c.protocol.ms_ssim_pairs, _pairs_in(images, c.fake.labels))
    return {"ms_ssim": ms_ssim_diversity(images, pairs=pairs, labels=c.fake.labels, generator=generator)}


def _sliced_wasserstein(c: Comparison) -> Estimates:
    real, fake = _there(c.real.samples.pixels), _there(c.fake.pixels)
    n = min(len(real), len(fake), c.protocol.sliced_wasserstein_images)
    real, fake = c.in_no_order(real)[:n], c.fakes_in_no_order(fake)[:n]
    found = sliced_wasserstein(real, fake, generator=purpose_seed(c.protocol, "patches"))
    return {"sliced_wasserstein": Estimate(found.average)}


def _lpips(c: Comparison) -> Estimates:
    images, generator = _there(c.fake.pixels), purpose_seed(c.protocol, "pairs")
    pairs = min(c.protocol.lpips_pairs, _pairs_in(images, None))
    return {"lpips": lpips_diversity(_there(c.distance), images, pairs=pairs, generator=generator)}


def _ppl(c: Comparison) -> Estimates:
    if c.drawable is None:
        return {}
    protocol, generator = c.protocol, purpose_seed(c.protocol, "paths")
    start, labels = c.drawable.draw_inputs(protocol.ppl_paths, generator)
    end, _ = c.drawable.draw_inputs(protocol.ppl_paths, generator)
    found = perceptual_path_length(
        _there(c.distance),
        c.drawable.images_of,
        start,
        end,
        labels=labels,
        epsilon=protocol.ppl_epsilon,
        interpolation=protocol.ppl_interpolation,
        generator=generator,
        batch_size=PATHS_AT_ONCE,
    )
    return {"ppl": found}


METRICS: dict[Metric, Callable[[Comparison], Estimates]] = {
    "fid": _fid,
    "fid_infinity": _fid_infinity,
    "class_fid": _class_fid,
    "kid": _kid,
    "inception_score": _inception_score,
    "precision_recall": _precision_recall,
    "density_coverage": _density_coverage,
    "authenticity": _authenticity,
    "class_accuracy": _class_accuracy,
    "modes": _modes,
    "ms_ssim": _ms_ssim,
    "sliced_wasserstein": _sliced_wasserstein,
    "lpips": _lpips,
    "ppl": _ppl,
}


def _ks(protocol: Protocol) -> set[int]:
    ks = {protocol.precision_recall_k} if "precision_recall" in protocol.metrics else set()
    return ks | ({protocol.density_coverage_k} if "density_coverage" in protocol.metrics else set())


def _pairs_in(images: Tensor, labels: Labels | None) -> int:
    """How many pairs, of one class where there are classes, without an image in two."""
    return len(images) // 2 if labels is None else int((labels.bincount() // 2).sum())


def _there(part: Part | None) -> Part:
    if part is None:  # Evaluator looks at what the protocol's metrics need
        raise ValueError("the samples were not looked at for this metric")
    return part
