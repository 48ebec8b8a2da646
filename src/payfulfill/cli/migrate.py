"""`payfulfill migrate`: makes the tables of a store, or brings them up to date."""

from __future__ import annotations

import argparse
from typing import Final

from payfulfill.cli.command import OK, Command, failed, missing, unusable
from payfulfill.cli.targets import Target, opened, target
from payfulfill.errors import PayfulfillError
from payfulfill.stores.mongo_schema import PREFIX

_OPTIONS: Final = {"schema": "postgres", "prefix": "mongo"}


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "target",
        metavar="TARGET",
        type=target,
        help="the path of an SQLite file, postgresql://... or mongodb://host/database",
    )
    parser.add_argument(
        "--schema", metavar="NAME", help="of PostgreSQL, where the tables are to be (public)"
    )
    parser.add_argument(
        "--prefix", help=f"what the names of MongoDB's collections begin with ({PREFIX})"
    )


def _run(arguments: argparse.Namespace) -> int:
    chosen: Target = arguments.target
    options = {}
    for name, kind in _OPTIONS.items():
        value = getattr(arguments, name)
        if value is None:
            continue
        if kind != chosen.kind:
            return unusable(f"--{name} is for a URL of {_SERVERS[kind]}")
        options[name] = value
    try:
        with opened(chosen, **options) as (store, where):
            before, now = store.migrate()
    except ModuleNotFoundError as error:
        return missing(error, chosen.kind)
    except PayfulfillError as error:
        return failed(error.message)
    print(f"{where}: {_done(before, now)}")
    return OK


_SERVERS: Final = {"postgres": "PostgreSQL", "mongo": "MongoDB"}


def _done(before: int, now: int) -> str:
    if before == now:
        return f"nothing to do, it has version {now} already"
    if before == 0:
        return f"made, version {now}"
    return f"brought from version {before} to version {now}"


MIGRATE: Final = Command(
    "migrate",
    "Make the tables of a store, or bring them up to date.",
    _arguments,
    _run,
)
