"""Where the shop keeps what it sells: in a file, or on a server that is started or was named.

On a server that somebody named, it takes a schema or a database of its own, and the tables in that
are all that is ever dropped.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from payfulfill.testing.servers import Server, mongo_server, postgres_server

Kind: TypeAlias = Literal["sqlite", "postgres", "mongo"]

NAME: Final = "payfulfill_demo"
"""The schema of PostgreSQL's, or the database of MongoDB's."""


@dataclass(frozen=True, slots=True)
class Home:
    """A store for the shop.

    Attributes:
        engine: What it is kept in, and its version.
        where: Where that is, without any password.
        settings: What the shop is told of it.
        place: What the demo has for itself on a server that somebody named.
    """

    engine: str
    where: str
    settings: Mapping[str, str] = field(default_factory=dict, repr=False)
    place: str | None = None


@contextmanager
def open_home(kind: Kind = "sqlite", url: str | None = None, *, clean: bool) -> Iterator[Home]:
    """Has a store ready meanwhile.

    Args:
        kind: What it is to be kept in.
        url: The server to use; None for one that is started here, and ends with it.
        clean: It is to be empty in the beginning, and nothing is to be left of it.

    Raises:
        ModuleNotFoundError: a driver is not installed, or the server that is to be started.
        ConfigurationError: the server's owner, or what is there, doesn't let us do it.
        StoreUnavailable: the server is out of reach.
    """
    if kind == "sqlite":
        yield Home(f"SQLite {sqlite3.sqlite_version}", "in a temporary folder")
        return
    home = _home(kind)
    if url is not None:
        with home(url, own=False, clean=clean) as found:
            yield found
        return
    with _started(kind) as server, home(server.url, own=True, clean=clean) as found:
        yield found


def _home(kind: Kind) -> Callable[..., AbstractContextManager[Home]]:
    """What makes a place on a server; its driver comes with it."""
    if kind == "postgres":
        from payfulfill.demo.home_postgres import home  # noqa: PLC0415  # see above
    else:
        from payfulfill.demo.home_mongo import home  # noqa: PLC0415  # see above
    return home


def _started(kind: Kind) -> AbstractContextManager[Server]:
    return postgres_server() if kind == "postgres" else mongo_server()
