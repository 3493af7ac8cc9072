"""What can go wrong, each with the exit code that the command answers with."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

SHOWN = 20  # mistakes of one input; who has made more needs no list of them


class GanzooError(Exception):
    """Base of the errors that the command reports without a traceback."""

    exit_code = 1


@dataclass(frozen=True)
class Problem:
    """One mistake in an input: where it is, and what is wrong and allowed there."""

    key: str  # dotted key, option or file
    text: str

    def __str__(self) -> str:
        lines = "\n".join(visible(line, limit=5000) for line in self.text.split("\n"))
        return f"{visible(self.key)}: {lines}" if self.key else lines


class InputError(GanzooError):
    """Bad input: every mistake that was found, in one paragraph.

    >>> print(InputError("a.yaml", [Problem("seed", "'x' is not a whole number")]))
    a.yaml: seed: 'x' is not a whole number
    """

    exit_code = 2

    def __init__(self, source: object, problems: Iterable[Problem] | str):
        self.source = str(source)
        self.problems = [Problem("", problems)] if isinstance(problems, str) else list(problems)
        super().__init__(self.source, self.problems)

    def __str__(self) -> str:
        source = visible(self.source, limit=1000)
        if len(self.problems) == 1:
            return f"{source}: {self.problems[0]}"
        lines = "".join(f"\n  {problem}" for problem in self.problems[:SHOWN])
        more = f"\n  ... and {len(self.problems) - SHOWN} more" if len(self.problems) > SHOWN else ""
        return f"{source}: {len(self.problems)} mistakes{lines}{more}"


class Diverged(GanzooError):
    """Training broke down (NaN, or a generator that gets no gradient); the last good checkpoint is kept."""

    exit_code = 3


class Stopped(GanzooError):
    """The user (SIGINT: 130) or the system (SIGTERM: 143) stopped the run, after a checkpoint."""

    def __init__(self, message: str, signal_number: int):
        self.exit_code = 128 + signal_number
        super().__init__(message, signal_number)

    def __str__(self) -> str:
        return str(self.args[0])


def did_you_mean(word: str, allowed: Sequence[str], kind: str) -> str:
    """What is allowed instead of `word`, the nearest first.

    >>> did_you_mean("dcgn", ["dcgan", "wgan"], "variant")
    "there is no variant 'dcgn'; did you mean 'dcgan'? There are: dcgan, wgan"
    """
    near = get_close_matches(word, allowed, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    return f"there is no {kind} {shorten(word)}{hint} There are: {', '.join(allowed) or 'none'}"


def shorten(value: object, limit: int = 80) -> str:
    """repr(value), cut where a message would drown in it."""
    text = repr(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def visible(text: str, limit: int = 120) -> str:
    r"""The text, say a key, as a message shows it: one line, not endless, without what a terminal would obey.

    >>> print(visible("seed\t"), visible("\x1b[31m"), visible("a" * 1000, limit=5))
    seed\t \x1b[31m aaaa…
    """
    shown = text
    if not text.isprintable():
        shown = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"


def told_in_a_line(error: BaseException) -> str:
    """Any exception's class and the first line of what it says.

    >>> told_in_a_line(MemoryError())
    'MemoryError'
    """
    first = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
