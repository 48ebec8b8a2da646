"""Frozen values, changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import cache
from operator import attrgetter
from typing import Any, TypeVar

T = TypeVar("T")


def changed(value: T, **changes: Any) -> T:
    """`dataclasses.replace` in two thirds of the time, for values of many fields."""
    kind: Any = type(value)
    names, read = _reader(kind)
    changed: T = kind(**{**dict(zip(names, read(value), strict=True)), **changes})
    return changed


@cache
def _reader(kind: Any) -> tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]]]:
    names = tuple(each.name for each in fields(kind))
    return names, attrgetter(*names)
