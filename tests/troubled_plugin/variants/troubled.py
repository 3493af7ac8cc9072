"""Troubled: a plugin's variant, which breaks down when its time has come."""

import os
import signal
import time
from dataclasses import dataclass
from typing import Literal

import torch

from ganzoo.config import setting
from ganzoo.objectives import logistic_discriminator_loss, nonsaturating_generator_loss
from ganzoo.ranks import rank
from ganzoo.shapes import Images, Scalar
from ganzoo.training import GAN, BoundDiscriminator, GANConfig


@dataclass(frozen=True, kw_only=True)
class Config(GANConfig):
    trouble: Literal["none", "diverge", "raise", "allocate", "killed", "sleep"] = setting("none", "what happens")
    after_updates: int = setting(3, "generator updates before it does", at_least=0)
    on_rank: int | None = setting(None, "it happens to this process only; null: to all", at_least=0)
    seconds: float = setting(0.0, "that each discriminator update takes longer", at_least=0)


class Troubled(GAN):
    def discriminator_objective(self, discriminator: BoundDiscriminator, real: Images, fake: Images) -> Scalar:
        time.sleep(self.config.seconds)
        loss = logistic_discriminator_loss(discriminator(real), discriminator(fake))
        if self.config.on_rank not in (None, rank()):
            return loss
        if self.generator_updates < self.config.after_updates:
            return loss
        match self.config.trouble:
            case "diverge":
                return loss * float("nan")
            case "raise":
                raise LookupError("the coffee machine is empty")
            case "allocate":
                torch.empty(2**60)
            case "sleep":
                time.sleep(3600)
            case "killed":  # as the kernel does where memory runs out
                os.kill(os.getpid(), signal.SIGKILL)
        return loss

    def generator_objective(self, discriminator: BoundDiscriminator, real: Images, fake: Images) -> Scalar:
        return nonsaturating_generator_loss(discriminator(fake))
