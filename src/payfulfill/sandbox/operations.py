"""What an API operation is. Each resource's file ends in a table of its own operations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from payfulfill.sandbox.state import Json, State


@dataclass(frozen=True, slots=True)
class Call:
    """What a handler gets.

    Attributes:
        params: The parameters, checked and typed; None stands for an empty string, which unsets.
        object_id: The id in the path, if it has one.
        parent_id: The id of what it belongs to, if that is in the path too.
        publishable: Whether a browser calls, with a publishable key.
    """

    params: Mapping[str, Any]
    object_id: str = ""
    publishable: bool = False
    parent_id: str = ""


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that the API can do.

    Attributes:
        name: Resource and verb, as in the SDK: `payment_intents.create`.
        path: With `{id}` where the object's id stands, and `{parent}` for what it belongs to.
        handler: Does it, within `State.acting`, and returns the answer.
        params: The SDK's type of its parameters, in `stripe.params`.
        kind: What it answers with, or lists: `payment_intent`.
        heeds: The parameters that change what happens here. Others that Stripe knows are checked,
            and have no effect.
        browser: The further parameters that Stripe.js sends; None: it needs a secret key.
    """

    name: str
    method: Literal["GET", "POST", "DELETE"]
    path: str
    handler: Callable[[State, Call], Json]
    params: str
    kind: str
    heeds: tuple[str, ...] = ()
    browser: Mapping[str, Any] | None = None

    @property
    def lists(self) -> bool:
        """Whether it answers with a list."""
        return self.name.endswith(".list")
