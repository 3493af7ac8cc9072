"""All the scores of a protocol, from the features of real and fake samples."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ganzoo.evaluation.extractors.base import Extracted
from ganzoo.evaluation.metrics.classes import class_accuracy, inception_score
from ganzoo.evaluation.metrics.frechet import Gaussian, frechet_distance, gaussian_statistics
from ganzoo.evaluation.metrics.kernel import kernel_distance
from ganzoo.evaluation.metrics.modes import mode_coverage
from ganzoo.evaluation.metrics.neighbours import density_coverage, neighbour_radii, precision_recall
from ganzoo.evaluation.protocol import Protocol
from ganzoo.shapes import Labels

Scores = dict[str, float]
Modes = tuple[tuple[tuple[float, float], ...], float]  # centres and standard deviation of a mixture
PURPOSES = {"fakes": 0, "given": 1, "reals": 2, "subsets": 3}


@dataclass(frozen=True)
class Reference:
    """The real samples' side of every score.

    Attributes:
        features: (n, d) float64, on the CPU.
        statistics: their mean and covariance.
        radii: for every k that the protocol uses, the (n,) distances to the k-th nearest neighbours.
    """

    features: Tensor
    statistics: Gaussian
    radii: dict[int, Tensor]


def purpose_seed(protocol: Protocol, purpose: Literal["fakes", "given", "reals", "subsets"]) -> torch.Generator:
    """A CPU generator for one purpose: what is chosen for one must not depend on how much another drew."""
    return torch.Generator().manual_seed(protocol.seed + 1_000_003 * PURPOSES[purpose])


def fewest_samples(protocol: Protocol) -> int:
    """The fewest samples that every metric of the protocol can do with."""
    return max(2, protocol.precision_recall_k + 1, protocol.density_coverage_k + 1, protocol.inception_splits)


def make_reference(protocol: Protocol, features: Tensor) -> Reference:
    """What every later comparison with these real features needs, computed once."""
    ks = {protocol.precision_recall_k} if "precision_recall" in protocol.metrics else set()
    ks |= {protocol.density_coverage_k} if "density_coverage" in protocol.metrics else set()
    radii = {k: neighbour_radii(features, k) for k in ks}
    return Reference(features, gaussian_statistics(features), radii)


def compare(
    protocol: Protocol, real: Reference, fake: Extracted, *, labels: Labels | None = None, modes: Modes | None = None
) -> Scores:
    """Every score of the protocol, in its order; of the metrics modes and class_accuracy where there are such."""
    found: Scores = {}
    for metric in protocol.metrics:
        match metric:
            case "fid":
                found["fid"] = frechet_distance(real.statistics, gaussian_statistics(fake.features))
            case "kid":
                found["kid"] = _kid(protocol, real, fake)
            case "inception_score":
                found |= _inception_score(protocol, fake)
            case "precision_recall":
                found |= _precision_recall(protocol.precision_recall_k, real, fake)
            case "density_coverage":
                found |= _density_coverage(protocol.density_coverage_k, real, fake)
            case "class_accuracy" if labels is not None:
                assert fake.logits is not None  # a protocol for points refuses this metric
                found["class_accuracy"] = class_accuracy(fake.logits, labels)
            case "modes" if modes is not None:
                found |= _modes(fake, modes)
    return {key: found[key] for key in protocol.scores if key in found}


def _kid(protocol: Protocol, real: Reference, fake: Extracted) -> float:
    return kernel_distance(
        real.features,
        fake.features,
        subsets=protocol.kid_subsets,
        subset_size=protocol.kid_subset_size,
        generator=purpose_seed(protocol, "subsets"),
    )


def _inception_score(protocol: Protocol, fake: Extracted) -> Scores:
    assert fake.logits is not None  # a protocol for points refuses this metric
    mean, deviation = inception_score(fake.logits, splits=protocol.inception_splits)
    return {"inception_score": mean, "inception_score_std": deviation}


def _precision_recall(k: int, real: Reference, fake: Extracted) -> Scores:
    precision, recall = precision_recall(real.features, fake.features, k=k, real_radii=real.radii[k])
    return {"precision": precision, "recall": recall}


def _density_coverage(k: int, real: Reference, fake: Extracted) -> Scores:
    density, coverage = density_coverage(real.features, fake.features, k=k, real_radii=real.radii[k])
    return {"density": density, "coverage": coverage}


def _modes(fake: Extracted, modes: Modes) -> Scores:
    centres, sigma = modes
    found = mode_coverage(fake.features, torch.tensor(centres, dtype=torch.float64), sigma)
    return {key: float(value) for key, value in found._asdict().items()}
