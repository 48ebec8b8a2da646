"""Values that are quick to make: in all else they are what `dataclass` makes of them."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, dataclass, field, fields, replace
from typing import Any

import pytest

from payfulfill import models, ports
from payfulfill.models import changed, quick
from payfulfill.stripe import envelope, events


@quick
@dataclass(frozen=True, slots=True)
class Quick:
    """One whose fields have the names of all that its `__init__` could stumble over."""

    type: str
    self_: str
    kind: str = "plain"
    value: int = field(default=1, kw_only=True)
    init: str = field(kw_only=True)
    secret: Mapping[str, Any] = field(default_factory=dict, repr=False, kw_only=True)


class Named(Quick):
    """A subclass with a `__dict__`."""


@dataclass(frozen=True, slots=True)
class More(Quick):
    """A subclass with a field of its own."""

    more: int = 0


QUICK = sorted(
    {
        kind
        for module in (models, ports, envelope, events)
        for kind in vars(module).values()
        if inspect.isclass(kind)
        and kind.__dict__.get("__init__") is not None
        and hasattr(kind.__init__, "__wrapped__")
        and hasattr(kind, "__dataclass_fields__")
    },
    key=lambda kind: kind.__name__,
)


def test_its_fields_are_what_was_given_or_the_defaults() -> None:
    one = Quick("a", "b", init="c")
    assert [getattr(one, each.name) for each in fields(Quick)] == ["a", "b", "plain", 1, "c", {}]
    other = Quick(type="a", self_="b", kind="x", value=2, init="c", secret={"k": 1})
    assert [getattr(other, each.name) for each in fields(Quick)] == [
        "a",
        "b",
        "x",
        2,
        "c",
        {"k": 1},
    ]
    assert one.secret is not Quick("a", "b", init="c").secret


def test_it_refuses_what_its_class_does_not_take() -> None:
    make: Any = Quick
    for arguments, named in [
        ((), {}),
        (("a",), {"init": "c"}),
        (("a", "b", "c", 1), {"init": "c"}),
    ]:
        with pytest.raises(TypeError):
            make(*arguments, **named)
    with pytest.raises(TypeError):
        make("a", "b", init="c", unknown=1)


def test_it_is_frozen_as_soon_as_it_is_there() -> None:
    for one in (Quick("a", "b", init="c"), changed(Quick("a", "b", init="c"), type="d")):
        assert type(one) is Quick
        with pytest.raises(FrozenInstanceError):
            one.type = "x"  # type: ignore[misc]
        with pytest.raises(FrozenInstanceError):
            del one.type


def test_it_is_equal_hidden_copied_and_pickled_as_others_are() -> None:
    one = Quick("a", "b", init="c", secret={"k": "s3cret"})
    assert one == replace(one) == copy.deepcopy(one) == pickle.loads(pickle.dumps(one))
    assert one != replace(one, type="d")
    assert repr(one) == "Quick(type='a', self_='b', kind='plain', value=1, init='c')"


@pytest.mark.parametrize("kind", [Quick, Named, More])
def test_a_changed_one_is_what_replace_makes(kind: type[Quick]) -> None:
    one = kind("a", "b", init="c")
    new = changed(one, type="d", secret={"k": 1})
    assert new == replace(one, type="d", secret={"k": 1})
    assert (type(new), one.type, new.kind) == (kind, "a", "plain")
    with pytest.raises((AttributeError, TypeError)):
        changed(one, unknown=1)


def test_a_subclass_is_what_it_says() -> None:
    named, more = Named("a", "b", init="c"), More("a", "b", init="c", more=2)
    named.__dict__["note"] = 1
    assert (type(named), named.type, named.init) == (Named, "a", "c")
    assert (type(more), more.more, more.init) == (More, 2, "c")


def test_one_with_a_post_init_cannot_be_quick() -> None:
    with pytest.raises(TypeError, match="__post_init__"):
        quick(models.Terms)


@pytest.mark.parametrize("kind", QUICK)
def test_it_takes_what_its_class_takes(kind: Any) -> None:
    own = inspect.signature(kind.__init__, follow_wrapped=False).parameters.values()
    told = inspect.signature(kind.__init__.__wrapped__).parameters.values()
    assert [(one.name, one.kind, one.default) for one in own] == [
        (one.name, one.kind, one.default) for one in told
    ]


def test_what_webhooks_make_is_quick() -> None:
    assert {models.Payment, models.Purchase, models.StoredEvent, envelope.Event} <= {*QUICK}
