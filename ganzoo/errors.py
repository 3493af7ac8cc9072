"""What can go wrong, each with the exit code that the command answers with."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches


class GanzooError(Exception):
    """Base of the errors that the command reports without a traceback."""

    exit_code = 1


@dataclass(frozen=True)
class Problem:
    """One mistake in an input: where it is, and what is wrong and allowed there."""

    key: str  # dotted key, option or file
    text: str

    def __str__(self) -> str:
        return f"{self.key}: {self.text}" if self.key else self.text


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
        if len(self.problems) == 1:
            return f"{self.source}: {self.problems[0]}"
        lines = "".join(f"\n  {problem}" for problem in self.problems)
        return f"{self.source}: {len(self.problems)} mistakes{lines}"


class Diverged(GanzooError):
    """Training broke down (NaN, or a generator that gets no gradient); the last good checkpoint is kept."""

    exit_code = 3


class Stopped(GanzooError):
    """The user (SIGINT: 130) or the system (SIGTERM: 143) stopped the run, after a checkpoint."""

    def __init__(self, message: str, signal_number: int):
        self.exit_code = 128 + signal_number
        super().__init__(message)


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
