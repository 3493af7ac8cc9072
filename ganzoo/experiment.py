"""One YAML file is one experiment: how it is read, overridden, checked and written.

Every mistake of a file and its overrides is found in one go and told in one `InputError`.
"""

import importlib.util
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field
from inspect import signature
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganzoo.components import DATASETS, DISCRIMINATORS, GENERATORS, VARIANTS
from ganzoo.config import Builder, InvalidSettings, Settings, component, setting, to_plain
from ganzoo.data.base import DataConfig
from ganzoo.errors import InputError, Problem, shorten
from ganzoo.networks.base import NetworkConfig
from ganzoo.training.config import (
    Budget,
    CheckpointConfig,
    EMAConfig,
    EvaluationConfig,
    GANConfig,
    SamplesConfig,
    TrackingConfig,
    TrainerConfig,
)
from ganzoo.training.optimizers import Optimizers
from ganzoo.values import flat_overrides, read_values

if TYPE_CHECKING:
    from ganzoo.evaluation.protocol import Protocol


@dataclass(frozen=True, kw_only=True)
class Experiment(Settings):
    """Everything that decides what a run computes and writes."""

    name: str = setting(help="the experiment's name; runs go to runs/<name>/")
    seed: int = setting(0, "of the networks' weights, the batches, the latents", at_least=0, at_most=2**31 - 1)
    plugins: tuple[str, ...] = setting((), "packages with variants/, networks/ or data/ of their own")
    data: DataConfig = component(DATASETS)
    variant: GANConfig = component(VARIANTS)
    generator: NetworkConfig = component(GENERATORS)
    discriminator: NetworkConfig = component(DISCRIMINATORS)
    optimizer: Optimizers
    budget: Budget
    ema: EMAConfig = field(default=EMAConfig())
    evaluation: EvaluationConfig = field(default=EvaluationConfig())
    samples: SamplesConfig = field(default=SamplesConfig())
    checkpoint: CheckpointConfig = field(default=CheckpointConfig())
    tracking: TrackingConfig = field(default=TrackingConfig())
    trainer: TrainerConfig = field(default=TrainerConfig())

    def problems(self) -> Iterator[Problem]:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", self.name):
            yield Problem(
                "name", f"{shorten(self.name)} must be 1 to 100 letters, digits, '.', '_', '-': it names a folder"
            )

    def to_yaml(self) -> str:
        """The complete file: it alone runs the experiment again."""
        from omegaconf import OmegaConf

        return OmegaConf.to_yaml(OmegaConf.create(to_plain(self)))


def load_experiment(path: str | Path, overrides: Iterable[str] = ()) -> Experiment:
    """The experiment in a YAML file, with `key=value` overrides.

    Raises:
        InputError: with every mistake that was found, also what this machine lacks.
    """
    found: list[Problem] = []
    values = read_values(Path(path), overrides, found)
    return build_experiment(values, source=path, found=found, to_train=True)


def build_experiment(
    values: Mapping[str, Any], *, source: object, found: Iterable[Problem] = (), to_train: bool = False
) -> Experiment:
    """An experiment out of plain values.

    Args:
        to_train: its parts must fit together and its data be on this machine. A run that has trained is read anywhere.

    Raises:
        InputError: with `found` and every further mistake.
    """
    builder = Builder(problems=list(found))
    builder.plugins = _importable_plugins(values.get("plugins"), builder.problems)
    values = _with_paper_optimizers(values, builder.plugins)
    parts = builder.parts(Experiment, values)
    if to_train:
        builder.problems += _misfits(parts)
    if builder.problems:
        raise InputError(source, builder.problems)
    try:
        return Experiment(**parts)
    except InvalidSettings as error:
        raise InputError(source, error.problems) from None


def data_from_settings(settings: Iterable[str]) -> DataConfig:
    """The data set in `data=NAME key=value ...`, which are the keys of an experiment's data section.

    Raises:
        InputError: with every mistake.
    """
    found: list[Problem] = []
    section = {
        "name" if key == "data" else key.removeprefix("data."): value
        for key, value in flat_overrides(settings, found).items()
    }
    builder = Builder(problems=found)
    data = builder.build(_DataSection, {"data": section})
    if isinstance(data, _DataSection) and (missing := _on_one_line(data.data.missing)):
        builder.problems.append(Problem("data", missing))
    if builder.problems or not isinstance(data, _DataSection):
        raise InputError("data", builder.problems)
    return data.data


@dataclass(frozen=True, kw_only=True)
class _DataSection(Settings):
    data: DataConfig = component(DATASETS)


def _importable_plugins(plugins: Any, problems: list[Problem]) -> tuple[str, ...]:
    """The named plugins that can be imported; the others are problems."""
    importable = []
    for plugin in plugins if isinstance(plugins, list) else []:
        try:
            there = importlib.util.find_spec(str(plugin)) is not None
        except Exception:  # a parent that is not there or broken, a name that is no module's
            there = False
        if there:
            importable.append(str(plugin))
        else:
            problems.append(
                Problem("plugins", f"{shorten(plugin)} is not on the Python path; install it or set PYTHONPATH")
            )
    return tuple(importable)


def _with_paper_optimizers(values: Mapping[str, Any], plugins: tuple[str, ...]) -> Mapping[str, Any]:
    """`values` with the optimisers of the variant's paper, where the experiment names none."""
    variant = values.get("variant")
    name = variant.get("name") if isinstance(variant, Mapping) else None
    if "optimizer" in values or name not in VARIANTS.names(plugins):
        return values
    return {**values, "optimizer": to_plain(VARIANTS.find(name, plugins).paper_optimizers)}  # type: ignore[attr-defined]


def _resolution_fits(data: DataConfig, generator: NetworkConfig, discriminator: NetworkConfig) -> Iterator[Problem]:
    key = "data.resolution" if len(data.shape) == 3 else "data.name"
    for section, network in {"generator": generator, "discriminator": discriminator}.items():
        if refusal := network.refuses(data.shape):
            yield Problem(key, f"{'x'.join(map(str, data.shape))} does not fit {section}: {refusal}")


def _per_sample_gradients(variant: GANConfig, discriminator: NetworkConfig) -> Iterator[Problem]:
    if variant.per_sample_gradients and discriminator.batch_normalised:
        yield Problem(
            "discriminator.norm",
            f"BatchNorm mixes the samples of a batch, and {VARIANTS.name_of(variant)} penalises the gradient of each "
            "logit by its own sample; set norm: none",
        )


def _samples_are_judged_apart(discriminator: NetworkConfig, trainer: TrainerConfig) -> Iterator[Problem]:
    if trainer.joint_batches and not discriminator.judges_apart:
        what = "BatchNorm" if discriminator.batch_normalised else "its minibatch layer"
        why = f"{what} would mix reals and fakes; set it to false"
        yield Problem("trainer.joint_batches", f"true cannot be with this discriminator: {why}")


def _labels_are_there(
    variant: GANConfig, data: DataConfig, generator: NetworkConfig, discriminator: NetworkConfig
) -> Iterator[Problem]:
    networks = {"generator": generator, "discriminator": discriminator}
    asking = [section for section, network in networks.items() if network.conditional or network.classifies]
    if not (asking or variant.needs_labels):
        return  # to count the classes of a folder or a zip is to read it
    try:
        if data.num_classes:
            return
    except InputError as error:
        yield Problem("data", " ".join(str(error).split()))
        return
    if variant.needs_labels:
        yield Problem("variant.name", f"{VARIANTS.name_of(variant)} needs labels; {DATASETS.name_of(data)} has none")
    for section in asking:
        yield Problem(f"{section}.conditioning", f"needs labels, and data set {DATASETS.name_of(data)} has none")


def _networks_fit(variant: GANConfig, generator: NetworkConfig, discriminator: NetworkConfig) -> Iterator[Problem]:
    yield from variant.misfits(generator, discriminator)


def _optimizers_fit(variant: GANConfig, optimizer: Optimizers) -> Iterator[Problem]:
    yield from variant.optimizer_misfits(optimizer)


def _images_are_augmented(variant: GANConfig, data: DataConfig) -> Iterator[Problem]:
    if variant.augment and len(data.shape) != 3:
        yield Problem("variant.augment", f"is for images, and data set {DATASETS.name_of(data)} has points")


def _batch_norm_needs_two(
    data: DataConfig, discriminator: NetworkConfig, generator: NetworkConfig, trainer: TrainerConfig
) -> Iterator[Problem]:
    if not (discriminator.batch_normalised or generator.batch_normalised):
        return
    apart = trainer.accumulate * (trainer.ranks if trainer.batch_norm == "per_rank" else 1)
    if data.batch_size <= apart:
        among = "" if apart == 1 else f", normalised over in {apart} parts,"
        least = f"it must be at least {2 * apart}"
        yield Problem(
            "data.batch_size", f"{data.batch_size}{among} leaves BatchNorm nothing to normalise over; {least}"
        )


def _protocol_is_there(evaluation: EvaluationConfig) -> Iterator[Problem]:
    found = _protocol_of(evaluation)
    if isinstance(found, Problem):
        yield found


def _protocol_fits(evaluation: EvaluationConfig, data: DataConfig) -> Iterator[Problem]:
    protocol = _protocol_of(evaluation)
    if protocol is None or isinstance(protocol, Problem):
        return
    if refusal := _on_one_line(lambda: protocol.refuses(data, DATASETS.name_of(data), evaluation.extractor)):
        yield Problem("evaluation.protocol", f"{evaluation.protocol} does not fit: {refusal}")


def _protocol_of(evaluation: EvaluationConfig) -> "Protocol | Problem | None":
    if evaluation.protocol is None:
        return None
    from ganzoo.evaluation.protocol import load_protocol

    try:
        return load_protocol(evaluation.protocol)
    except LookupError as error:
        return Problem("evaluation.protocol", str(error.args[0]))
    except InputError as error:
        return Problem("evaluation.protocol", " ".join(str(error).split()))


def _batch_divides(data: DataConfig, variant: GANConfig, trainer: TrainerConfig) -> Iterator[Problem]:
    among = {"devices of all nodes": trainer.ranks, "trainer.accumulate": trainer.accumulate, "in a pack": variant.pack}
    whole = " x ".join(f"{number} {what}" for what, number in among.items() if number > 1)
    sizes = {"data.batch_size": (data.batch_size,), "variant.batch_sizes": getattr(variant, "batch_sizes", ())}
    for key, several in sizes.items():
        if uneven := [size for size in several if size % prod(among.values())]:
            yield Problem(key, f"{uneven[0]} must be a multiple of {whole}")


def _updates_are_captured(variant: GANConfig, trainer: TrainerConfig) -> Iterator[Problem]:
    if trainer.cuda_graphs is True and (reason := variant.not_captured) is not None:
        yield Problem("trainer.cuda_graphs", f"true cannot be with {VARIANTS.name_of(variant)}: {reason}")


# Each check takes the sections that it names, and is asked only when all of those are right in themselves.
CROSS_CHECKS = (
    _resolution_fits,
    _per_sample_gradients,
    _samples_are_judged_apart,
    _labels_are_there,
    _networks_fit,
    _optimizers_fit,
    _images_are_augmented,
    _batch_norm_needs_two,
    _protocol_is_there,
    _protocol_fits,
    _batch_divides,
    _updates_are_captured,
)


def _misfits(parts: Mapping[str, Any]) -> list[Problem]:
    if "data" in parts and (missing := _on_one_line(parts["data"].missing)):
        absent = [Problem("data", missing)]  # and what the data are like cannot be asked
        parts = {name: part for name, part in parts.items() if name != "data"}
    else:
        absent = []
    return absent + [problem for check in CROSS_CHECKS for problem in _ask(check, parts)]


def _on_one_line(question: Callable[[], str | None]) -> str | None:
    """Its answer, in which there may be any path; what the system cannot even look up is an answer too."""
    try:
        answer = question()
    except (OSError, RuntimeError, ValueError) as error:  # a name too long, the home of nobody, a null byte
        answer = getattr(error, "strerror", None) or str(error)
    return answer and " ".join(answer.split())


def _ask(check: Callable[..., Iterator[Problem]], parts: Mapping[str, Any]) -> list[Problem]:
    sections = {}
    for name in signature(check).parameters:
        default = Experiment.__dataclass_fields__[name].default
        if name not in parts and default is MISSING:
            return []
        sections[name] = parts.get(name, default)
    return list(check(**sections))
