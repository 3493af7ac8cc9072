"""`command` of a sweep file: what W&B's agents run, and what `ganzoo sweep` therefore trains with."""

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from ganzoo.errors import Problem, did_you_mean, shorten
from ganzoo.sweeping.overlaps import common_key

ARGUMENTS = "${args_no_hyphens}"
MACROS = ("${env}", "${interpreter}", "${program}", ARGUMENTS)
# W&B's other ways to write the parameters, which are options, JSON or Hydra's; ganzoo takes key=value.
OTHER_ARGUMENTS = (
    "${args}",
    "${args_no_equals}",
    "${args_no_boolean_flags}",
    "${args_json}",
    "${args_json_file}",
    "${args_dict}",
    "${args_append_hydra}",
    "${args_override_hydra}",
)
SHOWN = "[${env}, ganzoo, train, ${program}, ${args_no_hyphens}]"


def read_command(command: Any, varied: Collection[str], problems: list[Problem]) -> tuple[str, ...]:
    """The `key=value` words that the command gives to every run; mistakes are added to `problems`.

    Args:
        varied: the keys that parameters set: what stands after these in the command would undo them.
    """
    found = list(_mistakes(command, varied))
    problems += [Problem("command", text) for text in found]
    return () if found else tuple(word for word in map(str, command) if _is_override(word))


def _mistakes(command: Any, varied: Collection[str]) -> Iterator[str]:
    if not isinstance(command, list) or not all(_is_word(word) for word in command):
        yield f"{shorten(command)} must be a list of words, such as {SHOWN}"
        return
    words = [str(word) for word in command]
    if unknown := [text for word in words for text in _unknown_macro(word)]:
        yield from unknown
        return
    rest = words[1:] if words[:1] in (["${env}"], ["/usr/bin/env"]) else words
    start = next((count for count in (2, 4) if _is_ours(rest[:count])), 0)
    if not start or rest[start : start + 1] != ["${program}"]:
        yield f"{shorten(' '.join(words))} must begin as {SHOWN} does: it is an experiment that is trained"
        return
    given = rest[start + 1 :]
    if given.count(ARGUMENTS) != 1:
        yield f"must have {ARGUMENTS} once, where W&B writes the parameters; without it all runs were the same"
    for word in given:
        if word != ARGUMENTS:
            yield from _misgiven(word)
    if ARGUMENTS in given:
        yield from _undone(given[given.index(ARGUMENTS) + 1 :], varied)


def _is_word(word: Any) -> bool:
    return isinstance(word, (str, int, float)) and not isinstance(word, bool)


def _is_ours(words: list[str]) -> bool:
    """Whether the words are `ganzoo train` or `python -m ganzoo train`, each command by its name or its path."""
    if len(words) == 2:
        return Path(words[0]).name == "ganzoo" and words[1] == "train"
    if len(words) == 4:
        python = words[0] == "${interpreter}" or re.fullmatch(r"python[0-9.]*", Path(words[0]).name)
        return bool(python) and words[1:] == ["-m", "ganzoo", "train"]
    return False


def _unknown_macro(word: str) -> Iterator[str]:
    if "${envvar:" in word:
        yield f"{shorten(word)} would differ from machine to machine, and the trials with it: write the value itself"
    elif word in OTHER_ARGUMENTS:
        yield f"{word}: ganzoo takes parameters as key=value; write {ARGUMENTS}"
    elif word.startswith("${") and word.endswith("}") and word not in MACROS:
        yield did_you_mean(word, MACROS, "macro of W&B's here")


def _is_override(word: str) -> bool:
    return "=" in word and not word.startswith("-")


def _misgiven(word: str) -> Iterator[str]:
    if word.startswith("-"):
        yield f"{shorten(word)} is an option, and a trial has its own; only key=value words go with a sweep"
    elif not _is_override(word):
        yield f"{shorten(word)} must be written key=value"
    elif word.partition("=")[0] in ("seeds", "pack"):
        key, _, value = word.partition("=")
        yield f"{shorten(word)} must be written parameters: {{{key}: {{value: {value}}}}}"


def _undone(words: list[str], varied: Collection[str]) -> Iterator[str]:
    """Words that overwrite a parameter."""
    for word in words:
        if common := common_key([word.partition("=")[0]], varied):
            yield f"{shorten(word)} stands after {ARGUMENTS} and would undo the parameter {common}"
