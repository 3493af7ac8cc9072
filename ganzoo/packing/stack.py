"""The weights of several runs as one tensor for each of a run's, which all of the runs work in."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.parametrize import ParametrizationList

from ganzoo.packing.batched import in_one_product, linear_layers
from ganzoo.training.gan import GAN

AVERAGED = "ema_generator"  # of no objective: each member's average moves by itself
Place = tuple[dict[str, Any], str]


class Stack:
    """Every weight and buffer of several GANs of one shape, the members' behind one another along a first dimension.

    From now on the members' own are views of it: what an optimiser writes into a member's weights is in the stack, and
    what a forward writes into a stacked buffer (BatchNorm's statistics) is in the members'. All lie in the usual order,
    also where the members' channels were last.

    Attributes:
        tensors: in the order of `places_of`.
        parametrized: whether a weight is a function of another, as by spectral norm.
    """

    def __init__(self, gans: Sequence[GAN]):
        self._gan = gans[0]
        self._places = places_of(self._gan)
        self._own = [[_at(place) for place in places_of(gan)] for gan in gans]
        columns = zip(*self._own, strict=True)
        self.tensors = [torch.stack([own.data for own in column]).contiguous() for column in columns]
        for stacked, column in zip(self.tensors, zip(*self._own, strict=True), strict=True):
            for own, row in zip(column, stacked.unbind(), strict=True):
                own.data = row
        self._linear = linear_layers([self._gan.generator, self._gan.discriminator])
        self._positions: dict[str, list[int]] = {}
        self._addresses = self._addresses_now()
        self.parametrized = any(isinstance(module, ParametrizationList) for module in self._gan.modules())

    def positions_of(self, network: str) -> list[int]:
        """Where a network's parameters are among the tensors."""
        if network not in self._positions:
            trained = {id(parameter) for parameter in getattr(self._gan, network).parameters()}
            self._positions[network] = [at for at, own in enumerate(self._own[0]) if id(own) in trained]
        return self._positions[network]

    def parameters_of(self, member: int, network: str) -> list[Tensor]:
        own = self._own[member]
        return [own[at] for at in self.positions_of(network)]

    def stacked(self, network: str) -> list[Tensor]:
        """Each of a network's parameters, of all members, in the same order."""
        return [self.tensors[at] for at in self.positions_of(network)]

    def holds(self) -> bool:
        """Whether the members' weights are still its views: somebody may have put others in their place."""
        return self._addresses_now() == self._addresses

    @contextmanager
    def replaced(self, tensors: Sequence[Tensor]) -> Iterator[None]:
        """The first member's networks are functions of these tensors in the body.

        As torch.func.functional_call, which looks for the places anew every time.
        """
        for (kept, name), tensor in zip(self._places, tensors, strict=True):
            kept[name] = tensor
        try:
            with in_one_product(self._linear):
                yield
        finally:
            for (kept, name), own in zip(self._places, self._own[0], strict=True):
                kept[name] = own

    def _addresses_now(self) -> list[int]:
        return [tensor.data_ptr() for own in self._own for tensor in own]


def places_of(gan: GAN) -> list[Place]:
    """Where the parameters and buffers that losses depend on are kept, and by what name."""
    places: dict[int, Place] = {}
    for name, module in gan.named_children():
        for part in module.modules() if name != AVERAGED else ():
            for kept in (part._parameters, part._buffers):
                places |= {id(tensor): (kept, key) for key, tensor in kept.items() if tensor is not None}
    return list(places.values())


def _at(place: Place) -> Tensor:
    kept, name = place
    return kept[name]
