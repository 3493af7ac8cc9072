"""Where Optuna keeps a search: a journal file, or a database."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from sqlalchemy.exc import SQLAlchemyError

from ganzoo.errors import GanzooError, InputError, Problem, shorten

JOURNAL = ".journal"
URLS = f"a database's URL (sqlite:///search.db, postgresql://..., mysql://...) or a journal file (search{JOURNAL})"
SECONDS_TO_APPEND = 5  # after these, whoever has Optuna's own lock is dead: ours keeps the living out


def open_storage(where: str) -> BaseStorage:
    """The storage at a URL or in a journal file; it is made where there is none.

    Raises:
        InputError: it cannot be reached, or what is there is something else.
    """
    try:
        if not _is_url(where):
            mend(where)
            backend = JournalFileBackend(where, lock_obj=JournalFileOpenLock(where, SECONDS_TO_APPEND))
            return JournalStorage(backend)
        return RDBStorage(where, engine_kwargs={"pool_pre_ping": True})  # a connection may be idle for hours
    except ImportError as error:
        raise _refused(where, f"{error.__cause__ or error}: install the database's driver") from None
    except Exception as error:  # each driver has classes of its own, and what a foreign file raises nobody knows
        raise _refused(where, _reason(error)) from None


@contextmanager
def answering(where: str) -> Iterator[None]:
    """Raises GanzooError where the storage, once opened, fails in the body."""
    try:
        yield
    except (OSError, StorageInternalError, SQLAlchemyError) as error:
        told = f"{without_password(where)}: the search cannot go on without its storage: {_reason(error)}"
        raise GanzooError(told) from None


def mend(where: str) -> None:
    """Takes the end of a line away that a full disk left in a journal, and that nobody could read past.

    The caller must be the only one who writes.
    """
    if _is_url(where):
        return
    with suppress(OSError), Path(where).open("r+b") as file:  # whoever opens it will tell what is wrong
        if file.seek(0, os.SEEK_END) == 0:
            return
        file.seek(-1, os.SEEK_END)
        if file.read() != b"\n":
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)


def without_password(url: str) -> str:
    """
    >>> without_password("mysql://ann:s3cret@db/search")
    'mysql://ann:***@db/search'
    """
    return re.sub(r"(://[^:/@]*):.*@", r"\1:***@", url)


def _is_url(where: str) -> bool:
    if "://" in where:
        return True
    if Path(where).suffix != JOURNAL:
        raise InputError("--storage", f"{shorten(where)} must be {URLS}")
    return False


def _refused(where: str, reason: str) -> InputError:
    return InputError("--storage", [Problem(without_password(where), f"{reason}. A storage is {URLS}")])


def _reason(error: BaseException) -> str:
    """The first line of what lies beneath; Optuna says of every failure that a value may be too long."""
    beneath = error.__cause__ or error
    return str(beneath).strip().partition("\n")[0].rstrip(".") or type(beneath).__name__
