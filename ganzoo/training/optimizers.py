"""The optimisers and learning-rate schedules of the two networks (no torch until one is built)."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ganzoo.components import Classes
from ganzoo.config import Settings, component, setting
from ganzoo.errors import Problem

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig(Settings):
    """What every optimiser has: the rate, its schedule over generator updates, weight decay, clipping."""

    lr: float = setting(2e-4, "learning rate before the schedule", above=0, at_most=1000)
    schedule: Literal["constant", "linear", "cosine"] = setting("constant", "shape of the decay of lr to zero")
    decay_start_updates: int = setting(0, "generator updates before the decay begins", at_least=0)
    decay_end_updates: int | None = setting(None, "generator updates at which lr is zero", at_least=1)
    warmup_updates: int = setting(0, "generator updates over which lr rises linearly to its value", at_least=0)
    weight_decay: float = setting(0.0, "L2 (adamw: decoupled) weight decay", at_least=0)
    clip_norm: float | None = setting(None, "largest Euclidean norm of this network's gradient", above=0)

    def problems(self) -> Iterator[Problem]:
        if self.schedule != "constant" and self.decay_end_updates is None:
            yield Problem("decay_end_updates", f"null must be a whole number, since schedule is {self.schedule}")
        if self.decay_end_updates is not None and self.decay_end_updates <= self.decay_start_updates:
            yield Problem(
                "decay_end_updates",
                f"{self.decay_end_updates} must be above decay_start_updates {self.decay_start_updates}",
            )

    @property
    def is_scheduled(self) -> bool:
        """Whether the rate changes in the course of training."""
        return self.schedule != "constant" or self.warmup_updates > 0

    def factor(self, generator_updates: int) -> float:
        """What lr is multiplied with after that many generator updates, in [0, 1].

        >>> linear = Adam(schedule="linear", decay_start_updates=100, decay_end_updates=200)
        >>> [linear.factor(updates) for updates in (0, 100, 150, 200, 300)]
        [1.0, 1.0, 0.5, 0.0, 0.0]
        """
        warm = min(1.0, (generator_updates + 1) / self.warmup_updates) if self.warmup_updates else 1.0
        if self.schedule == "constant" or self.decay_end_updates is None:
            return warm
        span = self.decay_end_updates - self.decay_start_updates
        done = min(max((generator_updates - self.decay_start_updates) / span, 0.0), 1.0)
        return warm * (1.0 - done if self.schedule == "linear" else 0.5 * (1.0 + math.cos(math.pi * done)))

    def build(self, parameters: "Iterable[nn.Parameter]", *, fused: bool = True) -> "Optimizer":
        """
        Args:
            fused: all weights in one call, which rounds otherwise than one weight after the other; not for scaled
                gradients that are to be clipped.
        """
        raise NotImplementedError

    def _common(self) -> dict[str, Any]:
        return {"lr": self.lr, "weight_decay": self.weight_decay}


@dataclass(frozen=True, kw_only=True)
class Adam(OptimizerConfig):
    """Adam (Kingma & Ba 2014, arXiv:1412.6980)."""

    betas: tuple[float, float] = setting((0.5, 0.999), "decay of the moments", at_least=0, below=1)
    eps: float = setting(1e-8, "added to the denominator", above=0)

    def build(self, parameters: "Iterable[nn.Parameter]", *, fused: bool = True) -> "Optimizer":
        from torch import optim

        return optim.Adam(parameters, betas=self.betas, eps=self.eps, fused=fused, **self._common())


@dataclass(frozen=True, kw_only=True)
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2017, arXiv:1711.05101)."""

    def build(self, parameters: "Iterable[nn.Parameter]", *, fused: bool = True) -> "Optimizer":
        from torch import optim

        return optim.AdamW(parameters, betas=self.betas, eps=self.eps, fused=fused, **self._common())


@dataclass(frozen=True, kw_only=True)
class RMSprop(OptimizerConfig):
    """RMSProp (Tieleman & Hinton 2012, Coursera lecture 6.5)."""

    alpha: float = setting(0.99, "decay of the mean square", at_least=0, below=1)
    momentum: float = setting(0.0, "", at_least=0, below=1)
    eps: float = setting(1e-8, "added to the denominator", above=0)

    def build(self, parameters: "Iterable[nn.Parameter]", *, fused: bool = True) -> "Optimizer":
        from torch import optim

        options = {"alpha": self.alpha, "momentum": self.momentum, "eps": self.eps, **self._common()}
        return optim.RMSprop(parameters, foreach=True, **options)  # there is no fused one


@dataclass(frozen=True, kw_only=True)
class SGD(OptimizerConfig):
    """Stochastic gradient descent, with Polyak's momentum."""

    momentum: float = setting(0.0, "", at_least=0, below=1)

    def build(self, parameters: "Iterable[nn.Parameter]", *, fused: bool = True) -> "Optimizer":
        from torch import optim

        return optim.SGD(parameters, momentum=self.momentum, fused=fused, **self._common())


OPTIMIZERS = Classes("optimizer", {"adam": Adam, "adamw": AdamW, "rmsprop": RMSprop, "sgd": SGD})


def spare_gpu_check(optimizer: "Optimizer") -> None:
    """On a CPU the optimiser no longer asks, before every step, whether a GPU is there and records it as a graph.

    torch's Adam does. With the variable PYTORCH_NVML_BASED_CUDA_CHECK, which Lightning sets so that the question is no
    harm to processes that are forked later, it looks for NVIDIA's library on the disk each time, for 0.1 ms.
    """
    if all(weight.device.type == "cpu" for group in optimizer.param_groups for weight in group["params"]):
        for name in ("_accelerator_graph_capture_health_check", "_cuda_graph_capture_health_check"):  # its older name
            setattr(optimizer, name, lambda: None)


@dataclass(frozen=True, kw_only=True)
class Optimizers(Settings):
    """One optimiser for each network."""

    generator: OptimizerConfig = component(OPTIMIZERS)
    discriminator: OptimizerConfig = component(OPTIMIZERS)
