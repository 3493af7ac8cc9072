"""Work in threads, and its progress bar."""

import sys
from io import StringIO

import pytest

from ganzoo.data import working


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("count", [0, 1, working.CHUNK, 3 * working.CHUNK + 1])
def test_every_piece_is_worked_on_once(count):
    done = []
    working.in_threads(done.append, count, "working")
    assert sorted(done) == list(range(count))


def test_the_first_error_is_raised():
    def fail(index: int) -> None:
        raise KeyError(index)

    with pytest.raises(KeyError):
        working.in_threads(fail, 1000, "failing")


@pytest.mark.parametrize(
    ("stderr", "quiet_seconds", "shown"), [(Terminal(), 0.0, True), (Terminal(), 60.0, False), (StringIO(), 0.0, False)]
)
def test_only_long_work_at_a_terminal_shows_a_bar(stderr, quiet_seconds, shown, monkeypatch):
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setattr(working, "QUIET_SECONDS", quiet_seconds)
    working.in_threads(lambda index: None, 1000, "decoding images")
    assert ("decoding images" in stderr.getvalue()) == shown
