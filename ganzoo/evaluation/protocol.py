"""A protocol: the named, versioned way in which a score is made. No torch here, so that a wrong name costs no time.

A protocol is one YAML file, shipped in `protocols/` beside this file or given by its path. What a published protocol
does never changes: a change is a new file with a higher version.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from ganzoo.config import Builder, Settings, setting
from ganzoo.data.base import DataConfig
from ganzoo.errors import InputError, Problem, did_you_mean

PROTOCOLS = Path(__file__).parent / "protocols"

Metric = Literal["fid", "kid", "inception_score", "precision_recall", "density_coverage", "class_accuracy", "modes"]
Extractor = Literal["digits", "coordinates", "classifier"]


@dataclass(frozen=True)
class Score:
    """One number that a metric gives: the metric, which way is better, and what it is, with its paper."""

    metric: Metric
    better: Literal["lower", "higher", "neither"]
    summary: str


SCORES = {
    "fid": Score("fid", "lower", "Fréchet distance of features, >= 0 (Heusel et al. 2017, arXiv:1706.08500)"),
    "kid": Score("kid", "lower", "kernel distance of features, unbiased around 0 (Bińkowski et al. 2018, 1801.01401)"),
    "inception_score": Score("inception_score", "higher", "sharp and diverse classes, 1 to K (Salimans et al. 2016)"),
    "inception_score_std": Score("inception_score", "neither", "standard deviation of the score over the splits"),
    "precision": Score("precision_recall", "higher", "share of fakes among the reals, 0 to 1 (arXiv:1904.06991)"),
    "recall": Score("precision_recall", "higher", "share of reals among the fakes, 0 to 1 (arXiv:1904.06991)"),
    "density": Score("density_coverage", "higher", "how densely reals surround fakes, about 1 (arXiv:2002.09797)"),
    "coverage": Score("density_coverage", "higher", "share of reals with a fake nearby, 0 to 1 (arXiv:2002.09797)"),
    "class_accuracy": Score("class_accuracy", "higher", "share of samples of the class that was asked for, 0 to 1"),
    "modes": Score("modes", "higher", "modes with a sample within 3 sigma (Lin et al. 2017, arXiv:1712.04086)"),
    "high_quality": Score(
        "modes", "higher", "share of samples within 3 sigma of a mode; a perfect 2-D sampler: 0.9889"
    ),
    "reverse_kl": Score("modes", "lower", "KL of the samples' modes from uniform, nats, >= 0 (arXiv:1712.04086)"),
}


@dataclass(frozen=True, kw_only=True)
class Protocol(Settings):
    """How samples are scored. The order of work: take, quantise, resize, extract features, compare with the reals.

    The metric `modes` is left out where the data have no modes (a swiss roll), `class_accuracy` where the samples were
    not made to be of a class; every other metric is always there.
    """

    name: str = setting(help="the file's name, which ends in its version: digits-v1")
    samples: Literal["images", "points"] = setting(help="what is scored")
    data: tuple[str, ...] = setting((), "the data sets that it is for; empty: any")
    num_real: int | None = setting(None, "reference: that many of the train split; null: all of it", at_least=2)
    max_real: int | None = setting(None, "where num_real is null: at most that many of the train split", at_least=2)
    num_fake: int = setting(help="fakes, and held-out samples for the floor", at_least=2, at_most=1_000_000)
    extractor: Extractor = setting(help="classifier: the file that the experiment's evaluation.extractor names")
    resolution: int | None = setting(None, "the reference is read at this size; null: the experiment's", at_least=4)
    resize: Literal["bilinear-antialias"] = setting("bilinear-antialias", "to the extractor's own size, in float")
    quantise: bool = setting(True, "round to uint8 before extracting, as image files would be")
    metrics: tuple[Metric, ...] = setting(("fid",), "what is computed")
    precision_recall_k: int = setting(3, "neighbours that make a ball of precision and recall", at_least=1)
    density_coverage_k: int = setting(5, "neighbours that make a ball of density and coverage", at_least=1)
    kid_subsets: int = setting(100, "KID is the mean over that many random subsets", at_least=1, at_most=10_000)
    kid_subset_size: int = setting(1000, "samples of each kind in a subset, or all where there are fewer", at_least=2)
    inception_splits: int = setting(10, "the inception score is the mean over that many splits", at_least=1)
    seed: int = setting(0, "of the fakes' latents and of every random choice of samples", at_least=0)
    batch_size: int = setting(250, "fakes drawn at a time", at_least=1, at_most=65536)
    primary: str = setting("fid", "the score that chooses the best checkpoint and orders a leaderboard")

    def problems(self) -> Iterator[Problem]:
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*-v[0-9]+", self.name):
            yield Problem(
                "name", f"{self.name!r} must be small letters, digits and dashes, ending in a version: name-v1"
            )
        if self.primary not in self.scores:
            yield Problem("primary", did_you_mean(self.primary, self.scores, "score of these metrics"))
        elif SCORES[self.primary].better == "neither":
            yield Problem("primary", f"no direction of {self.primary!r} is better")
        if self.num_real is not None and self.max_real is not None:
            yield Problem("max_real", "is for num_real: null")
        yield from self._misfits()
        yield from self._too_few()

    def _misfits(self) -> Iterator[Problem]:
        if (self.samples == "points") != (self.extractor == "coordinates"):
            yield Problem("extractor", f"{self.extractor!r} does not go with samples: {self.samples}")
        for metric in {"inception_score", "class_accuracy"} & set(self.metrics) if self.samples == "points" else ():
            yield Problem("metrics", f"{metric} needs a classifier, and points have none")
        if self.samples == "images" and "modes" in self.metrics:
            yield Problem("metrics", "modes is for points")
        if self.samples == "points" and self.resolution is not None:
            yield Problem("resolution", "is for images")

    def _too_few(self) -> Iterator[Problem]:
        fewest = min(self.num_fake, self.num_real or self.num_fake)
        for key in ("precision_recall_k", "density_coverage_k", "inception_splits"):
            if getattr(self, key) >= fewest:
                yield Problem(key, f"{getattr(self, key)} must be below the number of samples, {fewest}")

    @property
    def scores(self) -> tuple[str, ...]:
        """The keys of the scores that this protocol gives."""
        return tuple(key for key, score in SCORES.items() if score.metric in self.metrics)

    @property
    def lower_is_better(self) -> bool:
        """Which way the primary score is better."""
        return SCORES[self.primary].better == "lower"

    def refuses(self, data: DataConfig, data_name: str, extractor_file: str | Path | None = None) -> str | None:
        """Why this protocol cannot score samples of those data, or None if it can."""
        kind = "points" if len(data.shape) == 1 else "images"
        if kind != self.samples:
            return f"protocol {self.name} is for {self.samples}, and data set {data_name} has {kind}"
        if self.data and data_name not in self.data:
            return f"protocol {self.name} is for data set {', '.join(self.data)}, not {data_name}"
        if self.num_real is not None and data.num_train is not None and self.num_real > data.num_train:
            return f"protocol {self.name} needs {self.num_real} real samples, and {data_name} has {data.num_train}"
        return self._refuses_extractor(extractor_file)

    def _refuses_extractor(self, file: str | Path | None) -> str | None:
        if self.extractor != "classifier":
            return f"protocol {self.name} has its own extractor: no extractor file goes with it" if file else None
        if file is None:
            return f"protocol {self.name} needs evaluation.extractor, a file made by `ganzoo extractor train`"
        return None if Path(file).is_file() else f"there is no extractor file {file}"


def protocol_names() -> list[str]:
    """The protocols that ship with ganzoo."""
    return sorted(path.stem for path in PROTOCOLS.glob("*.yaml"))


def protocol_summary(name: str) -> str:
    """The first line of the protocol's file, which says what it is for."""
    return (PROTOCOLS / f"{name}.yaml").read_text().partition("\n")[0].removeprefix("# ").rstrip(":.")


def load_protocol(name_or_path: str | Path) -> Protocol:
    """The protocol of that name, or in that file (anything that ends in .yaml).

    Raises LookupError, with the sentence to show, for an unknown name; InputError for a file with mistakes.
    """
    if not str(name_or_path).endswith(".yaml"):
        if name_or_path not in protocol_names():
            raise LookupError(did_you_mean(str(name_or_path), protocol_names(), "protocol"))
        return _shipped(str(name_or_path))
    return _read_protocol(Path(name_or_path))


@cache
def _shipped(name: str) -> Protocol:
    return _read_protocol(PROTOCOLS / f"{name}.yaml")


def _read_protocol(path: Path) -> Protocol:
    builder = Builder()
    protocol = builder.build(Protocol, {"name": path.stem, **_read(path)})
    if isinstance(protocol, Protocol) and protocol.name != path.stem:
        builder.problems.append(Problem("name", f"{protocol.name!r} must be the file's name, {path.stem!r}"))
    if builder.problems or not isinstance(protocol, Protocol):
        raise InputError(path, builder.problems)
    return protocol


def _read(path: Path) -> Mapping[str, Any]:
    """The keys of a YAML file. Raises InputError where it cannot be read as such."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    try:
        plain = OmegaConf.to_container(OmegaConf.create(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, YAMLError, OmegaConfBaseException, ValueError) as error:
        raise InputError(path, f"cannot be read as a protocol: {error}") from error
    if not isinstance(plain, Mapping) or not all(isinstance(key, str) for key in plain):
        raise InputError(path, "a protocol is a list of `key: value` lines")
    return plain  # type: ignore[return-value]
