"""Data-parallel training of two networks that take turns.

Lightning's DDP wraps the whole module and expects every parameter to get a gradient in every backward pass. Here each
pass is for one network, so nothing is wrapped: every update averages the gradients of the network that it steps, and
those only, in one message. What else the ranks must agree on, whether to stop, is one more number of that message.
"""

from collections import deque
from typing import Any, Literal

import lightning
import torch
from lightning.fabric.plugins import ClusterEnvironment
from lightning.pytorch.strategies import DDPStrategy
from torch import Tensor, distributed
from torch.optim import Optimizer

from ganzoo.ranks import average_, from_first_, on_first, send_tensors_through
from ganzoo.training.synchronised import synchronise_batch_norm
from ganzoo.training.world import World


class Assigned(ClusterEnvironment):
    """Tells Lightning which of how many processes this one is, so that it looks for no cluster and starts nothing."""

    def __init__(self, world: World):
        super().__init__()
        self.world = world

    @property
    def creates_processes_externally(self) -> bool:
        return True

    @property
    def main_address(self) -> str:
        return self.world.address

    @property
    def main_port(self) -> int:
        return self.world.port

    @staticmethod
    def detect() -> bool:
        return False

    def world_size(self) -> int:
        return self.world.size

    def set_world_size(self, size: int) -> None:
        """It is what it is."""

    def global_rank(self) -> int:
        return self.world.rank

    def set_global_rank(self, rank: int) -> None:
        """It is what it is."""

    def local_rank(self) -> int:
        return self.world.local_rank

    def node_rank(self) -> int:
        return self.world.rank * self.world.nodes // self.world.size


LAG_ON_GPU = 2  # updates until a vote is read there: by then it has arrived, and nothing waits for it


class AlternatingDDP(DDPStrategy):
    """As Lightning's DDP, but for what is said above; `GAN.descend` calls `average_gradients`.

    Args:
        batch_norm: synchronised: over the whole batch, as one process would; per_rank: over each rank's own part of it,
            and the statistics that are saved and scored with are the first rank's.

    Attributes:
        wants_to_stop: this rank's vote, to be set at any time.
        stops: whether any rank has voted for the end. It turns true on all of them after the same update.
    """

    def __init__(self, *, batch_norm: Literal["synchronised", "per_rank"] = "synchronised", **options: Any):
        super().__init__(**options)
        self.batch_norm = batch_norm
        self.wants_to_stop = self.stops = False
        self._votes: deque[tuple[Tensor, Any]] = deque()
        self._group: Any = None  # of the GPUs, where the processes' own is another

    def setup_distributed(self) -> None:
        super().setup_distributed()
        on_gpu = self.root_device.type == "cuda"
        elsewhere = on_gpu and distributed.get_backend() != "nccl"
        self._group = distributed.new_group(backend="nccl") if elsewhere else None
        send_tensors_through(self._group)

    def setup(self, trainer: lightning.Trainer) -> None:
        # Before every batch Lightning asks the first rank whether it was stopped, and waits for the answer.
        trainer.fit_loop.epoch_loop._broadcast_sigterm_tensor = lambda: None  # type: ignore[method-assign]
        super().setup(trainer)

    def configure_ddp(self) -> None:
        """Every rank begins with the first one's weights."""
        assert self.model is not None
        if self.batch_norm == "synchronised":
            synchronise_batch_norm(self.model)
        for tensor in (*self.model.parameters(), *self.model.buffers()):
            from_first_(tensor.detach())

    def average_gradients(self, optimizer: Optimizer) -> None:
        """The mean over all ranks of every gradient that the optimiser is about to use; counts the votes too."""
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        vote = torch.full((1,), float(self.wants_to_stop), device=self.root_device)
        together = average_(torch.cat([*(gradient.flatten() for gradient in gradients), vote]))
        *parts, vote = together.split([*(gradient.numel() for gradient in gradients), 1])
        shaped = [part.view_as(gradient) for part, gradient in zip(parts, gradients, strict=True)]
        torch._foreach_copy_(gradients, shaped)
        self._count(vote)

    def _count(self, vote: Tensor) -> None:
        """Takes up the vote of this update, on a GPU of an earlier one: always the same on every rank."""
        if vote.device.type != "cuda":
            self.stops = self.stops or vote.item() > 0
            return
        arrived = torch.cuda.Event()
        self._votes.append((torch.empty(1, pin_memory=True).copy_(vote, non_blocking=True), arrived))
        arrived.record()
        if len(self._votes) > LAG_ON_GPU:
            copy, arrived = self._votes.popleft()
            arrived.synchronize()
            self.stops = self.stops or copy.item() > 0

    def save_checkpoint(self, checkpoint: dict[str, Any], filepath: Any, storage_options: Any = None) -> None:
        """By the first rank; where its disk refuses, all of them raise that."""
        on_first(lambda: super(AlternatingDDP, self).save_checkpoint(checkpoint, filepath, storage_options))

    def teardown(self) -> None:
        super().teardown()
        send_tensors_through(None)
        if self._group is not None:
            distributed.destroy_process_group(self._group)
            self._group = None
