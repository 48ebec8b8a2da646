"""A lock between processes, on a file. On Windows it locks nothing."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import IO, Final

from payfulfill.errors import StoreUnavailable

if sys.platform != "win32":
    import fcntl

_LONGEST: Final = 0.002
_SHORTEST: Final = 0.0005
"""Seconds between two tries. Who waits tries more and more often, and so before who came later."""

_RUN: Final = 0.005
"""Seconds for which a process may take it again and again without asking who is next: to ask
costs time, and to hand it over costs more."""


class FileLock:
    """One process at a time holds it; the system releases it when that process dies.

    Whoever wants it first takes the place of the next one, which is a lock too. So a process that
    takes it again and again lets others have it in between, for one of them is the next already.
    """

    def __init__(self, path: Path) -> None:
        """Names the database; the files beside it are made when they are first locked."""
        self._held = _File(Path(f"{path}-lock"))
        self._next = _File(Path(f"{path}-lock-next"))
        self._until = 0.0

    def acquire(self, deadline: float) -> None:
        """Takes the lock, waiting until `deadline` on `time.monotonic`'s clock.

        Raises:
            StoreUnavailable: others held it for too long, or the file cannot be locked.
        """
        if time.monotonic() < self._until and self._held.take():
            return
        self._next.lock(deadline, _LONGEST)
        try:
            self._held.lock(deadline, _SHORTEST)
        finally:
            self._next.unlock()
        self._until = time.monotonic() + _RUN

    def release(self) -> None:
        """Lets others have it."""
        self._held.unlock()

    def close(self) -> None:
        """Closes the files, and with it releases the lock."""
        self._held.close()
        self._next.close()


class _File:
    """A file that is locked as a whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None

    def lock(self, deadline: float, pause: float) -> None:
        """Waits until it is ours, `pause` seconds at first."""
        while not self.take():
            if time.monotonic() >= deadline:
                raise StoreUnavailable("SQLite: other processes took too long")
            time.sleep(pause)
            pause = max(pause / 2, _SHORTEST)

    def take(self) -> bool:
        """Whether it was free, and now is ours."""
        try:
            if self._file is None:
                self._file = self._path.open("ab")
            if sys.platform != "win32":
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            raise StoreUnavailable(f"SQLite: the lock file cannot be locked: {error}") from error
        return True

    def unlock(self) -> None:
        if sys.platform != "win32" and self._file is not None:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
