"""Layers one after the other, some of which look at the class labels."""

from torch import Tensor, nn

from ganzoo.shapes import Labels


class Chain(nn.Sequential):
    """A Sequential whose `forward(x, labels)` hands the labels to those layers that have `takes_labels = True`.

    So a conditional norm deep inside a network needs no plumbing: the blocks around it are chains, or modules that
    say `takes_labels = True` too and pass the labels on.
    """

    takes_labels = True

    def forward(self, x: Tensor, labels: Labels | None = None) -> Tensor:
        for layer in self:
            x = layer(x, labels) if getattr(layer, "takes_labels", False) else layer(x)
        return x
