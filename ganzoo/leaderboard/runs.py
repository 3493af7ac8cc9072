"""Run directories -> Run; what cannot be read -> a footnote."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ganzoo.cluster.folders import runs_in
from ganzoo.errors import InputError
from ganzoo.leaderboard.board import Footnote, Run
from ganzoo.leaderboard.recorded import Unreadable, run_of_record, run_without_record
from ganzoo.records.run_directory import RunDirectory
from ganzoo.records.run_files import NoFile, open_regular, parsed
from ganzoo.records.run_state import FollowedRun
from ganzoo.terminal import progress_bar

MOST_BYTES = 10_000_000  # a record has some thousands
MOST_CONFIG_BYTES = 100_000
MOST_NESTING = 1000  # signs that can open a level of a YAML file: its parser is recursive, in C
MOST_ALIASES = 10  # ganzoo writes none, and of a few lines they make billions of values
Found = tuple[list[Run], list[Footnote]]


def read_runs(folders: Sequence[Path]) -> Found:
    """Every run directory in the folders and below, once.

    Raises:
        InputError: there is no such folder, or no run in it.
    """
    paths: dict[str, Path] = {}
    for folder in folders:
        there, above = folder.resolve(), len(folder.parts)
        for path in _runs_or_error(folder):  # below the folder no link is followed
            paths.setdefault("/".join((str(there), *path.parts[above:])), path)
    runs: list[Run] = []
    footnotes: list[Footnote] = []
    with progress_bar("reading runs") as tell:
        for done, path in enumerate(paths.values(), start=1):
            found = read_run(path)
            if isinstance(found, Run):
                runs.append(found)
            else:
                footnotes.append(found)
            if done % 100 == 0:
                tell(done, len(paths))
    return runs, footnotes


def _runs_or_error(folder: Path) -> Iterator[Path]:
    try:
        there = folder.is_dir()
    except (OSError, ValueError):  # 10,000 characters, a null byte
        there = False
    if not there:
        raise InputError(folder, "no such folder; RUNS are run directories, or folders with such anywhere below")
    found = list(runs_in(folder))
    if not found:
        raise InputError(folder, "there is no run directory here or below; `ganzoo train` makes them")
    yield from found


def read_run(path: Path) -> Run | Footnote:
    """Never raises for what is in the directory."""
    try:
        return _read(path)
    except Unreadable as error:
        return Footnote(source=str(path), problem=str(error))
    except RecursionError:
        return Footnote(source=str(path), problem="its files are nested too deep")
    except OSError as error:
        return Footnote(source=str(path), problem=f"cannot be read: {error.strerror}")


def _read(path: Path) -> Run:
    source = str(path)
    try:
        record = _content(path / "record.json", MOST_BYTES)
    except FileNotFoundError:
        return _without_record(RunDirectory(path), source)
    values = parsed(record)
    if not values:
        raise Unreadable("record.json is cut short, or no JSON object")
    run = run_of_record(values, path=path, source=source)
    if run.status == "stopped":  # it may have gone on since
        return _with_state(run, RunDirectory(path))
    return run


def _without_record(directory: RunDirectory, source: str) -> Run:
    try:
        config = _content(directory.config, MOST_CONFIG_BYTES)
    except FileNotFoundError:
        raise Unreadable("it has neither a record.json nor a config.yaml: it has not begun, or is no run") from None
    state = FollowedRun(directory).state()
    return run_without_record(_parsed_config(config), path=directory.path, source=source, status=state.status)


def _with_state(run: Run, directory: RunDirectory) -> Run:
    from dataclasses import replace

    state = FollowedRun(directory).state()
    return replace(run, status=state.status, reason=state.reason)


def _content(path: Path, most: int) -> bytes:
    """Raises FileNotFoundError where there is none; Unreadable for what would not end, such as a pipe."""
    try:
        with open_regular(path, most) as file:
            return file.read(most)
    except NoFile as error:
        raise Unreadable(error.strerror) from None


def _parsed_config(content: bytes) -> Any:
    """The values of a config.yaml: by YAML's parser in C, for there may be thousands. OmegaConf takes 50 ms for one."""
    import yaml

    nesting = sum(content.count(sign) for sign in (b"[", b"{", b"- ", b"? "))
    if nesting > MOST_NESTING or content.count(b"*") > MOST_ALIASES:
        raise Unreadable("config.yaml is no experiment of ganzoo")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return _tried(lambda: yaml.load(content, Loader=loader))


def _tried(parse: Callable[[], Any]) -> Any:
    try:
        return parse()
    except Exception as error:  # YAML's classes, and what int(), float() and datetime raise for odd values
        raise Unreadable(f"config.yaml cannot be read: {type(error).__name__}") from None
