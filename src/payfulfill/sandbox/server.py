"""Serves an ASGI application on a free local port, from a thread and event loop of its own.

It drives uvicorn's protocol without uvicorn's `Server`, which is made to be a process: its loop
wakes ten times a second (so do its start and stop), and its log lines would mix with those of the
host's own uvicorn.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp

logger = logging.getLogger("payfulfill.sandbox")

_HOST = "127.0.0.1"
_KEEP_ALIVE = 3600  # so that no client's idle connection goes away just as it is used again


@dataclass(slots=True)
class _Running:
    """What `stop` needs of a started server."""

    loop: asyncio.AbstractEventLoop
    stopping: asyncio.Event


class Server:
    """Starts and stops; any number of times, one after the other."""

    def __init__(self, port: int = 0) -> None:
        """`port`: where to listen; 0 for any free one."""
        self._wanted = port
        self._thread: threading.Thread | None = None
        self._running: _Running | None = None
        self._connections = ServerState()
        self._port = 0

    @property
    def url(self) -> str:
        """Where it listens.

        Raises:
            RuntimeError: it isn't started.
        """
        if self._thread is None:
            raise RuntimeError("the sandbox is not started: use `with`, or start()")
        return f"http://{_HOST}:{self._port}"

    def start(self, app: ASGIApp) -> None:
        """Returns as soon as requests are answered.

        Raises:
            RuntimeError: it is started already.
            OSError: the port is taken.
        """
        if self._thread is not None:
            raise RuntimeError("the sandbox is started already")
        listener = _listen(self._wanted)
        self._port = listener.getsockname()[1]
        self._connections = ServerState()
        ready: Future[_Running] = Future()
        thread = threading.Thread(
            target=self._run,
            args=(app, listener, ready),
            name="payfulfill-sandbox",
            daemon=True,  # a forgotten stop() must not keep the process alive
        )
        thread.start()
        self._running = ready.result()
        self._thread = thread

    def stop(self) -> None:
        """Cuts all connections and returns when nothing is left of the server."""
        thread, running = self._thread, self._running
        if thread is None or running is None:
            return
        running.loop.call_soon_threadsafe(running.stopping.set)
        thread.join()
        self._thread = self._running = None

    async def hang_up(self, request: Request) -> None:
        """Closes the connection of a request without answering it."""
        client = request.scope["client"]
        for connection in tuple(self._connections.connections):
            if isinstance(connection, H11Protocol) and connection.client == client:
                connection.transport.abort()
        while (await request.receive())["type"] != "http.disconnect":
            pass  # what is left of the body

    def _run(self, app: ASGIApp, listener: socket.socket, ready: Future[_Running]) -> None:
        try:
            with listener:
                asyncio.run(self._serve(app, listener, ready))
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)  # start() raises it

    async def _serve(self, app: ASGIApp, listener: socket.socket, ready: Future[_Running]) -> None:
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self._protocol_of(app), sock=listener)
        ready.set_result(_Running(loop, stopping))
        await stopping.wait()
        # A connection that is being accepted while the server closes would never be closed
        # itself: asyncio loses it. So those come first.
        while arriving := self._arriving():
            await asyncio.wait(arriving)
        server.close()
        await self._cut_all()

    def _arriving(self) -> set[asyncio.Task[object]]:
        return asyncio.all_tasks() - self._connections.tasks - {asyncio.current_task()}

    async def _cut_all(self) -> None:
        for connection in tuple(self._connections.connections):
            connection.transport.abort()
        tasks = tuple(self._connections.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _protocol_of(self, app: ASGIApp) -> Callable[[], H11Protocol]:
        """Makes what serves one connection."""
        config = uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            timeout_keep_alive=_KEEP_ALIVE,
        )
        config.load()

        def protocol() -> H11Protocol:
            connection = H11Protocol(config, self._connections, {})
            # Here and not in the configuration, which would silence the host's own uvicorn too.
            connection.access_log = False
            connection.logger = logger
            return connection

        return protocol


def _listen(port: int) -> socket.socket:
    """A socket on this port, or on a free one for 0."""
    # The protocol is named, as asyncio turns Nagle's algorithm off only where it is: else each
    # answer, sent as head and body, waits 40 ms for the client's delayed acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # A port that was ours until a moment ago is free, though old connections linger on it.
        if os.name == "posix":  # elsewhere it would let two servers share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((_HOST, port))
        listener.listen(128)
    except BaseException:
        listener.close()
        raise
    return listener
