"""The time of a training iteration on the CPU: ganzoo's whole loop against two other GAN libraries' own.

    python benchmarks/peers.py --mimicry CHECKOUT --studiogan CHECKOUT [--share 4] [--batch-size 16] [--json FILE]

The checkouts are of kwotsin/mimicry and POSTECH-CVLab/PyTorch-StudioGAN; with one of them, only that one is measured.
An iteration is one generator update and the discriminator updates before it, from one step of the generator's optimiser
to the next, with all that the loop does meanwhile. Objective, optimiser, n_critic, batch size and images are the same;
the images are in memory for all, where the peers' own loaders would decode them one by one. ganzoo trains the very
modules of the peer, then its own networks of the same architecture. Turns alternate; ratios are of the neighbouring
turns. ganzoo moves the averaged generator, too, and the peers, as they are configured here, have none.

--processor-time counts processor seconds: for a machine that has other work. --why counts the arithmetic of an
iteration, and tells how often it calls each of torch's operations and how long they take.
"""

import argparse
import json
import logging
import sys
import tempfile
import time
import warnings
from collections.abc import Mapping
from datetime import date
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import peers_ganzoo
import peers_mimicry
import peers_studiogan
import torch
from peers_turns import Case, Clock, Training, Work, gigaflops, operations, turn

from ganzoo.records.environment import git_commit, hardware, versions

PEER, SAME, OWN = "peer", "ganzoo, the peer's networks", "ganzoo, its own networks"
OPERATIONS = 15  # rows of a table of --why

Turns = dict[str, list[list[float]]]  # contestant to turns to seconds of an iteration


def contestants(case: Case, work: Work, data: Path) -> dict[str, Training]:
    found = {PEER: case.train, SAME: peers_ganzoo.training(case, work, data, own_networks=False)}
    if case.same_architecture:
        found[OWN] = peers_ganzoo.training(case, work, data, own_networks=True)
    return found


def in_turns(trainings: Mapping[str, Training], repeats: int, updates: int, clock: Clock) -> Turns:
    """The first round is a warm-up."""
    rounds = [
        {name: turn(training, updates, clock) for name, training in trainings.items()} for _ in range(repeats + 1)
    ]
    return {name: [each[name] for each in rounds[1:]] for name in trainings}


def times_as_fast(turns: Turns, name: str) -> float:
    """How many iterations of that contestant fit into one of the peer's: the median over the rounds."""
    pairs = zip(turns[PEER], turns[name], strict=True)
    return median(median(theirs) / median(ours) for theirs, ours in pairs)


def row(name: str, turns: Turns) -> str:
    cells = [name, f"{median(chain(*turns[PEER])):.3f}"]
    for contestant in (SAME, OWN):
        if contestant in turns:
            cells += [f"{median(chain(*turns[contestant])):.3f}", f"{times_as_fast(turns, contestant):.3f}"]
        else:
            cells += ["", ""]
    return f"| {' | '.join(cells)} |"


def tell_why(name: str, trainings: Mapping[str, Training], updates: int) -> None:
    """The operations whose times differ most between the peer and ganzoo on the peer's networks."""
    found = {contestant: operations(training, updates) for contestant, training in trainings.items()}
    nothing = (0.0, 0.0)
    names = {operation for each in found.values() for operation in each}

    def difference(operation: str) -> float:
        return abs(found[PEER].get(operation, nothing)[0] - found[SAME].get(operation, nothing)[0])

    print(f"\n{name}: milliseconds (calls) an iteration, under the profiler\n")
    print(f"| operation | {' | '.join(found)} |\n|---|{'---|' * len(found)}")
    sums = [f"{sum(milliseconds for milliseconds, _ in each.values()):.0f}" for each in found.values()]
    counts = [f"{gigaflops(training):.2f} GFLOP" for training in trainings.values()]
    print(f"| convolutions and matrix products | {' | '.join(counts)} |")
    print(f"| all | {' | '.join(sums)} |")
    for operation in sorted(names, key=difference, reverse=True)[:OPERATIONS]:
        cells = ("{:.1f} ({:g})".format(*each.get(operation, nothing)) for each in found.values())
        print(f"| `{operation}` | {' | '.join(cells)} |")


def measure(asked: argparse.Namespace, cases: list[Case], work: Work, data: Path) -> dict[str, Turns]:
    clock = time.process_time if asked.processor_time else time.perf_counter
    print(f"| training | peer s | {SAME} s | times as fast | {OWN} s | times as fast |\n|---|---|---|---|---|---|")
    measured = {}
    for case in cases:
        measured[case.name] = in_turns(contestants(case, work, data), asked.repeats, asked.updates, clock)
        print(row(case.name, measured[case.name]), flush=True)
    return measured


def report(asked: argparse.Namespace, measured: dict[str, Turns]) -> dict[str, Any]:
    return {
        "date": str(date.today()),
        "commit": git_commit(),
        "hardware": hardware(),
        "versions": versions(),
        "settings": {name: str(value) if isinstance(value, Path) else value for name, value in vars(asked).items()},
        "seconds": measured,
        "times_as_fast": {
            case: {name: times_as_fast(turns, name) for name in (SAME, OWN) if name in turns}
            for case, turns in measured.items()
        },
    }


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mimicry", type=Path)
    parser.add_argument("--studiogan", type=Path)
    parser.add_argument("--only", default="", help="cases that have this in their name")
    parser.add_argument("--share", type=int, default=4, help="the networks have 1 / SHARE of their papers' channels")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--updates", type=int, default=2, help="timed iterations a turn")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--processor-time", action="store_true")
    parser.add_argument("--why", action="store_true")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    if asked.mimicry is None and asked.studiogan is None:
        parser.error("--mimicry or --studiogan: where is a checkout of a peer?")
    return asked


def main() -> None:
    asked = arguments()
    torch.set_num_threads(asked.threads)
    warnings.simplefilter("ignore")  # the peers' of what torch has renamed since
    for part in ("pytorch", "fabric"):
        logging.getLogger(f"lightning.{part}").setLevel(logging.ERROR)
    work = Work.random(asked.batch_size, asked.share)
    cases = peers_mimicry.cases(asked.mimicry, work) if asked.mimicry else []
    cases += peers_studiogan.cases(asked.studiogan, work) if asked.studiogan else []
    cases = [case for case in cases if asked.only in case.name]
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "random.zip"
        peers_ganzoo.write_data(work, data)
        machine = hardware()
        print(f"{machine['processor']}, {machine['threads']} threads, torch {torch.__version__}, {date.today()}\n")
        measured = measure(asked, cases, work, data)
        for case in cases if asked.why else ():
            tell_why(case.name, contestants(case, work, data), asked.updates)
    if asked.json is not None:
        asked.json.write_text(json.dumps(report(asked, measured), indent=2) + "\n")


if __name__ == "__main__":
    main()
