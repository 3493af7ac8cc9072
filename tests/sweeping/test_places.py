"""What workers get of a machine: cores are divided, GPUs dealt in turn."""

import os
import stat
import subprocess
import sys

import pytest
from conftest import ROOT

from ganzoo.errors import InputError
from ganzoo.sweeping import places
from ganzoo.sweeping.places import Place, places_for, usable_cores, visible_gpus

SETTLE = """
import os, torch
from ganzoo.sweeping.places import Place
Place(threads=3, gpu="GPU-b").settle()
print(torch.get_num_threads(), os.environ["CUDA_VISIBLE_DEVICES"], torch.cuda.is_initialized())
"""


@pytest.fixture
def eight_cores(monkeypatch):
    monkeypatch.setattr(places, "usable_cores", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    return monkeypatch


@pytest.mark.parametrize(
    ("trials", "workers", "threads", "number", "each"),
    [
        (100, None, None, 8, 1),
        (3, None, None, 3, 2),
        (100, 2, None, 2, 4),
        (100, 16, None, 16, 1),
        (100, 2, 1, 2, 1),
        (1, 2, None, 2, 4),
    ],
)
def test_cores_are_divided(eight_cores, trials, workers, threads, number, each):
    assert places_for({}, trials, workers, threads) == [Place(each)] * number


def test_threads_that_were_asked_for_before_stay(eight_cores):
    eight_cores.setenv("OMP_NUM_THREADS", "1")
    assert places_for({}, 100, 2) == [Place(1)] * 2
    assert places_for({}, 100, 2, 4) == [Place(4)] * 2
    eight_cores.setenv("OMP_NUM_THREADS", "many")
    assert places_for({}, 100, 2) == [Place(4)] * 2


def test_gpus_are_dealt_in_turn_and_shared_on_request(eight_cores):
    eight_cores.setenv("CUDA_VISIBLE_DEVICES", "2, GPU-b")
    assert [place.gpu for place in places_for({}, 100)] == ["2", "GPU-b"]
    assert [place.gpu for place in places_for({"accelerator": "gpu"}, 100, 5)] == ["2", "GPU-b", "2", "GPU-b", "2"]
    assert [place.gpu for place in places_for({"accelerator": "cpu"}, 100, 2)] == [None, None]
    assert [place.gpu for place in places_for({}, 1)] == ["2"]


def test_gpus_are_those_that_the_driver_lists(monkeypatch, tmp_path):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert visible_gpus() == []
    driver = tmp_path / "nvidia-smi"
    driver.write_text('#!/bin/sh\necho "GPU 0: NVIDIA H100 (UUID: GPU-1)"\necho "GPU 1: NVIDIA H100 (UUID: GPU-2)"\n')
    driver.chmod(driver.stat().st_mode | stat.S_IXUSR)
    assert visible_gpus() == ["0", "1"]
    driver.write_text("#!/bin/sh\nexit 9\n")
    assert visible_gpus() == []


@pytest.mark.parametrize("trainer", [{"devices": 2}, {"num_nodes": 2}])
def test_a_trial_has_one_device(trainer):
    with pytest.raises(InputError, match=r"trainer\.devices: .*one device"):
        places_for(trainer, 4)


def test_there_are_cores():
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


def test_a_worker_keeps_to_its_place():
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "0,1"}
    done = subprocess.run([sys.executable, "-c", SETTLE], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.split() == ["3", "GPU-b", "False"]
