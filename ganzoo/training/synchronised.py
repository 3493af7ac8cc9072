"""BatchNorm over the whole batch of all ranks, as one process would normalise it.

torch's SyncBatchNorm works on GPUs only and cannot be differentiated twice; this one can, on any device.
"""

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ganzoo.errors import InputError
from ganzoo.ranks import mean_of_ranks, world_size


def synchronise_batch_norm(model: nn.Module) -> None:
    """Puts a `SynchronisedBatchNorm` in the place of every BatchNorm in the model, around the same tensors.

    Raises:
        InputError: one of them has a forward of its own.
    """
    for parent in list(model.modules()):
        for name, norm in list(parent.named_children()):
            if isinstance(norm, _BatchNorm) and not isinstance(norm, SynchronisedBatchNorm):
                setattr(parent, name, SynchronisedBatchNorm.around(norm))


class SynchronisedBatchNorm(_BatchNorm):
    """Normalises channels of (n, c, ...) by mean and variance over all ranks' samples: one message a forward.

    Every rank must have as many samples as any other. In evaluation, and alone, it is torch's own.
    """

    @classmethod
    def around(cls, norm: _BatchNorm) -> "SynchronisedBatchNorm":
        """One with the tensors and the settings of another BatchNorm."""
        if type(norm).forward is not _BatchNorm.forward:
            kind = type(norm).__name__
            raise InputError("trainer.batch_norm", f"{kind} has a forward of its own: set trainer.batch_norm=per_rank")
        new = cls(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
        for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
            setattr(new, name, getattr(norm, name))
        return new.train(norm.training)

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim < 2:
            raise ValueError(f"BatchNorm takes (n, c, ...), not {tuple(input.shape)}")

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or world_size() == 1:
            return super().forward(input)
        self._check_input_dim(input)
        x = input.float()
        mean, variance = self._moments(x)
        if self.track_running_stats:
            self._remember(mean.detach(), variance.detach(), count=x.numel() // x.shape[1] * world_size())
        scale = (variance + self.eps).rsqrt()
        if self.affine:
            scale = scale * self.weight
        normalised = (x - _channels(mean, x)) * _channels(scale, x)
        return (normalised + _channels(self.bias, x) if self.affine else normalised).to(input.dtype)

    def _moments(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and biased variance of each channel, (c,) each.

        E[x^2] - E[x]^2 would lose digits; between ranks, and in double precision, it loses none that are looked at.
        """
        mean = x.mean(dim=[0, *range(2, x.ndim)])
        variance = x.var(dim=[0, *range(2, x.ndim)], correction=0)
        mean, variance = mean.double(), variance.double()
        mean, square = mean_of_ranks(torch.stack([mean, variance + mean.square()]))
        return mean.float(), (square - mean.square()).float()

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Moves the running statistics; as torch's, the variance among them is the unbiased one."""
        assert self.running_mean is not None and self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        weight = 1.0 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, weight)
        self.running_var.lerp_(variance * (count / max(count - 1, 1)), weight)


def _channels(values: Tensor, x: Tensor) -> Tensor:
    return values.view(1, -1, *(1 for _ in x.shape[2:]))
