"""How near training on a GPU comes to what the GPU could do at best, and where the rest of the time goes.

    python benchmarks/floors.py [--experiment cifar10/sngan.yaml] [--batch 64 256 1024] [--set KEY=VALUE ...]

Two floors of a generator update and a discriminator update: all products and convolutions at the rate of a large matrix
product here, and all that the operations read and write, each as if it were alone, at the rate of a large copy here.
Both rates are measured first. Beside them is the time of a real run, and that of its kernels by what they do, from
torch's profiler.
"""

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from raw_loop import raw_loop
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry
from training import ALWAYS, ROOT, STEADY

from ganzoo.experiment import load_experiment
from ganzoo.records.environment import hardware, versions
from ganzoo.records.run_directory import RunDirectory
from ganzoo.training.run import train_claimed

WAYS = {
    "float32, TF32 in convolutions": ["trainer.channels_last=false"],
    "the same, channels last": ["trainer.channels_last=true"],
    "bf16, channels last": ["trainer.channels_last=true", "trainer.precision=bf16-mixed"],
}
UPDATES = 10  # between two looks
# The first that is part of a kernel's name says what it does.
KINDS = {
    "batch norm": ("batch_norm", "bn_fw", "bn_bw", "batchnorm"),
    "layout": ("nchwToNhwc", "nhwcToNchw", "transpose", "nchw2nhwc", "nhwc2nchw"),
    "convolutions and products": (
        "conv",
        "gemm",
        "xmma",
        "cutlass",
        "wgrad",
        "dgrad",
        "fprop",
        "nvjet",
        "gemv",
        "cudnn::",
    ),
    "optimiser and average": ("FusedAdam", "fused_adam", "multi_tensor", "lerp"),
    "sums": ("reduce",),
    "copies": ("Memcpy", "copy", "Memset", "CatArray"),
    "resampling": ("upsample", "pool"),
    "elementwise": ("elementwise",),
}


class Counts(TorchDispatchMode):
    """What operations need at least: their products, and bytes, each input and output once."""

    def __init__(self) -> None:
        super().__init__()
        self.flop = self.moved = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        if (flop_of := flop_registry.get(function.overloadpacket)) is not None:
            self.flop += flop_of(*args, **(kwargs or {}), out_val=result)
        if not function.is_view:
            tensors = [each for each in tree_leaves((args, kwargs, result)) if isinstance(each, torch.Tensor)]
            self.moved += sum(each.numel() * each.element_size() for each in tensors)
        return result


class Looks:
    """Looks at a run's log: the times between two lines, and in the end the kernels between two."""

    def __init__(self, looks: int):
        self.looks, self.seconds = looks, []
        self._since, self._profile = 0.0, profile(activities=[ProfilerActivity.CUDA])
        self.kernels: Counter[str] = Counter()
        self.by_name: Counter[str] = Counter()

    def __call__(self, generator_updates: int, values: Mapping[str, float]) -> None:
        number = generator_updates // UPDATES
        if 2 < number <= self.looks:
            self.seconds.append((perf_counter() - self._since) / UPDATES)
        elif number == self.looks + 2:
            self._profile.start()
        elif number == self.looks + 3:
            self._profile.stop()
            for event in self._profile.key_averages():
                taken = event.self_device_time_total / 1e3 / UPDATES
                self.kernels[kind_of(event.key)] += taken
                self.by_name[event.key] += taken
        self._since = perf_counter()


@dataclass
class Row:
    """Milliseconds of an update of both networks."""

    batch: int
    way: str
    gflop: float
    gbyte: float
    arithmetic: float
    memory: float
    measured: float = 0.0
    kernels: dict[str, float] = field(default_factory=dict)

    def line(self) -> str:
        found = ", ".join(
            f"{kind} {took:.2f}" for kind, took in sorted(self.kernels.items(), key=lambda each: -each[1])
        )
        numbers = [f"{self.gflop:.0f}", f"{self.gbyte:.2f}", f"{self.arithmetic:.2f}", f"{self.memory:.2f}"]
        return f"| {self.batch} | {self.way} | {' | '.join(numbers)} | {self.measured:.2f} | {found} |"


def kind_of(kernel: str) -> str:
    return next((kind for kind, parts in KINDS.items() if any(part in kernel for part in parts)), "other")


def seconds_of(work: Any, repeats: int = 20) -> float:
    """On the device, the quickest of several."""
    work()
    times = []
    for _ in range(repeats):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        work()
        end.record()
        torch.cuda.synchronize()
        times.append(begin.elapsed_time(end) / 1e3)
    return min(times)


def rates() -> dict[str, float]:
    """FLOP/s of a product of 8,192 x 8,192, by arithmetic, and bytes/s of a copy of 4 GB, on random data."""
    found = {}
    for name, dtype, tf32 in (
        ("bf16", torch.bfloat16, False),
        ("tf32", torch.float32, True),
        ("float32", torch.float32, False),
    ):
        torch.backends.cuda.matmul.allow_tf32 = tf32
        a, b = (torch.randn(8192, 8192, device="cuda", dtype=dtype) for _ in range(2))
        found[name] = 2 * 8192**3 / seconds_of(lambda a=a, b=b: a @ b)
    big = torch.randn(2**30, device="cuda")
    other = torch.empty_like(big)
    found["bytes"] = 2 * big.numel() * 4 / seconds_of(lambda: other.copy_(big))
    return found


def counted(words: list[str], path: Path, at_best: dict[str, float], row: tuple[int, str]) -> Row:
    experiment = load_experiment(path, words)
    loop, half = raw_loop(experiment, device="cuda"), experiment.trainer.precision == "bf16-mixed"
    with torch.autocast("cuda", torch.bfloat16) if half else nullcontext():
        loop(2)
        with Counts() as counts:
            loop(1)
    gflop, gbyte = counts.flop / 1e9, counts.moved / 1e9
    arithmetic = 1e12 * gflop / at_best["bf16" if half else "tf32"]
    return Row(*row, gflop, gbyte, arithmetic, 1e12 * gbyte / at_best["bytes"])


def measured(words: list[str], path: Path, looks: Looks) -> None:
    budget = [f"budget.generator_updates={(looks.looks + 4) * UPDATES}", f"tracking.every_generator_updates={UPDATES}"]
    experiment = load_experiment(path, [*words, *budget])
    with tempfile.TemporaryDirectory() as folder:
        run = RunDirectory.create(experiment, Path(folder) / "run")
        with run.claimed():
            train_claimed(experiment, run, looks)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiment", default="cifar10/sngan.yaml", help="below experiments/")
    parser.add_argument("--batch", type=int, nargs="+", default=[64, 256, 1024])
    parser.add_argument("--looks", type=int, default=8)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of the experiment")
    parser.add_argument("--way", action="append", choices=WAYS, help="again for more; default: all")
    parser.add_argument("--kernels", type=int, default=0, metavar="N", help="also the N that take longest")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    at_best = rates()
    about = {"date": date.today().isoformat(), "hardware": hardware(), "versions": versions(), "rates": at_best}
    print(f"{json.dumps(about)}\n")
    print("| batch | way | GFLOP | GB | arithmetic, ms | memory, ms | measured, ms | of that, kernels |")
    print("|---|---|---|---|---|---|---|---|")
    path, rows = ROOT / "experiments" / asked.experiment, []
    for batch in asked.batch:
        for way in asked.way or WAYS:
            words = [*ALWAYS, *STEADY, "variant.n_critic=1", *asked.set, *WAYS[way], f"data.batch_size={batch}"]
            row, looks = counted(words, path, at_best, (batch, way)), Looks(asked.looks)
            measured(words, path, looks)
            row.measured, row.kernels = 1e3 * sorted(looks.seconds)[len(looks.seconds) // 2], dict(looks.kernels)
            rows.append(row)
            print(row.line(), flush=True)
            if asked.kernels:
                for name, taken in looks.by_name.most_common(asked.kernels):
                    print(f"    {taken:7.3f} ms  {kind_of(name)}: {name[:160]}")
    if asked.json:
        asked.json.write_text(json.dumps({**about, "rows": [asdict(row) for row in rows]}, indent=1))


if __name__ == "__main__":
    main()
