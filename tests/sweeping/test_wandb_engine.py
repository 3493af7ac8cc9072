"""Engine wandb: one registration, W&B's own agents, what is refused before and what the exit code says after."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ROOT
from wandb_stand_in import StandIn, serving

from ganzoo.errors import GanzooError, InputError
from ganzoo.sweeping.reading import read_sweep
from ganzoo.sweeping.trials import Sweep
from ganzoo.sweeping.wandb_engine import Registered, _code_of, _search_path, _shares, register, run_on_wandb

EXPERIMENT = ROOT / "experiments" / "ring8" / "gan.yaml"
SWEEP = f"""
program: {EXPERIMENT}
method: grid
parameters:
  discriminator.width: {{values: [4, 5, 6]}}
  generator.width: {{value: 4}}
  budget.generator_updates: {{value: UPDATES}}
  evaluation.protocol: {{value: null}}
  samples.every_generator_updates: {{value: null}}
"""
CALL = """
import sys
from pathlib import Path
from ganzoo.sweeping.reading import read_sweep
from ganzoo.sweeping.trials import Sweep
from ganzoo.sweeping.wandb_engine import run_on_wandb

sys.exit(run_on_wandb(Sweep(read_sweep(Path("sweep.yaml")), Path("all")), agents=int(sys.argv[1]), count=None))
"""


@pytest.fixture
def stand_in():
    with serving() as server:
        yield server


@pytest.fixture
def nobody(monkeypatch, tmp_path):
    """Nobody is logged in, and no server is named."""
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


def swept(folder: Path, text: str = SWEEP.replace("UPDATES", "5")) -> Sweep:
    (folder / "sweep.yaml").write_text(text)
    return Sweep(read_sweep(folder / "sweep.yaml"), folder / "all")


def started(stand_in: StandIn, folder: Path, agents: int) -> subprocess.Popen:
    words = [sys.executable, "-c", CALL, str(agents)]
    environment = stand_in.environment(folder)
    return subprocess.Popen(words, stderr=subprocess.PIPE, text=True, cwd=folder, env=environment)


def records_in(folder: Path) -> dict[str, dict]:
    found = sorted(folder.glob("all/ring8-gan/*/record.json"))
    return {path.parent.name: json.loads(path.read_text()) for path in found}


@pytest.mark.slow
def test_two_agents_share_one_sweep_which_a_second_call_joins(stand_in, tmp_path):
    sweep = swept(tmp_path)
    with started(stand_in, tmp_path, agents=2) as process:
        _, said = process.communicate(timeout=240)
    assert process.returncode == 0, said
    records = records_in(tmp_path)
    assert list(records) == [f"sweep0-sweep0run{number}" for number in range(3)], said
    assert [record["config"]["discriminator"]["width"] for record in records.values()] == [4, 5, 6]
    assert all(record["status"] == "done" for record in records.values())
    config = stand_in.sweeps["sweep0"].config
    assert config["command"] == ["${env}", "ganzoo", "train", "${program}", "${args_no_hyphens}"]
    assert {key: config[key] for key in sweep.file.values} == sweep.file.values
    assert stand_in.sweeps["sweep0"].project == "ganzoo"  # the experiment's
    kept = json.loads((sweep.folder / "wandb.json").read_text())
    url = f"{stand_in.url}/somebody/ganzoo/sweeps/sweep0"
    assert kept == {"entity": "somebody", "project": "ganzoo", "sweep_id": "sweep0", "url": url}
    assert url in said
    with started(stand_in, tmp_path, agents=1) as process:
        _, said = process.communicate(timeout=240)
    assert process.returncode == 0, said
    assert list(stand_in.sweeps) == ["sweep0"] and len(stand_in.agents) == 3
    assert records_in(tmp_path) == records


@pytest.mark.slow
def test_ctrl_c_lets_the_run_write_its_checkpoint(stand_in, tmp_path):
    swept(tmp_path, SWEEP.replace("UPDATES", "50000"))
    with started(stand_in, tmp_path, agents=1) as process:
        metrics = tmp_path / "all" / "ring8-gan" / "sweep0-sweep0run0" / "metrics.jsonl"
        until = time.monotonic() + 120
        while not metrics.exists() or not metrics.read_text():
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=240)
    assert process.returncode == 130, said
    (record,) = records_in(tmp_path).values()
    assert record["status"] == "stopped" and "SIGINT" in record["reason"]
    assert (metrics.parent / "checkpoints" / "last.ckpt").exists()


def refused(sweep: Sweep) -> str:
    with pytest.raises(InputError) as caught:
        run_on_wandb(sweep, agents=1, count=None)
    assert not sweep.folder.exists()
    return str(caught.value)


def test_without_an_account_it_says_what_to_do(nobody, tmp_path):
    said = refused(swept(tmp_path))
    assert "wandb login" in said and "WANDB_API_KEY" in said and "local" in said


@pytest.mark.parametrize("mode", ["offline", "disabled"])
def test_offline_there_is_no_sweep(nobody, tmp_path, monkeypatch, mode):
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setenv("WANDB_MODE", mode)
    assert f"WANDB_MODE is {mode}" in refused(swept(tmp_path))


def test_an_experiment_that_tells_nobody_is_refused(nobody, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    silent = tmp_path / "silent.yaml"
    silent.write_text(EXPERIMENT.read_text().replace("wandb: auto", "wandb: disabled"))
    sweep = swept(tmp_path, SWEEP.replace("UPDATES", "5").replace(str(EXPERIMENT), str(silent)))
    assert "tracking.wandb is disabled" in refused(sweep)


def test_a_sweep_that_is_registered_is_joined_without_asking_anybody(nobody, tmp_path):
    sweep = swept(tmp_path)
    sweep.folder.mkdir(parents=True)
    kept = sweep.folder / "wandb.json"
    kept.write_text('{"entity": "e", "project": "p", "sweep_id": "s", "url": null}')
    assert register(sweep) == Registered("e", "p", "s", None) and register(sweep).path == "e/p/s"
    for damage in ("{", "{}", '"text"'):
        kept.write_text(damage)
        with pytest.raises(GanzooError, match=r"wandb\.json: damaged"):
            register(sweep)


@pytest.mark.slow
def test_a_server_that_is_not_there_is_one_paragraph(nobody, tmp_path):
    sweep = swept(tmp_path)
    environment = {**os.environ, "WANDB_BASE_URL": "http://127.0.0.1:9", "WANDB_API_KEY": "0" * 40}
    environment |= {"HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    code = CALL.replace("import sys\n", "import sys\nfrom ganzoo.errors import GanzooError\n").replace(
        "sys.exit(", "try:\n    "
    )
    code = code.replace("count=None))", "count=None)\nexcept GanzooError as error:\n    sys.exit(f'told: {error}')")
    words = [sys.executable, "-c", code, "1"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=200)
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert "told: W&B does not take the sweep" in done.stderr and not (sweep.folder / "wandb.json").exists()


@pytest.mark.parametrize(
    ("agents", "count", "shares"),
    [(2, None, [[], []]), (2, 5, [["--count", "3"], ["--count", "2"]]), (3, 2, [["--count", "1"], ["--count", "1"]])],
)
def test_agents_share_the_count(agents, count, shares):
    assert list(_shares(agents, count)) == shares


def test_agents_find_this_ganzoo_first(tmp_path, monkeypatch):
    other = tmp_path / "other"
    other.mkdir()
    (other / "ganzoo").write_text("#!/bin/sh\necho another\n")
    (other / "ganzoo").chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(other), os.environ["PATH"]]))
    path = _search_path(tmp_path)
    assert path.split(os.pathsep)[0] == str(Path(sys.executable).parent)
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
    said = subprocess.run(["ganzoo", "--version"], env=environment, capture_output=True, text=True, check=True).stdout
    assert said.startswith("ganzoo, version")


@pytest.mark.parametrize(
    ("statuses", "code"),
    [(["done", "stopped"], 0), (["done", "diverged"], 3), (["failed", "diverged"], 1), ([], 0)],
)
def test_the_exit_code_is_that_of_the_worst_run_of_this_sweep(tmp_path, statuses, code):
    def write(name: str, status: str) -> None:
        path = tmp_path / "ring8-gan" / name / "record.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"status": status}))

    write("another-run0", "failed")
    for number, status in enumerate(statuses):
        write(f"s-run{number}", status)
    assert _code_of(tmp_path, Registered("e", "p", "s", None)) == code
