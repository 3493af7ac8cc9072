"""Nonlinearities by name."""

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn.functional import softplus


class Gated(nn.Module):
    """sigmoid(a) * tanh(b), where a and b are the halves of the channels: (n, 2c, ...) to (n, c, ...).

    The multiplicative nonlinearity of van den Oord et al. 2016, arXiv:1606.05328, that Gulrajani et al. 2017,
    arXiv:1704.00028, figure 2, try in DCGAN. Their code takes a and b from alternate channels, which names the
    same networks.
    """

    def forward(self, x: Tensor) -> Tensor:
        a, b = x.chunk(2, dim=1)
        return a.sigmoid() * b.tanh()


class Maxout(nn.Module):
    """The largest of every `pieces` consecutive channels: (n, pieces * c, ...) to (n, c, ...).

    Goodfellow et al. 2013, arXiv:1302.4389.
    """

    def __init__(self, pieces: int):
        super().__init__()
        self.pieces = pieces

    def forward(self, x: Tensor) -> Tensor:
        return x.unflatten(1, (-1, self.pieces)).amax(dim=2)

    def extra_repr(self) -> str:
        return f"pieces={self.pieces}"


class SmoothReLU(nn.Module):
    """softplus(2x + 2) / 2 - 1, from -1 upwards: where Gulrajani et al. 2017, arXiv:1704.00028, found ELU to fail."""

    def forward(self, x: Tensor) -> Tensor:
        return softplus(2 * x + 2) / 2 - 1


ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": lambda: nn.LeakyReLU(0.2),
    "leaky_relu_0.1": lambda: nn.LeakyReLU(0.1),
    "tanh": nn.Tanh,
    "elu": nn.ELU,
    "softplus": SmoothReLU,
    "gated": Gated,
}


def activation_layer(name: str) -> nn.Module:
    """The nonlinearity of that name. "gated" takes twice the channels that it gives: see `channels_before`."""
    return ACTIVATIONS[name]()


def channels_before(name: str, channels: int) -> int:
    """The channels that the nonlinearity must be given, so that `channels` come out.

    >>> channels_before("relu", 64), channels_before("gated", 64)
    (64, 128)
    """
    return 2 * channels if name == "gated" else channels
