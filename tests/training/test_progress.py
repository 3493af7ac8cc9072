"""The progress bar: on a terminal it tells rates and losses, elsewhere there is none."""

import os
import pty
import re
import subprocess
import sys

import pytest
from conftest import DIGITS, ROOT, TINY

pytestmark = pytest.mark.usefixtures("warm")


def start(folder, stderr) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "TERM": "xterm", "COLUMNS": "80"}
    quick = ["budget.generator_updates=40", "tracking.every_generator_updates=10", "--run-dir", str(folder / "run")]
    words = [sys.executable, "-m", "ganzoo", "train", str(DIGITS), *TINY, *quick]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=stderr, env=environment, text=True)


def all_of(terminal: int) -> str:
    """What is written to the other end until it is closed, without colours and cursor movements."""
    shown = b""
    try:
        while chunk := os.read(terminal, 65536):
            shown += chunk
    except OSError:  # Linux's way of saying that the other end is closed
        pass
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())


def test_on_a_terminal(tmp_path):
    outer, inner = pty.openpty()
    with start(tmp_path, inner) as process:
        os.close(inner)
        shown = all_of(outer)
        out, _ = process.communicate()
    os.close(outer)
    assert re.search(r"40/40 +\S+ [\d.]+ updates/s [\d,]+ images/s D \d\.\d\d G \d\.\d\d", shown), shown[-500:]
    assert out.splitlines()[-1] == str(tmp_path / "run")


def test_elsewhere(tmp_path):
    with start(tmp_path, subprocess.PIPE) as process:
        _, err = process.communicate()
    assert process.returncode == 0 and "updates/s" not in err
