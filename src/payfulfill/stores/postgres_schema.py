"""The tables in PostgreSQL: where they are, and the statements that make them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from payfulfill.errors import ConfigurationError
from payfulfill.stores.schema import SCHEMA

_OURS: Final = re.compile(r"(?<!INDEX )\bpayfulfill_\w+")
"""Our tables; an index is where its table is, and is made without naming that place."""

_LONGEST_NAME: Final = 63  # bytes: https://www.postgresql.org/docs/current/limits.html

VERSION_TABLE: Final = "CREATE TABLE IF NOT EXISTS payfulfill_schema (version INTEGER NOT NULL)"
GET_VERSION: Final = "SELECT max(version) FROM payfulfill_schema"
ADD_VERSION: Final = "INSERT INTO payfulfill_schema (version) VALUES (?)"


class Schema:
    """Our tables in one schema of a database, `public` for example."""

    def __init__(self, name: str) -> None:
        """Names it.

        Raises:
            ConfigurationError: PostgreSQL has no such names.
        """
        if not name or "\0" in name or len(name.encode("utf-8", "replace")) > _LONGEST_NAME:
            raise ConfigurationError(f"{name!r} cannot be the name of a schema of PostgreSQL's")
        self.name = name
        self._place = '"{}".'.format(name.replace('"', '""'))
        self.render = cache(self._render)

    def __repr__(self) -> str:
        return f"Schema({self.name!r})"

    def _render(self, sql: str) -> str:
        """A statement as PostgreSQL takes it: our tables in their place, parameters as `$1`."""
        first, *others = sql.split("?")
        numbered = first + "".join(f"${number}{each}" for number, each in enumerate(others, 1))
        return _OURS.sub(lambda match: self._place + match[0], numbered)

    def steps(self) -> Iterator[list[str]]:
        """What takes the tables from each version to the next."""
        for version, statements in enumerate(SCHEMA, 1):
            # Byte by byte, so that ids sort by time whatever the database's language is.
            step = [text.replace(" TEXT", ' TEXT COLLATE "C"') for text in statements]
            yield [*step, ADD_VERSION.replace("?", str(version))]

    @property
    def making(self) -> str:
        """What makes the schema itself, to which few roles have the right."""
        return f"CREATE SCHEMA IF NOT EXISTS {self._place[:-1]}"

    def check(self, version: Any) -> None:
        """Refuses tables that are not of our version.

        Raises:
            ConfigurationError: they are missing, old or newer.
        """
        if version is None or version < len(SCHEMA):
            raise ConfigurationError(
                f"schema {self.name!r} has no tables yet, or old ones: run migrate()"
            )
        if version > len(SCHEMA):
            raise ConfigurationError(
                f"the tables of schema {self.name!r} were made by a newer payfulfill; upgrade "
                "this one"
            )


def postgres_ddl(schema: str = "public") -> list[str]:
    """The statements that make the tables, for those who run their own.

    Args:
        schema: The schema of PostgreSQL's in which they are to be.
    """
    place = Schema(schema)
    tables = [VERSION_TABLE, *(each for step in place.steps() for each in step)]
    making = [] if schema == "public" else [place.making]  # that one is always there
    return [*making, *map(place.render, tables)]
