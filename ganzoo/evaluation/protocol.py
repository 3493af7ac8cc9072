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
from ganzoo.evaluation.scores import NEEDS, SCORES, Metric, Need

PROTOCOLS = Path(__file__).parent / "protocols"

Extractor = Literal[
    "digits",
    "classifier",
    "stacked-classifier",
    "coordinates",
    "none",
    "inception-v3-compat",
    "vgg16",
    "clip-rn50",
    "clip-vit-b-32",
    "clip-vit-b-16",
    "clip-vit-l-14",
    "dinov2-vit-s-14",
    "dinov2-vit-b-14",
    "dinov2-vit-l-14",
    "dinov2-vit-g-14",
]
Resize = Literal["bilinear-antialias", "tf1-bilinear", "pil-bicubic"]
OWN = ("digits", "classifier", "stacked-classifier")  # classifiers of ganzoo's own kind
WITHOUT_WEIGHTS = ("coordinates", "none")


@dataclass(frozen=True, kw_only=True)
class Protocol(Settings):
    """How samples are scored. The order of work: take, quantise, resize, extract features, compare with the reals.

    A score that a set of samples cannot have is left out: `modes` where the data have none, `class_accuracy` and
    `class_fid` where the samples were not made to be of a class, `ppl` where there is no generator.
    """

    name: str = setting(help="the file's name, which ends in its version: digits-v1")
    samples: Literal["images", "points"] = setting(help="what is scored")
    data: tuple[str, ...] = setting((), "the data sets that it is for; empty: any")
    split: Literal["train", "heldout"] = setting("train", "the real images of the reference; the floor is the other's")
    num_real: int | None = setting(None, "reference: that many of the split; null: all of it", at_least=2)
    max_real: int | None = setting(None, "where num_real is null: at most that many of the split", at_least=2)
    num_fake: int = setting(help="fakes, and real samples for the floor", at_least=2, at_most=1_000_000)
    fid_num_fake: int | None = setting(None, "FID is of that many of the fakes; null: of all", at_least=2)
    extractor: Extractor = setting(help="classifier, stacked-classifier: the file of evaluation.extractor")
    weights: str | None = setting(None, "how the SHA-256 of the extractor's weights begins; null: any weights")
    resolution: int | None = setting(None, "the reference is read at this size; null: the experiment's", at_least=4)
    resize: Resize = setting("bilinear-antialias", "to the extractor's own size, in float")
    quantise: bool = setting(True, "round to uint8 before extracting, as image files would be")
    flips: bool = setting(False, "the reference holds the mirror image of every real image too")
    metrics: tuple[Metric, ...] = setting(("fid",), "what is computed")
    precision_recall_k: int = setting(3, "neighbours that make a ball of precision and recall", at_least=1)
    density_coverage_k: int = setting(5, "neighbours that make a ball of density and coverage", at_least=1)
    kid_subsets: int = setting(100, "KID is the mean over that many random subsets", at_least=1, at_most=10_000)
    kid_subset_size: int = setting(1000, "samples of each kind in a subset, or all where there are fewer", at_least=2)
    inception_splits: int = setting(10, "the inception score is the mean over that many splits", at_least=1)
    fid_infinity_sizes: int = setting(15, "numbers of fakes that the line in 1/n is drawn through", at_least=3)
    fid_infinity_smallest: int = setting(5000, "the smallest of these; the largest is all fakes", at_least=2)
    sliced_wasserstein_images: int = setting(16384, "images of each kind, or all where there are fewer", at_least=2)
    ms_ssim_pairs: int = setting(10_000, "random pairs of different fakes", at_least=2)
    lpips_pairs: int = setting(10_000, "random pairs of different fakes", at_least=2)
    ppl_paths: int = setting(50_000, "random paths of length ppl_epsilon in the latent space", at_least=2)
    ppl_epsilon: float = setting(1e-4, "the length of a path, as a share of that between two latents", above=0, below=1)
    ppl_interpolation: Literal["slerp", "lerp"] = setting("slerp", "slerp: along the sphere, for normal latents")
    seed: int = setting(0, "of the fakes' latents and of every random choice of samples", at_least=0)
    batch_size: int = setting(250, "fakes whose latents are drawn at a time", at_least=1, at_most=65536)
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
        if self.weights is not None and not re.fullmatch(r"[0-9a-f]{8,64}", self.weights):
            yield Problem("weights", f"{self.weights!r} must be the first 8 to 64 digits of a SHA-256 in hexadecimal")
        yield from self._misfits()
        yield from self._metric_misfits()
        yield from self._too_few()

    def _misfits(self) -> Iterator[Problem]:
        points = self.samples == "points"
        if points != (self.extractor == "coordinates"):
            yield Problem("extractor", f"{self.extractor!r} does not go with samples: {self.samples}")
        for key in ("resolution", "flips", "weights") if points else ():
            if getattr(self, key):
                yield Problem(key, "is for images")
        if self.extractor in OWN and self.resize != "bilinear-antialias":
            yield Problem("resize", f"{self.resize!r} is not how {self.extractor} sees; it takes bilinear-antialias")

    def _metric_misfits(self) -> Iterator[Problem]:
        classifies = self.extractor in (*OWN, "inception-v3-compat")
        for metric in self.metrics:
            needs = NEEDS[metric]
            if "logits" in needs and (self.samples == "points" or not classifies):
                yield Problem("metrics", f"{metric} needs a classifier, and {self.extractor} is none")
            elif "features" in needs and self.extractor == "none":
                yield Problem("metrics", f"{metric} needs an extractor")
            elif self.samples == "points" and {"pixels", "generator"} & needs:
                yield Problem("metrics", f"{metric} is for images")
            elif metric == "modes" and self.extractor not in ("coordinates", "stacked-classifier"):
                yield Problem("metrics", "modes is for points and for extractor: stacked-classifier")
            elif metric == "class_accuracy" and self.extractor not in ("digits", "classifier"):
                yield Problem("metrics", f"class_accuracy needs a classifier of the data, and {self.extractor} is none")

    def _too_few(self) -> Iterator[Problem]:
        fewest = min(self.num_fake, self.num_real or self.num_fake)
        for key in ("precision_recall_k", "density_coverage_k", "inception_splits"):
            if getattr(self, key) >= fewest:
                yield Problem(key, f"{getattr(self, key)} must be below the number of samples, {fewest}")
        for key in ("ms_ssim_pairs", "lpips_pairs"):
            if key.removesuffix("_pairs") in self.metrics and 2 * getattr(self, key) > self.num_fake:
                yield Problem(
                    key, f"{getattr(self, key)} pairs need twice as many fakes, and num_fake is {self.num_fake}"
                )
        if (self.fid_num_fake or 0) > self.num_fake:
            yield Problem("fid_num_fake", f"{self.fid_num_fake} is more than num_fake, {self.num_fake}")
        room = self.num_fake - self.fid_infinity_smallest
        if "fid_infinity" in self.metrics and room < self.fid_infinity_sizes:
            sizes = f"{self.fid_infinity_sizes} sizes up to num_fake, {self.num_fake}"
            yield Problem("fid_infinity_smallest", f"{self.fid_infinity_smallest} leaves no room for {sizes}")

    @property
    def scores(self) -> tuple[str, ...]:
        """The keys of the scores that this protocol gives."""
        return tuple(key for key, score in SCORES.items() if score.metric in self.metrics)

    @property
    def lower_is_better(self) -> bool:
        """Which way the primary score is better."""
        return SCORES[self.primary].better == "lower"

    def refuses(self, data: DataConfig, data_name: str, extractor_file: str | Path | None = None) -> str | None:
        """Why this protocol cannot score samples of those data with that file, or None if it can."""
        return self.refuses_data(data, data_name) or self.refuses_extractor(extractor_file)

    def refuses_data(self, data: DataConfig, data_name: str) -> str | None:
        """Why those data cannot be its reference, or None if they can."""
        kind = "points" if len(data.shape) == 1 else "images"
        if kind != self.samples:
            return f"protocol {self.name} is for {self.samples}, and data set {data_name} has {kind}"
        if self.data and data_name not in self.data:
            return f"protocol {self.name} is for data set {', '.join(self.data)}, not {data_name}"
        count = data.num_train if self.split == "train" else data.num_heldout
        if self.num_real is not None and count is not None and self.num_real > count:
            return f"protocol {self.name} needs {self.num_real} real samples, and {data_name} has {count}"
        return None

    def refuses_extractor(self, file: str | Path | None) -> str | None:
        """Why it cannot be scored with that extractor file (None: with none), or None if it can."""
        if self.extractor in ("digits", *WITHOUT_WEIGHTS):
            return f"protocol {self.name} has its own extractor: no extractor file goes with it" if file else None
        if file is None and self.extractor in OWN:
            return f"protocol {self.name} needs evaluation.extractor, a file made by `ganzoo extractor train`"
        return None if file is None or Path(file).is_file() else f"there is no extractor file {file}"

    def needs(self, what: Need) -> bool:
        """Whether a metric of it looks at that."""
        return any(what in NEEDS[metric] for metric in self.metrics)


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
