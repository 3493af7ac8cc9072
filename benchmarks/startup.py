"""How long the command takes to answer: medians of interleaved repeats, after one that warms the disk's cache.

python benchmarks/startup.py [--repeats 11]
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
DIGITS = "experiments/digits/dcgan.yaml"
GANZOO = [sys.executable, "-m", "ganzoo"]
CASES = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "ganzoo --help": [*GANZOO, "--help"],
    "ganzoo train, an unknown key": [*GANZOO, "train", DIGITS, "variant.n_critc=5"],
    "ganzoo train --print-config": [*GANZOO, "train", DIGITS, "--print-config"],
    "ganzoo list variants": [*GANZOO, "list", "variants"],
    "python -c 'import torch'": [sys.executable, "-c", "import torch"],
    "python -c 'import lightning'": [sys.executable, "-c", "import lightning"],
}


def seconds(words: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(words, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, check=False)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=11)
    repeats = parser.parse_args().repeats
    taken: dict[str, list[float]] = {name: [] for name in CASES}
    for repeat in range(repeats + 1):
        for name, words in CASES.items():
            once = seconds(words)
            if repeat:
                taken[name].append(once)
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    print("| command | median s | slowest s |\n|---|---|---|")
    for name, times in taken.items():
        print(f"| `{name}` | {statistics.median(times):.2f} | {max(times):.2f} |")


if __name__ == "__main__":
    main()
