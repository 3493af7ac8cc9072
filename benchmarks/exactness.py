"""Kills a run with SIGKILL at random moments until it is done, and compares it with one that was never killed.

    python benchmarks/exactness.py [--kills 50] [--seed 0] [--shorter 1]

Four settings take their turns: with and without loader processes, n_critic 1 and 5, a schedule with clipping, bf16;
all with evaluation, sample grids and checkpoints that fall on different updates. Every kill comes at a random time
after the first new line of the log, so that it hits training, evaluation, and the writing of files.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from itertools import count
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).parent.parent
COMMON = [
    "data.resolution=8", "data.batch_size=16", "variant.latent_dim=4", "generator.width=4", "discriminator.width=4",
    "ema.halflife_images=100", "tracking.wandb=disabled", "tracking.every_generator_updates=5",
    "evaluation.every_generator_updates=50", "samples.every_generator_updates=30",
    "checkpoint.every_generator_updates=20",
]  # fmt: skip
SCHEDULE = [
    "optimizer.generator.schedule=linear",
    "optimizer.generator.decay_end_updates=900",
    "optimizer.generator.clip_norm=1",
]
SETTINGS: dict[str, tuple[int, list[str]]] = {  # generator updates, and what else
    "0 workers, n_critic 1": (800, []),
    "2 workers, n_critic 1, schedule, clipping": (800, ["data.num_workers=2", *SCHEDULE]),
    "0 workers, n_critic 5": (300, ["variant.n_critic=5"]),
    "2 workers, bf16": (600, ["data.num_workers=2", "trainer.precision=bf16-mixed"]),
}


def ganzoo(*arguments: object) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-m", "ganzoo", "train", *map(str, arguments)]
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment)


def finish(process: subprocess.Popen) -> None:
    _, errors = process.communicate()
    if process.returncode:
        raise SystemExit(f"the run failed: {errors}")


def lines_in(path: Path) -> int:
    return path.read_text().count("\n") if path.exists() else 0


def killed_until_done(run: Path, arguments: list[str], kills: int, chance: random.Random) -> int:
    """Starts and kills the run until `kills` kills are made or it is done; then lets it end. Returns the kills made."""
    for made in count():
        process = ganzoo("--resume", run) if (run / "config.yaml").exists() else ganzoo(*arguments, "--run-dir", run)
        if made == kills:
            finish(process)
            return made
        lines, moment = lines_in(run / "metrics.jsonl"), chance.expovariate(1 / 0.3)
        while process.poll() is None and lines_in(run / "metrics.jsonl") <= lines:
            time.sleep(0.005)
        try:
            process.wait(timeout=moment)
        except subprocess.TimeoutExpired:
            process.kill()
        process.communicate()
        if (run / "record.json").exists():
            return made
    raise AssertionError("unreachable")


def differences(one: Any, other: Any, at: str = "") -> list[str]:
    """Where two checkpoints differ, to the last bit, apart from how long they took and from Lightning's own counts."""
    if isinstance(one, dict):
        keys = sorted((one.keys() | other.keys()) - {"seconds", "loops"}, key=str)
        return [where for key in keys for where in differences(one.get(key), other.get(key), f"{at}.{key}")]
    if isinstance(one, (list, tuple)):
        pairs = enumerate(zip(one, other, strict=True))
        return [where for index, pair in pairs for where in differences(*pair, f"{at}[{index}]")]
    if isinstance(one, torch.Tensor):
        return [] if torch.equal(one, other) else [at]
    return [] if one == other else [at]


def compared(whole: Path, killed: Path) -> list[str]:
    found = []
    for name in ("last.ckpt", "best.ckpt"):
        checkpoints = [torch.load(run / "checkpoints" / name, weights_only=True) for run in (whole, killed)]
        found += differences(*checkpoints, at=name)
    logs = [[json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()] for run in (whole, killed)]
    return found + differences(logs[0], logs[1], at="metrics.jsonl")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--shorter", type=int, default=1, metavar="N", help="runs of an N-th of the updates")
    options = parser.parse_args()
    chance, made, runs, wrong = random.Random(options.seed), 0, 0, 0
    most = options.kills // len(SETTINGS) + 1  # in one run, so that every setting has its share
    experiment = str(ROOT / "experiments" / "digits" / "dcgan.yaml")
    with tempfile.TemporaryDirectory() as folder:
        while made < options.kills:
            for name, (updates, settings) in SETTINGS.items():
                whole, killed = Path(folder) / f"whole {name}", Path(folder) / f"killed {name} {runs}"
                budget = f"budget.generator_updates={updates // options.shorter}"
                arguments = [experiment, *COMMON, *settings, budget]
                if not whole.exists():
                    finish(ganzoo(*arguments, "--run-dir", whole))
                kills = killed_until_done(killed, arguments, min(most, options.kills - made), chance)
                found = compared(whole, killed)
                made, runs, wrong = made + kills, runs + 1, wrong + bool(found)
                print(f"{name}: {kills} kills, {'equal to the last bit' if not found else found[:5]}", flush=True)
                if made >= options.kills:
                    break
    print(json.dumps({"kills": made, "runs": runs, "runs_that_differ": wrong}))
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
