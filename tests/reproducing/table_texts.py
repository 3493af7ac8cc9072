"""A small table for tests, as a file with changes."""

from pathlib import Path
from typing import Any

from conftest import ROOT
from omegaconf import OmegaConf

from ganzoo.reproducing.reading import read_table
from ganzoo.reproducing.table_file import TableFile

TINY_RING = ROOT / "tests" / "reproducing" / "tiny_ring.yaml"
PROGRAM = '''"""A program of a table: what it was given, as numbers."""

import argparse
import json
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--out", type=Path, required=True)
parser.add_argument("--steps", type=int, default=1)
parser.add_argument("--seed", type=int, default=0)
told = parser.parse_args()
told.out.mkdir(parents=True, exist_ok=True)
numbers = {"steps": told.steps, "games": {"0.5": [told.seed + told.steps, None, "inf"]}}
(told.out / "counting.json").write_text(json.dumps({"results": numbers}))
'''
COMPUTED: dict[str, Any] = {
    "title": "Counting",
    "paper": "Nobody 2026",
    "source": "made up",
    "sure": "derived",
    "about": "Seeds and steps are added.",
    "program": "counting.py",
    "metrics": ["sum", "steps"],
    "rows": [{"label": "A", "values": {"sum": "results.games.0.5.0", "steps": "results.steps"}}],
    "scales": {"cpu": {"seeds": 3, "arguments": ["--steps=2"], "says": "nothing is reduced"}},
}


def tiny_ring() -> dict[str, Any]:
    """The values of tiny_ring.yaml."""
    values = OmegaConf.to_container(OmegaConf.load(TINY_RING))
    for row in values["rows"]:
        row["experiment"] = str(ROOT / row["experiment"])
    return values


def written(folder: Path, values: dict[str, Any], name: str = "tiny_ring") -> Path:
    """A table's file; the program that it may name is beside it."""
    path = folder / f"{name}.yaml"
    OmegaConf.save(OmegaConf.create(values), path)
    if not (folder / "counting.py").exists():
        (folder / "counting.py").write_text(PROGRAM)
    return path


def opened(folder: Path, values: dict[str, Any]) -> TableFile:
    return read_table(written(folder, values))
