"""A race is a scene that is played round after round, each with a buyer who is new."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from tests.races.calls import Answer, Call, answer, create
from tests.races.invariants import Books, check, read
from tests.races.shop import DESIGN, SECRET, LongAgo

from payfulfill import Buyer, Payment, ProductRef
from payfulfill.rules import refunds
from payfulfill.sandbox import Sandbox, UnexpectedState
from payfulfill.testing import Delivery, EventFactory
from payfulfill.webhooks import EVENT_TYPES

if TYPE_CHECKING:
    from tests.races.callers import Callers

_TRIES: Final = 5
_LOST: Final = ("store_unavailable", "unavailable")
"""How a store says that it was too busy, to a caller and to Stripe."""


@dataclass
class Tally:
    """What came of a race.

    Attributes:
        kind: The store, and who called.
        scene: What was played.
        rounds: How many rounds were played to their end.
        calls: How many calls were made in them at once.
        seconds: How long those calls took.
        again: How often callers were told to try again, by the word they were told.
        failed: Whether a round ended in what must not be.
    """

    kind: str
    scene: str
    rounds: int = 0
    calls: int = 0
    seconds: float = 0.0
    again: Counter[str] = field(default_factory=Counter)
    failed: bool = True

    @property
    def lost(self) -> int:
        """How often the store was too busy."""
        return sum(self.again[word] for word in _LOST)


class Round:
    """One round.

    Attributes:
        buyer: Whose it is; nobody else has called.
        lost: How many calls the store was too busy for. They were made again, so what they did may
            have been told to nobody.
    """

    def __init__(self, race: Race, buyer: Buyer) -> None:
        self.buyer = buyer
        self.lost = 0
        self._race = race
        self._heard: set[str] = set()

    def ask(self, call: Call) -> Any:
        """What one call gives, alone."""
        return self._race.callers.ask(call)

    def at_once(
        self, calls: Sequence[Call], *, beside: Callable[[], object] = lambda: None
    ) -> list[Answer]:
        """The answers to calls that start together, while something else happens `beside` them.
        Who is told to try again does so, after the others."""
        tally, began = self._race.tally, time.perf_counter()
        other = threading.Thread(target=beside)
        other.start()
        answers = self._race.callers.at_once(calls)
        other.join()
        tally.seconds += time.perf_counter() - began
        tally.calls += len(calls)
        return [self._settled(*both) for both in zip(calls, answers, strict=True)]

    def _settled(self, call: Call, given: Answer) -> Answer:
        for _ in range(_TRIES):
            if not given.again:
                break
            self._race.tally.again[given.word] += 1
            self.lost += given.word in _LOST
            given = self.ask(partial(answer, call))
        return given

    # --- what happens at Stripe --------------------------------------------------------------

    def opened(self, ref: ProductRef = DESIGN) -> Payment:
        """A payment that the buyer has opened."""
        id, _, _ = self.ask(create(self.buyer, ref)).value
        return self.payment(id)

    def paid(self, ref: ProductRef = DESIGN) -> Payment:
        """A payment that the buyer has paid, of which the shop was not told yet."""
        payment = self.opened(ref)
        self.pay(payment)
        return payment

    def pay(self, payment: Payment) -> None:
        """The buyer pays."""
        self._race.sandbox.pay(str(payment.intent_id), "4242424242424242")

    def try_to_pay(self, payment: Payment) -> None:
        """The buyer pays, unless it was canceled a moment before."""
        with suppress(UnexpectedState):
            self.pay(payment)

    def told(self, deliver: Callable[..., Delivery], payment: Payment, **options: Any) -> Delivery:
        """An event of Stripe's, by a method of `EVENTS`."""
        delivery = deliver(payment, **options)
        self._heard.add(delivery.event["id"])
        return delivery

    def intents(self) -> Sequence[Mapping[str, Any]]:
        """The buyer's intents, the newest first."""
        buyer_id = self.buyer.id
        return self._race.sandbox.objects(
            "payment_intent", matches=lambda intent: intent["metadata"].get("userId") == buyer_id
        )

    def happened(self, payment: Payment, type_: str) -> list[Delivery]:
        """What Stripe told of a payment in events of a type, as events of their own."""
        things = [
            event["data"]["object"]
            for event in self._race.sandbox.events()
            if event["type"] == type_
        ]
        return [
            self.told(lambda thing: EVENTS.about(type_, thing), thing)
            for thing in things
            if thing["payment_intent"] == payment.intent_id
        ]

    def sessions(self) -> Sequence[Mapping[str, Any]]:
        """The buyer's Checkout sessions, the newest first."""
        buyer_id = self.buyer.id
        return self._race.sandbox.objects(
            "checkout.session", matches=lambda one: one["metadata"].get("userId") == buyer_id
        )

    def open_sessions(self) -> list[str]:
        """Those that can be paid."""
        return [one["id"] for one in self.sessions() if one["status"] == "open"]

    def try_to_pay_page(self, session_id: str) -> None:
        """The buyer pays on Stripe's page, unless it was closed a moment before."""
        with suppress(UnexpectedState):
            self._race.sandbox.checkout.pay(session_id)

    def told_of_page(self, session_id: str) -> list[Delivery]:
        """What Stripe told of a page and its intent, as events of their own."""
        (session,) = [one for one in self.sessions() if one["id"] == session_id]
        named = (session_id, session["payment_intent"])
        events = [
            (event["type"], event["data"]["object"])
            for event in self._race.sandbox.events()
            if event["type"] in EVENT_TYPES
        ]
        return [
            self.told(partial(EVENTS.about, type_), thing)
            for type_, thing in events
            if thing["id"] in named or thing.get("payment_intent") in named[1:]
        ]

    def customers(self) -> Sequence[Mapping[str, Any]]:
        """The buyer's customers at Stripe that were not deleted, the newest first."""
        buyer_id = self.buyer.id
        return self._race.sandbox.objects(
            "customer",
            matches=lambda one: one.get("metadata", {}).get("payfulfill_buyer") == buyer_id,
        )

    def refunds(self, payment: Payment) -> Sequence[Mapping[str, Any]]:
        """The refunds of a payment that came to something, the newest first."""
        return self._race.sandbox.objects(
            "refund", matches=lambda refund: refund["payment_intent"] == payment.intent_id
        )

    # --- what the store has ------------------------------------------------------------------

    def payment(self, id: str) -> Payment:
        """A payment of the buyer's."""
        return self.look().payments[id]

    def books(self) -> Books:
        """All that the store has of the buyer, when all is quiet; and it is as it must be."""
        self._heard |= {
            f"refund:{id}:{one.id}"
            for id, payment in self.look().payments.items()
            for one in refunds(payment)
        }
        books = self.look()
        check(books, self.intents())
        return books

    def look(self) -> Books:
        """All that the store has of the buyer, whether or not all is done that is to be."""
        found: Books = self.ask(partial(read, buyer=self.buyer, events=sorted(self._heard)))
        return found


EVENTS: Final = EventFactory(SECRET)
EARLIER_EVENTS: Final = EventFactory(SECRET, clock=LongAgo())


@dataclass
class Race:
    """A scene at one kind of callers.

    Attributes:
        number: How many rounds there are,
        costly: and how many of those that are costly.
        many: How many callers there are at once,
        downloads: and how many that download.
        lenient: Whether there are more of them than the server can serve within the deadline.
    """

    callers: Callers
    sandbox: Sandbox
    tally: Tally
    number: int
    costly: int
    many: int
    downloads: int
    lenient: bool

    @property
    def workers(self) -> int:
        """How many workers there are at once,"""
        return self.many // 8

    @property
    def backlog(self) -> int:
        """and how many events that none of them has seen to."""
        return self.many // 4

    def rounds(self, *, costly: bool = False) -> Iterator[Round]:
        """As many rounds as were asked for, or as there is time for; fewer of them where each
        caller calls Stripe too."""
        for number in range(self.costly if costly else self.number):
            yield Round(self, Buyer(f"{self.tally.kind}, {self.tally.scene} {number}"))
            self.tally.rounds += 1
        self._check_lost()
        self.tally.failed = False

    def _check_lost(self) -> None:
        """A store that serves one writer after the other is never too busy; those where writers
        get into each other's way may be, now and then."""
        if self.lenient:
            return
        patient = self.tally.kind.startswith(("memory", "sqlite"))
        assert self.tally.lost <= (0 if patient else 1 + self.tally.calls // 200), self.tally
