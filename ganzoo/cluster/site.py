"""What is the same for all jobs of one cluster: one file a site, named by --site or $GANZOO_SITE."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ganzoo.config import Builder, Settings, setting
from ganzoo.errors import InputError, Problem
from ganzoo.values import read_values

VARIABLE = "GANZOO_SITE"


@dataclass(frozen=True, kw_only=True)
class Site(Settings):
    """How jobs are run here; slurm/sites/ has examples."""

    sbatch: tuple[str, ...] = setting((), "options of sbatch, such as --partition=gpu; the command's own come after")
    srun: tuple[str, ...] = setting((), "options of srun, such as --cpu-bind=cores")
    setup: str = setting("", "shell lines before training: modules, an environment to activate, variables")
    python: str | None = setting(None, "the interpreter on the nodes, after setup; null: the one that submits")

    def problems(self) -> Iterator[Problem]:
        if "\0" in self.setup:
            yield Problem("setup", "a shell takes no null characters")

    @classmethod
    def chosen(cls, file: Path | None) -> "Site":
        """That of a file; None: that of $GANZOO_SITE, where there is one, or one without any settings.

        Raises:
            InputError: with every mistake of the file, which must be there.
        """
        named = file or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
        if named is None:
            return cls()
        found: list[Problem] = []
        builder = Builder(problems=found)
        site = builder.build(cls, read_values(named, (), found))
        if found or not isinstance(site, cls):
            raise InputError(named if file else f"{VARIABLE}={named}", found)
        return site
