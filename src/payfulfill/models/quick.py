"""Frozen values, made and changed in a third of the time.

A frozen dataclass sets each of its fields by a call of `object.__setattr__`. Here a value is a
draft at first, of a class with the same slots that is not frozen, and then becomes what it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from functools import update_wrapper
from typing import Any, Final, TypeVar

T = TypeVar("T")

_SOURCE: Final = """
def init(self, {parameters}):
    if self.__class__ is not _kind:  # of a subclass, which may have fields of its own
        return _init(self, {arguments})
    _become(self, _draft)
    {settings}
    _become(self, _kind)

def copied(_value):
    self = _draft()
    {copies}
    return self
"""

_BECOME: Final = object.__dict__["__class__"].__set__
_copied: Final[dict[type, Callable[[Any], Any]]] = {}
"""For each class that is quick, what makes a draft of a value."""


def quick(kind: type[T]) -> type[T]:
    """Gives a frozen dataclass with slots, and without `__post_init__`, another `__init__`, which
    does the same. All else stays as `dataclass` made it."""
    if hasattr(kind, "__post_init__"):
        raise TypeError(f"{kind.__name__} has a __post_init__, which would not be called")
    init: Any = kind.__init__
    parts = fields(kind)  # type: ignore[arg-type]  # a dataclass
    named = init.__kwdefaults__ or {}
    scope: dict[str, Any] = {
        "_kind": kind,
        "_init": init,
        "_draft": type(f"{kind.__name__}Draft", (), {"__slots__": [one.name for one in parts]}),
        "_become": _BECOME,
    }
    settings = []
    for one in parts:
        given = one.name
        if callable(one.default_factory):
            scope |= {f"_make_{given}": one.default_factory, f"_unset_{given}": named[given]}
            given = f"_make_{given}() if {given} is _unset_{given} else {given}"
        settings.append(f"self.{one.name} = {given}")
    plain = [one.name for one in parts if not one.kw_only]
    keyed = [one.name for one in parts if one.kw_only]
    source = _SOURCE.format(
        parameters=", ".join([*plain, *(["*", *keyed] if keyed else [])]),
        arguments=", ".join([*plain, *(f"{name}={name}" for name in keyed)]),
        settings="\n    ".join(settings),
        copies="\n    ".join(f"self.{one.name} = _value.{one.name}" for one in parts),
    )
    exec(source, scope)  # noqa: S102  # made of our own names alone, as `dataclass` does it
    made: Any = update_wrapper(scope["init"], init)
    made.__defaults__, made.__kwdefaults__ = init.__defaults__, init.__kwdefaults__
    kind.__init__ = made  # type: ignore[method-assign]  # of the same signature
    _copied[kind] = scope["copied"]
    return kind


def changed(value: T, **changes: Any) -> T:
    """`dataclasses.replace` in a small part of the time, where the class is `quick`."""
    copied = _copied.get(type(value))
    if copied is None:
        made: T = replace(value, **changes)  # type: ignore[type-var]  # a dataclass
        return made
    draft: Any = copied(value)
    for name, given in changes.items():
        setattr(draft, name, given)
    _BECOME(draft, type(value))
    new: T = draft
    return new
