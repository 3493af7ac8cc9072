"""W&B mirrors a run: really, offline, under one id."""

import json
import os
import subprocess
import sys

import pytest
import wandb
from conftest import DIGITS, TINY

from ganzoo.errors import GanzooError
from ganzoo.experiment import load_experiment
from ganzoo.records.run_directory import RunDirectory
from ganzoo.records.tracking import Agent, Mirror, logged_in, mirror_of, wandb_mode
from ganzoo.training.run import resume, train


@pytest.fixture
def nobody(monkeypatch, tmp_path):
    """Nobody is logged in."""
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
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


def test_a_run_is_mirrored_to_the_kept_run_else_the_agents_else_its_own(nobody, monkeypatch, tmp_path):
    experiment, run = load_experiment(DIGITS, TINY), RunDirectory(tmp_path)
    assert Agent.above() is None
    assert mirror_of(experiment, run) == Mirror(tmp_path.name, "ganzoo")
    monkeypatch.setenv("WANDB_RUN_ID", "r")
    assert Agent.above() is None  # somebody's own choice of an id, and no agent
    for name, value in {"SWEEP_ID": "s", "PROJECT": "toys", "ENTITY": "somebody"}.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    agents = Mirror("r", "toys", "somebody")
    assert Agent.above() == Agent("s", agents) and mirror_of(experiment, run) == agents
    Mirror("other", None).keep(tmp_path)
    assert mirror_of(experiment, run) == Mirror("other", None)


@pytest.mark.parametrize("damage", ["", "{", "[]", "{}", '{"id": "a", "project": "b", "more": 1}'])
def test_a_damaged_mirror_is_named(tmp_path, damage):
    assert Mirror.kept(tmp_path) is None
    (tmp_path / "wandb.json").write_text(damage)
    with pytest.raises(GanzooError, match=r"wandb\.json: damaged"):
        Mirror.kept(tmp_path)


def test_an_offline_run_of_an_agent_has_the_agents_id(nobody, monkeypatch, tmp_path):
    wandb.teardown()  # an agent's environment is there before wandb begins
    for name, value in {"SWEEP_ID": "s", "RUN_ID": "r", "PROJECT": "toys"}.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    quick = [*TINY, "tracking.wandb=offline", "budget.generator_updates=1"]
    run = train(DIGITS, quick, run_dir=tmp_path / "run")
    assert run.read_record()["wandb"] == {"mode": "offline", "id": "r"}
    assert [path.name for path in run.path.glob("wandb/offline-run-*/*.wandb")] == ["run-r.wandb"]
    Mirror("mine", "toys").keep(tmp_path / "other")
    other = train(DIGITS, quick, run_dir=tmp_path / "other")
    assert [path.name for path in other.path.glob("wandb/offline-run-*/*.wandb")] == ["run-mine.wandb"]
    assert Agent.above() is None  # the process has left the sweep


def test_wandb_is_not_imported_when_disabled():
    code = (
        "import sys; from ganzoo.records.tracking import wandb_mode; import ganzoo.training.run; "
        "assert 'wandb' not in sys.modules, 'imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
