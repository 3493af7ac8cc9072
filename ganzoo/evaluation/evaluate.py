"""Scores a run, a folder of images, a data set zip or an .npz of samples, from any project."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ganzoo.data.base import DataConfig
from ganzoo.errors import InputError
from ganzoo.evaluation.evaluator import Evaluator, refuse_too_few
from ganzoo.evaluation.extraction import Seen, Tell
from ganzoo.evaluation.extractors.base import Extractor
from ganzoo.evaluation.extractors.loading import extractor_of
from ganzoo.evaluation.opening import open_source
from ganzoo.evaluation.protocol import OWN, WITHOUT_WEIGHTS, Protocol, load_protocol
from ganzoo.evaluation.references import reals_against
from ganzoo.evaluation.scoring import Estimates
from ganzoo.evaluation.sources import Source

if TYPE_CHECKING:
    from ganzoo.training.gan import GAN


def evaluate(source: str | Path, *, protocol: str | None = None, **options: Any) -> dict[str, Any]:
    """As `evaluate_by` with one protocol (None: that of the run): its one answer."""
    return evaluate_by(source, () if protocol is None else (protocol,), **options)[0]


def evaluate_by(
    source: str | Path,
    protocols: Sequence[str] = (),
    *,
    against: str | None = None,
    extractors: Sequence[str] = (),
    best: bool = False,
    floor: bool = True,
    batch_size: int | None = None,
    neighbours: Path | None = None,
    tell: Tell | None = None,
) -> list[dict[str, Any]]:
    """The scores of `source` by every protocol, with intervals, and the floor: other real samples scored the same way.

    Features are extracted once for all protocols that look in the same way. Uses a GPU if there is one.

    Args:
        source: a run directory, a folder of images, a StyleGAN zip, or an .npz (arr_0: uint8 NHWC images or points).
        protocols: their names or files; none: that of the run.
        against: a data set's name, a folder, a zip, an .npz of samples or of mu and sigma; None: the run's data.
        extractors: files of weights, by `ganzoo extractor train` or for torch-fidelity's networks.
        best: of a run, the checkpoint with the best score instead of the last one.
        floor: whether to measure it.
        batch_size: samples at a time, through generator and extractor.
        neighbours: a .png to draw: some fakes, each beside the reals that are nearest to it by the first protocol.
        tell: called with (what, done, all) while it works.

    Raises InputError where the source, a protocol or the reference is wrong, or they do not fit.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    subject = _run(Path(source), best, device) if (Path(source) / "config.yaml").is_file() else _samples(Path(source))
    named = [_protocol(name) for name in protocols or subject.scored_by()]
    _refuse_unused(extractors, named)
    session = _Session(subject, against, tuple(extractors), device, batch_size, tell)
    evaluators = [session.evaluator(protocol) for protocol in named]
    for evaluator in sorted(evaluators, key=lambda each: -each.protocol.num_fake):  # the others see a part of it
        session.see(evaluator)
    if neighbours is not None:
        from ganzoo.evaluation.neighbour_grid import save_neighbour_grid

        save_neighbour_grid(evaluators[0], session.samples(evaluators[0]), neighbours)
    return [session.answer(evaluator, floor) for evaluator in evaluators]


@dataclass(frozen=True)
class _Subject:
    """What is scored: samples, or a run's generator."""

    path: Path
    samples: Source | None = None
    gan: "GAN | None" = None
    data: DataConfig | None = None  # that the run was trained on
    protocols: tuple[str, ...] = ()  # that the run was scored by
    extractors: tuple[str, ...] = ()

    def scored_by(self) -> tuple[str, ...]:
        """Raises InputError where that is by nothing."""
        if not self.protocols:
            kind = "the run was not scored" if self.gan is not None else "this is no run directory"
            raise InputError(self.path, f"{kind}, so the protocol must be named: --protocol NAME")
        return self.protocols

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a sample: (c, h, w), or (2,)."""
        return self.data.shape if self.data is not None else self.samples.shape  # type: ignore[union-attr]


def _samples(path: Path) -> _Subject:
    return _Subject(path, open_source(path))


def _run(path: Path, best: bool, device: torch.device) -> _Subject:
    from ganzoo.records.run_directory import RunDirectory
    from ganzoo.training.build import load_generator

    experiment = RunDirectory.open(path).experiment()
    gan, settings = load_generator(path, best=best).to(device), experiment.evaluation
    named = [(value,) if value else () for value in (settings.protocol, settings.extractor)]
    return _Subject(path, None, gan, experiment.data, *named)


def _protocol(name: str) -> Protocol:
    try:
        return load_protocol(name)
    except LookupError as error:
        raise InputError("--protocol", str(error.args[0])) from None


@dataclass
class _Session:
    """What several evaluators share: the samples, the extractors, and what was seen."""

    subject: _Subject
    against: str | None
    files: Sequence[str]
    device: torch.device
    batch_size: int | None
    tell: Tell | None
    extractors: dict[Hashable, Extractor | None] = field(default_factory=dict)
    seen: dict[Hashable, tuple[Tensor, Seen | None]] = field(default_factory=dict)

    def evaluator(self, protocol: Protocol) -> Evaluator:
        file = _file_for(protocol, self.files) or _file_for(protocol, self.subject.extractors)
        if refusal := protocol.refuses_extractor(file):
            raise InputError("--extractor", refusal)
        subject, data = self.subject, self.subject.data if self.against is None else None
        if subject.samples is not None:
            refuse_too_few(protocol, subject.samples)  # told before weights are looked for
        real = data or reals_against(protocol, self.against, subject.shape, subject.path)
        key = (protocol.extractor, protocol.resize, file)
        if key not in self.extractors:
            self.extractors[key] = extractor_of(protocol, file)
        return Evaluator(
            protocol,
            real,
            extractor=self.extractors[key],
            extractor_file=file,
            device=self.device,
            batch_size=self.batch_size,
            tell=self.tell,
        )

    def see(self, evaluator: Evaluator) -> Seen | None:
        """What the evaluator sees of its samples; taken from what an earlier one saw, where that was the same."""
        source = self.samples(evaluator)
        indices, sight = evaluator.chosen(source), evaluator.sight
        drawn = (evaluator.protocol.seed, evaluator.protocol.batch_size) if self.subject.gan is not None else ()
        looks = (sight.extractor and sight.extractor.identity, sight.quantise, sight.keep_pixels)
        before, seen = self.seen.get((drawn, looks), (indices.new_empty(0), None))
        if not torch.isin(indices, before).all():
            before, seen = indices, sight.see(source, indices, self.tell)
            self.seen[drawn, looks] = before, seen
        return None if seen is None else seen.at(torch.searchsorted(before, indices))

    def samples(self, evaluator: Evaluator) -> Source:
        """The samples, as they can be compared with the evaluator's reference."""
        gan, given = self.subject.gan, self.subject.samples
        samples = evaluator.fakes_of(gan) if gan is not None else given
        assert samples is not None  # what is no run is samples
        return evaluator.fitted(samples)

    def answer(self, evaluator: Evaluator, floor: bool) -> dict[str, Any]:
        """Everything that is known of the scores by one protocol."""
        gan = self.subject.gan
        found = evaluator.estimates(self.see(evaluator), drawable=gan, intervals=True)
        at = {} if gan is None else {"generator_updates": gan.generator_updates}
        other = evaluator.floor() if floor and evaluator.real.floor is not None else {}
        about = evaluator.about()
        return {"source": str(self.subject.path), **about, **_plain(found), "floor": other, **at}


def _file_for(protocol: Protocol, files: Sequence[str]) -> Path | None:
    """The first file that goes with the protocol's extractor: by its ending, a classifier or weights of PyTorch's."""
    if protocol.extractor in ("digits", *WITHOUT_WEIGHTS):
        return None
    others = (".pth", ".pt") if protocol.extractor in OWN else (".safetensors",)
    return next((Path(file) for file in files if not file.endswith(others)), None)


def _refuse_unused(files: Sequence[str], protocols: Sequence[Protocol]) -> None:
    """Raises InputError for a file that goes with none of the protocols."""
    for file in files:
        if Path(file) not in [_file_for(protocol, files) for protocol in protocols]:
            refusals = [protocol.refuses_extractor(file) for protocol in protocols]
            fallback = f"{file} goes with the extractor of none of these protocols"
            raise InputError("--extractor", next((refusal for refusal in refusals if refusal), fallback))


def _plain(estimates: Estimates) -> dict[str, Any]:
    intervals = {name: estimate.interval._asdict() for name, estimate in estimates.items() if estimate.interval}
    return {"scores": {name: estimate.value for name, estimate in estimates.items()}, "intervals": intervals}
