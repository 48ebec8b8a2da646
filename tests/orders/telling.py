"""Life stories of payments, told at Stripe: what happens, and which events tell of it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final, Unpack

from tests.orders.looking import Ending, Tables

from payfulfill import Buyer, PaymentService, Policy, Product, ProductRef, StaticCatalog, Terms
from payfulfill.models import Payment, PaymentStatus
from payfulfill.money import Money
from payfulfill.payments.ways import Options
from payfulfill.ports import UnitOfWork
from payfulfill.pricing import FixedPrice
from payfulfill.stores import MemoryStore
from payfulfill.testing import (
    AsyncFakeGateway,
    AsyncManualClock,
    Delivery,
    EventFactory,
    FakeGateway,
    ManualClock,
)
from payfulfill.testing.objects import failed_charge, fraud_warning, radar_review, succeeded_charge

SECRET: Final = "whsec_orders"
ADA: Final = Buyer("ada")
DESIGN: Final = ProductRef("design", "42")
PRICE: Final = 4000
CATALOG: Final = StaticCatalog(
    [Product(ref=DESIGN, title="Poster", pricing=FixedPrice(Money(PRICE, "USD")), terms=Terms())]
)


Changes = list[tuple[str, Any]]
"""Types of events, and the objects that they tell of."""


@dataclass(frozen=True)
class Told:
    """An event.

    Attributes:
        delivery: The webhook.
        twin: The same change under another event's id, as Stripe sends it now and then.
        since: From which of Stripe's states on it can arrive.
    """

    delivery: Delivery
    twin: Delivery
    since: int

    @property
    def name(self) -> str:
        """What it is called in a failure."""
        return f"{self.delivery.event['type']}@{self.since}"


class Stripe(FakeGateway):
    """Stripe at any of its states in a story."""

    def __init__(self, clock: ManualClock | AsyncManualClock) -> None:
        super().__init__(clock=clock)
        self.states: list[dict[str, Any]] = []

    def remember(self) -> int:
        """Keeps what it is like now; under which number."""
        held = {name: vars(self)[name] for name in ("_intents", "_refunds", "_disputes")}
        held["_sessions"] = self.checkout._sessions
        self.states.append(copy.deepcopy(held))
        return len(self.states) - 1

    @property
    def is_paid(self) -> bool:
        """Whether anything was paid as yet, or there was nothing to pay."""
        pages = [one["payment_status"] for one in self.checkout._sessions.values()]
        intents = [one["status"] for one in self._intents.values()]
        return "succeeded" in intents or "no_payment_required" in pages

    def show(self, state: int) -> None:
        """Answers reads as it did then. Nothing is changed any more."""
        then = self.states[state]
        vars(self).update({name: then[name] for name in ("_intents", "_refunds", "_disputes")})
        vars(self.checkout).update(_intents=then["_intents"], _sessions=then["_sessions"])
        self.calls.clear()


class AsyncStripe(Stripe, AsyncFakeGateway):
    """The same for async services."""


class Teller:
    """Tells a story: each step changes Stripe, and notes the events of it."""

    def __init__(self, policy: Policy, buyer: Buyer = ADA) -> None:
        self.policy = policy
        self.buyer = buyer
        self.clock = ManualClock()
        self.stripe = Stripe(self.clock)
        self.factory = EventFactory(SECRET, clock=self.clock)
        self.store = MemoryStore()
        self.payments: list[Payment] = []
        self.events: list[Told] = []
        self.service = PaymentService(
            store=self.store,
            gateway=self.stripe,
            catalog=CATALOG,
            clock=self.clock,
            policy=policy,
        )

    # --- steps -------------------------------------------------------------------------------

    def buy(self) -> str:
        """A payment is opened; its intent's id."""
        payment = self.service.create(self.buyer, DESIGN).payment
        self.payments.append(payment)
        assert payment.intent_id is not None
        self._tell(("payment_intent.created", self._intent(payment.intent_id)))
        return payment.intent_id

    def buy_again(self) -> str:
        """Another payment for the same thing, as if the first had never been."""

        async def free(uow: UnitOfWork) -> None:
            await uow.slots.put(self.buyer.id, DESIGN, None)

        self.store.run(free)
        return self.buy()

    def open_page(self, **options: Unpack[Options]) -> str:
        """A payment is opened on Stripe's own page, or another page of the one that is open, of
        which no event tells; its session's id."""
        asked: Options = {"ui": "checkout", "success_url": "https://shop.example/", **options}
        made = self.service.create(self.buyer, DESIGN, **asked)
        self.payments = [one for one in self.payments if one.id != made.payment.id]
        self.payments.append(made.payment)
        return str(made.url).rpartition("/")[2]

    def pay_page(
        self, session: str, *, later: bool = False, discount: int = 0, tax: int = 0
    ) -> str:
        """The buyer pays on Stripe's page, or begins to; the intent's id, if there was any money
        to be paid."""
        first = self._is_untried(session)
        intent = self.stripe.checkout.pay(session, later=later, discount=discount, tax=tax)
        told: Changes = []
        if intent is not None:
            told += self._created(intent) if first else []
            told += self._begun(intent) if later else self._paid(intent)
        self._tell(*told, ("checkout.session.completed", self._session(session)))
        return intent or ""

    def decline_page(self, session: str) -> str:
        """The bank says no, and the buyer stays on Stripe's page; the intent's id."""
        first = self._is_untried(session)
        intent = self.stripe.checkout.decline(session, "No.")
        self._tell(*(self._created(intent) if first else []), *self._declined(intent))
        return intent

    def expire_page(self, session: str) -> None:
        """Time runs out."""
        tried = not self._is_untried(session)
        self.stripe.checkout.expire(session)
        told = [("checkout.session.expired", self._session(session))]
        if tried:
            intent = self._session(session)["payment_intent"]
            told.append(("payment_intent.canceled", self._intent(intent)))
        self._tell(*told)

    def decline(self, intent: str) -> None:
        """The bank says no."""
        self.stripe.decline(intent, "No.")
        self._tell(*self._declined(intent), *self._settled(intent, "async_payment_failed"))

    def process(self, intent: str) -> None:
        """The bank takes its time."""
        self.stripe.process(intent)
        self._tell(*self._begun(intent))

    def act(self, intent: str) -> None:
        """The bank asks for more."""
        self.stripe.require_action(intent)
        self._tell(("payment_intent.requires_action", self._intent(intent)))

    def succeed(self, intent: str) -> None:
        """The buyer pays."""
        self.stripe.succeed(intent)
        self._tell(*self._paid(intent), *self._settled(intent, "async_payment_succeeded"))

    def cancel(self, intent: str) -> None:
        """The intent is given up."""
        self.stripe.expire(intent)
        self._tell(("payment_intent.canceled", self._intent(intent)))

    def refund(self, intent: str, amount: int | None = None, status: str = "succeeded") -> str:
        """Somebody refunds it in the dashboard; the refund's id."""
        made = self.stripe.refund_elsewhere(intent, amount, status=status)
        self._tell(("refund.created", self.stripe.refunds[made]), self._charge_refunded(intent))
        return made

    def settle(self, refund: str, status: str) -> None:
        """A bank says what became of a refund."""
        self.stripe.settle_refund(refund, status)
        type_ = "refund.failed" if status == "failed" else "refund.updated"
        self._tell((type_, self.stripe.refunds[refund]))

    def dispute(self, intent: str, *, inquiry: bool = False, amount: int = PRICE) -> str:
        """A bank questions it, and takes the money unless it only asks; the dispute's id."""
        status = "warning_needs_response" if inquiry else "needs_response"
        made = self.stripe.open_dispute(intent, status=status, amount=amount)
        told = [("charge.dispute.created", self.stripe.disputes[made])]
        if not inquiry:
            self.stripe.change_dispute(made, moved_by=-amount)
            told.append(("charge.dispute.funds_withdrawn", self.stripe.disputes[made]))
        self._tell(*told)
        return made

    def answer(self, dispute: str) -> None:
        """The shop sends its evidence."""
        self.stripe.change_dispute(dispute, status="under_review")
        self._tell(("charge.dispute.updated", self.stripe.disputes[dispute]))

    def close(self, dispute: str, status: str) -> None:
        """The bank decides."""
        self.stripe.change_dispute(dispute, status=status)
        self._tell(("charge.dispute.closed", self.stripe.disputes[dispute]))

    def win(self, dispute: str, *, late: bool = False) -> None:
        """The money comes back: with the bank's decision, or long after another one."""
        amount = self.stripe.disputes[dispute]["amount"]
        self.stripe.change_dispute(dispute, status="won", moved_by=amount)
        held = self.stripe.disputes[dispute]
        first = "charge.dispute.updated" if late else "charge.dispute.closed"
        self._tell((first, held), ("charge.dispute.funds_reinstated", held))

    def warn(self, intent: str) -> None:
        """A card network fears fraud."""
        warning = fraud_warning(f"issfr_{intent}", self._intent(intent), created=self._now())
        self._tell(("radar.early_fraud_warning.created", warning))

    def doubt(self, intent: str) -> None:
        """Radar wants a person to look, who does."""
        review = radar_review(f"prv_{intent}", self._intent(intent), created=self._now())
        self._tell(("review.opened", review))
        self._tell(("review.closed", {**review, "open": False, "closed_reason": "approved"}))

    # --- telling -----------------------------------------------------------------------------

    def _intent(self, intent: str) -> dict[str, Any]:
        held = dict(self.stripe.intents[intent])
        charge = held["latest_charge"]
        return {**held, "latest_charge": charge["id"] if charge else None}

    def _session(self, session: str) -> dict[str, Any]:
        return dict(self.stripe.checkout.sessions[session])

    def _is_untried(self, session: str) -> bool:
        """Whether nobody has confirmed on that page as yet."""
        return self._session(session)["payment_intent"] is None

    def _created(self, intent: str) -> Changes:
        """A page makes its intent when it is confirmed for the first time."""
        new = {"status": "requires_payment_method", "amount_received": 0}
        held = {**self._intent(intent), **new, "latest_charge": None, "last_payment_error": None}
        return [("payment_intent.created", held)]

    def _begun(self, intent: str) -> Changes:
        return [("payment_intent.processing", self._intent(intent))]

    def _paid(self, intent: str) -> Changes:
        held = self._intent(intent)
        charge = succeeded_charge(held, created=self._now())
        return [("charge.succeeded", charge), ("payment_intent.succeeded", held)]

    def _declined(self, intent: str) -> Changes:
        held = self._intent(intent)
        charge = failed_charge(held, message="No.", created=self._now())
        return [("charge.failed", charge), ("payment_intent.payment_failed", held)]

    def _settled(self, intent: str, how: str) -> Changes:
        """What is told of the page on which a payment was begun that settled later."""
        session = self.stripe.checkout.of_intent(intent)
        return [] if session is None else [(f"checkout.session.{how}", dict(session))]

    def _charge_refunded(self, intent: str) -> tuple[str, dict[str, Any]]:
        held = self._intent(intent)
        back = sum(
            one["amount"]
            for one in self.stripe.refunds.values()
            if one["payment_intent"] == intent and one["status"] not in ("failed", "canceled")
        )
        charge = succeeded_charge(held, created=self._now())
        charge.update(amount_refunded=back, refunded=back == held["amount"])
        return "charge.refunded", charge

    def _now(self) -> int:
        return int(self.clock.now().timestamp())

    def _tell(self, *told: tuple[str, Any]) -> None:
        """Stripe is in a new state, of which these events tell. Two states share a second: nobody
        can tell them apart by it."""
        state = self.stripe.remember()
        for type_, thing in told:
            delivery, twin = (self.factory.about(type_, thing) for _ in range(2))
            self.events.append(Told(delivery, twin, state))
        self.clock.advance(timedelta(seconds=1 - state % 2))


@dataclass(frozen=True)
class Story:
    """A life story.

    Attributes:
        name: What it is called.
        tell: Tells it.
        access: The code of the buyer's access in the end.
        statuses: Where the payments stand then.
        reviews: Which reviews are open then.
        policy: The shop's.
        lost: Whether the answer was lost that told of the intent: at first only its own metadata
            says whose it is.
    """

    name: str
    tell: Callable[[Teller], object]
    access: str
    statuses: Sequence[str]
    reviews: Sequence[str] = ()
    policy: Policy = field(default_factory=Policy)
    lost: bool = False

    @property
    def ending(self) -> Ending:
        """How it ends."""
        return Ending(self.access, tuple(self.statuses), tuple(self.reviews))

    @property
    def earns(self) -> bool:
        """Whether what was paid is ever what was asked for."""
        return "review" not in self.statuses

    def told(self, buyer: Buyer = ADA) -> Teller:
        """Tells it, of a buyer."""
        teller = Teller(self.policy, buyer)
        self.tell(teller)
        return teller

    def opening(self, teller: Teller) -> Tables:
        """What the shop holds once the payments are opened, before any event."""
        tables = {name: dict(rows) for name, rows in teller.store._tables.items()}
        if self.lost:
            for key, payment in tables["payments"].items():
                tables["payments"][key] = replace(
                    payment,
                    status=PaymentStatus.CREATED,
                    intent_id=None,
                    intent_status=None,
                    last_error=None,
                    facts={},
                )
            ours = {payment.id for payment in teller.payments}
            tables["refs"] = {id: one for id, one in tables["refs"].items() if id in ours}
        return tables
