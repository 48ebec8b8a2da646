"""Whether an object has the shape that the SDK's classes give it.

The classes are generated from Stripe's own specification: what they require has to be there and not
null, what they don't know must not be, and enumerations and basic types are as they say.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Literal

import stripe
from stripe._stripe_object import StripeObject, UntypedStripeObject


def deviations(shown: Any, sdk_class: Any) -> list[str]:
    """What is wrong with an object, as `path: reason`; empty, if nothing is."""
    if isinstance(shown, dict) and shown.get("deleted") is True:
        expected = {"id", "object", "deleted"}
        return [] if shown.keys() == expected else [f"deleted: has {sorted(shown)}"]
    return list(_of_class(shown, sdk_class, sdk_class.__name__))


def class_of(kind: str) -> Any:
    """The class of objects with this `object` field."""
    *namespaces, last = kind.split(".")
    found: Any = stripe
    for namespace in namespaces:
        found = getattr(found, namespace)
    return getattr(found, "".join(word.capitalize() for word in last.split("_")))


def _of_class(shown: Any, sdk_class: Any, path: str) -> Iterator[str]:
    if not isinstance(shown, dict):
        yield f"{path}: {shown!r} is no object"
        return
    hints = {
        name: hint
        for name, hint in sdk_class.__annotations__.items()
        if typing.get_origin(hint) is not typing.ClassVar and not name.startswith("_")
    }
    yield from (f"{path}.{name}: unknown" for name in shown if name not in hints)
    for name, hint in hints.items():
        if name in shown:
            yield from _of_hint(shown[name], hint, f"{path}.{name}")
        elif type(None) not in _alternatives(hint):
            yield f"{path}.{name}: missing"


def _alternatives(hint: Any) -> tuple[Any, ...]:
    unions = (typing.Union, types.UnionType)
    return typing.get_args(hint) if typing.get_origin(hint) in unions else (hint,)


def _of_hint(shown: Any, hint: Any, path: str) -> Iterator[str]:
    alternatives = _alternatives(hint)
    choices = [each for kind in alternatives if _is_literal(kind) for each in typing.get_args(kind)]
    if choices and isinstance(shown, str):
        # `Literal[...] | str` leaves room for values yet to come; the sandbox has none of those.
        if shown not in choices:
            yield f"{path}: {shown!r} is none of {choices}"
        return
    found = [list(_of_kind(shown, kind, path)) for kind in alternatives if not _is_literal(kind)]
    if [] in found:
        return
    # That of the alternative which is nearest says most.
    yield from min(found, key=len, default=[f"{path}: {shown!r} is none of {choices}"])


def _is_literal(kind: Any) -> bool:
    return typing.get_origin(kind) is Literal


_BASIC: Mapping[Any, tuple[type, ...]] = {
    str: (str,),
    int: (int,),
    bool: (bool,),
    float: (int, float),
    Decimal: (str,),  # JSON has no decimals
    type(None): (type(None),),
}


def _of_kind(shown: Any, kind: Any, path: str) -> Iterator[str]:
    if isinstance(kind, typing.ForwardRef):
        # Some are aliases of the SDK's own, that are there for type checkers only.
        names = kind.__forward_arg__.split(".")
        kind = stripe
        for name in names:
            kind = getattr(kind, name, None)
    origin = typing.get_origin(kind)
    if kind is Any:
        return
    if kind in _BASIC:
        if type(shown) not in _BASIC[kind]:
            yield f"{path}: {shown!r} is no {kind.__name__}"
    elif origin in (list, stripe.ListObject):
        yield from _of_list(shown, origin, typing.get_args(kind)[0], path)
    elif origin is UntypedStripeObject or origin is dict:
        yield from _of_mapping(shown, typing.get_args(kind)[-1], path)
    elif isinstance(kind, type) and issubclass(kind, StripeObject):
        yield from _of_class(shown, kind, path)
    else:
        yield f"{path}: {kind} is nothing that this test knows"


def _of_mapping(shown: Any, of: Any, path: str) -> Iterator[str]:
    if not isinstance(shown, dict):
        yield f"{path}: {shown!r} is no mapping"
        return
    for key, value in shown.items():
        yield from _of_hint(value, of, f"{path}.{key}")


def _of_list(shown: Any, origin: Any, of: Any, path: str) -> Iterator[str]:
    if origin is not list:
        yield from list_deviations(shown, path)
        shown = shown.get("data") if isinstance(shown, dict) else None
    if not isinstance(shown, list):
        yield f"{path}: {shown!r} is no list"
        return
    for place, each in enumerate(shown):
        yield from _of_hint(each, of, f"{path}[{place}]")


def list_deviations(shown: Any, path: str = "list") -> Iterator[str]:
    """What is wrong with a list, apart from what is in it."""
    kinds = {"object": str, "data": list, "has_more": bool, "url": str}
    if not isinstance(shown, dict) or shown.keys() != kinds.keys() or shown["object"] != "list":
        yield f"{path}: {shown!r} is no list object"
        return
    for name, kind in kinds.items():
        if type(shown[name]) is not kind:
            yield f"{path}.{name}: {shown[name]!r} is no {kind.__name__}"
