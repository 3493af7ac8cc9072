"""Where the tensors of a network are kept: a place stays when another tensor is put there."""

from typing import Any

from torch import Tensor, nn

Place = tuple[dict[str, Any], str]  # a module's parameters or its buffers, and the name there


def places_of(network: nn.Module) -> list[Place]:
    """Of every parameter and buffer, once where several modules share it, in the order of `network.modules()`."""
    places: dict[int, Place] = {}
    for module in network.modules():
        for kept in (module._parameters, module._buffers):
            places |= {id(tensor): (kept, name) for name, tensor in kept.items() if tensor is not None}
    return list(places.values())


def tensors_at(places: list[Place]) -> list[Tensor]:
    return [kept[name] for kept, name in places]
