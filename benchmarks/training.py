"""What ganzoo's training costs beside the same loop written by hand: time of a generator update and what belongs to it.

    python benchmarks/training.py [--case NAME ...] [--device cpu] [--turns 30] [--threads 2] [--json FILE]

A run and the loop of raw_loop.py take turns of at most fifty updates in one process, with the same networks, data,
objective, optimiser, average and number of threads. ganzoo's time is that between two lines of its log, so all that
happens on the way is in it: counters, the guard against divergence, the log, signals. Ratio and overhead are medians
over the turns, each of a turn of ganzoo and the turn by hand after it: a machine that is slower for a while is so for
both.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

import torch
from raw_loop import raw_loop

from ganzoo.experiment import load_experiment
from ganzoo.records.environment import hardware, versions
from ganzoo.records.run_directory import RunDirectory
from ganzoo.training.run import train_claimed

ROOT = Path(__file__).parent.parent
LOG_EVERY = 50
LOOKING = "PYTORCH_NVML_BASED_CUDA_CHECK"
WARM_UP_TURNS = 3
ALWAYS = [
    "tracking.wandb=disabled", "evaluation.protocol=null", "samples.every_generator_updates=null",
    "checkpoint.every_generator_updates=1000000000", "trainer.progress=false",
]  # fmt: skip


def networks(name: str, width: int) -> list[str]:
    return [
        f"{network}.{key}" for network in ("generator", "discriminator") for key in (f"name={name}", f"width={width}")
    ]


ONE = "variant.n_critic=1"
SMALL = "data.batch_size=16"  # 64 take ten seconds on two cores
STEADY = [
    f"optimizer.{network}.{word}"
    for network in ("generator", "discriminator")
    for word in ("schedule=constant", "decay_end_updates=null")
]
CASES: dict[str, tuple[str, list[str]]] = {
    "tiny mlp, 3 x 64, batch 256": ("ring8/dcgan.yaml", networks("mlp", 64)),
    "mlp, 3 x 512, batch 256": ("ring8/dcgan.yaml", networks("mlp", 512)),
    "mlp, WGAN-GP, 3 x 512, batch 256": ("ring8/wgan_gp.yaml", [*networks("mlp", 512), ONE, "variant.gp_weight=10.0"]),
    "DCGAN 32, width 64, batch 64": ("digits/dcgan.yaml", networks("dcgan", 64)),
    "DCGAN 32, WGAN-GP, width 64, batch 64": ("digits/wgan_gp.yaml", [*networks("dcgan", 64), ONE]),
    "DCGAN 32, SNGAN, width 64, batch 64": ("digits/sngan.yaml", networks("dcgan", 64)),
    "ResNet 32, width 64, batch 16": ("digits/dcgan.yaml", [*networks("resnet", 64), SMALL]),
    "ResNet 32, WGAN-GP, width 64, batch 16": ("digits/wgan_gp.yaml", [*networks("resnet", 64), ONE, SMALL]),
    "ResNet 32, SNGAN, width 64, batch 16": ("digits/sngan.yaml", [*networks("resnet", 64), SMALL]),
}
# On CIFAR-10 as the papers have it, for a GPU: minutes an update on two cores.
CASES_ON_GPU: dict[str, tuple[str, list[str]]] = {
    "DCGAN, CIFAR-10, batch 64": ("cifar10/dcgan.yaml", ["data.batch_size=64"]),
    "SNGAN's CNN, CIFAR-10, batch 64": ("cifar10/sngan_cnn.yaml", ["variant.loss=hinge"]),
    "ResNet 128 wide, WGAN-GP, 5 discriminator updates, CIFAR-10, batch 64": ("cifar10/wgan_gp.yaml", STEADY),
}


@dataclass(frozen=True)
class Result:
    """Milliseconds of a generator update, one number a turn."""

    case: str
    updates: int
    ganzoo: list[float]
    raw: list[float]

    @property
    def ratio(self) -> float:
        return median(ours / theirs for ours, theirs in zip(self.ganzoo, self.raw, strict=True))

    @property
    def overhead(self) -> float:
        """Microseconds."""
        return 1e3 * median(ours - theirs for ours, theirs in zip(self.ganzoo, self.raw, strict=True))

    def row(self) -> str:
        times = [f"{median(each):.3f} ({min(each):.3f} to {max(each):.3f})" for each in (self.ganzoo, self.raw)]
        return f"| {' | '.join([self.case, *times, f'{self.ratio:.3f}', f'{self.overhead:+.0f}'])} |"


def milliseconds(loop: Callable[[int], None], updates: int) -> float:
    """As in a process of its own: without the deterministic algorithms that ganzoo has turned on, as few people do,
    without cuDNN's trials, and without the variable by which Lightning has torch look for a GPU at every step of Adam,
    for 0.1 ms."""
    deterministic, looking = torch.are_deterministic_algorithms_enabled(), os.environ.pop(LOOKING, None)
    tries, torch.backends.cudnn.benchmark = torch.backends.cudnn.benchmark, False
    torch.use_deterministic_algorithms(False)
    started = time.perf_counter()
    loop(updates)
    taken = time.perf_counter() - started
    torch.use_deterministic_algorithms(deterministic)
    torch.backends.cudnn.benchmark = tries
    if looking is not None:
        os.environ[LOOKING] = looking
    return 1e3 * taken / updates


class Turns:
    """Looks at a run's log, and lets the other loop make as many updates whenever something is logged."""

    def __init__(self, loop: Callable[[int], None], updates: int):
        self.loop, self.updates = loop, updates
        self.ganzoo: list[float] = []
        self.raw: list[float] = []
        self._since = 0.0

    def __call__(self, generator_updates: int, values: Mapping[str, float]) -> None:
        taken = 1e3 * (time.perf_counter() - self._since) / self.updates
        if generator_updates > WARM_UP_TURNS * self.updates:
            self.ganzoo.append(taken)
            self.raw.append(milliseconds(self.loop, self.updates))
        self._since = time.perf_counter()


def measured(case: str, asked: argparse.Namespace) -> Result:
    file, words = {**CASES, **CASES_ON_GPU}[case]
    path = ROOT / "experiments" / file
    words = [*ALWAYS, *words, f"trainer.accelerator={'cpu' if asked.device == 'cpu' else 'gpu'}", *asked.set]
    by_hand = load_experiment(path, [*words, "trainer.channels_last=false"])  # as one usually writes it
    loop = raw_loop(by_hand, device=asked.device, fused=not asked.plain_adam, unfold=not asked.folded)
    loop(2)
    updates = min(LOG_EVERY, max(1, round(1e3 * asked.seconds / milliseconds(loop, 2))))
    budget = (asked.turns + WARM_UP_TURNS) * updates
    words += [f"budget.generator_updates={budget}", f"tracking.every_generator_updates={updates}"]
    experiment, turns = load_experiment(path, words), Turns(loop, updates)
    with tempfile.TemporaryDirectory() as folder:
        run = RunDirectory.create(experiment, Path(folder) / "run")
        with run.claimed():
            train_claimed(experiment, run, turns)
    return Result(case, updates, turns.ganzoo, turns.raw)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--case", action="append", choices=[*CASES, *CASES_ON_GPU], help="again for more; default: all of the device's"
    )
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--turns", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=0.5, help="of a turn, at most fifty updates")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--plain-adam", action="store_true", help="PyTorch's default Adam in the loop by hand")
    parser.add_argument("--folded", action="store_true", help="resampling in convolutions in the loop by hand, too")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of the experiment")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    about: dict[str, Any] = {"date": date.today().isoformat(), "hardware": hardware(), "versions": versions()}
    print(f"{json.dumps(about)}\n")
    print("| case | ganzoo, ms | by hand, ms | ratio | overhead, microseconds |")
    print("|---|---|---|---|---|")
    results = []
    for case in asked.case or (CASES if asked.device == "cpu" else CASES_ON_GPU):
        results.append(measured(case, asked))
        print(results[-1].row(), flush=True)
    if asked.json:
        rows = [
            {**asdict(result), "ratio": result.ratio, "overhead_microseconds": result.overhead} for result in results
        ]
        asked.json.write_text(json.dumps({**about, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
