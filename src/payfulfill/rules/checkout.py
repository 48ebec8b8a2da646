"""What Stripe's own page, Checkout, adds to a payment: sessions, discounts and taxes. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from payfulfill.facts import COMPLETE, EXPIRED, OPEN, SUCCEEDED, intents, sessions
from payfulfill.models import Facts, Payment

Fact = Mapping[str, Any]


class Sales(NamedTuple):
    """What the Checkout sessions of a payment tell of its intents.

    Attributes:
        flexible: Whether the host allowed discounts or taxes, so that the amount may differ.
        open: The sessions that can still be paid, by id.
        done: What is known of the completed session, by the intent that paid it; by its own id
            where it asked for no money.
        past: The intents that failed to settle, or that are over: another page is in use.
        over: The intents that nobody can pay any more, though Stripe has them open.
        free: The completed sessions that asked for no money, as intents that were paid.
        under_way: Whether a buyer is done, and the payment is to settle later.
        any: Whether there are sessions.
    """

    flexible: bool
    open: Mapping[str, Fact]
    done: Mapping[str, Fact]
    past: frozenset[str]
    over: frozenset[str]
    free: Sequence[tuple[str, Fact]]
    under_way: bool
    any: bool

    def waits(self, intent_id: str, intent: Fact) -> bool:
        """Whether only its session will tell if what was paid by an intent is what was asked."""
        return self.flexible and intent["status"] == SUCCEEDED and intent_id not in self.done


_NO_SALES: Final = Sales(
    flexible=False,
    open={},
    done={},
    past=frozenset(),
    over=frozenset(),
    free=(),
    under_way=False,
    any=False,
)


def sales(payment: Payment, facts: Facts) -> Sales:
    """What the Checkout sessions in `facts` tell of a payment."""
    every = sessions(facts)
    flexible = any(_allowances(payment))
    if not every:
        return _NO_SALES._replace(flexible=True) if flexible else _NO_SALES
    done, free = {}, []
    for id, session in every:
        if session["status"] != COMPLETE:
            continue
        if _asked_for_nothing(session):
            done[id] = session
            free.append((id, _as_intent(session)))
        else:
            done[session.get("intent", [id])[0]] = session
    # Where a delayed payment failed, another session can be opened: it is all over only once that
    # one has expired.
    expired = any(session["status"] == EXPIRED for _, session in every)
    past = frozenset(_past([session for _, session in every]))
    return Sales(
        flexible,
        # A page that somebody else opened for it is not ours to close, so it holds up nothing.
        {id: one for id, one in every if one["status"] == OPEN and payment.ui == "checkout"},
        done,
        past,
        past if expired else frozenset(),
        free,
        under_way=any(is_under_way(session) for _, session in every),
        any=True,
    )


def _past(every: list[Fact]) -> Iterator[str]:
    """The intents of sessions that expired, or whose payment failed to settle."""
    for session in every:
        if session["status"] == EXPIRED or is_failed(session):
            yield from session.get("intent", ())


def _asked_for_nothing(session: Fact) -> bool:
    """Whether a completed session was not paid by an intent. It can have one all the same: a card
    was declined before a promotion code took the whole price off."""
    paid = session["payment"]
    return paid == "no_payment_required" or (paid == "paid" and "intent" not in session)


def _as_intent(session: Fact) -> Fact:
    intent = {name: session[name] for name in ("currency", "account", "livemode")}
    paid_at = {"paid_at": session["completed_at"]} if "completed_at" in session else {}
    return {**intent, **paid_at, "status": SUCCEEDED, "amount_received": 0}


def is_failed(session: Fact) -> bool:
    """Whether a payment that was to settle later came to nothing."""
    return "failed" in session and session["payment"] == "unpaid"


def is_under_way(session: Fact) -> bool:
    """Whether the buyer is done, and the payment is to settle later."""
    return (
        session["status"] == COMPLETE and session["payment"] == "unpaid" and "failed" not in session
    )


def differs(payment: Payment, intent: Fact, session: Fact | None) -> bool:
    """Whether an intent asks for another amount than was quoted, or took another.

    Where the host allowed discounts or taxes it may, and while the page is open it may change: what
    was taken must be what the session asked for in the end, and that must follow from the quote.

    Args:
        payment: The payment.
        intent: What is known of its intent.
        session: What is known of the completed session that it paid, if any.
    """
    received = [intent["amount_received"]] if intent["status"] == SUCCEEDED else []
    if not any(_allowances(payment)):
        # Every amount this intent speaks of; a charge, seen alone, speaks of none.
        return bool({*intent.get("amount", ()), *received} - {payment.amount.amount})
    if session is None:
        return False
    return any([amount] != session["total"] for amount in received) or not _follows(
        payment, session
    )


def _follows(payment: Payment, session: Fact) -> bool:
    """Whether a session's total follows from the quote, by what the host allowed."""
    fields = [session[name] for name in ("total", "discount", "tax")]
    if any(len(values) != 1 for values in fields):
        return False
    (total,), (discount,), (tax,) = fields
    discounts, taxes = _allowances(payment)
    if (discount and not discounts) or (tax and not taxes):
        return False
    # A tax is added to the price, or is a part of it: https://docs.stripe.com/tax/tax-rates
    return total in (payment.amount.amount - discount, payment.amount.amount - discount + tax)


def _allowances(payment: Payment) -> tuple[bool, bool]:
    """Whether the host allowed discounts, and whether taxes, when it opened Stripe's page."""
    if payment.attempt is None or payment.attempt.ui != "checkout":
        return False, False
    asked = payment.attempt.parameters
    discounts = bool(asked.get("allow_promotion_codes") or asked.get("discounts"))
    return discounts, bool(asked.get("automatic_tax", {}).get("enabled"))


def unexplained(payment: Payment) -> str | None:
    """The intent that was paid, of which only its Checkout session will tell whether the amount is
    what was asked for; None if there is none."""
    if payment.ui != "checkout":
        return None
    told = sales(payment, payment.facts)
    waiting = (id for id, intent in intents(payment.facts) if told.waits(id, intent))
    return next(waiting, None)
