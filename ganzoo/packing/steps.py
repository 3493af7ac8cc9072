"""The optimiser steps of several runs in one call: a step of a small network is hardly any arithmetic."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from ganzoo.packing.stack import Stack
from ganzoo.training.gan import GAN
from ganzoo.training.layout import COUNT, lay_states_as_weights
from ganzoo.training.optimizers import spare_gpu_check


class Steps:
    """The steps of one network's optimisers of several GANs. The moments are each optimiser's own, to whoever looks."""

    def __init__(self, stack: Stack, gans: Sequence[GAN], network: str):
        self._stack, self._gans, self._network = stack, gans, network
        self._optimizers = [gan.optimizer_of(network).optimizer for gan in gans]
        self._way = self._quickest_way()

    def make(self, gradients: Sequence[Tensor | None]) -> None:
        """One step of each.

        Args:
            gradients: stacked, of the network's weights; the members' own are views of them.
        """
        if isinstance(self._way, OnStack) and not _have_one_setting(self._optimizers):  # somebody has set a rate
            self._way = self._quickest_way()
        self._way.step(gradients)

    def _quickest_way(self) -> "OnStack | Apart":
        for optimizer in self._optimizers:
            _make_states_its_own(optimizer)
        members = [self._stack.parameters_of(member, self._network) for member in range(len(self._gans))]
        if _have_one_setting(self._optimizers) and _are_equally_far(self._optimizers, members):
            return OnStack(self._stack.stacked(self._network), members, self._optimizers)
        scheduled = [getattr(gan.optimizer_configs, self._network).is_scheduled for gan in self._gans]
        return Apart(self._optimizers, scheduled)


class OnStack:
    """Optimisers that are all alike, as one over the stacked weights.

    Args:
        stacked: each weight of all members.
        members: each member's weights, in the same order.
    """

    def __init__(self, stacked: Sequence[Tensor], members: Sequence[Sequence[Tensor]], optimizers: Sequence[Optimizer]):
        self._stacked, self._members, self._optimizers = stacked, members, optimizers
        group = {**_settings_of(optimizers[0])[0], "params": list(stacked)}
        self._whole = _like(optimizers[0], [group])
        for weight, own in zip(stacked, zip(*members, strict=True), strict=True):
            states = [optimizer.state.get(each) for optimizer, each in zip(optimizers, own, strict=True)]
            if states[0]:
                self._whole.state[weight] = {key: _stacked(key, [state[key] for state in states]) for key in states[0]}  # type: ignore[index]
        self._share()
        for optimizer in optimizers:
            optimizer._opt_called = True  # type: ignore[attr-defined]  # else a schedule warns that it never steps

    def step(self, gradients: Sequence[Tensor | None]) -> None:
        self._whole.param_groups[0].update(_settings_of(self._optimizers[0])[0])
        for weight, gradient in zip(self._stacked, gradients, strict=True):
            weight.grad = gradient
        self._whole.step()
        if len(self._whole.state) != self._shared:  # the first step makes the moments
            self._share()

    def _share(self) -> None:
        """The members' moments are rows of the whole's."""
        for weight, own in zip(self._stacked, zip(*self._members, strict=True), strict=True):
            for number, (optimizer, each) in enumerate(zip(self._optimizers, own, strict=True)):
                if weight in self._whole.state:
                    moments = self._whole.state[weight].items()
                    optimizer.state[each] = {key: _row(key, moment, number) for key, moment in moments}
        self._shared = len(self._whole.state)


class Apart:
    """Any optimisers. Those that have no schedule and are of one class, and so treat each weight by itself, as one."""

    def __init__(self, optimizers: Sequence[Optimizer], scheduled: Sequence[bool]):
        self._all: list[Optimizer | AtOnce] = []
        alike: dict[type[Optimizer], list[Optimizer]] = {}
        for optimizer, alone in zip(optimizers, scheduled, strict=True):
            if alone:
                self._all.append(optimizer)
            else:
                alike.setdefault(type(optimizer), []).append(optimizer)
        self._all += [AtOnce(several) for several in alike.values()]

    def step(self, gradients: Sequence[Tensor | None]) -> None:
        """By the members' own gradients."""
        for optimizer in self._all:
            optimizer.step()


class AtOnce:
    """Several optimisers of one class, which step as one.

    Weights of the same rate and other settings are in one group, which is one call of torch's.
    """

    def __init__(self, optimizers: Sequence[Optimizer]):
        self._optimizers = optimizers
        self._whole = self._merged()
        self._shared = -1  # states that the whole and the optimisers have in common

    def step(self) -> None:
        if self._settings != [_settings_of(each) for each in self._optimizers]:  # somebody has set a rate
            self._whole = self._merged()
        self._whole.step()
        if len(self._whole.state) != self._shared:  # the first step makes the moments
            self._share()

    def _merged(self) -> Optimizer:
        self._settings = [_settings_of(each) for each in self._optimizers]
        groups: dict[str, dict[str, Any]] = {}
        for optimizer, each in zip(self._optimizers, self._settings, strict=True):
            for group, settings in zip(optimizer.param_groups, each, strict=True):
                groups.setdefault(repr(settings), {**settings, "params": []})["params"].extend(group["params"])
        whole = _like(self._optimizers[0], list(groups.values()))
        for optimizer in self._optimizers:
            whole.state.update(optimizer.state)
        return whole

    def _share(self) -> None:
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                for weight in group["params"]:
                    if weight in self._whole.state:
                        optimizer.state[weight] = self._whole.state[weight]
        self._shared = len(self._whole.state)


def _like(optimizer: Optimizer, groups: list[dict[str, Any]]) -> Optimizer:
    same = type(optimizer)(groups)  # type: ignore[call-arg]  # the groups have the rates
    spare_gpu_check(same)
    return same


def _settings_of(optimizer: Optimizer) -> list[dict[str, Any]]:
    return [{key: value for key, value in group.items() if key != "params"} for group in optimizer.param_groups]


def _have_one_setting(optimizers: Sequence[Optimizer]) -> bool:
    """Whether they are of one class and have one group each, with the same settings."""
    first = _settings_of(optimizers[0])
    others = optimizers[1:]
    return len(first) == 1 and all(
        type(other) is type(optimizers[0]) and _settings_of(other) == first for other in others
    )


def _are_equally_far(optimizers: Sequence[Optimizer], members: Sequence[Sequence[Tensor]]) -> bool:
    """Whether each weight has the same moments in all of them, of as many steps."""
    for own in zip(*members, strict=True):
        states = [optimizer.state.get(each, {}) for optimizer, each in zip(optimizers, own, strict=True)]
        if any(state.keys() != states[0].keys() for state in states):
            return False
        if any(float(state[COUNT]) != float(states[0][COUNT]) for state in states if COUNT in state):
            return False
    return True


def _stacked(key: str, moments: Sequence[Any]) -> Any:
    """Of counts, which are equal, one; SGD without momentum keeps None."""
    return moments[0] if key == COUNT or moments[0] is None else torch.stack(list(moments))


def _row(key: str, moment: Any, number: int) -> Any:
    return moment if key == COUNT or moment is None else moment[number]


def _make_states_its_own(optimizer: Optimizer) -> None:
    """No moment is a part of another pack's or lies otherwise than its weight, no count is several optimisers'."""
    lay_states_as_weights(optimizer)
    for state in optimizer.state.values():
        if COUNT in state:
            state[COUNT] = state[COUNT].clone()
