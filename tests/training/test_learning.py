"""Training on real data until it has learned something: minutes, so these tests are slow."""

import subprocess
import sys

import pytest
from conftest import DIGITS, RING, ROOT

from ganzoo.training.run import train

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.usefixtures("warm")]


def test_the_demo_at_half_its_resolution_learns_to_draw_digits(tmp_path):
    shorter = ["data.resolution=16", "budget.generator_updates=400", "tracking.wandb=disabled"]
    evaluation = train(DIGITS, shorter, run_dir=tmp_path / "run").read_record()["evaluation"]
    first, last, floor = evaluation["first"], evaluation["last"]["scores"], evaluation["floor"]
    assert floor["fid"] < last["fid"] < first["fid"] / 5
    assert floor["kid"] < last["kid"] < first["kid"] / 5
    assert first["inception_score"] < 1.5 < 4 < last["inception_score"] < 10
    assert first["recall"] < 0.1 < 0.2 < last["recall"]


def test_points_move_onto_the_ring(tmp_path):
    smaller = ["generator.width=128", "discriminator.width=128", "budget.generator_updates=1500"]
    shorter = [*smaller, "tracking.wandb=disabled", "evaluation.every_generator_updates=500"]
    evaluation = train(RING, shorter, run_dir=tmp_path / "run").read_record()["evaluation"]
    best = evaluation["best"]["scores"]
    assert best["high_quality"] > evaluation["first"]["high_quality"]
    assert best["modes"] >= 1 and evaluation["floor"]["modes"] == 8


def test_a_few_random_kills_change_nothing():
    words = [sys.executable, str(ROOT / "benchmarks" / "exactness.py"), "--kills", "2", "--seed", "7", "--shorter", "4"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=850, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"runs_that_differ": 0' in done.stdout
