"""Shows objects in full where an answer only names them: https://docs.stripe.com/expand

Which fields name another object, the SDK's types say: such a field is a string, or that object.
Lists within objects, such as the refunds of a charge, are there only when they are asked for.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Collection, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, ForwardRef, TypeAlias

from payfulfill.sandbox import checkout
from payfulfill.sandbox.errors import InvalidParameter
from payfulfill.sandbox.operations import Operation
from payfulfill.sandbox.state import Json, State

_DEEPEST: Final = 4

_Class: TypeAlias = Any
"""A class of the SDK's: a resource, or a part of one such as `Customer.InvoiceSettings`."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field that leads to other objects.

    Attributes:
        to: The classes of what it may lead to.
        expandable: Whether it holds an id unless expanded; else the object is always there.
    """

    to: frozenset[_Class]
    expandable: bool


def _refunds(state: State, charge: Json) -> Json:
    owned = [each for each in state.refunds.values() if each["charge"] == charge["id"]][::-1]
    return {
        "object": "list",
        "data": owned[:_PAGE],
        "has_more": len(owned) > _PAGE,
        "url": f"/v1/charges/{charge['id']}/refunds",
    }


_PAGE: Final = 10  # what a list within an object holds at most

LISTS: Final[Mapping[tuple[str, str], Callable[[State, Json], Json]]] = {
    ("charge", "refunds"): _refunds,
    ("checkout.session", "line_items"): checkout.line_items,
}
"""The lists within objects, by the object's kind and the field."""


@cache
def fields(parent: _Class) -> Mapping[str, Field]:
    """The fields of a class that lead to other objects."""
    found = {name: _field(hint) for name, hint in parent.__annotations__.items()}
    kind = getattr(parent, "OBJECT_NAME", "")
    lists = {
        name: _list_field(hint)
        for name, hint in parent.__annotations__.items()
        if (kind, name) in LISTS
    }
    return {**{name: field for name, field in found.items() if field.to}, **lists}


def _list_field(hint: Any) -> Field:
    """A list within an object, by its hint: `ListObject[Refund] | None`."""
    of = (typing.get_args(member) for member in typing.get_args(hint))
    return Field(frozenset(_class(each) for member in of for each in member), expandable=True)


def _field(hint: Any) -> Field:
    members = typing.get_args(hint) or (hint,)
    classes = (_class(member) for member in members)
    return Field(frozenset(each for each in classes if each is not None), str in members)


def _class(hint: Any) -> _Class | None:
    """The class that a hint names, or is."""
    import stripe  # noqa: PLC0415  # slow, and needed only once something is expanded

    if isinstance(hint, ForwardRef):
        found: Any = stripe
        for name in hint.__forward_arg__.split("."):
            found = getattr(found, name, None)
        return found
    return hint if isinstance(hint, type) and issubclass(hint, stripe.StripeObject) else None


def check(operation: Operation, paths: Collection[str]) -> None:
    """Checks that `paths` lead somewhere; before the effect, which a refusal must not have.

    Raises:
        InvalidParameter: one leads to nothing that can be expanded.
    """
    for path in paths:
        names = path.split(".")
        if len(names) > _DEEPEST:
            raise InvalidParameter(
                f"You cannot expand more than {_DEEPEST} levels of a property: {path}.",
                param="expand",
            )
        if operation.lists and names.pop(0) != "data":
            raise _refusal(path)
        if not _leads_somewhere(operation.kind, names):
            raise _refusal(path)


def _leads_somewhere(kind: str, names: list[str]) -> bool:
    classes = frozenset((_class(ForwardRef(_resource(kind))),))
    expandable, within = False, False
    for name in names:
        if within:
            if name != "data":
                return False
            expandable = within = False
            continue
        within = any((getattr(each, "OBJECT_NAME", ""), name) in LISTS for each in classes)
        found = [fields(each)[name] for each in classes if name in fields(each)]
        classes = frozenset(each for field in found for each in field.to)
        expandable = any(field.expandable for field in found)
    return expandable


def _resource(kind: str) -> str:
    """The SDK's class of a kind of objects: `radar.EarlyFraudWarning`."""
    *namespaces, last = kind.split(".")
    return ".".join([*namespaces, "".join(word.capitalize() for word in last.split("_"))])


def expand(state: State, answer: Json, paths: Collection[str]) -> Json:
    """The answer with the objects at `paths`, which `check` let pass, shown in full."""
    if not paths:
        return answer
    answer = deepcopy(answer)
    for path in paths:
        _follow(state, answer, path.split("."))
    return answer


def _follow(state: State, thing: Json, names: list[str]) -> None:
    name, *rest = names
    if thing.get("object") == "list":
        for each in thing["data"]:
            _follow(state, each, rest)
        return
    included = LISTS.get((thing.get("object", ""), name))
    if included is not None:
        thing[name] = deepcopy(included(state, thing))
    elif isinstance(thing.get(name), str):
        thing[name] = deepcopy(state.look_up(thing[name])) or thing[name]
    if rest and isinstance(thing.get(name), dict):
        _follow(state, thing[name], rest)


def _refusal(path: str) -> InvalidParameter:
    return InvalidParameter(f"This property cannot be expanded ({path}).", param="expand")
