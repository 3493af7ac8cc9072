"""How long every command takes to answer: medians of interleaved repeats, after one that warms the disk's cache.

python benchmarks/startup.py [--repeats 11]

What looks at runs looks at one, of a single update. What trains, samples or scores has torch and lightning to import.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
DIGITS, SWEEP = "experiments/digits/dcgan.yaml", "sweeps/digits_wgan_gp.yaml"
GANZOO = [sys.executable, "-m", "ganzoo"]
ONE_UPDATE = f"train {DIGITS} budget.generator_updates=1 evaluation.protocol=null tracking.wandb=disabled"


def cases(runs: Path) -> dict[str, list[str]]:
    """By what the table calls them. `runs` has one run; {new} is a folder that is not there yet."""
    (run,) = runs.glob("*/*/")
    ours = {
        "--help": "--help",
        "train, an unknown key": f"train {DIGITS} variant.n_critc=5",
        "train --print-config": f"train {DIGITS} --print-config",
        "train, one update": f"{ONE_UPDATE} --run-dir {{new}}",
        "evaluate, an unknown protocol": f"evaluate {run} --protocol digts-v1",
        "evaluate RUN --protocol digits-v1": f"evaluate {run} --protocol digits-v1",
        "sample RUN --out grid.png": f"sample {run} --out {runs}/grid.png",
        "sweep FILE --dry-run": f"sweep {SWEEP} --dry-run",
        "sweep FILE --status": f"sweep {SWEEP} --status --runs {runs}",
        "submit FILE --dry-run": f"submit {DIGITS} --dry-run",
        "status": f"status {runs}",
        "cancel RUN": f"cancel {run}",
        "leaderboard": f"leaderboard {runs}",
        "reproduce dirac_gan --dry-run": f"reproduce dirac_gan --dry-run --runs {runs}",
        "list variants": "list variants",
        "doctor": "doctor",
        "extractor train --help": "extractor train --help",
    }
    return {
        "python -c pass": [sys.executable, "-c", "pass"],
        **{f"ganzoo {name}": [*GANZOO, *words.split()] for name, words in ours.items()},
        "python -c 'import torch'": [sys.executable, "-c", "import torch"],
        "python -c 'import lightning'": [sys.executable, "-c", "import lightning"],
    }


def seconds(words: list[str], folder: Path) -> float:
    words = [word.format(new=folder / "new" / str(time.monotonic_ns())) for word in words]
    started = time.perf_counter()
    subprocess.run(words, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, check=False)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=11)
    repeats = parser.parse_args().repeats
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seconds([*GANZOO, *ONE_UPDATE.split(), "--run-dir", f"{folder}/runs/digits/one"], folder)
        asked = cases(folder / "runs")
        taken: dict[str, list[float]] = {name: [] for name in asked}
        for repeat in range(repeats + 1):
            for name, words in asked.items():
                once = seconds(words, folder)
                if repeat:
                    taken[name].append(once)
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    print("| command | median s | slowest s |\n|---|---|---|")
    for name, times in taken.items():
        print(f"| `{name}` | {statistics.median(times):.2f} | {max(times):.2f} |")


if __name__ == "__main__":
    main()
