"""What is on its way to each webhook endpoint, and when it is due."""

from __future__ import annotations

import heapq
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from payfulfill.sandbox.disturbances import Fate, Slip
from payfulfill.sandbox.posting import Post
from payfulfill.sandbox.signatures import KeyRing
from payfulfill.sandbox.state import Json

Show: TypeAlias = Callable[[str | None], Json]
"""An event as an API version shows it; None: as the sandbox does."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where events are sent to.

    Attributes:
        secret: Signs what is sent there.
        events: The types it wants, in which `*` stands for anything.
        api_version: The version of the API whose shapes it gets; None: the sandbox's own.
    """

    id: str
    url: str
    secret: str = field(repr=False)
    events: tuple[str, ...] = ("*",)
    api_version: str | None = None


@dataclass(slots=True)
class Parcel:
    """An event as it goes out.

    Attributes:
        show: Renders it.
        pending: The endpoints that have yet to take it.
        bodies: What it looks like in each version that was wanted so far: the same bytes at every
            attempt, to every endpoint.
    """

    event_id: str
    event_type: str
    show: Show
    pending: set[str] = field(default_factory=set)
    bodies: dict[str | None, bytes] = field(default_factory=dict)

    def body(self, version: str | None) -> bytes:
        """What is sent when all goes well."""
        if version not in self.bodies:
            self.bodies[version] = _encode(self.show(version))
        return self.bodies[version]

    def disturbed_body(self, version: str | None, fate: Fate) -> bytes:
        """What is sent to an endpoint of this version."""
        if fate.disturbance is None:
            return self.body(version)
        return _encode(fate.effect.content(self.show(fate.version or version)))


def _encode(event: Json) -> bytes:
    return json.dumps(event, indent=2, ensure_ascii=False).encode()


@dataclass(order=True, frozen=True, slots=True)
class Job:
    """One delivery to come. Sorts by when it is due, then by when its event was made."""

    due: float
    number: int
    parcel: Parcel = field(compare=False)
    body: bytes = field(compare=False)
    fate: Fate = field(compare=False, default=Fate())
    attempt: int = field(compare=False, default=1)
    held: bool = field(compare=False, default=False)  # until the lane's next event

    @property
    def slip(self) -> Slip:
        """What is wrong with this attempt."""
        return self.fate.effect.first if self.attempt == 1 else Slip()


@dataclass(slots=True)
class Lane:
    """The way to one endpoint."""

    endpoint: Endpoint
    ring: KeyRing
    enabled: bool = True
    closed: bool = False
    queue: list[Job] = field(default_factory=list)
    holding: int = 0  # how many of them are held back
    post: Post | None = None  # the attempt under way
    thread: threading.Thread | None = None

    def push(self, job: Job) -> None:
        """Adds what is to be sent."""
        heapq.heappush(self.queue, job)
        self.holding += job.held

    def pop(self) -> Job:
        """Takes what is due first."""
        job = heapq.heappop(self.queue)
        self.holding -= job.held
        return job

    def release(self, due: float, numbers: Iterator[int]) -> bool:
        """Lets go of what is held back, to be sent when `due`; whether there was any."""
        if not self.holding:
            return False
        held = sorted(job for job in self.queue if job.held)
        self.queue = [job for job in self.queue if not job.held]
        self.holding = 0
        heapq.heapify(self.queue)
        for job in held:
            freed = replace(job, due=min(job.due, due), number=next(numbers), held=False)
            self.push(freed)
        return True
