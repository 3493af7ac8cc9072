"""CUDA graphs: all that an update launches on a GPU is recorded once, and from then on launched at once.

A small network's update is one or two hundred operations, and Python and torch need longer to launch them than a GPU
needs to run them. A graph repeats them on the same tensors. Whatever else an update reads is fixed when it is captured:
shapes, and every number that Python computes. So each batch is copied to where the first one lay, and a learning rate
that changes is read on the device. Random numbers go on as ever, since a replay moves torch's generator as far as the
update would have. What depends on a count of Python's would be frozen too, and nobody can tell that from outside:
so by default only what is ganzoo's own is captured, each variant of which is tested.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.optim import Optimizer

from ganzoo.errors import InputError
from ganzoo.experiment import Experiment
from ganzoo.shapes import Images, Labels
from ganzoo.training.gan import GAN, NETWORKS, LossOf

if TYPE_CHECKING:
    from ganzoo.packing.pack import Member

KEY, OURS = "trainer.cuda_graphs", "ganzoo."
WARM_UP = 3  # updates before the one that is captured: libraries and moments are set up at a first use, once for all

Work = Callable[[], None]


@runtime_checkable
class Graph(Protocol):
    """What a device records and repeats."""

    def warm_up(self, work: Work) -> None:
        """Does the work as ever, in the place where it will be captured."""

    def capture(self, work: Work) -> None:
        """Records what the work does on the device, which is not done now: only Python's part of it is."""

    def replay(self) -> None:
        """Does what has been recorded, on the same tensors."""


class CUDAGraph:
    """A GPU's: see "Whole-network capture" in torch's notes on CUDA semantics.

    Args:
        generator: what the work draws from beside the process's own stream.
    """

    def __init__(self, generator: torch.Generator | None = None) -> None:
        self._graph, self._stream = torch.cuda.CUDAGraph(), _capture_stream()
        if generator is not None:
            self._graph.register_generator_state(generator)

    def warm_up(self, work: Work) -> None:
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            work()
        torch.cuda.current_stream().wait_stream(self._stream)

    def capture(self, work: Work) -> None:
        # A loader's thread may copy batches meanwhile: what it does is no part of this, and no error.
        with (
            _workspaces_of_its_own(),
            torch.cuda.graph(self._graph, stream=self._stream, capture_error_mode="thread_local"),
        ):
            work()

    def replay(self) -> None:
        self._graph.replay()


@cache
def _capture_stream() -> torch.cuda.Stream:
    """One for all: torch has 32 and then gives the first again, which a run of a pack may work in."""
    return torch.cuda.Stream()


@contextmanager
def _workspaces_of_its_own() -> Iterator[None]:
    """What cuBLAS needs in the body is allocated in it, so it belongs to the graph.

    Else the graph would use what is kept for all products in a stream, which Lightning frees at the end of a training:
    the graphs of the other runs of a pack would then write into memory that is no longer there.
    """
    torch._C._cuda_clearCublasWorkspaces()
    try:
        yield
    finally:
        torch._C._cuda_clearCublasWorkspaces()


class Graphs:
    """The updates of a GAN as graphs, one a network. Made anew for every training.

    Args:
        new_graph: of the device that is trained on.
    """

    def __init__(self, new_graph: Callable[[], Graph]):
        self._new_graph = new_graph
        self._optimizers: dict[str, CapturableOptimizer] = {}
        self._updates: dict[str, CapturedUpdate] = {}

    def descend(self, gan: GAN, network: str, loss_of: LossOf, real: Images, labels: Labels | None) -> None:
        """What `GAN.descend` says. An update of another kind than the network's first is made as ever."""
        if network not in self._updates:
            optimizer, config = gan.trainer.optimizers[NETWORKS.index(network)], getattr(gan.optimizer_configs, network)
            self._optimizers[network] = CapturableOptimizer(optimizer, config.is_scheduled)
            self._updates[network] = CapturedUpdate(gan, network, loss_of, real, labels, self._new_graph())
        update = self._updates[network]
        with self._optimizers[network].on_device():
            if update.is_of(loss_of, real, labels):
                update.make(real, labels)
            else:
                gan.descend_eagerly(network, loss_of, real, labels)


class CapturedUpdate:
    """The update of one network by one loss, on batches of one shape."""

    def __init__(self, gan: GAN, network: str, loss_of: LossOf, real: Images, labels: Labels | None, graph: Graph):
        self._gan, self._network, self._loss_of, self._graph = gan, network, loss_of, graph
        self._real = torch.empty_like(real)
        self._labels = None if labels is None else torch.empty_like(labels)
        self._work = partial(gan.descend_eagerly, network, loss_of, self._real, self._labels)
        self._weights = list(getattr(gan, network).parameters())
        self._gradients: list[Tensor | None] = []
        self._losses: dict[str, Tensor] = {}
        self._made = 0

    def is_of(self, loss_of: LossOf, real: Images, labels: Labels | None) -> bool:
        """Whether this is the update by that loss, on such a batch."""
        return loss_of == self._loss_of and _kind(real) == _kind(self._real) and _kind(labels) == _kind(self._labels)

    def make(self, real: Images, labels: Labels | None) -> None:
        """One update on this batch."""
        self._real.copy_(real)
        if self._labels is not None and labels is not None:
            self._labels.copy_(labels)
        if self._made < WARM_UP:
            self._graph.warm_up(self._work)
        else:
            if self._made == WARM_UP:
                self._capture()
            self._graph.replay()
            self._hand_out()
        self._made += 1

    def _capture(self) -> None:
        kept, self._gan.losses = self._gan.losses, {}
        try:
            self._graph.capture(self._work)
        except Exception as error:  # torch's own, of many classes
            reason = str(error.__context__ or error).partition("\n")[0]  # ending the capture fails too, and tells less
            what = f"{type(self._gan).__name__}'s {self._network} update"
            raise InputError(KEY, f"{what} cannot be captured: {reason}; set {KEY}=false") from error
        finally:
            self._losses, self._gan.losses = self._gan.losses, kept
        self._gradients = [weight.grad for weight in self._weights]

    def _hand_out(self) -> None:
        """Puts what a replay has computed where Python would have put it."""
        for weight, gradient in zip(self._weights, self._gradients, strict=True):
            weight.grad = gradient
        self._gan.losses.update(self._losses)


class CapturableOptimizer:
    """An optimiser whose steps can be captured: it counts them on the device, and reads a scheduled rate there.

    Only while an update is made: schedules and checkpoints find it as it is without graphs.
    """

    def __init__(self, optimizer: Optimizer, scheduled: bool):
        self._optimizer = optimizer
        self._device = optimizer.param_groups[0]["params"][0].device
        # float32 is what torch's fused optimisers read on a GPU; a rate that stays is theirs as it is.
        self._rates = [torch.empty((), device=self._device) for _ in optimizer.param_groups] if scheduled else []
        for state in optimizer.state.values():
            if "step" in state:  # a checkpoint's may lie elsewhere
                state["step"] = state["step"].to(self._device)
        optimizer._warned_capturable_if_run_uncaptured = True  # so warming up is meant to be

    @contextmanager
    def on_device(self) -> Iterator[None]:
        groups = self._optimizer.param_groups
        own = [dict(group) for group in groups]
        for group in groups:
            if "capturable" in group:  # SGD counts nothing
                group["capturable"] = self._device.type == "cuda"
        for group, rate in zip(groups, self._rates, strict=False):  # there are none, or one a group
            group["lr"] = rate.fill_(group["lr"])
        try:
            yield
        finally:
            for group, settings in zip(groups, own, strict=True):
                group.update(settings)


def graphs_for(experiment: Experiment, device: torch.device, member: "Member | None" = None) -> Graphs | None:
    """For a training of the experiment there; None: its updates are not captured.

    Args:
        member: what the run is in a pack of runs that are trained at once.

    Raises:
        InputError: graphs are asked for, and it is no GPU.
    """
    asked, on_gpu = experiment.trainer.cuda_graphs, device.type == "cuda"
    if asked is True and not on_gpu:
        raise InputError(KEY, f"true needs a GPU, and training is on {device.type}; set {KEY}=auto or false")
    if not (asked is True or (on_gpu and experiment.trainer.captures and _is_known(experiment))):
        return None
    return Graphs(CUDAGraph if member is None else lambda: CUDAGraph(member.stream))


def _is_known(experiment: Experiment) -> bool:
    """Whether every part is ganzoo's own and can be captured."""
    parts = (experiment.variant, experiment.generator, experiment.discriminator)
    return experiment.variant.not_captured is None and all(type(part).__module__.startswith(OURS) for part in parts)


def _kind(batch: Tensor | None) -> Any:
    return None if batch is None else (batch.shape, batch.dtype)
