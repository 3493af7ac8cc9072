"""The job script: what all jobs of ganzoo's have in common, and what a site and a user add to it."""

import re
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ganzoo.cluster.queue import comment_for
from ganzoo.cluster.site import Site
from ganzoo.errors import InputError, Problem, shorten

WARNING_SECONDS = 120  # ahead of the time limit, for the checkpoint
BODY = Path(__file__).with_name("job.sbatch")
SHORT = {"a": "array", "N": "nodes", "n": "ntasks"}  # one-letter names of options of sbatch that jobs set themselves
ALWAYS_OURS = {"wrap": "the script is written here", "comment": "the job's folder is in it"}


@dataclass(frozen=True, kw_only=True)
class JobScript:
    """A script for sbatch.

    Attributes:
        name: of the job; "ganzoo-" comes before it.
        folder: the run directory or sweep's folder that the job is for; its output goes to folder/slurm.
        output: the output file's name, in sbatch's pattern: "%j.out".
        options: of sbatch, that the job needs.
        lines: of the user, after the site's: of two that are alike sbatch takes the last.
        before: shell lines, after the site's.
        command: what is run, as words of the shell.
        warning: the signal by which it is told of the time limit: USR1 for srun, which ends its tasks at a TERM.
    """

    name: str
    folder: Path
    output: str
    options: Sequence[str]
    lines: Sequence[str] = ()
    site: Site = field(default=Site())
    before: Iterable[str] = ()
    command: str
    warning: str = "USR1"

    def __str__(self) -> str:
        """Raises InputError where the folder's path cannot be given to sbatch."""
        ours = (
            f"--job-name=ganzoo-{self.name}",
            f"--comment={comment_for(self.folder)}",
            f"--output={_pattern(self.folder.resolve() / 'slurm')}/{self.output}",
            "--open-mode=append",  # a job that is queued again goes on writing to its file
            "--requeue",
            f"--signal=B:USR1@{WARNING_SECONDS}",
            *self.options,
        )
        parts = [
            "#!/bin/bash",
            *(f"#SBATCH {_quoted([option])}" for option in ours),
            *(f"#SBATCH {_quoted(_words(line))}" for line in (*self.site.sbatch, *self.lines)),
            "",
            f"cd -- {shlex.quote(str(Path.cwd()))} || exit",
            *([self.site.setup.rstrip("\n")] if self.site.setup else []),
            "set +eu  # what comes is written for a shell that goes on",
            "export SLURM_EXPORT_ENV=ALL  # srun passes on what was set up here, also where sbatch was told not to",
            *self.before,
            f"warning={self.warning} patience={WARNING_SECONDS - 30}",
            f"command=({self.command})",
        ]
        return "\n".join(parts) + "\n\n" + BODY.read_text()

    @staticmethod
    def python(site: Site) -> str:
        """The interpreter on the nodes."""
        return site.python or sys.executable


def check_options(source: str, lines: Iterable[str], ours: Mapping[str, str]) -> None:
    """Raises InputError for lines that are no option of sbatch, or one that the job sets itself.

    Args:
        ours: what the job sets, each with what to use instead.
    """
    if problems := list(_refusals(lines, {**ALWAYS_OURS, **ours})):
        raise InputError(source, problems)


def _refusals(lines: Iterable[str], ours: Mapping[str, str]) -> Iterator[Problem]:
    for line in lines:
        if not line.isprintable() or not re.match(r"-[A-Za-z]|--[a-z]", line):
            yield Problem("", f"{shorten(line)} must be one option of sbatch, such as --partition=main")
            continue
        name = re.split(r"[\s=]", line.lstrip("-"), maxsplit=1)[0]
        name = name if line.startswith("--") else SHORT.get(name[0], name)
        if name in ours:
            yield Problem("", f"{shorten(line)} is not to be given: {ours[name]}")


def _words(line: str) -> list[str]:
    """An option and its value: two words where a blank is between them.

    >>> _words("--comment=a b"), _words("--partition main"), _words("-p main")
    (['--comment=a b'], ['--partition', 'main'], ['-p', 'main'])
    """
    return line.split(maxsplit=1) if re.match(r"--?[\w-]+\s", line) else [line]


def _quoted(words: Iterable[str]) -> str:
    """Words as sbatch reads them: as a shell does, but that a backslash is one within single quotes, too."""
    return shlex.join(words).replace("\\", "\\\\")


def _pattern(folder: Path) -> str:
    """A folder as part of sbatch's file patterns, in which % begins a replacement and a backslash ends them."""
    text = str(folder)
    if not text.isprintable() or "\\" in text:
        raise InputError(folder, f"sbatch cannot write to {shorten(text)}: no line breaks and backslashes there")
    return text.replace("%", "%%")
