"""The tables in SQLite: the statements that make them, and bring them up to date."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from payfulfill.stores.schema import SCHEMA

JOURNAL: Final = "PRAGMA journal_mode = WAL"
"""Kept in the file. Not for inside a transaction."""


def upgrade(version: int) -> Iterator[str]:
    """What takes a file from a version of the schema to ours, in one transaction."""
    for statements in SCHEMA[version:]:
        yield from statements
    if version < len(SCHEMA):
        yield f"PRAGMA user_version = {len(SCHEMA)}"


def sqlite_ddl() -> list[str]:
    """The statements that make the tables in a new file, for those who run their own."""
    return [JOURNAL, "BEGIN IMMEDIATE", *upgrade(0), "COMMIT"]
