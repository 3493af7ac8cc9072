"""Who is training in a run directory: one process at a time, on any number of machines that share the folder.

A claim is a file `claims/000007.json`; the highest number holds. Its holder keeps the file locked, which ends with the
process, and touches it every few seconds, which other machines can see where they cannot see the lock. Who finds the
highest claim dead makes the next one: a hard link, which the file system gives to one of all who try.
"""

import fcntl
import json
import os
import platform
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import BinaryIO

from ganzoo.errors import GanzooError
from ganzoo.records.run_files import open_regular

LEASE_SECONDS = 90.0  # so long a claim of another machine holds after it was last touched
TOUCH_SECONDS = 15.0
RELEASED = 0  # the time at which a claim says that it was touched after its holder has given it back


class Taken(GanzooError):
    """Another living process has the claim."""


class LostClaim(GanzooError):
    """Another process trains this run: this one was silent for longer than its lease, or its claim was removed."""


@dataclass(frozen=True)
class Holder:
    """Who has a claim, as it says of itself."""

    host: str
    process: int
    since: str  # ISO 8601, UTC
    job: str | None = None  # SLURM's number of the job that the process is part of

    def __str__(self) -> str:
        return f"process {self.process} on {self.host}, since {self.since}"


class Claim:
    """A run directory that is this process's to write to. `take` makes one."""

    def __init__(self, path: Path, file: BinaryIO):
        self.path, self._file = path, file
        self._over = threading.Event()
        self._toucher = threading.Thread(target=self._touch, daemon=True, name=f"claim {path}")
        self._toucher.start()

    @classmethod
    def take(cls, folder: Path) -> "Claim | None":
        """The claim to `folder`, which is made; None where a living process has it.

        Raises:
            GanzooError: the folder cannot be written to.
        """
        try:
            return cls._take(folder / "claims")
        except OSError as error:
            raise GanzooError(f"{folder}: cannot be claimed: {error.strerror}") from None

    @classmethod
    def _take(cls, claims: Path) -> "Claim | None":
        claims.mkdir(parents=True, exist_ok=True)
        newest = _newest(claims)
        if newest is not None and _is_alive(newest):
            return None
        path = _numbered(claims, 1 + (_number(newest) if newest else 0))
        file, temporary = _own_file(claims)
        try:
            os.link(temporary, path)
        except FileExistsError:  # somebody was quicker
            file.close()
            return None
        finally:
            temporary.unlink()
        if _newest(claims) != path:  # so many were quicker that our number had been used and removed
            path.unlink(missing_ok=True)  # who has it may have tidied it up
            file.close()
            return None
        _remove_older(claims, path)
        return cls(path, file)

    def check(self) -> None:
        """Raises LostClaim unless this claim still holds. Asked before anything is written that others read."""
        if _newest(self.path.parent) != self.path:
            raise LostClaim(f"{self.path.parent.parent}: another process has taken this run over; this one ends")

    def release(self) -> None:
        """Others may have the folder now."""
        self._over.set()
        with suppress(OSError):  # a folder that is gone is not ours any more either
            os.utime(self.path, (RELEASED, RELEASED))  # the file stays: its number must not be used again
        with suppress(OSError):
            fcntl.flock(self._file, fcntl.LOCK_UN)  # also for children that were forked with the file open
        self._file.close()

    def _touch(self) -> None:
        while not self._over.wait(TOUCH_SECONDS):
            with suppress(OSError):
                os.utime(self.path)


@contextmanager
def claimed(folder: Path, patience_seconds: float = 0.0) -> Iterator[Claim]:
    """Raises Taken where another process has the folder, and still has it after so many seconds."""
    until = time.monotonic() + patience_seconds
    while (claim := Claim.take(folder)) is None and time.monotonic() < until:
        time.sleep(min(1.0, patience_seconds))
    if claim is None:
        raise Taken(f"{folder}: another process is training this run: {holder(folder) or 'it has just begun'}")
    try:
        yield claim
    finally:
        claim.release()


def holder(folder: Path) -> Holder | None:
    """Who has the claim to a folder; None where nobody alive has."""
    newest = _newest(folder / "claims")
    try:
        return _said_in(newest) if newest is not None and _is_alive(newest) else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):  # taken over while we looked, or no claim
        return None


def process_here(folder: Path) -> int | None:
    """The process of this machine that has the claim to a folder; None: there is none that this user may signal.

    A process with the number that the claim says may be another one: in another container, or begun since. So it must
    have the claim's own file open.
    """
    held, newest = holder(folder), _newest(folder / "claims")
    if held is None or newest is None:
        return None
    with suppress(OSError):  # no such process, another user's, or taken over while we looked
        claim = newest.stat()
        for descriptor in Path(f"/proc/{held.process}/fd").iterdir():
            with suppress(OSError):
                if os.path.samestat(descriptor.stat(), claim):
                    return held.process
    return None


def _said_in(claim: Path) -> Holder:
    said = json.loads(claim.read_text())
    return Holder(str(said["host"]), int(said["process"]), str(said["since"]), said.get("job"))


def _own_file(claims: Path) -> tuple[BinaryIO, Path]:
    """A locked file that says who we are, under a name that nobody looks at."""
    descriptor, name = tempfile.mkstemp(prefix=".", dir=claims)
    file = os.fdopen(descriptor, "r+b")  # open as long as the claim holds, and with it the lock
    with suppress(OSError):  # a file system without locks: the lease must do
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    since = datetime.now(UTC).isoformat(timespec="seconds")
    job = os.environ.get("SLURM_JOB_ID")
    said = {"host": platform.node(), "kernel": _kernel(), "process": os.getpid(), "since": since, "job": job}
    file.write(json.dumps(said).encode())
    file.flush()
    return file, Path(name)


def _is_alive(claim: Path) -> bool:
    """Whether the process that made the claim still runs, or may."""
    try:
        with open_regular(claim) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            except OSError:  # a file system without locks
                return _is_fresh(claim)
            # Nobody has the lock. Where that is one of this machine's, nobody lives; others' may not be seen here.
            return _kernel_of(file) != _kernel() and _is_fresh(claim)
    except FileNotFoundError:  # removed meanwhile: by a newer one
        return True


def _kernel_of(file: BinaryIO) -> str | None:
    try:
        return json.load(file)["kernel"]
    except (ValueError, KeyError, TypeError, RecursionError):  # a machine that went down left it empty
        return None


def _is_fresh(claim: Path) -> bool:
    touched = claim.stat().st_mtime
    return touched != RELEASED and _now(claim.parent) - touched < LEASE_SECONDS


def _now(folder: Path) -> float:
    """The time by the clock that stamps the folder's files, which may be another machine's."""
    try:
        with tempfile.NamedTemporaryFile(prefix=".", dir=folder) as file:
            return os.fstat(file.fileno()).st_mtime
    except OSError:  # somebody else's folder, only for reading: this machine's clock must do
        return time.time()


@cache
def _kernel() -> str:
    """What tells this running machine from every other one, and from itself before a restart."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return platform.node()


def _newest(claims: Path) -> Path | None:
    try:
        return max(claims.glob("*.json"), key=_number, default=None)
    except OSError:
        return None


def _remove_older(claims: Path, path: Path) -> None:
    for other in claims.glob("*.json"):
        if _number(other) < _number(path):
            other.unlink(missing_ok=True)


def _number(claim: Path) -> int:
    return int(claim.stem) if claim.stem.isdigit() else 0


def _numbered(claims: Path, number: int) -> Path:
    return claims / f"{number:06d}.json"
