"""Runs as training would have left them, with directories that have metrics and samples, and boards of them."""

import json
import random
from pathlib import Path
from typing import Any

from PIL import Image

from ganzoo.leaderboard.board import Board, Footnote, Run
from ganzoo.leaderboard.comparing import board_of

SCORING = {"name": "digits-v1", "num_fake": 500, "metrics": ["fid", "precision_recall"], "primary": "fid", "seed": 0}
EVIL = "</script><script>alert('x')</script><img src=http://evil.example/x onerror=alert(1)>\n\"quoted\" 'single' | \\"
EVIL += "\ud800"  # half a character, as in a directory's name that is no UTF-8
LONG = "x" * 10_000
UPDATES = (0, 100, 200, 300, 400)


def made_run(folder: Path, variant: str = "dcgan", seed: int = 0, fid: float = 20.0, **changes: Any) -> Run:
    """A run that came from a FID of 400 to `fid`; changes: further attributes, or settings by dotted keys."""
    settings = {key: changes.pop(key) for key in list(changes) if "." in key}
    config = {"data.name": "digits", "data.batch_size": 64, "variant.name": variant, "variant.latent_dim": 64}
    config |= {"generator.name": "dcgan", "discriminator.name": "dcgan", "budget.generator_updates": 400, **settings}
    scores = {"fid": fid, "precision": 1 / (1 + fid), "recall": 0.5}
    values: dict[str, Any] = {
        "path": folder,
        "source": str(folder),
        "name": f"digits-{variant}",
        "status": "done",
        "seed": seed,
        "config": {"name": f"digits-{variant}", "seed": seed, **config},
        "protocol": "digits-v1",
        "scoring": SCORING,
        "extractor": "3550980c",
        "reference": "382bc9f1",
        "first": {**scores, "fid": 400.0},
        "last": scores,
        "best": {**scores, "fid": 0.95 * fid},
        "best_at": 300,
        "floor": {"fid": 0.147, "precision": 0.894},
        "asked_updates": 400,
        "generator_updates": 400,
        "images_seen": 400 * 64,
        "seconds": 40.0 + seed,
        "images_per_second": 640.0,
        "parameters": {"generator": 365_000, "discriminator": 169_000},
        "hardware": "2 of AMD EPYC",
        "git_commit": "0123456789abcdef0123",
        "ended": "2026-01-02T03:04:05+00:00",
    }
    return Run(**{**values, **changes})


def left_behind(run: Run) -> Run:
    """The run's directory: scores that fall towards its last ones, losses in between, a grid of four colours."""
    assert run.path is not None
    (run.path / "samples").mkdir(parents=True)
    end = run.last.get("fid", 50.0)
    scored = [{"fid": end + (400 - end) * (1 - at / 400) ** 3, "precision": at / 800} for at in UPDATES]
    lines = [
        _line(at, **{f"evaluation/{name}": value for name, value in scores.items()}) for at, scores in _with(scored)
    ]
    losses = [_line(at, **{"generator/loss": 0.5}) for at in range(0, 400, 25)]
    (run.path / "metrics.jsonl").write_text("".join([*losses, *lines]))
    shade = random.Random(ascii(str(run.path))).randrange(256)
    for at in (0, 400):
        picture = Image.new("RGB", (68, 68), (shade, at // 2, 128))
        picture.paste((255 - shade, 255, 0), (0, 0, 34, 34))
        picture.save(run.path / "samples" / f"{at:08d}.png")
    return run


def _with(scored: list[dict[str, float]]) -> list[tuple[int, dict[str, float]]]:
    return list(zip(UPDATES, scored, strict=True))


def _line(updates: int, **values: float) -> str:
    return (
        json.dumps({"generator_updates": updates, "images_seen": 64 * updates, "seconds": updates / 10, **values})
        + "\n"
    )


def usual_runs(folder: Path) -> list[Run]:
    """Three variants of three seeds, of which two are alike; one whose every run diverged; one seed of a fifth."""
    means = {"wgan_gp": (10.0, 11.0, 12.0), "hinge": (10.5, 12.5, 13.0), "dcgan": (40.0, 41.0, 43.0)}
    runs = [
        made_run(folder / variant / str(seed), variant, seed, fid)
        for variant, fids in means.items()
        for seed, fid in enumerate(fids)
    ]
    broken = {"status": "diverged", "reason": "the generator's loss is NaN", "last": {}, "best": {}}
    runs += [made_run(folder / "wgan" / str(seed), "wgan", seed, **broken) for seed in range(2)]
    runs += [made_run(folder / "hinge" / "3", "hinge", 3, **broken)]
    return [left_behind(run) for run in [*runs, made_run(folder / "lsgan" / "0", "lsgan", 0, 90.0)]]


def usual_board(folder: Path) -> Board:
    return board_of(usual_runs(folder), [Footnote(source=str(folder / "odd"), problem="record.json is cut short")])
