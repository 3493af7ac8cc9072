"""W&B mirrors a run: really, offline, under one id."""

import json
import subprocess
import sys

import pytest
from conftest import DIGITS, TINY

from ganzoo.records.tracking import logged_in, wandb_mode
from ganzoo.training.run import resume, train


@pytest.fixture
def nobody(monkeypatch, tmp_path):
    """Nobody is logged in."""
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    return tmp_path / "netrc"


def test_auto_is_online_when_logged_in_else_offline(nobody, monkeypatch):
    assert not logged_in() and wandb_mode("auto") == "offline"
    nobody.write_text("machine elsewhere.example login user password x\n")
    assert wandb_mode("auto") == "offline"
    nobody.write_text("machine api.wandb.ai login user password x\n")
    assert wandb_mode("auto") == "online"
    assert wandb_mode("disabled") == "disabled" and wandb_mode("offline") == "offline"
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert wandb_mode("auto") == "disabled" and wandb_mode("online") == "online"


def test_a_broken_netrc_is_nobody(nobody, monkeypatch):
    nobody.write_text("this is { no netrc")
    assert not logged_in()
    monkeypatch.setenv("WANDB_API_KEY", "x" * 40)
    assert logged_in()


def inspected(run_dir):
    """What W&B's own reader finds in every part of the run, in the order they were written."""
    parts = sorted(run_dir.glob("wandb/offline-run-*/run-*.wandb"))
    found = []
    for part in parts:
        words = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(part)]
        out = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        found.append([json.loads(line) for line in out.splitlines() if line.startswith("{")])
    return parts, found


def test_an_offline_run_has_the_metrics_the_grids_and_one_id(nobody, tmp_path):
    watched = [*TINY, "tracking.wandb=offline", "samples.every_generator_updates=2", "samples.count=4"]
    run = train(DIGITS, [*watched, "budget.generator_updates=2"], run_dir=tmp_path / "run")
    resume(run.path, ["budget.generator_updates=4"])
    parts, found = inspected(run.path)
    assert [part.name for part in parts] == ["run-run.wandb"] * 2
    text = [json.dumps(part) for part in found]
    assert all("generator/loss" in part and "discriminator/loss" in part for part in text)
    assert "latent_dim" in text[0] and "digits-dcgan" in text[0]
    assert len(list(run.path.glob("wandb/offline-run-*/files/media/images/*.png"))) >= 3
    record = run.read_record()
    assert record["wandb"] == {"mode": "offline", "id": "run"}


def test_wandb_is_not_imported_when_disabled():
    code = (
        "import sys; from ganzoo.records.tracking import wandb_mode; import ganzoo.training.run; "
        "assert 'wandb' not in sys.modules, 'imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
