"""A pack: several runs that are trained at once in one thread, each by its own ordinary trainer.

Each run has a greenlet, a call stack of its own that can be left in the middle and taken up again. A run goes on until
it needs an update; when all runs have come there, the updates of all are made at once, and each goes on. So all else,
a run's own loop, averages, callbacks, logs and checkpoints, is as it is alone.

Runs whose updates are CUDA graphs take turns instead: each launches its own update in a stream of its own and leaves,
and the GPU works on all of them at once.
"""

import contextvars
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import FrameType
from typing import Any

import torch
from greenlet import greenlet

from ganzoo.packing.gradients import Request, differentiate, refusing, refusing_shared_streams
from ganzoo.packing.stack import Stack
from ganzoo.packing.steps import Steps
from ganzoo.packing.streams import Own, drawing_from
from ganzoo.shapes import Images, Labels
from ganzoo.training.callbacks.stop import Stop, handling
from ganzoo.training.gan import GAN, LossOf
from ganzoo.training.randomness import random_states


class Member:
    """One run of a pack, as the run itself sees it.

    Attributes:
        error: what its work raised; None: nothing, or it is still at it.
        stream: what its random numbers come from; None: its first batch has not begun.
    """

    def __init__(self, pack: "Pack", work: "Callable[[Member], None]"):
        self._pack, self._work = pack, work
        self._gan: GAN | None = None
        self.stream: torch.Generator | None = None
        self._lane: torch.cuda.Stream | None = None
        self._states: dict[str, Any] = {}
        self.error: BaseException | None = None
        self._greenlet = greenlet(self._finish)
        self._greenlet.gr_context = contextvars.copy_context()

    # What the run calls

    @contextmanager
    def joined(self, gan: GAN, stop: Stop) -> Iterator[None]:
        """In the body the pack makes the GAN's updates, and signals to the process stop this run too."""
        self._gan, gan.member = gan, self
        with self._pack.telling(stop):
            yield

    def begin(self, device: torch.device) -> None:
        """The process's random state is this run's, which takes it for its own."""
        self._states = random_states()
        state = self._states["cuda"][0] if device.type == "cuda" else self._states["torch"]
        self.stream = torch.Generator(device).set_state(state)

    def take_lane(self, device: torch.device) -> None:
        """From here on, what the run launches on the GPU waits for nothing that the others launch."""
        self._lane = torch.cuda.Stream(device)
        self._lane.wait_stream(torch.cuda.current_stream(device))
        torch.cuda.set_stream(self._lane)

    def descend(self, network: str, loss_of: LossOf, real: Images, labels: Labels | None) -> None:
        """As `GAN.descend`; the other runs go on meanwhile."""
        gan, stream = self._gan, self.stream
        assert gan is not None and stream is not None  # the first batch has begun
        request = Request(gan, stream, network, loss_of, real, labels)
        self._greenlet.parent.switch(request)
        if gan.graphs is not None:
            with drawing_from(Own(stream)), self._pack.first_of(network, refusing_shared_streams(gan)):
                gan.graphs.descend(gan, network, loss_of, real, labels)

    def make_own(self, checkpoint: dict[str, Any]) -> None:
        """A checkpoint as the run would write it alone: its random states, and of the stack its own part only."""
        checkpoint["state_dict"] = {name: tensor.clone() for name, tensor in checkpoint["state_dict"].items()}
        if self.stream is not None:
            own = self.stream.get_state()
            drawn = {"cuda": [own]} if self.stream.device.type == "cuda" else {"torch": own}
            checkpoint["ganzoo"]["random_states"] = [{**self._states, **drawn}]

    # What the pack calls

    def go_on(self) -> Request | None:
        """To its next request; None: it has ended."""
        with in_lane(self._lane):
            return self._greenlet.switch()

    def fail(self, error: Exception) -> Request | None:
        """Raises the error where the run waits; it may still have a request."""
        with in_lane(self._lane):
            return self._greenlet.throw(error)

    def _finish(self) -> None:
        try:
            self._work(self)
        except BaseException as error:  # it is told to whoever has started the pack, and not to the others
            self.error = error


class Pack:
    """Runs that are trained at once; they end at any time, each for itself."""

    def __init__(self) -> None:
        self._waiting: dict[Member, Request] = {}
        self._stacks: dict[tuple[Member, ...], Stack] = {}
        self._steps: dict[tuple[Member, ...], dict[str, Steps]] = {}
        self._stops: list[Stop] = []
        self._signal: int | None = None
        self._known: set[str] = set()  # networks of which gradients have been computed

    def run(self, works: Sequence[Callable[[Member], None]]) -> list[BaseException | None]:
        """Does all works at once; what each raised."""
        members = [Member(self, work) for work in works]
        with handling(self._remember):
            for member in members:
                self._note(member, member.go_on())
            while self._waiting:
                for group in self._groups():
                    self._serve(group)
        return [member.error for member in members]

    @contextmanager
    def telling(self, stop: Stop) -> Iterator[None]:
        """A signal to the process, also an earlier one, stops this run too in the body."""
        self._stops.append(stop)
        if self._signal is not None:
            stop.remember(self._signal, None)
        try:
            yield
        finally:
            self._stops.remove(stop)

    def _remember(self, number: int, frame: FrameType | None) -> None:
        self._signal = number
        for stop in self._stops:
            stop.remember(number, frame)

    def _note(self, member: Member, request: Request | None) -> None:
        self._waiting.pop(member, None)
        if request is not None:
            self._waiting[member] = request

    def _groups(self) -> list[list[Member]]:
        """Members whose requests can be computed at once: all, unless some have gone on from other updates."""
        groups: dict[tuple[Any, ...], list[Member]] = {}
        for member, request in self._waiting.items():
            groups.setdefault(request.kind, []).append(member)
        return list(groups.values())

    def _serve(self, group: list[Member]) -> None:
        """Computes what the members wait for; each goes on to its next request, or to its end."""
        try:
            if self._waiting[group[0]].gan.graphs is None:
                self._compute(tuple(group))
        except Exception as error:  # each run's record tells of it
            for member in group:
                self._note(member, member.fail(error))
        else:
            for member in group:
                self._note(member, member.go_on())

    def _compute(self, group: tuple[Member, ...]) -> None:
        requests = [self._waiting[member] for member in group]
        gans, network = [request.gan for request in requests], requests[0].network
        stack = self._stack_of(group, gans)
        with self.first_of(network, refusing(gans[0])):
            gradients = differentiate(stack, requests)
        for gan in gans:
            gan.clip(network)
        if network not in self._steps[group]:
            self._steps[group][network] = Steps(stack, gans, network)
        self._steps[group][network].make(gradients)

    @contextmanager
    def first_of(self, network: str, around: AbstractContextManager[None]) -> Iterator[None]:
        """The pack's first update of a network is made in `around`."""
        with nullcontext() if network in self._known else around:
            yield
        self._known.add(network)

    def _stack_of(self, group: tuple[Member, ...], gans: Sequence[GAN]) -> Stack:
        """That of just these members, made anew where one has left, or has got other weights."""
        stack = self._stacks.get(group)
        if stack is None or not stack.holds():
            others = [members for members in self._stacks if not set(members) & set(group)]
            self._stacks = {**{members: self._stacks[members] for members in others}, group: Stack(gans)}
            self._steps = {**{members: self._steps[members] for members in others}, group: {}}
        return self._stacks[group]


@contextmanager
def in_lane(lane: torch.cuda.Stream | None) -> Iterator[None]:
    """In the body, which may take another, work is launched in this stream; None: in the one that is current."""
    before = torch.cuda.current_stream() if torch.cuda.is_initialized() else None
    if lane is not None:
        torch.cuda.set_stream(lane)
    try:
        yield
    finally:
        if torch.cuda.is_initialized():
            torch.cuda.set_stream(before or torch.cuda.default_stream())
