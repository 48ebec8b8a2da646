"""A lock between processes, on a file. On Windows it locks nothing."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import IO

from payfulfill.errors import StoreUnavailable

if sys.platform != "win32":
    import fcntl

_SHORTEST, _LONGEST = 0.0005, 0.02  # seconds between two tries


class FileLock:
    """One process at a time holds it; the system releases it when that process dies."""

    def __init__(self, path: Path) -> None:
        """Names the file, which is made when it is first locked."""
        self._path = path
        self._file: IO[bytes] | None = None

    def acquire(self, deadline: float) -> None:
        """Takes the lock, waiting until `deadline` on `time.monotonic`'s clock.

        Raises:
            StoreUnavailable: others held it for too long, or the file cannot be locked.
        """
        pause = _SHORTEST
        while not self._try():
            if time.monotonic() >= deadline:
                raise StoreUnavailable("SQLite: other processes took too long")
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST)

    def _try(self) -> bool:
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

    def release(self) -> None:
        """Lets others have it."""
        if sys.platform != "win32" and self._file is not None:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Closes the file, and with it releases the lock."""
        if self._file is not None:
            self._file.close()
            self._file = None
