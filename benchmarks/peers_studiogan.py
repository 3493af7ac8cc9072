"""POSTECH-CVLab/PyTorch-StudioGAN as a contestant: its configuration files, its networks and its WORKER, as they are.

Its own loop (src/loader.py: load_worker) also loads data sets and Inception; the benchmark calls the same two methods
of WORKER in its place, and nothing of what that loop logs every 100 iterations. Adapted are:

- The device, of which its main asks CUDA: WORKER is given "cpu" as `local_rank`, which it only passes to `.to()`.
- `global_rank` is 1: on rank 0 it would begin a run of W&B.
- Imports of packages that need not be installed: kornia and seaborn, of augmentations and plots that are not used, and
  pkg_resources, which setuptools has dropped, for the one function that it gives.
"""

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from packaging.version import parse
from peers_absent import standing_in
from peers_turns import Case, Networks, Stopwatch, Work
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

ABSENT = ("seaborn", "kornia", "kornia.filters", "pkg_resources")
RUN = {  # what its command line has, as far as training reads it
    "mixed_precision": False, "distributed_data_parallel": False, "synchronized_bn": False, "freezeD": -1,
    "batch_statistics": False, "empty_cache": False, "langevin_sampling": False, "standing_statistics": False,
}  # fmt: skip
OPTIMIZER = tuple(  # its default
    f"optimizer.{network}.{setting}"
    for network in ("generator", "discriminator")
    for setting in ("lr=2e-4", "betas=[0.5,0.999]", "eps=1e-6", "schedule=constant", "decay_end_updates=null")
)


class Labelled(nn.Module):
    """Its generator as ganzoo calls one."""

    def __init__(self, network: nn.Module, num_classes: int):
        super().__init__()
        self.network, self.num_classes = network, num_classes

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.network(latents, labels)


class Judge(Labelled):
    """Its discriminator, which answers with a dictionary, likewise."""

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.network(images, labels)["adv_output"]


class StudioGAN:
    """One of its configurations at the benchmark's size."""

    def __init__(self, modules: dict[str, ModuleType], file: Path, work: Work):
        self.modules, self.file, self.work = modules, file, work

    def configuration(self) -> Any:
        made = self.modules["config"].Configurations(self.file)
        made.update_cfgs(RUN, super="RUN")
        made.OPTIMIZATION.world_size = 1
        made.OPTIMIZATION.batch_size = self.work.batch_size
        made.OPTIMIZATION.basket_size = self.work.batch_size * made.OPTIMIZATION.d_updates_per_step
        if made.MODEL.backbone == "resnet":  # its DCGAN has the channels that it has
            made.MODEL.g_conv_dim = made.MODEL.d_conv_dim = 64 // self.work.share
        return made

    def build(self, settings: Any) -> Networks:
        sections = {name: getattr(settings, name) for name in SECTIONS}
        loaded = self.modules["models.model"].load_generator_discriminator(device="cpu", logger=None, **sections)
        return loaded[0], loaded[3]

    def networks(self) -> Networks:
        settings = self.configuration()
        generator, discriminator = self.build(settings)
        classes = settings.DATA.num_classes if settings.MODEL.d_cond_mtd != "W/O" else 0
        return Labelled(generator, classes), Judge(discriminator, classes)

    def train(self, updates: int, stopwatch: Stopwatch) -> None:
        settings = self.configuration()
        generator, discriminator = self.build(settings)
        settings.define_optimizer(generator, discriminator)
        data = TensorDataset(self.work.images(), self.work.labels)
        loader = DataLoader(data, settings.OPTIMIZATION.basket_size, shuffle=True, drop_last=True)
        worker = self.worker(settings, generator, discriminator, loader)
        worker.prepare_train_iter(epoch_counter=0)
        stopwatch.watch(generator)
        for update in range(updates):
            worker.train_discriminator(current_step=update)
            worker.train_generator(current_step=update)

    def worker(self, settings: Any, generator: nn.Module, discriminator: nn.Module, loader: DataLoader) -> Any:
        made = dict.fromkeys(UNUSED)
        return self.modules["worker"].WORKER(
            cfgs=settings, run_name="benchmark", Gen=generator, Dis=discriminator, train_dataloader=loader,
            global_rank=1, local_rank="cpu", best_step=0, num_eval={}, loss_list_dict={}, metric_dict_during_train={},
            **made,
        )  # fmt: skip


SECTIONS = ("DATA", "OPTIMIZATION", "MODEL", "STYLEGAN", "MODULES", "RUN")
UNUSED = (
    "Gen_mapping", "Gen_synthesis", "Gen_ema", "Gen_ema_mapping", "Gen_ema_synthesis", "ema", "eval_model",
    "eval_dataloader", "mu", "sigma", "real_feats", "logger", "aa_p", "best_fid", "best_ckpt_path", "lecam_emas",
)  # fmt: skip


def cases(path: Path, work: Work) -> list[Case]:
    modules = _imported(path / "src")
    widths = (f"generator.width={256 // work.share}", f"discriminator.width={128 // work.share}")

    def case(name: str, experiment: str, *words: str, same_architecture: bool = False) -> Case:
        peer = StudioGAN(modules, path / "src" / "configs" / "CIFAR10" / f"{name}.yaml", work)
        file = f"cifar10/{experiment}.yaml"
        return Case(f"StudioGAN {name}", peer.train, peer.networks, file, (*OPTIMIZER, *words), same_architecture)

    return [
        case("SNGAN", "projection", *widths, same_architecture=True),
        case("WGAN-GP", "wgan_gp", *widths),  # its discriminator has BatchNorm, which ganzoo refuses with a penalty
        case("DCGAN", "dcgan", "variant.n_critic=2", "variant.latent_dim=128", "data.flip=false"),
    ]


def _imported(source: Path) -> dict[str, ModuleType]:
    if not (source / "worker.py").is_file():
        raise SystemExit(f"--studiogan: there is no {source / 'worker.py'}")
    sys.path.insert(0, str(source))
    with standing_in(ABSENT) as absent:
        if "pkg_resources" in absent:
            vars(absent["pkg_resources"])["parse_version"] = parse
        return {name: import_module(name) for name in ("config", "models.model", "worker")}
