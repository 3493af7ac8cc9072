"""Run directories as `ganzoo train` leaves them, without the training: what is in them is made up, by rule."""

import json
import random
from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

from ganzoo.config import to_plain
from ganzoo.evaluation.protocol import load_protocol
from ganzoo.experiment import load_experiment
from ganzoo.leaderboard.board import Board, Run, Table
from ganzoo.leaderboard.recorded import run_of_record

ROOT = Path(__file__).parents[2]
SIZES = ("data.batch_size=64", "budget.generator_updates=1000", "evaluation.every_generator_updates=500")
SCORES = {"fid": 10.0, "kid": 0.5, "inception_score": 8.0, "precision": 0.7, "recall": 0.6, "density": 0.9}
VARIANTS = ("gan", "nsgan", "lsgan", "wgan", "wgan_gp", "dcgan", "r1gan", "sngan", "hinge", "ragan")


@cache
def _base() -> tuple[dict[str, Any], dict[str, Any]]:
    config = to_plain(load_experiment(ROOT / "experiments" / "digits" / "dcgan.yaml", SIZES))
    return config, to_plain(load_protocol("digits-v1"))


def config_of(changes: Mapping[str, Any], seed: int = 0) -> dict[str, Any]:
    """A whole configuration: dcgan on digits, with dotted keys changed."""
    config = deepcopy(_base()[0])
    for key, value in {**changes, "seed": seed}.items():
        *sections, last = key.split(".")
        at = config
        for section in sections:
            at = at.setdefault(section, {})
        at[last] = value
    return config


def record_of(
    seed: int = 0,
    changes: Mapping[str, Any] | None = None,
    scores: Mapping[str, float] | None = None,
    status: str = "done",
    **others: Any,
) -> dict[str, Any]:
    """A record with those scores at the end, and a tenth better at its best; `others` replaces keys of it."""
    config = config_of(changes or {}, seed)
    updates = config["budget"]["generator_updates"]
    made = {
        "record_version": 1,
        "status": status,
        "reason": None if status == "done" else "because",
        "name": config["name"],
        "run_id": f"run{seed}",
        "seed": seed,
        "ended": f"2026-11-2{seed % 10}T10:00:00+00:00",
        "budget": {"generator_updates": updates, "discriminator_updates": updates, "images_seen": 64 * updates},
        "ranks": [{"from_generator_update": 0, "ranks": 1}],
        "parameters": {"generator": 8409, "discriminator": 337},
        "wandb": None,
        "git_commit": "74644a5",
        "versions": {"python": "3.11.7"},
        "hardware": {"host": "vm", "processor": "AMD EPYC", "cpu_count": 2, "threads": 1, "gpus": []},
        "config": config,
        "seconds": 36.0,
        "images_per_second": 1000.0,
        "evaluation": _evaluation(config, {**SCORES, **(scores or {})}),
    }
    return {**made, **others}


def _evaluation(config: Mapping[str, Any], last: Mapping[str, float]) -> dict[str, Any]:
    updates = config["budget"]["generator_updates"]
    return {
        "protocol": {**_base()[1], "name": config["evaluation"]["protocol"]},
        "extractor": {"name": "digits", "weights_sha256": "3550980c" * 8},
        "reference": {**config["data"], "count": 1297, "sha256": "382bc9f1" * 8},
        "first": {name: 5 * value for name, value in last.items()},
        "last": {"generator_updates": updates, "scores": dict(last)},
        "best": {"generator_updates": updates // 2, "scores": {name: 0.9 * value for name, value in last.items()}},
        "floor": {name: 0.1 * value for name, value in SCORES.items()},
        "seconds": 1.0,
    }


def write_run(folder: Path, record: Any, indent: int | None = None) -> Path:
    folder.mkdir(parents=True)
    (folder / "record.json").write_text(json.dumps(record, indent=indent))
    return folder


def write_many(folder: Path, runs: int, seeds: int = 5) -> None:
    """So many runs of ten variants at many learning rates, each setting with several seeds; some of them diverged."""
    draw = random.Random(0)
    for number in range(runs):
        setting, seed = divmod(number, seeds)
        changes = {"variant.name": VARIANTS[setting % len(VARIANTS)], "optimizer.generator.lr": 1e-6 * (setting + 1)}
        scores = {name: value * (1 + setting / 1000 + 0.1 * draw.random()) for name, value in SCORES.items()}
        status = "diverged" if draw.random() < 0.02 else "done"
        record = record_of(seed, changes, scores, status)
        write_run(folder / f"{changes['variant.name']}" / f"run-{number:05d}", record, indent=2)


def write_config(folder: Path, config) -> Path:
    """A run that has not ended: its config.yaml."""
    from omegaconf import OmegaConf

    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(OmegaConf.to_yaml(OmegaConf.create(config)))
    return folder


def runs_of(*records: Mapping[str, Any]) -> list[Run]:
    return [run_of_record(record, path=None, source=f"run {number}") for number, record in enumerate(records)]


def only(board: Board) -> Table:
    (table,) = board.tables
    return table
