"""The optimiser steps of several runs in one call: a step of a small network is hardly any arithmetic."""

from collections.abc import Sequence
from typing import Any

from torch.optim import Optimizer

from ganzoo.training.gan import GAN
from ganzoo.training.layout import lay_states_as_weights


class Steps:
    """The steps of one network's optimisers of several GANs.

    Optimisers that have no schedule and are of one class, and so treat each weight by itself, are done by one of that
    class over the weights of all. The moments stay each optimiser's own.
    """

    def __init__(self, gans: Sequence[GAN], network: str):
        self._all: list[Optimizer | AtOnce] = []
        alike: dict[type[Optimizer], list[Optimizer]] = {}
        for gan in gans:
            optimizer = gan.optimizer_of(network).optimizer
            lay_states_as_weights(optimizer)  # a checkpoint's lie as the weights did before they were stacked
            if getattr(gan.optimizer_configs, network).is_scheduled:
                self._all.append(optimizer)
            else:
                alike.setdefault(type(optimizer), []).append(optimizer)
        self._all += [AtOnce(optimizers) for optimizers in alike.values()]

    def make(self) -> None:
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
        if self._settings != self._settings_now():  # somebody has set a rate
            self._whole = self._merged()
        self._whole.step()
        if len(self._whole.state) != self._shared:  # the first step makes the moments
            self._share()

    def _merged(self) -> Optimizer:
        self._settings = self._settings_now()
        groups: dict[str, dict[str, Any]] = {}
        for group, settings in zip(self._groups(), self._settings, strict=True):
            groups.setdefault(repr(settings), {**settings, "params": []})["params"].extend(group["params"])
        whole = type(self._optimizers[0])(list(groups.values()))  # type: ignore[call-arg]  # the groups have the rates
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

    def _groups(self) -> list[dict[str, Any]]:
        return [group for optimizer in self._optimizers for group in optimizer.param_groups]

    def _settings_now(self) -> list[dict[str, Any]]:
        return [{key: value for key, value in group.items() if key != "params"} for group in self._groups()]
