"""Reads the parameters of a call, and refuses in Stripe's words what makes no sense."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection, Mapping
from typing import Final

from payfulfill.sandbox.errors import InvalidParameter
from payfulfill.sandbox.forms import Form

_INTEGER = re.compile(r"-?[0-9]{1,18}")
_COMPARISONS: Final[Mapping[str, Callable[[int, int], bool]]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}


class Params:
    """The parameters of one call. An empty string means "not set", as it does at Stripe.

    Every method raises `InvalidParameter` for a value that isn't of its kind.
    """

    def __init__(self, form: Form, accepts: Collection[str]) -> None:
        """Takes what was sent, and the names that the operation knows.

        Raises:
            InvalidParameter: an unknown name was sent.
        """
        unknown = [name for name in form if name not in accepts and name != "expand"]
        if unknown:
            plural = "s" if len(unknown) > 1 else ""
            raise InvalidParameter(
                f"Received unknown parameter{plural}: {', '.join(unknown)}",
                code="parameter_unknown",
                param=unknown[0],
            )
        self._form = form

    def text(self, name: str) -> str | None:
        """A string, or None."""
        value = self._form.get(name)
        if isinstance(value, dict):
            raise InvalidParameter(f"Invalid string: {name}", param=name)
        return value or None

    def required(self, name: str) -> str:
        """A string that must be there."""
        value = self.text(name)
        if value is None:
            raise InvalidParameter(
                f"Missing required param: {name}.", code="parameter_missing", param=name
            )
        return value

    def integer(self, name: str) -> int:
        """A whole number that must be there."""
        return _integer(name, self.required(name))

    def flag(self, name: str) -> bool | None:
        """`true`, `false`, or None."""
        return _flag(name, self.text(name))

    def choice(self, name: str, choices: Collection[str]) -> str | None:
        """One of `choices`, or None."""
        value = self.text(name)
        if value is not None and value not in choices:
            *others, last = choices
            raise InvalidParameter(
                f"Invalid {name}: must be one of {', '.join(others)}, or {last}", param=name
            )
        return value

    def mapping(self, name: str) -> dict[str, str]:
        """Strings by name, such as metadata; an empty one is left out."""
        value = self._form.get(name) or {}
        if isinstance(value, str):
            raise InvalidParameter(f"Invalid object: {name}", param=name)
        entries: dict[str, str] = {}
        for key, entry in value.items():
            if isinstance(entry, dict):
                raise InvalidParameter(f"Invalid string: {name}[{key}]", param=f"{name}[{key}]")
            if entry:
                entries[key] = entry
        return entries

    def expansions(self) -> Collection[str]:
        """Which parts of the answer are to be shown in full."""
        return self.mapping("expand").values()

    def nested_flag(self, name: str, key: str) -> bool | None:
        """`true`, `false`, or None, inside of a mapping."""
        return _flag(f"{name}[{key}]", self.mapping(name).get(key))

    def limit(self) -> int:
        """How many objects a page of a list may hold: 1 to 100, 10 when not said."""
        value = _integer("limit", self.text("limit") or "10")
        if not 1 <= value <= 100:
            raise InvalidParameter(
                f"Invalid limit: must be between 1 and 100 (passed {value}).",
                code="parameter_invalid_integer",
                param="limit",
            )
        return value

    def time_range(self, name: str) -> Callable[[int], bool]:
        """Whether a time is the one asked for, or lies within `[gt]`, `[gte]`, `[lt]`, `[lte]`."""
        value = self._form.get(name)
        if not isinstance(value, dict):
            exact = self.text(name)
            moment = None if exact is None else _integer(name, exact)
            return lambda time: moment is None or time == moment
        bounds = [_bound(name, key, bound) for key, bound in self.mapping(name).items()]
        return lambda time: all(compare(time, bound) for compare, bound in bounds)


def _integer(name: str, value: str) -> int:
    if not _INTEGER.fullmatch(value):
        raise InvalidParameter(
            f"Invalid integer: {value}", code="parameter_invalid_integer", param=name
        )
    return int(value)


def _flag(name: str, value: str | None) -> bool | None:
    if value not in (None, "true", "false"):
        raise InvalidParameter(f"Invalid boolean: {value}", param=name)
    return None if value is None else value == "true"


def _bound(name: str, key: str, value: str) -> tuple[Callable[[int, int], bool], int]:
    path = f"{name}[{key}]"
    if key not in _COMPARISONS:
        raise InvalidParameter(
            f"Received unknown parameter: {path}", code="parameter_unknown", param=path
        )
    return _COMPARISONS[key], _integer(path, value)
