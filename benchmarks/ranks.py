"""What a second process brings, and what it costs: weak scaling on two cores, and the time of one message.

    python benchmarks/ranks.py [--repeats 3] [--updates 60]

One process with a batch of 64, two with 128 (64 each) and with 64 (32 each), one thread each, in turns; the rates are
those of the runs' records, which count training only. Then the all-reduce of two processes through gloo, by size.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parent.parent
OFF = [
    "tracking.wandb=disabled", "evaluation.protocol=null", "samples.every_generator_updates=null",
    "checkpoint.every_generator_updates=1000000", "trainer.accelerator=cpu", "trainer.progress=false",
]  # fmt: skip
EXPERIMENTS = {
    "mlp on ring8 (2-D)": ("ring8/dcgan.yaml", [], 10),
    "dcgan on digits, 32 px, width 32": ("digits/dcgan.yaml", [], 1),
}
SIZES = (1, 10_000, 100_000, 1_000_000, 10_000_000)
MESSAGE = """
import sys, time
import torch
from torch import distributed
from ganzoo.ranks import average_

torch.set_num_threads(1)
distributed.init_process_group("gloo", init_method="tcp://127.0.0.1:%d", rank=int(sys.argv[1]), world_size=2)
for size in %r:
    tensor, seconds = torch.zeros(size), []
    for _ in range(30 if size > 100_000 else 300):
        distributed.barrier()
        started = time.perf_counter()
        average_(tensor)
        seconds.append(time.perf_counter() - started)
    if sys.argv[1] == "0":
        print(size, sorted(seconds)[len(seconds) // 2], flush=True)
"""


def variables() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def images_per_second(file: str, words: list[str], updates: int, processes: int, batch: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        sizes = [f"trainer.devices={processes}", f"data.batch_size={batch}", f"budget.generator_updates={updates}"]
        command = [sys.executable, "-m", "ganzoo", "train", str(ROOT / "experiments" / file), *OFF, *words, *sizes]
        subprocess.run([*command, "--run-dir", str(run)], env=variables(), check=True, capture_output=True)
        return json.loads((run / "record.json").read_text())["images_per_second"]


def scaling(repeats: int, updates: int) -> None:
    print("| experiment | 1 process, 64 | 2 processes, 128 | of twice | 2 processes, 64 | times 1 process |")
    print("|---|---|---|---|---|---|")
    for name, (file, words, factor) in EXPERIMENTS.items():
        cases = ((1, 64), (2, 128), (2, 64))
        found: dict[tuple[int, int], list[float]] = {case: [] for case in cases}
        for _ in range(repeats):
            for case in cases:
                found[case].append(images_per_second(file, words, round(updates * factor), *case))
        one, weak, strong = (median(found[case]) for case in cases)
        cells = [name, f"{one:,.0f}", f"{weak:,.0f}", f"{weak / one / 2:.0%}", f"{strong:,.0f}", f"{strong / one:.2f}"]
        print(f"| {' | '.join(cells)} |", flush=True)


def messages() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        code = MESSAGE % (probe.getsockname()[1], SIZES)
    other = subprocess.Popen([sys.executable, "-c", code, "1"], env=variables())
    done = subprocess.run(
        [sys.executable, "-c", code, "0"], env=variables(), capture_output=True, text=True, check=True
    )
    other.wait()
    print("\n| numbers in the message | median time |\n|---|---|")
    for line in done.stdout.splitlines():
        size, seconds = line.split()
        print(f"| {int(size):,} | {float(seconds) * 1e3:.3g} ms |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--updates", type=int, default=60, help="of dcgan; of mlp ten times as many")
    asked = parser.parse_args()
    scaling(asked.repeats, asked.updates)
    messages()


if __name__ == "__main__":
    main()
