"""A wire between a database's client and its server, which carries message by message and can be
cut at each of them.

It knows where messages begin and end, and their kinds, and no more of the protocols:
https://www.postgresql.org/docs/current/protocol-message-formats.html and
https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/
"""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Literal, Protocol

Address = str | tuple[str, int]
"""The path of a Unix socket, or a host and a port."""

Sender = Literal["client", "server"]


@dataclass(frozen=True, slots=True)
class Message:
    """One message.

    Attributes:
        sender: Who sent it.
        kind: PostgreSQL's letter; the name of MongoDB's command, or of the one that is answered.
        content: All of its bytes.
    """

    sender: Sender
    kind: str
    content: bytes


Let = Callable[[Message], bool]
"""Whether a message is let through; if not, its connection is cut before it."""


class Reader(Protocol):
    """Finds the messages in what goes over one connection."""

    def read(self, sender: Sender, data: bytes) -> Iterator[Message]: ...


class PostgresReader:
    """A letter and a length, except for the first message of a client's."""

    def __init__(self) -> None:
        self._rest: dict[Sender, bytes] = {"client": b"", "server": b""}
        self._started = False

    def read(self, sender: Sender, data: bytes) -> Iterator[Message]:
        rest = self._rest[sender] + data
        while True:
            first = sender == "client" and not self._started
            at = 0 if first else 1
            length = at + int.from_bytes(rest[at : at + 4], "big")
            if len(rest) < max(length, at + 4):
                break
            content, rest = rest[:length], rest[length:]
            self._started = self._started or first
            yield Message(sender, "startup" if first else chr(content[0]), content)
        self._rest[sender] = rest


class MongoReader:
    """A header that has the length, and BSON whose first key is the command."""

    def __init__(self) -> None:
        self._rest: dict[Sender, bytes] = {"client": b"", "server": b""}
        self._asked: dict[int, str] = {}

    def read(self, sender: Sender, data: bytes) -> Iterator[Message]:
        rest = self._rest[sender] + data
        while len(rest) >= 16 and len(rest) >= (length := int.from_bytes(rest[:4], "little")):
            content, rest = rest[:length], rest[length:]
            yield Message(sender, self._kind(sender, content), content)
        self._rest[sender] = rest

    def _kind(self, sender: Sender, content: bytes) -> str:
        number, answers, operation = (
            int.from_bytes(content[at : at + 4], "little") for at in (4, 8, 12)
        )
        if sender == "server":
            return self._asked.get(answers, "hello")  # one that is answered again and again
        if operation != 2013:  # OP_MSG; before they know one another, drivers use OP_QUERY
            return "hello"
        kind = content[26 : content.index(0, 26)].decode()
        self._asked[number] = kind
        return kind


class Wire:
    """Listens at one address, and carries what comes to another."""

    def __init__(self, listen: Address, server: Address, reader: Callable[[], Reader]) -> None:
        self._server = server
        self._reader = reader
        self._selector = selectors.DefaultSelector()
        self._pairs: set[_Pair] = set()
        self._listener = _socket(listen)
        self._listener.bind(listen)
        self._listener.listen()
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)

    @property
    def address(self) -> Address:
        """Where it listens."""
        address: Address = self._listener.getsockname()
        return address

    def watch(self, file: int | socket.socket) -> None:
        """Has `carry` return when there is something to read here."""
        self._selector.register(file, selectors.EVENT_READ, None)

    def unwatch(self, file: int | socket.socket) -> None:
        """Takes `watch` back."""
        self._selector.unregister(file)

    def carry(self, let: Let) -> None:
        """Carries messages until something that is watched can be read."""
        while True:
            for key, _ in self._selector.select():
                if key.data is None:
                    return
                if key.fileobj.fileno() >= 0:  # type: ignore[union-attr]  # a socket, maybe cut
                    key.data(let)

    def cut(self) -> None:
        """Ends all connections."""
        for pair in [*self._pairs]:
            self._end(pair)

    def close(self) -> None:
        """Ends all connections, and listens no more."""
        self.cut()
        self._listener.close()
        self._selector.close()

    def _accept(self, let: Let) -> None:
        client, _ = self._listener.accept()
        server = _socket(self._server)
        try:
            server.connect(self._server)
        except OSError:
            client.close()
            server.close()
            return
        pair = _Pair(client, server, self._reader())
        self._pairs.add(pair)
        for end in (client, server):
            if end.family != socket.AF_UNIX:
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector.register(
            client, selectors.EVENT_READ, lambda let: self._carry(pair, "client", let)
        )
        self._selector.register(
            server, selectors.EVENT_READ, lambda let: self._carry(pair, "server", let)
        )

    def _carry(self, pair: _Pair, sender: Sender, let: Let) -> None:
        source, sink = pair.client, pair.server
        if sender == "server":
            source, sink = sink, source
        try:
            data = source.recv(65536)
            for message in pair.reader.read(sender, data):
                if not let(message):
                    data = b""
                    break
                sink.sendall(message.content)
        except OSError:
            data = b""
        if not data:
            self._end(pair)

    def _end(self, pair: _Pair) -> None:
        if pair in self._pairs:
            self._pairs.remove(pair)
            for end in (pair.client, pair.server):
                self._selector.unregister(end)
                end.close()


@dataclass(eq=False)
class _Pair:
    client: socket.socket
    server: socket.socket
    reader: Reader


def _socket(address: Address) -> socket.socket:
    return socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)


class Proxy:
    """A wire that a thread carries for.

    Attributes:
        address: Where it listens.
        let: Asked about each message; it may be another one at any time.
    """

    def __init__(self, wire: Wire) -> None:
        self.address = wire.address
        self.let: Let = lambda message: True

    def ask(self, message: Message) -> bool:
        return self.let(message)


@contextmanager
def proxy(listen: Address, server: Address, reader: Callable[[], Reader]) -> Iterator[Proxy]:
    """A wire in a thread."""
    wire = Wire(listen, server, reader)
    ours, end = socket.socketpair()
    wire.watch(end)
    carried = Proxy(wire)
    thread = threading.Thread(target=wire.carry, args=[carried.ask])
    thread.start()
    try:
        yield carried
    finally:
        with suppress(OSError):
            ours.send(b".")
        thread.join()
        wire.close()
        ours.close()
        end.close()
