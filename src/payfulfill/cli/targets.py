"""Stores as people name them: the path of an SQLite file, or a server's URL.

A password in a URL is never printed. What was asked for is named by what the server calls it, and a
URL in which a password could be taken for something else is refused before a driver sees it.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from payfulfill.errors import ConfigurationError, StoreUnavailable
from payfulfill.stores.mongo_schema import PREFIX

if TYPE_CHECKING:
    from payfulfill.stores import MongoStore, PostgresStore, SQLiteStore

    Store: TypeAlias = SQLiteStore | PostgresStore | MongoStore

Kind: TypeAlias = Literal["sqlite", "postgres", "mongo"]
"""A kind of store; for the servers it is also the extra that brings the driver."""

_SCHEMES: Final[dict[str, Kind]] = {
    "postgresql": "postgres",
    "postgres": "postgres",
    "mongodb": "mongo",
    "mongodb+srv": "mongo",
}


def _words(but: str) -> str:
    """A pattern for what a driver takes as it stands: without these signs, and rightly encoded."""
    return rf"(?:[^\s@#%{but}]|%(?!00)[0-9A-Fa-f]{{2}})*"


_NAME: Final = _words(":/?")
_OPTION: Final = rf"{_words('=&')}={_words('=&')}"
_SOUND: Final = re.compile(
    rf"[a-z+]+://({_NAME}(:{_NAME})?@)?{_words('?')}(\?({_OPTION}(&{_OPTION})*)?)?"
)
"""A URL of which no driver takes a part of the password for something that it would print."""
_WITH_DATABASE: Final = re.compile(r"[a-z+]+://[^/?]+/[^?]")


@dataclass(frozen=True, slots=True)
class Target:
    """A store that somebody named.

    Attributes:
        kind: What it is kept in.
        address: The path or the URL, which may hold a password.
    """

    kind: Kind
    address: str = field(repr=False)


def target(text: str) -> Target:
    """A path, or the URL of a server.

    Raises:
        argparse.ArgumentTypeError: it is neither.
    """
    if "://" in text:
        return server(text)
    if not text:
        raise argparse.ArgumentTypeError("it is empty: a path or a URL is needed")
    return Target("sqlite", text)


def server(text: str) -> Target:
    """The URL of a server.

    Raises:
        argparse.ArgumentTypeError: it is none of a server that we know.
    """
    kind = _SCHEMES.get(text.partition("://")[0]) if "://" in text else None
    if kind is None:
        raise argparse.ArgumentTypeError("a URL begins with postgresql:// or mongodb://")
    if not _SOUND.fullmatch(text):
        raise argparse.ArgumentTypeError(
            "this is no URL; in names and passwords write @ as %40, : as %3A, / as %2F, ? as %3F, "
            "# as %23, & as %26, = as %3D and % as %25"
        )
    return Target(kind, text)


@contextmanager
def opened(
    target: Target, *, schema: str = "public", prefix: str = PREFIX
) -> Iterator[tuple[Store, str]]:
    """Opens a store, gives it and the words for where it is, and closes it.

    Args:
        target: Which one. That of a MongoDB server names the database.
        schema: The schema of PostgreSQL's that has the tables.
        prefix: What the names of MongoDB's collections begin with.

    Raises:
        ModuleNotFoundError: its driver is not installed.
        ConfigurationError: there can be no such store.
        StoreUnavailable: the server is out of reach, or doesn't let us in.
    """
    opening: AbstractContextManager[tuple[Store, str]]
    if target.kind == "postgres":
        opening = _postgres(target.address, schema)
    elif target.kind == "mongo":
        opening = _mongo(target.address, prefix)
    else:
        opening = _sqlite(target.address)
    with opening as found:
        yield found


@contextmanager
def _sqlite(path: str) -> Iterator[tuple[SQLiteStore, str]]:
    from payfulfill.stores import SQLiteStore  # noqa: PLC0415  # a driver is imported when used

    with SQLiteStore(path) as store:
        try:
            yield store, path
        except StoreUnavailable as error:
            raise StoreUnavailable(f"{path}: {error.message}") from error


@contextmanager
def _postgres(url: str, schema: str) -> Iterator[tuple[PostgresStore, str]]:
    from payfulfill.stores import PostgresStore  # noqa: PLC0415  # as above
    from payfulfill.stores.postgres_connections import connected  # noqa: PLC0415  # as above

    with connected(url) as connection:
        where = f"schema {schema} of database {connection.info.dbname}"
        yield PostgresStore(connection, schema=schema), where


@contextmanager
def _mongo(url: str, prefix: str) -> Iterator[tuple[MongoStore, str]]:
    from payfulfill.stores import MongoStore  # noqa: PLC0415  # as above
    from payfulfill.stores.mongo_connections import connected  # noqa: PLC0415  # as above

    if not _WITH_DATABASE.match(url):
        raise ConfigurationError("the URL names no database: mongodb://host/database")
    with connected(url) as client:
        name = client.get_default_database().name
        yield MongoStore(client, database=name, prefix=prefix), f"database {name}"
