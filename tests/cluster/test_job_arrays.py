"""benchmarks/arrays.py, with fewer trials: tasks that are requeued and lose their nodes end as if they had not."""

import re
import subprocess
import sys

import pytest
from conftest import ROOT

pytest_plugins = ["slurm_fixtures"]


@pytest.mark.slow
@pytest.mark.usefixtures("warm")
@pytest.mark.timeout(600)
def test_the_trials_of_an_array_under_fire_are_those_of_the_local_engine(slurm):
    words = [sys.executable, str(ROOT / "benchmarks" / "arrays.py"), "--trials", "3", "--hits", "2"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=590, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^2 hits .* 3 of 3 trials done, 3 begun as often as they should;\n0 of 3 differ", done.stdout)
