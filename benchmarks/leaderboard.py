"""How long `ganzoo leaderboard` takes for thousands of runs, and how much memory: records that are made up.

    PYTHONPATH=.:tests/leaderboard python benchmarks/leaderboard.py [--runs 10000] [--seeds 5] [--page]

The directories are made in a temporary folder, each with a record.json as `ganzoo train` writes it. The command is then
run in a process of its own, whole: start of Python, reading, statistics, and a board in JSON; with --page every format
and the HTML page. Seconds are of the clock on the wall, CPU is what the process used of it, memory the largest
resident set.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from made_runs import write_many

ROOT = Path(__file__).parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--seeds", type=int, default=5, help="runs of a group")
    parser.add_argument("--page", action="store_true", help="every format and the page, too")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write_many(Path(folder) / "runs", asked.runs, asked.seeds)
        output = ["--out", f"{folder}/board"] if asked.page else ["--json"]
        words = [sys.executable, "-m", "ganzoo", "leaderboard", f"{folder}/runs", *output]
        started = time.perf_counter()
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, env=environment)
        seconds = time.perf_counter() - started
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu, megabytes = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
        print(
            f"{asked.runs:,} runs, {asked.seeds} a group: {seconds:.1f} s ({cpu:.1f} s CPU), at most {megabytes:.0f} MB"
        )


if __name__ == "__main__":
    main()
