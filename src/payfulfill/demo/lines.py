"""What a step of the story says, as values. How they look is `terminal`'s business."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

W = TypeVar("W")


@dataclass(frozen=True, slots=True)
class Asked:
    """Somebody asks for something: who, and what."""

    who: str
    what: str


@dataclass(frozen=True, slots=True)
class Answered:
    """What came back."""

    text: str


@dataclass(frozen=True, slots=True)
class Claim:
    """Something the demo claims. It holds when what was found is what was expected."""

    text: str
    expected: object
    found: object

    @property
    def holds(self) -> bool:
        """Whether it is true."""
        return self.expected == self.found


Line = Asked | Answered | Claim


@dataclass(frozen=True, slots=True)
class Step(Generic[W]):
    """One scene of the story.

    Attributes:
        title: What happens, in a line.
        why: What it is shown for.
        play: Lets it happen, and says so line by line.
    """

    title: str
    why: str
    play: Callable[[W], Iterator[Line]]
