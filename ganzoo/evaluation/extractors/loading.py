"""The extractor that a protocol names."""

from pathlib import Path

from ganzoo.errors import InputError
from ganzoo.evaluation.extractors.base import Coordinates, Extractor
from ganzoo.evaluation.extractors.classifier import DIGITS, load_extractor
from ganzoo.evaluation.extractors.fidelity import load_fidelity
from ganzoo.evaluation.extractors.stacked import Stacked
from ganzoo.evaluation.protocol import Protocol


def extractor_of(protocol: Protocol, file: Path | None = None) -> Extractor | None:
    """The protocol's extractor, frozen, on the CPU; None where it needs none.

    Args:
        file: of the weights, for protocols that take one.

    Raises InputError where the weights are missing, broken, or others than the protocol is made with.
    """
    match protocol.extractor:
        case "none":
            return None
        case "coordinates":
            return Coordinates()
        case "digits" | "classifier":
            extractor: Extractor = load_extractor(file or DIGITS)[0]
        case "stacked-classifier":
            assert file is not None  # the protocol refuses to be without
            extractor = Stacked(load_extractor(file)[0])
        case name:
            extractor = load_fidelity(name, file=file, resize=protocol.resize)
    _refuse_other_weights(protocol, extractor, file)
    return extractor.eval().requires_grad_(False)


def _refuse_other_weights(protocol: Protocol, extractor: Extractor, file: Path | None) -> None:
    found = extractor.weights_sha256 or ""
    if protocol.weights and not found.startswith(protocol.weights):
        raise InputError(
            file or protocol.extractor,
            f"protocol {protocol.name} is made with the weights whose SHA-256 begins {protocol.weights}, these have "
            f"{found[:16]}: their scores could not be compared with others of that name. For other weights, write a "
            "protocol of your own (a copy of the file with a new name and weights: null)",
        )
