"""The discriminator as an objective sees it: a function of samples alone."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ganzoo.errors import InputError
from ganzoo.shapes import ClassLogits, Features, Images, Labels, Logits, Packs


@dataclass(frozen=True)
class BoundDiscriminator:
    """A discriminator with the labels of one update bound, so that every objective is a function of D, x and G(z).

    The reals and the fakes of an update carry the same labels, index by index: points between them, and pairs of them,
    have a class too.

    Attributes:
        network: images, or images and labels where its `num_classes` is not 0, to logits (n,).
        given: (n,), the classes of the update's samples; None where the data have none.
        weights: used in the network's place, by name; None: its own.
        joint: whether `both` asks the network once.
    """

    network: nn.Module
    given: Labels | None = None
    weights: dict[str, Tensor] | None = None
    joint: bool = False

    def __call__(self, samples: Images) -> Logits:
        return self._ask("forward", samples, *condition_of(self.network, self.given))

    def both(self, first: Images, second: Images) -> tuple[Logits, Logits]:
        """The logits of two sets of samples of the update's classes, by two calls or one, which takes less time.

        One is for networks that judge each sample by itself, whatever else is in the batch.
        """
        if not self.joint:
            return self(first), self(second)
        labels = None if self.given is None else torch.cat([self.given, self.given])
        logits = replace(self, given=labels)(torch.cat([first, second]))
        return logits[: len(first)], logits[len(first) :]

    def features(self, samples: Images) -> Features:
        """What the network's head is a function of: `network.features`."""
        return self._ask("features", samples, *condition_of(self.network, self.given))

    def classify(self, samples: Images) -> tuple[Logits, ClassLogits]:
        """Logits of being real, and of each class: `network.classify`."""
        return self._ask("classify", samples)

    def with_weights(self, weights: dict[str, Tensor]) -> "BoundDiscriminator":
        """The same discriminator with other weights, as a function that can be differentiated by them."""
        return replace(self, weights=weights)

    @property
    def labels(self) -> Labels:
        """(n,), the classes of the update's samples. Raises InputError where the data have none."""
        return needed(self.given)

    def _ask(self, method: str, *inputs: Tensor) -> Any:
        if not hasattr(self.network, method):
            raise InputError(
                "discriminator", f"{type(self.network).__name__} has no {method}(), and the variant calls it"
            )
        if self.weights is None:
            return self.network(*inputs) if method == "forward" else getattr(self.network, method)(*inputs)
        return functional_call(_Method(self.network, method), _prefixed(self.weights), inputs)


class _Method(nn.Module):
    """A method of a module as a module's forward, for functional_call."""

    def __init__(self, network: nn.Module, method: str):
        super().__init__()
        self.network, self.method = network, method

    def forward(self, *inputs: Tensor) -> Any:
        return self.network(*inputs) if self.method == "forward" else getattr(self.network, self.method)(*inputs)


def _prefixed(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"network.{name}": weight for name, weight in weights.items()}


def classes_of(network: nn.Module) -> int:
    """How many classes a network is conditional on; 0: its forward takes no labels."""
    return getattr(network, "num_classes", 0)


def condition_of(network: nn.Module, labels: Labels | None) -> tuple[Tensor, ...]:
    """What a network is called with after its samples or latents: labels, where it is conditional."""
    return (needed(labels),) if classes_of(network) else ()


def needed(labels: Labels | None) -> Labels:
    if labels is None:
        raise InputError("data", "the variant or its networks need labels, and the batches have none")
    return labels


def packed(samples: Images, size: int) -> Packs:
    """`size` samples as one, along the channels of images and the coordinates of points (Lin et al. 2017, PacGAN).

    (n, c, ...) to (n / size, size * c, ...); samples beyond a multiple of `size` are left out.

    >>> import torch
    >>> packed(torch.arange(10.0).view(5, 2), 2)
    tensor([[0., 1., 2., 3.],
            [4., 5., 6., 7.]])
    """
    if size == 1:
        return samples
    whole = samples[: len(samples) // size * size]
    return whole.reshape(-1, size * whole.shape[1], *whole.shape[2:])
