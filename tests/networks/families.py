"""Every network family by name, small enough for a test, and what its settings offer."""

from collections.abc import Iterator
from itertools import product
from typing import Any, Literal, get_args, get_origin, get_type_hints

import torch
from torch import Tensor, nn

from ganzoo.components import DISCRIMINATORS, GENERATORS, Modules, implementation
from ganzoo.config import InvalidSettings, fields_of
from ganzoo.networks.base import NetworkConfig

LATENT_DIM = 6
CLASSES = 3
POINTS = (2,)
SMALL = {"width": 4, "blocks": 1}  # for those families that have such a setting
OFFERED = ("conditioning", "norm", "spectral_norm", "minibatch")


def options(choice: Modules, name: str, key: str) -> tuple[Any, ...]:
    """What a setting of the family may be; () if it has no such setting."""
    declared = get_type_hints(choice.find(name)).get(key)
    if declared is bool:
        return (False, True)
    return get_args(declared) if get_origin(declared) is Literal else ()


def settings_of(choice: Modules, name: str, **values) -> NetworkConfig:
    """The family's settings, small; `values` that it does not have are left out."""
    cls = choice.find(name)
    keys = {field.name for field in fields_of(cls)}
    return cls(**{key: value for key, value in {**SMALL, **values}.items() if key in keys})  # type: ignore[return-value]


def combinations(choice: Modules, name: str) -> Iterator[dict[str, Any]]:
    """Every way to set what is OFFERED that the family takes."""
    offered = {key: options(choice, name, key) for key in OFFERED if options(choice, name, key)}
    for values in product(*offered.values()):
        combination = dict(zip(offered, values, strict=True))
        try:
            settings_of(choice, name, **combination)
        except InvalidSettings:
            continue
        yield combination


def generator(
    name: str, shape: tuple[int, ...], *, latent_dim: int = LATENT_DIM, num_classes: int = CLASSES, **values
) -> nn.Module:
    module, config = implementation(settings_of(GENERATORS, name, **values))
    return module.Generator(config, shape=shape, latent_dim=latent_dim, num_classes=num_classes)


def discriminator(name: str, shape: tuple[int, ...], *, num_classes: int = CLASSES, **values) -> nn.Module:
    module, config = implementation(settings_of(DISCRIMINATORS, name, **values))
    return module.Discriminator(config, shape=shape, num_classes=num_classes)


def fitting(choice: Modules, shapes: list[tuple[int, ...]]) -> list[tuple[str, tuple[int, ...]]]:
    """(family, shape) for the shapes that each family takes."""
    return [
        (name, shape) for name in choice.names() for shape in shapes if settings_of(choice, name).refuses(shape) is None
    ]


def shape_for(choice: Modules, name: str) -> tuple[int, ...]:
    """The shape of small images that the family takes; from 16 pixels, where every family has a hidden norm."""
    return next(shape for size in (16, 32, 64) if settings_of(choice, name).refuses(shape := (1, size, size)) is None)


def samples(n: int, shape: tuple[int, ...]) -> Tensor:
    return torch.rand(n, *shape) * 2 - 1


def named(rows: list[tuple[str, tuple[int, ...]]]) -> list[str]:
    return [f"{name}-{'x'.join(map(str, shape))}" for name, shape in rows]


def layers(network: nn.Module, *kinds: type[nn.Module]) -> list[Any]:
    return [module for module in network.modules() if isinstance(module, kinds)]
