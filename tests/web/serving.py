"""Real servers for apps, on free ports of 127.0.0.1: uvicorn for ASGI, werkzeug's for WSGI."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import TYPE_CHECKING, Any, Protocol

import uvicorn
from werkzeug.serving import WSGIRequestHandler, make_server

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

    from tests.journeys.shop import Loop


class Served(Protocol):
    """An app that is being served."""

    url: str

    def close(self) -> None: ...


class Uvicorn:
    """Serves an ASGI app in a loop that runs in a thread."""

    def __init__(self, app: Any, loop: Loop) -> None:
        self._loop = loop
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off")
        config.load()
        self._server = uvicorn.Server(config)
        self._server.lifespan = config.lifespan_class(config)
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._listener.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        loop.run(self._server.startup([self._listener]))

    def close(self) -> None:
        self._loop.run(self._end())

    async def _end(self) -> None:
        # Not by uvicorn's own shutdown: it always takes a tenth of a second, and asyncio loses a
        # connection that it has accepted and not set up when its server closes. So: accept no
        # more, let each task end, those that set up connections too, and close then.
        asyncio.get_running_loop().remove_reader(self._listener)
        while under_way := asyncio.all_tasks() - {asyncio.current_task()}:
            self._hang_up()
            await asyncio.wait(under_way)
        self._hang_up()
        for server in self._server.servers:
            server.close()

    def _hang_up(self) -> None:
        for connection in tuple(self._server.server_state.connections):
            connection.transport.abort()


class _Quiet(WSGIRequestHandler):
    timeout = 30  # seconds; a request that a failing test leaves unfinished keeps nobody waiting

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


class Werkzeug:
    """Serves a Flask app, each request in a thread of its own."""

    def __init__(self, app: WSGIApplication) -> None:
        self._server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
        self._server.daemon_threads = False  # type: ignore[attr-defined]  # wait for them
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.005,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
