"""What many tests share: tiny experiments, the command in a process of its own, comparison to the last bit."""

import json
import os

# A GPU rounds otherwise and draws other numbers, so tests see one only where `make test-gpu` asks for it.
if "GANZOO_TEST_GPU" not in os.environ:
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# While jaxtyping's hook loads a module of ganzoo, Python finds no compiled file of what it imports, and compiles all
# again: nearly three thousand files in every process of tests. So these are imported here, before.
import lightning  # noqa: F401
import optuna.importance
import optuna.visualization  # noqa: F401
import plotly.graph_objects  # noqa: F401
import pytest
import scipy.optimize
import scipy.stats  # noqa: F401
import torch
import torchvision.datasets  # noqa: F401
import warm_processes
from hypothesis import settings

ROOT = Path(__file__).parent.parent
DIGITS = ROOT / "experiments" / "digits" / "dcgan.yaml"
RING = ROOT / "experiments" / "ring8" / "dcgan.yaml"

# The same examples every time, and no clock: the machine may be busy with another worker's tests.
settings.register_profile("ganzoo", deadline=None, derandomize=True)
settings.load_profile("ganzoo")

# Plugins of the test files that name them; as doctests they would be imported too early to be rewritten.
collect_ignore = ["chromium_fixtures.py", "slurm_fixtures.py"]

# Files with the tests that take longest, longest first: begun last, one would keep a worker while the others wait.
LONGEST = [
    "cluster/test_jobs.py",
    "sweeping/test_wandb_agents.py",
    "cluster/test_job_arrays.py",
    "sweeping/test_chaos.py",
    "training/test_learning.py",
    "variants/test_two_processes.py",
    "test_theory.py",
    "training/test_exact.py",
    "test_docs.py",
    "test_fuzz.py",
    "sweeping/test_wandb_engine.py",
    "sweeping/test_pool.py",
    "evaluation/metrics/test_frechet.py",
    "cluster/test_mini_cluster.py",
    "reproducing/test_reproduce.py",
    "evaluation/test_sharding.py",
    "leaderboard/test_board_page_in_chromium.py",
    "training/test_ranks.py",
]

TINY = (
    "data.resolution=8",
    "data.batch_size=16",
    "variant.latent_dim=4",
    "generator.width=4",
    "discriminator.width=4",
    "ema.halflife_images=100",
    "tracking.wandb=disabled",
    "tracking.every_generator_updates=1",
    "evaluation.protocol=null",
    "samples.every_generator_updates=null",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files are dealt to the workers in this order."""
    places = {ROOT / "tests" / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Tests run side by side: a second thread of torch beside a busy process makes both ten times slower."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def cache_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is kept of reference images must not come from another day's code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANZOO_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def inception_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Inception with random weights, written once in a process."""
    from random_weights import write_inception

    path = tmp_path_factory.mktemp("weights") / "inception.pth"
    write_inception(path)
    yield path
    path.unlink()  # 100 MB; pytest keeps the folders of its last runs


@pytest.fixture(scope="session")
def warm_server() -> Iterator[socket.socket]:
    with warm_processes.server() as server:
        yield server


@pytest.fixture(scope="module")
def warm(warm_server: socket.socket) -> Iterator[None]:
    """Pythons that this module's tests start are forked from one that has imported torch and lightning."""
    with warm_processes.warm(warm_server):
        yield


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> str:
    """The example plugin, on the Python path."""
    monkeypatch.syspath_prepend(str(ROOT / "tests"))
    return "example_plugin"


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs `python -m ganzoo` in a process of its own, in an empty folder."""

    def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        variables = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **environment}
        words = [sys.executable, "-m", "ganzoo", *map(str, arguments)]
        return subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, env=variables, timeout=240)

    return run


def checkpoint_of(run_dir: Path) -> dict[str, Any]:
    """The last checkpoint without what tells the time, or Lightning's turns, rather than the training."""
    checkpoint = torch.load(run_dir / "checkpoints" / "last.ckpt", weights_only=True)
    del checkpoint["loops"]  # it counts how often it was asked for a batch: see callbacks/ahead.py
    for state in checkpoint["callbacks"].values():
        state.pop("seconds", None)
    for states in checkpoint["ganzoo"]["random_states"]:
        del states["python"]  # beartype, which checks types in tests, draws from it
    return checkpoint


def metrics_of(run_dir: Path) -> list[dict[str, Any]]:
    """The logged values, without the time they took."""
    lines = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]


def differences(one: Any, other: Any, at: str = "") -> list[str]:
    """Where two nested structures of tensors and values differ, to the last bit."""
    if isinstance(one, dict) and isinstance(other, dict):
        return [
            where
            for key in one.keys() | other.keys()
            for where in (
                differences(one[key], other[key], f"{at}.{key}") if key in one and key in other else [f"{at}.{key}"]
            )
        ]
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)) and len(one) == len(other):
        return [
            where
            for index, pair in enumerate(zip(one, other, strict=True))
            for where in differences(*pair, f"{at}[{index}]")
        ]
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        same = (
            one.dtype == other.dtype and one.shape == other.shape and torch.equal(one.nan_to_num(), other.nan_to_num())
        )
        return [] if same else [at]
    return [] if type(one) is type(other) and one == other else [at]
