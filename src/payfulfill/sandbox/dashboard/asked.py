"""What a request of the control API says, taken out with care."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

MOST: int = 1000
"""How many entries, or calls to fail, may be asked for at once."""


class BadInput(ValueError):
    """A field is missing or not what it should be; the message names it."""


@contextmanager
def naming(field: str) -> Iterator[None]:
    """Has what the sandbox refuses within name the field that it is about.

    Raises:
        BadInput: it refused.
    """
    try:
        yield
    except ValueError as error:
        raise BadInput(f"{field}: {error}") from None


@dataclass(frozen=True, slots=True)
class Asked:
    """One request.

    Attributes:
        id: The id in the path, if it has one.
        fields: The body's, or the query's.
        run: Names the run of the sandbox that is asked: in the next one, revisions begin anew.
    """

    id: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    run: str = ""

    def text(self, name: str, default: str | None = None) -> str:
        """A string; without a `default` it must be there and not be empty.

        Raises:
            BadInput: it isn't.
        """
        value = self.fields.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, str) or (value == "" and default is None):
            raise BadInput(f"{name}: a string is needed")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings, perhaps empty.

        Raises:
            BadInput: it is none.
        """
        value = self.fields.get(name, [])
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise BadInput(f"{name}: a list of strings is needed")
        return tuple(value)

    def choice(self, name: str, choices: Iterable[str]) -> str:
        """One of some strings.

        Raises:
            BadInput: it isn't.
        """
        value = self.text(name)
        known = list(choices)
        if value not in known:
            raise BadInput(f"{name}: must be one of {', '.join(known)}")
        return value

    def flag(self, name: str, *, default: bool | None) -> bool | None:
        """True or false; `default` where nothing is said.

        Raises:
            BadInput: it is something else.
        """
        value = self.fields.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise BadInput(f"{name}: true or false is needed")
        return value

    def count(self, name: str, default: int) -> int:
        """A whole number from 1 to `MOST`; a query holds it as text.

        Raises:
            BadInput: it is something else.
        """
        value = self.fields.get(name, default)
        if isinstance(value, str) and value.isascii() and value.isdecimal():
            value = int(value[:9])
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST:
            raise BadInput(f"{name}: a whole number from 1 to {MOST} is needed")
        return value

    def whole(self, name: str) -> int:
        """A whole number; whether it makes sense, the sandbox knows.

        Raises:
            BadInput: it is something else, or isn't there.
        """
        value = self.fields.get(name)
        if isinstance(value, bool) or not isinstance(value, int):
            raise BadInput(f"{name}: a whole number is needed")
        return value

    def number(self, name: str, *, most: float, default: float | None = None) -> float:
        """A number from 0 to `most`; without a `default` it must be there.

        Raises:
            BadInput: it is something else.
        """
        value = self.fields.get(name, default)
        fits = isinstance(value, int | float) and not isinstance(value, bool)
        if not fits or not math.isfinite(value) or not 0 <= value <= most:
            raise BadInput(f"{name}: a number from 0 to {most:g} is needed")
        return float(value)
