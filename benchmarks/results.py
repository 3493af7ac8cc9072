"""Runs every run of docs/results.md that is missing or unfinished, and writes the page out of their records.

    PYTHONPATH=. python benchmarks/results.py --runs runs/results --workers 2 [--only ring8] [--write docs/results.md]

benchmarks/results.yaml lists the runs (experiments x overrides x seeds) and what the papers report. Each worker is one
process with one thread. Kill it at any moment and start it again: what is finished stays, what was interrupted goes on
from its last checkpoint. `--only` limits what is run, to runs whose name has that word; the page always shows all.
"""

import argparse
import multiprocessing
import os
import re
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from results_page import page

from ganzoo.config import to_plain
from ganzoo.errors import Diverged, GanzooError, Stopped
from ganzoo.experiment import Experiment, load_experiment
from ganzoo.records.run_directory import MAY_CHANGE_ON_RESUME, RunDirectory, flat
from ganzoo.values import read_values

ROOT = Path(__file__).parent.parent
PLAN = Path(__file__).with_name("results.yaml")


@dataclass(frozen=True)
class Run:
    """One training: an experiment with its overrides, into one folder."""

    name: str  # table/row/seed-k, which is also its folder
    experiment: Path
    overrides: tuple[str, ...]
    directory: Path

    def load(self) -> Experiment:
        return load_experiment(self.experiment, self.overrides)

    def record(self) -> dict[str, Any] | None:
        return RunDirectory(self.directory).read_record()

    @property
    def has_ended(self) -> bool:
        status = (self.record() or {}).get("status")
        if status == "done":  # perhaps with a smaller budget
            return RunDirectory(self.directory).is_done(self.load().budget.generator_updates)
        return status == "diverged"  # it would only diverge again


def rows_of(table: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The rows of a table of the plan: one for every file that a path with a * stands for and that has no row."""
    named = {ROOT / row["experiment"] for row in table["rows"] if "*" not in row["experiment"]}
    for row in table["rows"]:
        others = sorted(set(ROOT.glob(row["experiment"])) - named)
        for path in others if "*" in row["experiment"] else [ROOT / row["experiment"]]:
            yield {"label": path.stem, "overrides": [], "published": [], **row, "experiment": path}


def runs_of(plan: dict[str, Any], table: dict[str, Any], row: dict[str, Any], folder: Path) -> list[Run]:
    """A row's runs, one for every seed."""
    runs = []
    for seed in plan["seeds"]:
        name = f"{table['name']}/{re.sub(r'[^A-Za-z0-9_]+', '-', row['label'])}/seed-{seed}"
        overrides = (*plan["overrides"], *table.get("overrides", ()), *row["overrides"], f"seed={seed}")
        runs.append(Run(name, row["experiment"], overrides, folder / name))
    return runs


def all_runs(plan: dict[str, Any], folder: Path) -> list[Run]:
    """Seed by seed, so that a page that is written early has something of everything."""
    rows = [runs_of(plan, table, row, folder) for table in plan["tables"] for row in rows_of(table)]
    return [run for seed in zip(*rows, strict=True) for run in seed]


def changed(run: Run) -> list[str]:
    """The keys in which a folder that is there already differs from what its run is now; budgets may grow."""
    if not RunDirectory(run.directory).config.exists():
        return []
    had, wanted = flat(to_plain(RunDirectory.open(run.directory).experiment())), flat(to_plain(run.load()))
    keys = [key for key in had.keys() | wanted.keys() if had.get(key) != wanted.get(key)]
    shrunk = [key for key in keys if key == "budget.generator_updates" and had[key] > wanted[key]]
    return sorted(shrunk + [key for key in keys if not key.startswith(MAY_CHANGE_ON_RESUME)])


def finish(run: Run) -> str:
    """Trains the run, or goes on with it, and tells how it ended.

    Raises Stopped when a signal ended it, after a checkpoint.
    """
    from ganzoo.training.run import resume, train  # torch: only in the processes that train

    if run.has_ended:  # meanwhile, by another call of this command
        return run.record()["status"]
    try:
        if RunDirectory(run.directory).config.exists():
            resume(run.directory, [f"budget.generator_updates={run.load().budget.generator_updates}"])
        else:
            train(run.experiment, run.overrides, run_dir=run.directory)
    except Stopped:
        raise
    except Diverged:
        return "diverged"
    except GanzooError as error:
        return str(error)
    except Exception as error:  # the other runs do not depend on it; its record and its exit tell
        return f"{type(error).__name__}: {error}"
    return "done"


def work(runs: list[Run], taken: "Synchronized[int]", stop: Event) -> None:
    """A worker: takes the next run that nobody has, until there are none, or until it is stopped or left alone."""
    parent = multiprocessing.parent_process()
    while not stop.is_set() and (parent is None or parent.is_alive()):
        with taken.get_lock():
            index, taken.value = taken.value, taken.value + 1
        if index >= len(runs):
            return
        try:
            print(f"{runs[index].name}: {finish(runs[index])}", flush=True)
        except (Stopped, KeyboardInterrupt):
            stop.set()


def run_all(runs: list[Run], workers: int) -> None:
    """Runs all in `workers` processes, each of which imports torch once; one worker is this process."""
    context = multiprocessing.get_context("spawn")
    taken, stop = context.Value("i", 0), context.Event()
    if workers == 1:
        return work(runs, taken, stop)
    processes = [context.Process(target=work, args=(runs, taken, stop)) for _ in range(workers)]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        for process in processes:
            process.start()
        for process in processes:
            process.join()
    finally:  # after a signal: each worker's run writes its checkpoint and its record
        for process in processes:
            if process.is_alive():
                process.terminate()
        for process in processes:
            if process.pid is not None:
                process.join()


def finished_page(plan: dict[str, Any], folder: Path) -> str:
    tables = [
        {**table, "rows": [{**row, "runs": runs_of(plan, table, row, folder)} for row in rows_of(table)]}
        for table in plan["tables"]
    ]
    return page({**plan, "tables": tables}, root=ROOT)


def parsed(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "results", help="where the run directories are")
    parser.add_argument("--workers", type=int, default=1, help="processes; 0: only write the page")
    parser.add_argument("--only", help="run only what has this word in its name, say ring8 or grid25/wgan")
    parser.add_argument("--write", type=Path, help="the page; default: print it")
    parser.add_argument("--plan", type=Path, default=PLAN, help="the list of runs")
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> int:
    """0 where every run that was asked for has ended, 1 otherwise, 2 where folders hold other runs than the plan's."""
    options = parsed(words)
    plan = read_values(options.plan)
    wanted = [run for run in all_runs(plan, options.runs.resolve()) if (options.only or "") in run.name]
    if differ := {run.directory: keys for run in wanted if (keys := changed(run))}:
        for directory, keys in differ.items():
            print(f"{directory}: made with another {', '.join(keys)}; remove it or give other --runs", file=sys.stderr)
        return 2
    left = [run for run in wanted if not run.has_ended]
    print(f"{len(wanted) - len(left)} of {len(wanted)} runs have ended", file=sys.stderr)
    if options.workers and left:
        os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported: two threads a worker would fight for the cores
        try:
            run_all(left, options.workers)
        except KeyboardInterrupt:
            return 130
    text = finished_page(plan, options.runs.resolve())
    print(text) if options.write is None else options.write.write_text(text)
    return 0 if all(run.has_ended for run in wanted) else 1


if __name__ == "__main__":
    sys.exit(main())
