"""Changes to objects, and the events that tell what was there before."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from payfulfill.sandbox import events
from payfulfill.sandbox.state import Json, State


def update(state: State, event_type: str, subject: Json, changes: Mapping[str, Any]) -> Json:
    """Changes an object, and tells it: unless all is as it was. Returns the object."""
    before = deepcopy(subject)
    subject.update(changes)
    previous = differences(before, subject)
    if previous:
        events.emit(state, event_type, subject, previous)
    return subject


def differences(before: Json, after: Json) -> Json:
    """What changed, as it was before: `previous_attributes` of an event.

    Of what is nested only the changed parts are there; what is new was null before.
    https://docs.stripe.com/api/events/object#event_object-data-previous_attributes
    """
    names = [*before, *(name for name in after if name not in before)]
    return {
        name: _difference(before.get(name), after.get(name))
        for name in names
        if before.get(name) != after.get(name)
    }


def _difference(before: Any, after: Any) -> Any:
    if isinstance(before, dict) and isinstance(after, dict):
        return differences(before, after)
    return before
