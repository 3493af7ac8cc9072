"""Every data set tells what it is without the libraries that load it."""

import json
import subprocess
import sys

import pytest

from ganzoo.components import DATASETS

SCRIPT = """
import json, sys
from ganzoo.components import declared
path = sys.argv[1]
facts = {}
for name in sys.argv[2:]:
    cls = declared(f"ganzoo.data.{name}", "Config")
    config = cls(path=path) if name in ("folder", "zip") else cls()
    config.missing()
    facts[name] = [config.num_classes, config.num_train, config.num_heldout, list(config.shape)]
heavy = [name for name in ("torch", "torchvision", "numpy", "PIL", "sklearn") if name in sys.modules]
print(json.dumps({"facts": facts, "heavy": heavy}))
"""

FACTS = {
    "cifar10": [10, 50_000, 10_000, [3, 32, 32]],
    "cifar100": [100, 50_000, 10_000, [3, 32, 32]],
    "digits": [10, 1_297, 500, [1, 32, 32]],
    "fashion_mnist": [10, 60_000, 10_000, [1, 32, 32]],
    "folder": [2, None, None, [3, 64, 64]],
    "grid25": [25, 100_000, 100_000, [2]],
    "mnist": [10, 60_000, 10_000, [1, 32, 32]],
    "ring8": [8, 100_000, 100_000, [2]],
    "stacked_mnist": [1000, 128_000, 26_000, [3, 32, 32]],
    "swiss_roll": [0, 100_000, 100_000, [2]],
    "zip": [4, None, None, [3, 64, 64]],
}


def test_configurations_need_no_torch_and_know_their_data(tmp_path):
    for name in ("cats", "dogs"):
        (tmp_path / name).mkdir()
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": [["cats/a.png", 0], ["dogs/b.png", 3]]}))
    command = [sys.executable, "-c", SCRIPT, str(tmp_path), *FACTS]
    answer = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert answer == {"facts": FACTS, "heavy": []}


def test_no_data_set_is_left_out_above():
    assert DATASETS.names() == sorted(FACTS)


@pytest.mark.parametrize("name", sorted(FACTS))
def test_first_line_says_what_it_is(name):
    title, _, description = DATASETS.summary(name).partition(": ")
    assert title
    assert description.endswith(".")
