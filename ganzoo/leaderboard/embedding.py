"""Tables between markers in a Markdown file, written by a command that the first marker holds:

<!-- ganzoo leaderboard runs/digits --metric fid -->
... whatever the command writes ...
<!-- end -->
"""

import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ganzoo.errors import GanzooError, InputError, shorten
from ganzoo.records.files import write_text

END = "<!-- end -->"
FENCE = re.compile(r" {0,3}(```+|~~~+)")
ANY_MARKER = re.compile(r"\s*<!--\s*ganzoo\s+\w")
AN_END = re.compile(r"\s*<!--\s*end\s*-->\s*")
Write = Callable[[list[str]], str]  # the words after the command -> the text between the markers


@dataclass(frozen=True)
class Section:
    """What is between two markers: lines start to stop, without the markers. `words` are the command's."""

    marker: str
    words: list[str]
    start: int
    stop: int


def check(path: Path, command: str, write: Write) -> None:
    """Raises GanzooError, which names them, where tables of the file are not what the command writes now."""
    _, stale = _rewritten(path, command, write)
    if stale:
        listed = "; ".join(shorten(marker, limit=200) for marker in stale)
        raise GanzooError(f"{path}: out of date: {listed}. `ganzoo {command} --update {path}` writes it anew")


def update(path: Path, command: str, write: Write) -> list[str]:
    """Writes the tables of the file anew, all or nothing; the markers of those that have changed."""
    text, stale = _rewritten(path, command, write)
    if stale:
        write_text(path, text)
    return stale


def _rewritten(path: Path, command: str, write: Write) -> tuple[str, list[str]]:
    text = _read(path)
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = text.split(newline)
    sections = list(sections_of(lines, path, command))
    if not sections:
        raise InputError(path, f"there is no line `<!-- ganzoo {command} ... -->` here; `ganzoo {command} -h` has one")
    stale: list[str] = []
    for section in reversed(sections):  # so that the places of those before stay
        written = ["", *write(section.words).strip("\n").split("\n"), ""]
        if lines[section.start : section.stop] != written:
            lines[section.start : section.stop] = written
            stale.insert(0, section.marker)
    return newline.join(lines), stale


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        raise InputError(path, "there is no such file") from None
    except UnicodeDecodeError:
        raise InputError(path, "the file is not UTF-8 text") from None
    except (OSError, ValueError) as error:
        raise InputError(path, f"cannot be read: {getattr(error, 'strerror', None) or error}") from None


def sections_of(lines: Sequence[str], path: Path, command: str) -> Iterator[Section]:
    """Every marker of that command with what is after it; what is in a block of code is an example.

    Raises:
        InputError: a marker has no end before the next one, of whatever command, or the end of the file.
    """
    marked = re.compile(rf" {{0,3}}<!--\s*ganzoo\s+{re.escape(command)}(\s.*?)?\s*-->\s*")
    fence = ""
    opened: tuple[int, re.Match[str]] | None = None
    for number, line in enumerate(lines):
        if opened is None:
            fence = _fence_after(line, fence)
        marker = None if fence else marked.fullmatch(line)
        if marker and opened is None:
            opened = (number, marker)
        elif opened and ANY_MARKER.match(line):
            raise InputError(path, f"line {number + 1}: a table begins, and the one of line {opened[0] + 1} has no end")
        elif opened and AN_END.fullmatch(line):
            yield Section(opened[1][0].strip(), _words(opened[1][1], path, opened[0]), opened[0] + 1, number)
            opened = None
    if opened:
        raise InputError(path, f"line {opened[0] + 1}: after {opened[1][0].strip()} there is no line {END}")


def _fence_after(line: str, fence: str) -> str:
    """The fence of the block of code that the next line is in; "": it is in none."""
    found = FENCE.match(line)
    if not found:
        return fence
    if not fence:
        return found[1]
    closes = found[1].startswith(fence) and not line.strip(" " + fence[0])
    return "" if closes else fence


def _words(text: str | None, path: Path, line: int) -> list[str]:
    try:
        return shlex.split(text or "")
    except ValueError as error:
        raise InputError(path, f"line {line + 1}: {error}") from None
