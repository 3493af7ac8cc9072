"""wandb://ENTITY/PROJECT: runs that unmodified W&B has written to a server, read back from it by W&B's own client."""

import json
import subprocess
import sys

import pytest
from made_runs import config_of
from wandb_stand_in import ENTITY, serving

MIRRORED = """
import json, sys, wandb
for number, (config, updates, fid, code) in enumerate(json.loads(sys.argv[1])):
    run = wandb.init(project="zoo", id=f"run{number}", config=config, settings=wandb.Settings(silent=True))
    run.log({"generator_updates": 0, "images_seen": 0, "evaluation/fid": 99.0})
    run.log({"generator_updates": updates, "images_seen": 64 * updates, "evaluation/fid": fid})
    run.finish(exit_code=code)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Two finished runs, one that broke, one of somebody else; and the environment of who is logged in there."""
    folder = tmp_path_factory.mktemp("wandb")
    runs = [(config_of({}, seed), 1000, 10.0 + seed, 0) for seed in (0, 1)]
    runs += [(config_of({}, 2), 500, 50.0, 1), ({"lr": 0.1}, 7, 1.0, 0)]
    with serving() as server:
        environment = server.environment(folder)
        words = [sys.executable, "-c", MIRRORED, json.dumps(runs)]
        subprocess.run(words, env=environment, cwd=folder, check=True, timeout=200, capture_output=True)
        yield environment


def leaderboard(environment, tmp_path, *words):
    call = [sys.executable, "-m", "ganzoo", "leaderboard", *words]
    return subprocess.run(call, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=200)


@pytest.mark.slow
def test_a_project_is_read(project, tmp_path):
    done = leaderboard(project, tmp_path, f"wandb://{ENTITY}/zoo", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    (group,) = told["tables"][0]["groups"]
    assert group["counts"] == {"done": 2, "failed": 1} and group["standings"]["fid"]["last"]["mean"] == 10.5
    assert [run["source"] for run in group["runs"]] == [f"wandb://{ENTITY}/zoo/run{number}" for number in range(3)]
    assert told["tables"][0]["protocol"]["num_fake"] == 500
    (footnote,) = told["footnotes"]
    assert footnote["source"].endswith("run3") and "no complete experiment" in footnote["problem"]


@pytest.mark.slow
def test_a_project_that_is_not_there_is_told(project, tmp_path):
    done = leaderboard(project, tmp_path, f"wandb://{ENTITY}/nothing")
    assert done.returncode == 2 and "W&B does not answer" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("source, told", [("wandb://only", "wandb://ENTITY/PROJECT"), ("wandb://a/b", "wandb login")])
def test_who_is_not_logged_in_is_told_how(tmp_path, monkeypatch, source, told):
    from ganzoo.errors import InputError
    from ganzoo.leaderboard.wandb_source import read_project

    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    with pytest.raises(InputError, match=told):
        read_project(source)
