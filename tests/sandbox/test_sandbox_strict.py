"""Every parameter of every call, spelt wrong, of a wrong type, missing, or emptied.

What the calls take is read off the SDK's types here too, but by a walk of its own: a mistake in
the sandbox's reading of them cannot hide itself.
"""

from __future__ import annotations

import http.client
import json
import sys
import types
import typing
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from operator import attrgetter
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit

import pytest
import stripe.params
from hypothesis import given
from hypothesis import strategies as st
from stripe._request_options import RequestOptions

from payfulfill.sandbox import Sandbox, schema
from payfulfill.sandbox.api import OPERATIONS
from payfulfill.sandbox.errors import InvalidParameter
from payfulfill.sandbox.forms import decode
from payfulfill.sandbox.operations import Operation

# --- What the SDK's types say --------------------------------------------------------------

UNSET: Any = Literal[""]


def hints_of(kind: Any) -> dict[str, Any]:
    own = {
        key: value
        for key, value in kind.__annotations__.items()
        if key not in RequestOptions.__annotations__
    }
    namespace = vars(sys.modules[kind.__module__])
    return typing.get_type_hints(types.SimpleNamespace(__annotations__=own), namespace)


def members(hint: Any) -> list[Any]:
    """The types that a hint allows, without the one that unsets."""
    origin = typing.get_origin(hint)
    alternatives = typing.get_args(hint) if origin in (typing.Union, types.UnionType) else [hint]
    return [each for each in alternatives if each != UNSET]


def is_fields(kind: Any) -> bool:
    return hasattr(kind, "__required_keys__")


def may_be_unset(hint: Any) -> bool:
    return len(members(hint)) < len(typing.get_args(hint)) and UNSET in typing.get_args(hint)


# --- Requests: right ones, and every way to get them wrong ---------------------------------

Fields = dict[str, str]


def right(path: str, hint: Any) -> Fields:
    """The least that can be sent of a type."""
    kind = members(hint)[0]
    origin = typing.get_origin(kind)
    if is_fields(kind):
        required = required_of(path, kind)
        key, of = next(iter(hints_of(kind).items()))
        return required or right(f"{path}[{key}]", of)
    if origin is list:
        return right(f"{path}[0]", typing.get_args(kind)[0])
    if origin is dict:
        return right(f"{path}[key]", typing.get_args(kind)[1])
    if origin is Literal:
        return {path: next(value for value in typing.get_args(kind) if value)}
    return {path: {int: "7", bool: "true", float: "1.5", Decimal: "1.5"}.get(kind, "words")}


def required_of(path: str, kind: Any) -> Fields:
    """The least that can be sent of a mapping."""
    hints = hints_of(kind)
    fields: Fields = {}
    for key in hints:
        if key in kind.__required_keys__:
            fields |= right(f"{path}[{key}]" if path else key, hints[key])
    return fields


@dataclass(frozen=True)
class Wrong:
    """A request that must be refused, naming `param`."""

    fields: Fields
    param: str
    code: str | None


def wrongs(kind: Any, path: str = "", around: Fields | None = None) -> Iterator[Wrong]:
    """Every way to get each key of a mapping wrong; `around` it all is as it should be."""
    base = {**(around or {}), **required_of(path, kind)}
    for key, hint in hints_of(kind).items():
        here = f"{path}[{key}]" if path else key
        misspelt = f"{path}[{key}s_]" if path else f"{key}s_"
        without = {name: value for name, value in base.items() if not is_within(name, here)}
        yield Wrong(base | {misspelt: "words"}, misspelt, "parameter_unknown")
        yield from wrong_values(here, hint, without)
        if key in kind.__required_keys__ and (without or not path):
            yield from missing(here, without, path)


def missing(here: str, without: Fields, path: str) -> Iterator[Wrong]:
    """A mapping without a key that it needs; if that is all it has, there's no mapping either."""
    if not path or any(is_within(name, path) for name in without):
        yield Wrong(without, here, "parameter_missing")


def is_within(name: str, path: str) -> bool:
    return name == path or name.startswith(f"{path}[")


def wrong_values(here: str, hint: Any, without: Fields) -> Iterator[Wrong]:
    """Every kind of value that a type doesn't allow, and every way to get its parts wrong."""
    kinds = members(hint)
    if typing.get_origin(kinds[0]) is Literal or not {str, Any} & set(kinds):
        code = "parameter_invalid_integer" if kinds[0] is int else None
        yield Wrong(without | {here: "no such value"}, here, code)
    if not any(is_fields(each) or typing.get_origin(each) in (dict, list) for each in kinds):
        yield Wrong(without | {f"{here}[a]": "words"}, here, None)
    if not may_be_unset(hint):
        yield Wrong(without | {here: ""}, here, "parameter_invalid_empty")
    for kind in kinds:
        if is_fields(kind):
            yield from wrongs(kind, here, without)
        elif typing.get_origin(kind) is list:
            (of,) = typing.get_args(kind)
            yield Wrong(without | {f"{here}[a]": "words"}, here, None)
            yield from wrong_values(f"{here}[0]", of, without)


# --- The sweep -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=1) as sandbox:
        yield sandbox


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_each_parameter_wrong_in_each_way_is_named(sandbox: Sandbox, operation: Operation) -> None:
    kind = attrgetter(operation.params)(stripe.params)
    base = required_of("", kind)
    everything = [
        Wrong(base | {"no_such_parameter": "1"}, "no_such_parameter", "parameter_unknown"),
        *wrongs(kind),
    ]
    address = urlsplit(sandbox.url)
    failures = []
    with closing(http.client.HTTPConnection(address.hostname or "", address.port)) as connection:
        for wrong in everything:
            status, error = ask(connection, sandbox, operation, wrong.fields)
            if (status, error.get("param"), error.get("code")) != (400, wrong.param, wrong.code):
                failures.append((wrong, status, error))
    assert failures[:3] == []
    assert sandbox.events() == []


def ask(
    connection: http.client.HTTPConnection, sandbox: Sandbox, operation: Operation, fields: Fields
) -> tuple[int, dict[str, Any]]:
    path, encoded = operation.path.replace("{id}", "x_1"), urlencode(fields)
    posted = operation.method == "POST"
    headers = {
        "Authorization": f"Bearer {sandbox.api_key}",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    url = path if posted else f"{path}?{encoded}"
    connection.request(operation.method, url, encoded if posted else None, headers)
    response = connection.getresponse()
    body = json.loads(response.read())
    return response.status, body.get("error", {})


def test_the_sweep_reaches_every_depth() -> None:
    found = {wrong.param for wrong in wrongs(stripe.params.PaymentIntentCreateParams)}
    assert {
        "amount",
        "amounts_",
        "automatic_payment_methods[allow_redirects]",
        "payment_method_options[card][installments][plan][type]",
        "shipping[address][citys_]",
    } <= found
    assert len(found) > 1000


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_what_an_operation_heeds_is_known_to_stripe(operation: Operation) -> None:
    known = {*hints_of(attrgetter(operation.params)(stripe.params)), *(operation.browser or ())}
    assert set(operation.heeds) <= known
    assert len(operation.heeds) == len(set(operation.heeds))


# --- Reading -------------------------------------------------------------------------------


def test_values_come_out_typed() -> None:
    form = decode(
        "amount=7&currency=usd&confirm=true&metadata[a]=1&metadata[b]=&metadata[c d]=%F0%9F%8E%88"
        "&automatic_payment_methods[enabled]=false&excluded_payment_method_types[]=paypal"
        "&excluded_payment_method_types[]=card&off_session=recurring"
    )
    assert schema.read("PaymentIntentCreateParams", form) == {
        "amount": 7,
        "currency": "usd",
        "confirm": True,
        "metadata": {"a": "1", "b": None, "c d": "🎈"},
        "automatic_payment_methods": {"enabled": False},
        "excluded_payment_method_types": ["paypal", "card"],
        "off_session": "recurring",
    }


def test_a_type_among_several_is_the_one_that_fits() -> None:
    def off_session(value: str) -> object:
        form = decode(f"amount=7&currency=usd&off_session={value}")
        return schema.read("PaymentIntentCreateParams", form)["off_session"]

    assert off_session("true") is True
    assert off_session("one_off") == "one_off"
    with pytest.raises(InvalidParameter) as refused:
        off_session("sometimes")
    assert refused.value.param == "off_session"


@given(st.text(max_size=30), st.text(max_size=30))
def test_whatever_is_sent_is_read_or_refused(name: str, value: str) -> None:
    form = {"amount": "7", "currency": "usd"}
    try:
        sent = decode(urlencode({**form, name: value, f"metadata[{name}]": value}))
        read = schema.read("PaymentIntentCreateParams", sent)
    except InvalidParameter:
        return
    assert read["metadata"] == {name: value or None}
