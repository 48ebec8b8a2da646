"""Sends one webhook, and reads of the answer what is worth keeping, in bounded time and space."""

from __future__ import annotations

import codecs
import http.client
import io
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

EXCERPT: Final = 2048
"""Bytes of an answer's body that are kept."""

# What is read beyond the excerpt goes nowhere: a connection that is closed on a body which is
# still coming makes many servers complain.
_MOST_READ: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """What an endpoint answered: its status, and how its body begins."""

    status: int
    excerpt: str


class Post:
    """One POST. Another thread may interrupt it at any time, even before it begins."""

    def __init__(self, url: str, timeout: float) -> None:
        """`timeout`: seconds of real time for all of it, from connecting to the answer's end.

        (Looking a name up, and connecting to each of several addresses, has that long by itself.)
        """
        self.url = url
        self._deadline = time.monotonic() + timeout
        self._lock = threading.Lock()
        self._interrupted = False
        self._socket: socket.socket | None = None

    def interrupt(self) -> None:
        """Ends it."""
        with self._lock:
            self._interrupted = True
            if self._socket is not None:
                with suppress(OSError):  # it had ended already
                    self._socket.shutdown(socket.SHUT_RDWR)

    def send(self, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Does it. A body that doesn't arrive in time is no failure: the status says it all.

        Raises:
            OSError: there is no answer: nobody is there, or it took too long, or `interrupt`.
            ValueError: the URL makes no sense.
            http.client.HTTPException: the answer is no HTTP.
        """
        url = urlsplit(self.url)
        secure = url.scheme == "https"
        connect = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = connect(url.hostname or "", url.port, timeout=self._remaining())
        try:
            connection.connect()
            self._begin(connection.sock)
            target = f"{url.path or '/'}{'?' if url.query else ''}{url.query}"
            connection.request("POST", target, body, dict(headers))
            return self._read(connection.sock)
        finally:
            with self._lock:
                self._socket = None
                connection.close()

    def _begin(self, connected: socket.socket) -> None:
        with self._lock:
            self._socket = connected
        self._check()
        connected.settimeout(self._remaining())

    def _check(self) -> None:
        if self._interrupted:
            raise InterruptedError("interrupted")

    def _remaining(self) -> float:
        return max(self._deadline - time.monotonic(), 0.001)  # 0 would mean: don't block

    def _read(self, source: socket.socket) -> Reply:
        incoming = _Incoming(source, self._deadline)
        # Of a socket, HTTPResponse uses nothing but `makefile`.
        response = http.client.HTTPResponse(incoming, method="POST")  # type: ignore[arg-type]
        response.begin()
        self._check()  # a header that breaks off looks like one that is over
        body = bytearray()
        with suppress(OSError, http.client.HTTPException):
            while len(body) < _MOST_READ and (piece := response.read1(_MOST_READ - len(body))):
                body += piece
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        return Reply(response.status, decoder.decode(bytes(body[:EXCERPT])))


class _Incoming(io.RawIOBase):
    """What comes in from a socket until a deadline, however slowly it trickles."""

    def __init__(self, source: socket.socket, deadline: float) -> None:
        super().__init__()
        self._source = source
        self._deadline = deadline

    def makefile(self, mode: str) -> io.BufferedReader:  # noqa: ARG002  # as a socket has it
        """Itself, to be read from."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        """It is for reading."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Waits for some bytes.

        Raises:
            TimeoutError: the deadline has come.
        """
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("timed out")
        self._source.settimeout(remaining)
        return self._source.recv_into(buffer)
