"""What each call takes, read off the types of the installed Stripe SDK.

The SDK's types are generated from Stripe's own specification, and the code under test is checked
against them: so the sandbox is as strict as they are, and gets stricter with each SDK.
"""

from __future__ import annotations

import re
import sys
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from operator import attrgetter
from typing import Any, Final, Literal, TypeAlias

from typing_extensions import is_typeddict

from payfulfill.sandbox.errors import InvalidParameter
from payfulfill.sandbox.forms import Form

Hint: TypeAlias = Any
"""A type hint; Python has no type for those."""


@dataclass(frozen=True, slots=True)
class Fields:
    """What a TypedDict says: its keys, and which of them must be there."""

    hints: Mapping[str, Hint]
    required: tuple[str, ...]


@cache
def request_type(name: str) -> Hint:
    """The SDK's type for the parameters of a request, such as `PaymentIntentCreateParams`.

    Some are in a namespace: `checkout.SessionCreateParams`.

    Raises:
        LookupError: the SDK has no such type.
    """
    import stripe.params  # noqa: PLC0415  # slow, and a sandbox that isn't called never needs it

    try:
        return attrgetter(name)(stripe.params)
    except AttributeError:
        message = f"the installed Stripe SDK has no stripe.params.{name}"
        raise LookupError(message) from None


@cache
def fields(hint: Hint) -> Fields:
    """The keys of a TypedDict, less those that configure the SDK and never reach Stripe."""
    from stripe._request_options import (  # noqa: PLC0415  # as above
        RequestOptions,  # the base class of every request's type, by which they are told apart
    )

    options = RequestOptions.__annotations__
    own = {key: value for key, value in hint.__annotations__.items() if key not in options}
    # Evaluated apart from the options, whose hints name types that are unknown in this module.
    bare = types.SimpleNamespace(__annotations__=own)
    hints = typing.get_type_hints(bare, vars(sys.modules[hint.__module__]))
    return Fields(hints, tuple(key for key in hints if key in hint.__required_keys__))


def read(name: str, form: Form, also: Mapping[str, Hint] | None = None) -> dict[str, Any]:
    """The typed values of a request's parameters.

    Args:
        name: The SDK's type, such as `PaymentIntentCreateParams`.
        form: What was sent.
        also: Parameters that the SDK doesn't send, but Stripe.js does.

    Returns:
        Values as their types say. None: an empty string came, which unsets what may be unset.

    Raises:
        InvalidParameter: one is unknown, missing, or not of its type; it names the parameter.
    """
    known = fields(request_type(name))
    return _mapping(form, {**known.hints, **(also or {})}, known.required, "")


def _mapping(
    form: Form, hints: Mapping[str, Hint], required: tuple[str, ...], path: str
) -> dict[str, Any]:
    unknown = [_join(path, key) for key in form if key not in hints]
    if unknown:
        plural = "s" if len(unknown) > 1 else ""
        raise InvalidParameter(
            f"Received unknown parameter{plural}: {', '.join(unknown)}",
            code="parameter_unknown",
            param=unknown[0],
        )
    for key in required:
        if key not in form:
            missing = _join(path, key)
            raise InvalidParameter(
                f"Missing required param: {missing}.", code="parameter_missing", param=missing
            )
    return {key: _value(value, hints[key], _join(path, key)) for key, value in form.items()}


def _join(path: str, key: str) -> str:
    return f"{path}[{key}]" if path else key


def _value(value: str | Form, hint: Hint, path: str) -> Any:
    """The value as one of the types that the hint allows."""
    kinds = _alternatives(hint)
    if value == "":
        return _unset(kinds, path)
    if isinstance(value, dict):
        return _structure(value, kinds, path)
    return _scalar(value, kinds, path)


def _origin(hint: Hint) -> Hint:
    """What a hint is made of: `list` for `list[str]`; None for a plain type."""
    return typing.get_origin(hint)  # typed as if it could only be a ParamSpec


def _alternatives(hint: Hint) -> tuple[Hint, ...]:
    """The members of a union, or the hint alone."""
    origin = _origin(hint)
    return typing.get_args(hint) if origin in (typing.Union, types.UnionType) else (hint,)


def _unset(kinds: tuple[Hint, ...], path: str) -> None:
    """An empty string: Stripe takes it for "unset this"."""
    if any("" in _choices(kind) for kind in kinds):
        return
    raise InvalidParameter(
        f"You passed an empty string for '{path}'. We assume empty values are an attempt to unset "
        f"a parameter; however '{path}' cannot be unset. You should remove '{path}' from your "
        "request or supply a non-empty value.",
        code="parameter_invalid_empty",
        param=path,
    )


def _structure(form: Form, kinds: tuple[Hint, ...], path: str) -> Any:
    for kind in kinds:
        if kind is Any:
            return form
        if is_typeddict(kind):
            nested = fields(kind)
            return _mapping(form, nested.hints, nested.required, path)
        if _origin(kind) is dict:
            _, of = typing.get_args(kind)
            return {key: _entry(entry, of, _join(path, key)) for key, entry in form.items()}
        if _origin(kind) is list:
            (of,) = typing.get_args(kind)
            return [_value(entry, of, _join(path, key)) for key, entry in _items(form, path)]
    raise InvalidParameter(f"Invalid {_noun(kinds)}: {path}", param=path)


def _entry(value: str | Form, hint: Hint, path: str) -> Any:
    """A value of free keys. Empty, it removes its key: so it is with metadata."""
    return None if value == "" else _value(value, hint, path)


def _items(form: Form, path: str) -> list[tuple[str, str | Form]]:
    """A list's elements, which a form numbers."""
    if not all(key.isdecimal() for key in form):
        raise InvalidParameter("Invalid array", param=path)
    return sorted(form.items(), key=lambda item: int(item[0]))


def _scalar(value: str, kinds: tuple[Hint, ...], path: str) -> Any:
    choices = [choice for kind in kinds for choice in _choices(kind) if choice != ""]
    if value in choices:
        return value
    for kind in kinds:
        # An enumeration comes as `Literal[...] | str`, for the sake of values yet to come: what
        # Stripe takes today are the literals.
        if kind is Any or (kind is str and not choices):
            return value
        pattern, convert = _SCALARS.get(kind, (None, str))
        if pattern is not None and pattern.fullmatch(value):
            return convert(value)
    raise _refusal(value, kinds, choices, path)


def _choices(kind: Hint) -> tuple[str, ...]:
    return typing.get_args(kind) if _origin(kind) is Literal else ()


_DECIMAL: Final = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?")
_SCALARS: Final[Mapping[Hint, tuple[re.Pattern[str], Callable[[str], Any]]]] = {
    int: (re.compile(r"-?[0-9]{1,18}"), int),
    bool: (re.compile("true|false"), "true".__eq__),
    float: (_DECIMAL, float),
    Decimal: (_DECIMAL, str),  # shown as it came: JSON has no decimals
}
_NOUNS: Final[Mapping[Hint, str]] = {
    bool: "boolean",
    int: "integer",
    float: "decimal",
    Decimal: "decimal",
    str: "string",
    list: "array",
    dict: "object",
}


def _noun(kinds: tuple[Hint, ...]) -> str:
    """What Stripe calls the first of these types."""
    for kind in kinds:
        if _choices(kind) == ("",):
            continue
        if is_typeddict(kind):
            return "object"
        return _NOUNS.get(_origin(kind) or kind, "string")
    return "string"


def _refusal(
    value: str, kinds: tuple[Hint, ...], choices: list[str], path: str
) -> InvalidParameter:
    if choices:
        *others, last = choices
        listed = f"{', '.join(others)}, or {last}" if others else last
        return InvalidParameter(f"Invalid {path}: must be one of {listed}", param=path)
    noun = _noun(kinds)
    if noun in ("array", "object"):
        return InvalidParameter(f"Invalid {noun}", param=path)
    code = "parameter_invalid_integer" if noun == "integer" else None
    return InvalidParameter(f"Invalid {noun}: {value}", code=code, param=path)
