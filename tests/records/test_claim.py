"""One process at a time has a run directory: races, deaths, machines that share a folder."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ROOT

from ganzoo.errors import GanzooError
from ganzoo.records import claim
from ganzoo.records.claim import Claim, LostClaim, Taken, claimed, holder

HOLD = """
import sys, time
from pathlib import Path
from ganzoo.records.claim import Claim
assert Claim.take(Path(sys.argv[1])) is not None
print("taken", flush=True)
time.sleep(60)
"""


@pytest.fixture
def other(tmp_path):
    """Another process, which has the claim of the folder."""
    words = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}) as one:
        assert one.stdout.readline() == "taken\n"
        yield one
        one.kill()


def newest(folder: Path) -> Path:
    return max((folder / "claims").glob("*.json"))


def from_elsewhere(folder: Path) -> None:
    """The claim as another machine's: its lock cannot be seen here."""
    said = json.loads(newest(folder).read_text())
    newest(folder).write_text(json.dumps({**said, "host": "elsewhere", "kernel": "another"}))


def test_a_claim_is_one_process_s_until_it_is_released(tmp_path, other):
    assert Claim.take(tmp_path) is None
    with (
        pytest.raises(Taken, match=f"another process is training this run: process {other.pid} on "),
        claimed(tmp_path),
    ):
        pass
    assert holder(tmp_path).process == other.pid
    with claimed(tmp_path / "another"):
        assert holder(tmp_path / "another").process == os.getpid()
    assert holder(tmp_path / "another") is None and holder(tmp_path / "nothing") is None
    assert isinstance(Taken(""), GanzooError)


def test_the_claim_of_a_killed_process_is_free_at_once(tmp_path, other):
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert holder(tmp_path) is None
    with claimed(tmp_path) as mine:
        assert mine.path.name == "000002.json" and [mine.path] == list((tmp_path / "claims").iterdir())
        mine.check()


def test_a_process_that_stands_still_keeps_its_claim(tmp_path, other):
    other.send_signal(signal.SIGSTOP)
    os.utime(newest(tmp_path), (0, 0))  # it does not touch it any more
    assert Claim.take(tmp_path) is None
    other.send_signal(signal.SIGCONT)


def test_another_machine_s_claim_holds_for_its_lease(tmp_path):
    with claimed(tmp_path):
        pass
    from_elsewhere(tmp_path)
    for age, free in ((claim.LEASE_SECONDS - 5, False), (claim.LEASE_SECONDS + 5, True)):
        os.utime(newest(tmp_path), (time.time() - age,) * 2)
        assert (holder(tmp_path) is None) == free
    with claimed(tmp_path) as mine:
        assert mine.path.name == "000002.json"


def test_who_was_silent_too_long_is_told_before_it_writes(tmp_path, other):
    with claimed(tmp_path / "run") as mine:
        mine.check()
        mine.path.with_name("000002.json").write_text("{}")  # another machine took it over
        with pytest.raises(LostClaim, match="another process has taken this run over"):
            mine.check()


def test_a_living_holder_touches_its_claim(tmp_path, monkeypatch):
    monkeypatch.setattr(claim, "TOUCH_SECONDS", 0.05)
    with claimed(tmp_path) as mine:
        os.utime(mine.path, (0, 0))
        deadline = time.monotonic() + 20
        while mine.path.stat().st_mtime < 1 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert time.time() - mine.path.stat().st_mtime < 60
    assert mine.path.stat().st_mtime == 0  # given back


@pytest.mark.parametrize("content", ["", "{", "[]", '{"host": 1}'])
def test_a_claim_that_a_fallen_machine_left_broken_expires(tmp_path, content):
    (tmp_path / "claims").mkdir()
    broken = tmp_path / "claims" / "000007.json"
    broken.write_text(content)
    assert Claim.take(tmp_path) is None and holder(tmp_path) is None
    os.utime(broken, (0, 0))
    with claimed(tmp_path) as mine:
        assert mine.path.name == "000008.json"


def test_a_child_that_outlives_the_claim_does_not_hold_it(tmp_path):
    """As a data loader's worker might: it was forked with the locked file open."""
    taken = Claim.take(tmp_path)
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    try:
        taken.release()
        with claimed(tmp_path):
            pass
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


RACE = """
import os, random, signal, sys, time
from pathlib import Path
from ganzoo.records.claim import Claim
folder, rounds = Path(sys.argv[1]), 0
random.seed(os.getpid())
deadline = time.monotonic() + 3
while time.monotonic() < deadline:
    taken = Claim.take(folder / "run")
    if taken is None:
        continue
    inside = folder / "inside"
    try:
        os.close(os.open(inside, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        sys.exit("two processes had the claim")
    time.sleep(random.random() / 500)
    taken.check()
    inside.unlink()
    rounds += 1
    if random.random() < 0.01 and rounds > 3:
        print(rounds, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    taken.release()
print(rounds)
"""


def test_of_many_that_want_it_one_has_it(tmp_path):
    words = [sys.executable, "-c", RACE, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    racing = [subprocess.Popen(words, env=environment, **pipes) for _ in range(6)]
    told = [process.communicate(timeout=60) for process in racing]
    assert not any(errors for _, errors in told), told
    rounds = sum(int(out) for out, _ in told)
    assert rounds >= 10 and int(newest(tmp_path / "run").stem) == rounds  # each had a number of its own
    assert re.fullmatch(r"\d{6}", newest(tmp_path / "run").stem)
