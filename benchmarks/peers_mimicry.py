"""kwotsin/mimicry as a contestant: its Trainer and its networks, as they are.

Adapted are only imports: TensorFlow and scikit-image, which it uses to score and to read images, and TensorBoard, whose
summaries are turned off (`log_steps`), need not be installed. All else that its Trainer does in an iteration is done;
what it prints goes nowhere.
"""

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from peers_absent import standing_in
from peers_turns import Case, Networks, Stopwatch, Work
from torch import Tensor, nn
from torch.optim import Adam
from torch.utils.data import DataLoader, TensorDataset

ABSENT = ("tensorflow", "skimage", "torch.utils.tensorboard")
NEVER = 10**9


class Logits(nn.Module):
    """Its discriminator, whose logits are (n, 1), as ganzoo calls one."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return self.network(images).squeeze(1)


def cases(path: Path, work: Work) -> list[Case]:
    if not (path / "torch_mimicry").is_dir():
        raise SystemExit(f"--mimicry: there is no {path / 'torch_mimicry'}")
    sys.path.insert(0, str(path))
    with standing_in(ABSENT):
        from torch_mimicry.nets import sngan, wgan_gp
        from torch_mimicry.training import Trainer
    widths = (f"generator.width={256 // work.share}", f"discriminator.width={128 // work.share}")
    return [
        _case("SNGAN 32", Trainer, sngan.SNGANGenerator32, sngan.SNGANDiscriminator32, "sngan", widths, work),
        _case("WGAN-GP 32", Trainer, wgan_gp.WGANGPGenerator32, wgan_gp.WGANGPDiscriminator32, "wgan_gp", widths, work),
    ]


def _case(
    name: str,
    trainer: Callable[..., Any],
    generator: Callable[..., nn.Module],
    discriminator: Callable[..., nn.Module],
    experiment: str,
    words: tuple[str, ...],
    work: Work,
) -> Case:
    def networks() -> Networks:
        return generator(ngf=256 // work.share), discriminator(ndf=128 // work.share)

    def judged() -> Networks:
        made, judge = networks()
        return made, Logits(judge)

    def train(updates: int, stopwatch: Stopwatch) -> None:
        _train(trainer, *networks(), work, updates, stopwatch)

    return Case(f"mimicry {name}", train, judged, f"cifar10/{experiment}.yaml", words)


def _train(
    trainer: Callable[..., Any],
    generator: nn.Module,
    discriminator: nn.Module,
    work: Work,
    updates: int,
    stopwatch: Stopwatch,
) -> None:
    """As in its examples/sngan_example.py, with images that are in memory already."""
    data = TensorDataset(work.images(), work.labels)
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("w") as nowhere:
        training = trainer(
            netD=discriminator,
            netG=generator,
            optD=Adam(discriminator.parameters(), 2e-4, betas=(0.0, 0.9)),
            optG=Adam(generator.parameters(), 2e-4, betas=(0.0, 0.9)),
            n_dis=5,
            num_steps=updates,
            lr_decay="linear",
            dataloader=DataLoader(data, work.batch_size, shuffle=True, drop_last=True),
            log_dir=folder,
            device=next(generator.parameters()).device,
            log_steps=NEVER,
            vis_steps=NEVER,
            save_steps=NEVER,
        )
        stopwatch.watch(generator)
        with contextlib.redirect_stdout(nowhere):
            training.train()
