"""Serves the shop from a thread, on a port that is known beforehand."""

from __future__ import annotations

import errno
import os
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

import uvicorn

if TYPE_CHECKING:
    from starlette.types import ASGIApp

HOST: Final = "127.0.0.1"
_LAST_ANSWERS: Final = 2  # seconds for what is being answered when the shop closes


def listen(ports: Iterable[int]) -> socket.socket:
    """A socket on the first of these ports that is free; 0 is any.

    Raises:
        OSError: none is.
    """
    taken = OSError(errno.EADDRINUSE, "no port was named")
    for port in ports:
        try:
            return _listener(port)
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            taken = error
    raise taken


def _listener(port: int) -> socket.socket:
    # asyncio turns Nagle's algorithm off only where the protocol is named.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # elsewhere it would let two servers share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen(128)
    except BaseException:
        listener.close()
        raise
    return listener


def url_of(listener: socket.socket) -> str:
    """Where it listens."""
    return f"http://{HOST}:{listener.getsockname()[1]}"


@contextmanager
def serving(app: ASGIApp, listener: socket.socket) -> Iterator[None]:
    """Answers requests meanwhile.

    Raises:
        RuntimeError: the app could not start; the log says why.
    """
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            lifespan="on",
            log_config=None,
            log_level="warning",
            access_log=False,
            ws="none",
            timeout_graceful_shutdown=_LAST_ANSWERS,
        )
    )

    def work() -> None:
        with suppress(SystemExit):  # so it ends where the app can't start
            server.run([listener])

    thread = threading.Thread(target=work, name="payfulfill-demo-shop")
    thread.start()
    try:
        while not server.started and thread.is_alive():
            time.sleep(0.005)
        if not server.started:
            raise RuntimeError("the shop could not start")
        yield
    finally:
        server.should_exit = True
        thread.join()
