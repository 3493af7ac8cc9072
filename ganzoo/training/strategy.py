"""Data-parallel training of two networks that take turns.

Lightning's DDP wraps the whole module and expects every parameter to get a gradient in every backward pass. Here each
pass is for one network, so nothing is wrapped: every update averages the gradients of the network that it steps, and
those only, in one message.
"""

import torch
from lightning.pytorch.strategies import DDPStrategy
from torch.optim import Optimizer


class AlternatingDDP(DDPStrategy):
    """As Lightning's DDP, but for `configure_ddp`; `GAN.descend` calls `average_gradients`.

    BatchNorm normalises over each rank's own part of a batch; the statistics that are saved are rank 0's.
    """

    def configure_ddp(self) -> None:
        """Every rank begins with rank 0's weights."""
        assert self.model is not None
        for tensor in self.model.state_dict().values():
            torch.distributed.broadcast(tensor, src=0)

    def average_gradients(self, optimizer: Optimizer) -> None:
        """The mean over all ranks of every gradient that the optimiser is about to use."""
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        together = torch.cat([gradient.flatten() for gradient in gradients])
        torch.distributed.all_reduce(together)
        together /= torch.distributed.get_world_size()
        parts = together.split([gradient.numel() for gradient in gradients])
        shaped = [part.view_as(gradient) for part, gradient in zip(parts, gradients, strict=True)]
        torch._foreach_copy_(gradients, shaped)
