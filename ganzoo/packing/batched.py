"""Operations on tensors under torch.func.vmap that are done on what is stacked, since vmap's way to them is longer.

A batched tensor stands for one of several that are stacked along a dimension of the tensor that it wraps. What wraps
and unwraps is private to torch; torch.func itself is written in it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch._C import _functorch
from torch.nn.functional import linear
from torch.overrides import TorchFunctionMode


def linear_layers(networks: Sequence[nn.Module]) -> list[nn.Linear]:
    """Those that are torch's own, each once."""
    modules = dict.fromkeys(module for network in networks for module in network.modules())
    return [
        module
        for module in modules
        if isinstance(module, nn.Linear) and getattr(module.forward, "__func__", None) is nn.Linear.forward
    ]


@contextmanager
def in_one_product(layers: Sequence[nn.Linear]) -> Iterator[None]:
    """In the body a linear layer of several runs is one product, where vmap has five operations and their derivatives.

    Where it can: the runs have inputs, weights and biases of their own, and samples in rows.
    """
    for layer in layers:
        layer.__dict__["forward"] = partial(_forward, layer)
    try:
        yield
    finally:
        for layer in layers:
            del layer.__dict__["forward"]


def take(stacked: Tensor, numbers: Tensor) -> Tensor:
    """`stacked[numbers]`; under vmap, of numbers that count the runs, each run's own row."""
    if not _is_stacked(numbers):
        return stacked[numbers]
    return _functorch._add_batch_dim(stacked, 0, _functorch.maybe_get_level(numbers))


class CopiedOut(TorchFunctionMode):
    """`out=`, by which torch's spectral norm writes its vectors and which vmap has no rule for, is done by a copy."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if (out := kwargs.pop("out", None)) is None:
            return func(*args, **kwargs)
        return out.copy_(func(*args, **kwargs))


def _forward(layer: nn.Linear, x: Tensor) -> Tensor:
    weight, bias = layer.weight, layer.bias
    if bias is None or x.dim() != 2 or not (_is_stacked(x) and _is_stacked(weight) and _is_stacked(bias)):
        return linear(x, weight, bias)
    level = _functorch.maybe_get_level(weight)
    if _functorch.maybe_get_level(x) != level or _functorch.maybe_get_level(bias) != level:
        return linear(x, weight, bias)
    inputs, weights, biases = map(_functorch.get_unwrapped, (x, weight, bias))
    return _functorch._add_batch_dim(torch.baddbmm(biases.unsqueeze(1), inputs, weights.mT), 0, level)


def _is_stacked(tensor: Tensor) -> bool:
    return _functorch.is_batchedtensor(tensor) and _functorch.maybe_get_bdim(tensor) == 0
