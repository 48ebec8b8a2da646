"""`payfulfill schema`: prints what makes the tables, for those who run their own DDL."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Final

from payfulfill import __version__
from payfulfill.cli.command import OK, Command, unusable
from payfulfill.errors import ConfigurationError
from payfulfill.stores.mongo_schema import PREFIX, mongo_commands
from payfulfill.stores.postgres_schema import postgres_ddl
from payfulfill.stores.sqlite_schema import sqlite_ddl

_OPTIONS: Final = {"schema": "postgresql", "database": "mongo", "prefix": "mongo"}


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "store",
        metavar="STORE",
        choices=("sqlite", "postgresql", "mongo"),
        help="sqlite or postgresql, for which it is SQL; or mongo, for which it is mongosh's "
        "commands",
    )
    parser.add_argument(
        "--schema", metavar="NAME", help="of PostgreSQL, where the tables are to be (public)"
    )
    parser.add_argument(
        "--database",
        metavar="NAME",
        help="of MongoDB, where the collections are to be (payfulfill)",
    )
    parser.add_argument(
        "--prefix", help=f"what the names of MongoDB's collections begin with ({PREFIX})"
    )


def _run(arguments: argparse.Namespace) -> int:
    for name, store in _OPTIONS.items():
        if getattr(arguments, name) is not None and store != arguments.store:
            return unusable(f"--{name} is for {store}")
    try:
        text = _text(arguments)
    except ConfigurationError as error:
        return unusable(error.message)
    print(text, end="")
    return OK


def _text(arguments: argparse.Namespace) -> str:
    if arguments.store == "mongo":
        prefix = PREFIX if arguments.prefix is None else arguments.prefix
        return _head("//", "mongosh URL FILE") + mongo_commands(
            arguments.database or "payfulfill", prefix=prefix
        )
    if arguments.store == "postgresql":
        schema = "public" if arguments.schema is None else arguments.schema
        statements = ["BEGIN", *postgres_ddl(schema), "COMMIT"]
        return _head("--", "psql -v ON_ERROR_STOP=1 -f FILE URL") + _script(statements)
    return _head("--", "sqlite3 -bail shop.db < FILE") + _script(sqlite_ddl())


def _head(comment: str, way: str) -> str:
    return (
        f"{comment} payfulfill {__version__}, for a database that has none of its tables yet:\n"
        f"{comment} {way}\n"
        f"{comment} `payfulfill migrate` makes the same, and brings old ones up to date.\n"
    )


def _script(statements: Iterable[str]) -> str:
    return "".join(f"{statement};\n" for statement in statements)


SCHEMA: Final = Command(
    "schema",
    "Print what makes the tables in a new database: SQL, or mongosh's commands.",
    _arguments,
    _run,
)
