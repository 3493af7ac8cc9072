"""A CUDA graph for a CPU: torch's operations are listed, and repeated on the same tensors without Python."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ganzoo.experiment import Experiment
from ganzoo.records.run_directory import RunDirectory
from ganzoo.training.gan import GAN
from ganzoo.training.graphs import Graphs, Work
from ganzoo.training.run import Session
from ganzoo.training.world import World

WAITED_FOR = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape}


class Tape(TorchDispatchMode):
    """As on a GPU, nothing is computed when an update is captured, and an operation that Python waits for is refused.

    Here all is computed, and then what the GAN keeps is put back. A replay writes what it computes into the tensors
    that the captured update had made, so whoever has kept one of them sees it.

    Args:
        generator: what the GAN draws from; None: the process's own stream.
    """

    def __init__(self, gan: GAN, generator: torch.Generator | None = None):
        super().__init__()
        self.gan, self.generator, self.calls, self.replays = gan, generator or torch.default_generator, [], 0

    def warm_up(self, work: Work) -> None:
        work()

    def capture(self, work: Work) -> None:
        before = [(tensor, tensor.clone()) for tensor in self._kept()]
        random = self.generator.get_state()
        with self:
            work()
        self.generator.set_state(random)
        with torch.no_grad():
            for tensor, value in before:
                tensor.copy_(value)

    @torch.no_grad()
    def replay(self) -> None:
        self.replays += 1
        for function, args, kwargs, results in self.calls:
            for old, new in zip(results, tree_leaves(function(*args, **kwargs)), strict=True):
                if isinstance(old, Tensor) and old.untyped_storage().data_ptr() != new.untyped_storage().data_ptr():
                    old.copy_(new)

    def _kept(self) -> Iterator[Tensor]:
        yield from self.gan.state_dict().values()
        for optimizer in self.gan.trainer.optimizers:
            yield from (each for state in optimizer.state.values() for each in state.values() if each is not None)

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if WAITED_FOR & set(function.tags) and not _does_not_wait_on_a_gpu(function, args):
            raise RuntimeError(f"{function} is not permitted when a stream is capturing")
        result = function(*args, **(kwargs or {}))
        self.calls.append((function, args, kwargs or {}, tree_leaves(result)))
        return result


def _does_not_wait_on_a_gpu(function: Any, args: Any) -> bool:
    if function is torch.ops.aten.index.Tensor:  # only a mask gives as many rows as it has ones
        return all(index is None or index.dtype != torch.bool for index in args[1])
    # one_hot looks at the smallest and the largest class, on a CPU only.
    return function is torch.ops.aten._local_scalar_dense.default and args[0].dtype == torch.int64


def train_taped(experiment: Experiment, path: Path) -> dict[str, int]:
    """Trains as `ganzoo.train` does, goes on where there is a checkpoint; how often each network was replayed."""
    run = RunDirectory(path) if path.exists() else RunDirectory.create(experiment, path)
    tapes: list[Tape] = []
    with run.claimed():
        session = Session.prepare(experiment, run, World(), resumed=run.last_checkpoint.exists())

        def new_tape() -> Tape:
            tapes.append(Tape(session.gan))
            return tapes[-1]

        session.gan.graphs = Graphs(new_tape)
        session.fit(None, None)
    return dict(zip(("discriminator", "generator"), (tape.replays for tape in tapes), strict=True))
