"""W&B's own `wandb sweep` and `wandb agent`, unmodified, run our sweep files; their server is the stand-in."""

import json
import re
import subprocess
import sys

import pytest
from conftest import ROOT, metrics_of
from wandb_stand_in import StandIn, serving

from ganzoo.sweeping.hyperband import stops
from ganzoo.sweeping.reading import read_sweep

EXPERIMENT = ROOT / "experiments" / "ring8" / "gan.yaml"
SWEEP = f"""
program: {EXPERIMENT}
project: toys
method: grid
command: ["${{env}}", ganzoo, train, "${{program}}", generator.width=4, "${{args_no_hyphens}}"]
metric: {{name: discriminator/loss, goal: minimize}}
parameters:
  discriminator.width: {{value: 4}}
  evaluation.protocol: {{value: null}}
  samples.every_generator_updates: {{value: null}}
  tracking.every_generator_updates: {{value: 1}}
"""
GRID = """
  optimizer: {parameters: {generator: {parameters: {lr: {values: [0.001, 0.0001]}}}}}
  budget.generator_updates: {value: 5}
  seeds: {value: 2}
"""
LONG = """
  budget.generator_updates: {value: 50000}
early_terminate: {type: hyperband, min_iter: 4, eta: 3, strict: true}
"""


@pytest.fixture
def stand_in():
    with serving() as server:
        yield server


def wandb(stand_in: StandIn, folder, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "wandb", *words]
    environment = stand_in.environment(folder)
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, timeout=240)


def registered(stand_in: StandIn, folder, text: str) -> str:
    (folder / "sweep.yaml").write_text(text)
    done = wandb(stand_in, folder, "sweep", "sweep.yaml")
    assert done.returncode == 0, done.stderr
    said = re.search(r"wandb agent (\S+)", re.sub(r"\x1b\[\d*m", "", done.stderr))
    assert said, done.stderr
    return said[1]


def record_in(folder, run: str):
    return json.loads((folder / "runs" / "ring8-gan" / run / "record.json").read_text())


@pytest.mark.slow
def test_wandb_sweep_and_wandb_agent_train_every_point_of_the_file(stand_in, tmp_path):
    path = registered(stand_in, tmp_path, SWEEP + GRID)
    assert path == "somebody/toys/sweep0"
    done = wandb(stand_in, tmp_path, "agent", path)
    assert done.returncode == 0, done.stderr
    for warning in ("locked", "Ignoring", "Traceback", "ganzoo:"):
        assert warning not in done.stderr, done.stderr
    assert sorted(stand_in.runs) == [f"sweep0run{n}{ending}" for n in (0, 1) for ending in ("", "-seed-1")]
    for name, run in stand_in.runs.items():
        record = record_in(tmp_path, f"sweep0-{name}")
        lines = metrics_of(tmp_path / "runs" / "ring8-gan" / f"sweep0-{name}")
        lr = 0.001 if name.startswith("sweep0run0") else 0.0001
        assert (record["status"], record["seed"]) == ("done", int(name.endswith("-seed-1")))
        assert record["wandb"] == {"mode": "online", "id": name}
        assert record["config"]["optimizer"]["generator"]["lr"] == lr
        assert record["config"]["generator"]["width"] == record["config"]["discriminator"]["width"] == 4
        assert run.values_of("discriminator/loss") == [line["discriminator/loss"] for line in lines] and len(lines) == 5
        assert run.exit_codes == [0]
        assert (run.told["project"], run.told["groupName"]) == ("toys", "ring8-gan")
        assert run.told.get("sweep") == (None if name.endswith("-seed-1") else "sweep0")
        same = {key: value for key, value in run.config.items() if key in record["config"]}
        assert same == record["config"]  # of nested parameters too W&B has the whole section


@pytest.mark.slow
def test_a_run_that_hyperband_stops_writes_its_checkpoint_and_goes_on_when_it_is_given_again(stand_in, tmp_path):
    path = registered(stand_in, tmp_path, SWEEP + LONG)
    hyperband = read_sweep(tmp_path / "sweep.yaml").early_terminate
    assert hyperband is not None
    better = [-1.0] * 50000  # of an earlier run
    stand_in.stops = lambda run: bool(stops(run.values_of("discriminator/loss"), [better], hyperband, "minimize"))
    done = wandb(stand_in, tmp_path, "agent", "--count", "1", path)
    assert done.returncode == 0, done.stderr
    assert "go on with: ganzoo train --resume" in done.stderr, done.stderr
    first = record_in(tmp_path, "sweep0-sweep0run0")
    assert first["status"] == "stopped" and "SIGTERM" in first["reason"]
    run = stand_in.runs["sweep0run0"]
    count = len(run.values_of("discriminator/loss"))
    assert 4 <= count == first["budget"]["generator_updates"]

    stand_in.stops = lambda run: len(run.values_of("discriminator/loss")) > count
    stand_in.sweeps["sweep0"].waiting.append(("sweep0run0", "resume"))
    done = wandb(stand_in, tmp_path, "agent", "--count", "1", path)
    assert done.returncode == 0, done.stderr
    second = record_in(tmp_path, "sweep0-sweep0run0")
    assert second["status"] == "stopped" and second["budget"]["generator_updates"] > count
    updates = run.values_of("generator_updates")
    assert updates == list(range(1, second["budget"]["generator_updates"] + 1))
    assert len(run.exit_codes) == 2 and list(stand_in.runs) == ["sweep0run0"]
