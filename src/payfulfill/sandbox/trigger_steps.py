"""What leads to an event: calls, one after the other. `triggers` has most of the tables of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Params: TypeAlias = Mapping[str, Any]
"""What a call sends; parts within parts are mappings too."""


@dataclass(frozen=True, slots=True)
class Step:
    """One call on the way to an event.

    Attributes:
        name: What it is called in overrides, and the object that it answers with in later steps.
        path: In which `{customer.id}` stands for a field of an earlier step's object.
        params: May have such fields too.
        declined: Whether the bank is to say no.
    """

    name: str
    method: str
    path: str
    params: Params = field(default_factory=dict)
    declined: bool = False
