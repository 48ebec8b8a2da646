"""What an API operation is. Each resource's file ends in a table of its own operations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from payfulfill.sandbox.params import Params
from payfulfill.sandbox.state import Json, State


@dataclass(frozen=True, slots=True)
class Call:
    """What a handler gets: the parameters, and the id in the path if it has one."""

    params: Params
    object_id: str = ""


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that the API can do.

    Attributes:
        name: Resource and verb, as in the SDK: `payment_intents.create`.
        path: With `{id}` where the object's id stands.
        handler: Does it, within `State.acting`, and returns the answer.
        accepts: The names of its parameters; any other is refused, but for `expand`.
    """

    name: str
    method: Literal["GET", "POST"]
    path: str
    handler: Callable[[State, Call], Json]
    accepts: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """The kind of object that it answers with, or lists: `payment_intent`."""
        return self.name.partition(".")[0].removesuffix("s")

    @property
    def lists(self) -> bool:
        """Whether it answers with a list."""
        return self.name.endswith(".list")
