"""benchmarks/results.py: what it runs, what it leaves alone, and what its page says."""

import doctest
import importlib
import json
import math
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from conftest import ROOT
from omegaconf import OmegaConf

OVERRIDES = [
    "tracking.wandb=disabled", "trainer.accelerator=cpu", "samples.every_generator_updates=null",
    "data.num_points=2500", "data.batch_size=8", "generator.width=4", "discriminator.width=4",
    "budget.generator_updates=3", "checkpoint.every_generator_updates=1",
]  # fmt: skip
RING = "experiments/ring8/dcgan.yaml"
BROKEN = ["optimizer.generator.lr=1000", "variant.name=wgan", "variant.clip=1e30", "budget.generator_updates=40"]


@pytest.fixture
def results(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("results")


@pytest.fixture
def plan(tmp_path: Path) -> dict[str, Any]:
    """Two seeds of one tiny experiment on the ring, and nothing published."""
    table = {"name": "ring8", "title": "Ring", "columns": "modes", "text": "Tiny.", "rows": [{"experiment": RING}]}
    published = {"text": "Nothing.", "sources": [{"name": "Nobody", "paper": "None.", "differs": "All."}]}
    return {"seeds": [0, 1], "overrides": OVERRIDES, "head": "# Head", "tables": [table], "published": published}


def ran(results: ModuleType, plan: dict[str, Any], folder: Path, *words: str) -> tuple[int, str]:
    """The exit code and the page of one call of the command, in this process."""
    OmegaConf.save(plan, folder / "plan.yaml")
    files = ["--plan", str(folder / "plan.yaml"), "--runs", str(folder / "runs"), "--write", str(folder / "page.md")]
    return results.main([*files, *words]), (folder / "page.md").read_text() if (folder / "page.md").exists() else ""


def records(folder: Path) -> dict[str, dict[str, Any]]:
    return {path.parent.name: json.loads(path.read_text()) for path in sorted(folder.glob("runs/*/*/*/record.json"))}


def cells(page: str, label: str) -> list[str]:
    """The first table line of that label."""
    line = next(line for line in page.splitlines() if line.startswith(f"| {label} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_page_has_the_records_means_and_intervals(results, plan, tmp_path):
    plan["tables"][0]["rows"][0]["published"] = ["Them: 7 / 90 / –"]
    code, page = ran(results, plan, tmp_path)
    assert code == 0
    found = records(tmp_path)
    one, other = (found[seed]["evaluation"]["last"]["scores"] for seed in ("seed-0", "seed-1"))
    label, seeds, modes, quality, kl, published, *cost = cells(page, "dcgan")
    assert (label, seeds, published, cost[:2]) == ("dcgan", "2", "Them: 7 / 90 / –", ["3", "3"])
    for cell, score, factor, digits in (
        (modes, "modes", 1, 1),
        (quality, "high_quality", 100, 1),
        (kl, "reverse_kl", 1, 3),
    ):
        mean = factor * (one[score] + other[score]) / 2
        half = factor * 12.7062 * abs(one[score] - other[score]) / 2  # t(.975, 1); s / sqrt(2) of two is |a - b| / 2
        assert [float(number) for number in cell.split(" ± ")] == pytest.approx(
            [mean, half], abs=0.51 * 10**-digits + 1e-5 * half
        )
    assert "mlp, width 4" in page and "adam 0.0001 (0.5, 0.9)" in page and "batch_size 8" in page
    assert (found["seed-0"]["git_commit"] or "unknown").replace("+", " with ") in page
    assert found["seed-0"]["versions"]["torch"] in page
    assert cells(page, "held-out real samples")[2] == "8.0"
    assert "**Nobody**: None. All." in page


def test_finished_runs_are_left_alone_and_interrupted_ones_go_on(results, plan, tmp_path, monkeypatch):
    assert ran(results, plan, tmp_path, "--only", "seed-0")[0] == 0
    before = records(tmp_path)
    assert list(before) == ["seed-0"]
    killed = tmp_path / "runs" / "ring8" / "dcgan" / "seed-1"
    shorter = [word.replace("updates=3", "updates=2") for word in OVERRIDES]
    from ganzoo import train

    train(ROOT / RING, [*shorter, "seed=1"], run_dir=killed)
    (killed / "record.json").unlink()  # as if it had been killed there
    code, page = ran(results, plan, tmp_path)
    after = records(tmp_path)
    assert code == 0 and after["seed-0"] == before["seed-0"]
    assert after["seed-1"]["budget"]["generator_updates"] == 3
    lines = [json.loads(line) for line in (killed / "metrics.jsonl").read_text().splitlines()]
    assert [line["generator_updates"] for line in lines if "evaluation/modes" in line].count(0) == 1  # not begun anew
    monkeypatch.setattr(results, "finish", lambda run: pytest.fail(f"{run.name} is run again"))
    assert ran(results, plan, tmp_path) == (0, page)


def test_diverged_and_missing_runs_are_shown(results, plan, tmp_path):
    plan["tables"][0]["rows"].append({"experiment": RING, "label": "broken + bad", "overrides": BROKEN})
    code, page = ran(results, plan, tmp_path, "--only", "broken")
    assert code == 0  # a diverged run has ended: it would only diverge again
    assert cells(page, "broken + bad")[1] == "0 of 2: 2 diverged"
    for seed, record in enumerate(records(tmp_path).values()):
        assert record["status"] == "diverged"
        at = f"{record['budget']['generator_updates']} of 40 generator updates"
        assert f"- broken + bad, seed {seed}: diverged at {at}: {record['reason']}" in page
    assert cells(page, "dcgan")[1:] == ["0 of 2: 2 not run", *[""] * 6]


def test_another_experiment_in_the_folder_is_refused(results, plan, tmp_path, capsys):
    ran(results, plan, tmp_path, "--only", "seed-0")
    plan["overrides"] = [*OVERRIDES, "optimizer.generator.lr=0.5"]
    assert ran(results, plan, tmp_path)[0] == 2
    assert "made with another optimizer.generator.lr" in capsys.readouterr().err
    plan["overrides"] = [word.replace("updates=3", "updates=1") for word in OVERRIDES]
    assert ran(results, plan, tmp_path)[0] == 2
    assert "made with another budget.generator_updates" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("values", "half"),
    [
        # Student's quantiles in closed form: t(p, 1) = tan(pi (p - 1/2)), t(p, 2) = (2p - 1) sqrt(2 / (4 p (1 - p))).
        ([0.0, 2.0], math.tan(0.475 * math.pi)),  # 12.706; s / sqrt(n) = 1
        ([1.0, 2.0, 3.0], 0.95 * math.sqrt(2 / 0.0975) / math.sqrt(3)),  # 4.3027; s = 1
        ([8.0, 8.0, 8.0], 0.0),
    ],
)
def test_the_interval_is_students(results, values, half):
    page = importlib.import_module("results_page")
    assert page.half_width(values) == pytest.approx(half, rel=1e-9)
    assert page.half_width(values[:1]) is None


def test_the_pages_examples(results):
    outcome = doctest.testmod(importlib.import_module("results_page"))
    assert outcome.attempted >= 4 and outcome.failed == 0


def test_the_plan_is_runnable(results, tmp_path):
    """Every experiment in it is one, with its overrides, and every run has a folder of its own."""
    plan = results.read_values(results.PLAN)
    runs = results.all_runs(plan, tmp_path)
    assert len({run.directory for run in runs}) == len(runs)
    for run in runs:
        if run.name.endswith("seed-0"):
            assert run.load().seed == 0
    assert {run.name.partition("/")[0] for run in runs} == {"ring8", "grid25", "digits"}
