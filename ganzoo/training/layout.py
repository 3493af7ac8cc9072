"""In which order the numbers of images and of convolutions' weights lie in memory."""

import torch
from torch import nn
from torch.optim import Optimizer

COUNT = "step"  # in an optimiser's state, beside the moments: a number, also where the weight is one


def lay_channels_last(network: nn.Module) -> None:
    """The channels of all four-dimensional weights lie last: a convolution by such weights works, and answers, so too.

    What it computes is the same but for rounding.
    """
    network.to(memory_format=torch.channels_last)


@torch.no_grad()
def lay_states_as_weights(optimizer: Optimizer) -> None:
    """The optimiser's moments lie in memory as their weights do.

    Torch's fused optimisers go through weight, gradient and moments side by side as they lie, and do not look whether
    that is in one order. It is not in a checkpoint of other weights: of a run that was trained in a pack.
    """
    for weight, state in optimizer.state.items():
        for name, moment in state.items():
            if name != COUNT and isinstance(moment, torch.Tensor) and moment.shape == weight.shape:
                state[name] = torch.empty_like(weight, dtype=moment.dtype).copy_(moment)
