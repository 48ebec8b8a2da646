"""Disturbances on demand: webhooks on a bad day, exactly when a test wants it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Final

from payfulfill.sandbox import plans
from payfulfill.sandbox.state import Json
from payfulfill.sandbox.versions import OLD_VERSION


class Disturbance(StrEnum):
    """What can go wrong between a change and the webhook that tells of it.

    Each strikes one event, at every endpoint that gets it. Whatever is delivered, the API shows
    the event as it is, and `resend` sends it so. `ROWS` says it all in a table.
    """

    DUPLICATE = "duplicate"
    """Delivered twice, back to back, each freshly signed; each is retried by itself."""
    DELAY = "delay"
    """Delivered some seconds later, on the sandbox's clock."""
    REORDER = "reorder"
    """Held back until right after the endpoint's next event that isn't held back itself; if none
    comes, until `flush`, which then delivers it last, or for some seconds on the sandbox's
    clock."""
    DROP = "drop"
    """Delivered to nobody, and never retried; List Events has it, as undelivered."""
    MISSING = "missing"
    """Never generated: List Events has nothing of it, and nobody is told."""
    TWIN = "twin"
    """Two events, with ids of their own, tell of the one change; both are delivered."""
    OLD_VERSION = "old_version"
    """Delivered in the shape of an older API version, whatever the endpoint asked for."""
    LIVE = "live"
    """Delivered as one about real money, in every attempt: `livemode` is true."""
    OTHER_ACCOUNT = "other_account"
    """Delivered as one of a connected account, in every attempt: `account` names it."""
    GARBAGE = "garbage"
    """The first attempt is well signed, but its body breaks off and isn't JSON. If it is refused,
    the retries are sound."""
    FORGED = "forged"
    """The first attempt has the right body, signed with a secret that isn't the endpoint's. If it
    is refused, the retries are sound."""
    STALE = "stale"
    """The first attempt was signed an hour ago, as one that somebody recorded and plays again. If
    it is refused, the retries are sound."""


@dataclass(frozen=True, slots=True)
class Slip:
    """What is wrong with a single attempt.

    Attributes:
        garbled: Its body breaks off.
        forged: It is signed with another secret.
        age: Seconds by which its timestamp lies in the past.
    """

    garbled: bool = False
    forged: bool = False
    age: int = 0


def _as_it_is(event: Json) -> Json:
    return event


def _live(event: Json) -> Json:
    thing = event["data"]["object"]
    if "livemode" in thing:
        thing = {**thing, "livemode": True}
    return {**event, "livemode": True, "data": {**event["data"], "object": thing}}


def _of_another_account(event: Json) -> Json:
    return {**event, "account": _OTHER_ACCOUNT}


_OTHER_ACCOUNT: Final = "acct_1SbxSomebodyElse"


@dataclass(frozen=True, slots=True)
class Effect:
    """What becomes of an event. The defaults are what becomes of one that nothing disturbs.

    Attributes:
        events: How many Event objects tell of the change.
        copies: How many deliveries go to each endpoint.
        late: They come some seconds later.
        held: They come after the endpoint's next event.
        old: They are in an older API version.
        content: What they say, given the event as it is.
        first: What is wrong with the first attempt of each.
    """

    events: int = 1
    copies: int = 1
    late: bool = False
    held: bool = False
    old: bool = False
    content: Callable[[Json], Json] = _as_it_is
    first: Slip = Slip()


ROWS: Final[Mapping[Disturbance, Effect]] = {
    Disturbance.DUPLICATE: Effect(copies=2),
    Disturbance.DELAY: Effect(late=True),
    Disturbance.REORDER: Effect(held=True),
    Disturbance.DROP: Effect(copies=0),
    Disturbance.MISSING: Effect(events=0),
    Disturbance.TWIN: Effect(events=2),
    Disturbance.OLD_VERSION: Effect(old=True),
    Disturbance.LIVE: Effect(content=_live),
    Disturbance.OTHER_ACCOUNT: Effect(content=_of_another_account),
    Disturbance.GARBAGE: Effect(first=Slip(garbled=True)),
    Disturbance.FORGED: Effect(first=Slip(forged=True)),
    Disturbance.STALE: Effect(first=Slip(age=3600)),
}
"""What each disturbance does to an event."""


@dataclass(frozen=True, slots=True)
class PlannedDisturbance:
    """Events that are to be disturbed.

    Attributes:
        event_type: Such as `payment_intent.succeeded` or `charge.*`; `*` for any.
        times: How many events still; None for no end.
        share: Which part of them, from 0 to 1; None for each.
        seconds: How long `DELAY` takes, and `REORDER` at most.
        version: The API version of `OLD_VERSION`.
    """

    event_type: str
    disturbance: Disturbance
    times: int | None = 1
    share: float | None = None
    seconds: float = 10.0
    version: str = OLD_VERSION


@dataclass(frozen=True, slots=True)
class Fate:
    """What one event meets; `disturbance` None: all goes well."""

    disturbance: Disturbance | None = None
    seconds: float = 0.0
    version: str | None = None

    @property
    def effect(self) -> Effect:
        """What that does to it."""
        return Effect() if self.disturbance is None else ROWS[self.disturbance]


class Plan(plans.Plan[PlannedDisturbance]):
    """The disturbances still to come."""

    def __init__(self, seed: int) -> None:
        super().__init__(f"{seed}:disturbances")

    def draw(self, event_type: str) -> Fate:
        """What this event meets; it counts as met."""
        planned = self.take(lambda each: fnmatchcase(event_type, each.event_type))
        if planned is None:
            return Fate()
        version = planned.version if ROWS[planned.disturbance].old else None
        return Fate(planned.disturbance, planned.seconds, version)
