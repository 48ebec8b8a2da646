"""The life of a session: the buyer confirms, what is being paid settles, or time runs out.

https://docs.stripe.com/payments/checkout/how-checkout-works#lifecycle and
https://docs.stripe.com/checkout/fulfillment draw it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, NamedTuple

from payfulfill.sandbox import customers, events, payment_intents, promotions, references, texts
from payfulfill.sandbox.checkout.basket import check_total, price_up
from payfulfill.sandbox.checkout.fields import details
from payfulfill.sandbox.errors import InvalidParameter, UnexpectedState, no_such
from payfulfill.sandbox.payment_intents import Confirmation, Step
from payfulfill.sandbox.state import Json, State


class Status(StrEnum):
    """Where a session stands, in Stripe's words."""

    OPEN = "open"
    COMPLETE = "complete"
    EXPIRED = "expired"


class Outcome(NamedTuple):
    """What a step of its payment intent makes of a session.

    Attributes:
        payment_status: In Stripe's words.
        event: What is told. It comes after the intent's own event.
    """

    payment_status: str
    event: str


_PAID: Final = Outcome("paid", "checkout.session.completed")

OUTCOMES: Final[Mapping[Step, Outcome]] = {
    Step.APPROVE: _PAID,
    Step.AUTHENTICATE: _PAID,
    Step.DEFER: Outcome("unpaid", "checkout.session.completed"),
    Step.SETTLE: Outcome("paid", "checkout.session.async_payment_succeeded"),
    Step.BOUNCE: Outcome("unpaid", "checkout.session.async_payment_failed"),
}
"""What becomes of a session with each step of its intent. After others it stays as it is: whoever
was declined tries again on the same page."""


def find(state: State, session_id: str) -> Json:
    """The session with this id.

    Raises:
        NotFound: there is none.
    """
    if session_id not in state.checkout_sessions:
        raise no_such("checkout.session", session_id, "session")
    return state.checkout_sessions[session_id]


def _check_open(session: Json) -> None:
    if session["status"] != Status.OPEN:
        raise UnexpectedState(
            f"This Checkout Session is {session['status']}: nothing can be paid with it any more."
        )


# --- What the buyer does -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Buyer:
    """What the buyer says of themselves on the page."""

    email: str | None = field(default=None, repr=False)
    name: str | None = field(default=None, repr=False)
    address: Json | None = field(default=None, repr=False)


def confirm(state: State, session: Json, method: Json | None, buyer: Buyer) -> Json:
    """The buyer confirms: only now there is a payment intent, which further attempts use again.

    https://docs.stripe.com/upgrades#2022-08-01

    Args:
        state: What the sandbox knows.
        session: What they buy.
        method: What they pay with; not needed where there is nothing to pay.
        buyer: Who they are.

    Returns:
        The session. While it is still open, the buyer has to authenticate.

    Raises:
        CardDeclined: the bank said no; the session is still open.
        InvalidParameter: it can't be paid with that method, or an email address is missing.
        UnexpectedState: it isn't open.
    """
    _check_open(session)
    email = _email(session, buyer)
    locate(state, session)
    if session["amount_total"] and method is None:
        raise InvalidParameter("Choose how to pay.", param="payment_method")
    session["customer_details"] = details(email, buyer.name, buyer.address)
    customer = _customer(state, session, buyer.name)
    if not session["amount_total"] or method is None:
        _complete(state, session, Outcome("no_payment_required", "checkout.session.completed"))
        return session
    intent = _intent(state, session, customer)
    payment_intents.confirm_with(state, intent, method, Confirmation(return_url=session["url"]))
    return session


def _email(session: Json, buyer: Buyer) -> str:
    """The buyer's address: what the shop knows goes before what they type."""
    known = session["customer_details"] or {}
    fixed = known.get("email") if session["customer"] or session["customer_email"] else None
    email = texts.email(fixed or buyer.email or known.get("email"), "email")
    if not email:
        raise InvalidParameter("Enter your email address.", param="email")
    return email


def _customer(state: State, session: Json, name: str | None) -> str | None:
    """The buyer as a customer, who is made at the first attempt if one is wanted.

    https://docs.stripe.com/api/checkout/sessions/create#create_checkout_session-customer_creation
    """
    email = session["customer_details"]["email"]
    if session["customer"] is None and session["customer_creation"] == "always":
        customer = customers.create(state, {"email": email, "name": name})
        session["customer"] = customer["id"]
    elif session["customer"] is not None:
        customers.learn_email(state, session["customer"], email)
    found: str | None = session["customer"]
    return found


def _intent(state: State, session: Json, customer: str | None) -> Json:
    """The payment intent, as it is to be paid now."""
    found = state.payment_intents.get(session["payment_intent"])
    if found is not None:
        found["amount"] = session["amount_total"]
        return found
    params: dict[str, Any] = {
        **state.baskets[session["id"]].intent_params,
        "amount": session["amount_total"],
    }
    if customer is not None:
        params["customer"] = references.customer(state, customer)["id"]
    intent = payment_intents.creation(state, params)
    state.payment_intents[intent["id"]] = intent
    state.sold_by[intent["id"]] = session["id"]
    session["payment_intent"] = intent["id"]
    events.emit(state, "payment_intent.created", intent)
    return intent


# --- Discounts and taxes -------------------------------------------------------------------


def apply_code(state: State, session: Json, typed: str | None) -> Json:
    """The buyer types a promotion code on the page, or takes it away again (None).

    Raises:
        InvalidParameter: it can't be used here.
        UnexpectedState: the session isn't open, or a payment is under way.
    """
    _check_open(session)
    if not session["allow_promotion_codes"]:
        raise InvalidParameter("This Checkout Session takes no promotion codes.", param="code")
    intent = state.payment_intents.get(session["payment_intent"])
    if intent is not None and intent["status"] == "requires_action":
        raise UnexpectedState("A payment is under way: answer your bank first.")
    if typed is None:
        return discount(state, session, None, None)
    code = promotions.by_code(state, typed)
    if code is None:
        raise InvalidParameter("This code is invalid.", code="resource_missing", param="code")
    coupon = promotions.coupon_named(state, code["promotion"]["coupon"], "code")
    return discount(state, session, coupon, code)


def discount(state: State, session: Json, coupon: Json | None, code: Json | None) -> Json:
    """Takes off what a coupon says, which is used by a promotion code or without one.

    Raises:
        InvalidParameter: it can't be used, or would leave less than Stripe takes.
    """
    if coupon is not None:
        sale = (session["amount_subtotal"], session["currency"])
        refused = promotions.why_not(state, coupon, code, customer=session["customer"], sale=sale)
        if refused is not None:
            raise InvalidParameter(refused, param="code")
    before = session["discounts"]
    session["discounts"] = [] if coupon is None else [_discount(coupon, code)]
    reckon(state, session)
    try:
        check_total(session["amount_total"], session["currency"])
    except InvalidParameter:
        session["discounts"] = before
        reckon(state, session)
        raise
    return session


def _discount(coupon: Json, code: Json | None) -> Json:
    if code is None:
        return {"coupon": coupon["id"], "promotion_code": None}
    return {"coupon": None, "promotion_code": code["id"]}


def _discounted_by(state: State, session: Json) -> tuple[Json | None, Json | None]:
    """The coupon and the promotion code that are applied."""
    if not session["discounts"]:
        return None, None
    (applied,) = session["discounts"]
    code = state.promotion_codes.get(applied["promotion_code"])
    coupon_id = applied["coupon"] if code is None else code["promotion"]["coupon"]
    return state.coupons.get(coupon_id), code


def locate(state: State, session: Json) -> None:
    """Notes that it is known where the buyer is, and so their tax, if tax is to be reckoned."""
    if session["automatic_tax"]["enabled"] and session["status"] == Status.OPEN:
        session["automatic_tax"]["status"] = "complete"
        reckon(state, session)


def reckon(state: State, session: Json) -> None:
    """Writes into the session and its line items what is to be paid."""
    coupon, _ = _discounted_by(state, session)
    located = session["automatic_tax"]["status"] == "complete"
    items = state.baskets[session["id"]].items
    session.update(price_up(items, coupon, state.tax_percent if located else Decimal(0)))


# --- What follows from the intent, and from time -------------------------------------------


def follow(state: State, intent: Json, step: Step) -> None:
    """Does with a session what a step of its intent makes of it."""
    session = state.checkout_sessions.get(state.sold_by.get(intent["id"], ""))
    if session is not None and step in OUTCOMES and session["status"] != Status.EXPIRED:
        _complete(state, session, OUTCOMES[step])


def _complete(state: State, session: Json, outcome: Outcome) -> None:
    if session["status"] == Status.OPEN:
        coupon, code = _discounted_by(state, session)
        if coupon is not None:
            promotions.redeem(coupon, code)
    session.update(payment_status=outcome.payment_status, status=Status.COMPLETE.value, url=None)
    events.emit(state, outcome.event, session)


def expire(state: State, session: Json) -> Json:
    """Ends an open session; an intent that was tried in vain is canceled.

    Raises:
        UnexpectedState: it isn't open.
    """
    if session["status"] != Status.OPEN:
        raise UnexpectedState(
            'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout '
            f"Session has a status of `{session['status']}`."
        )
    session.update(status=Status.EXPIRED.value, url=None)
    events.emit(state, "checkout.session.expired", session)
    intent = state.payment_intents.get(session["payment_intent"])
    if intent is not None:
        intent["cancellation_reason"] = "automatic"
        payment_intents.take(state, intent, Step.CANCEL)
    return session


def expire_in_time(state: State, session: Json) -> None:
    """Has the session expire by itself."""

    def end() -> None:
        with state.acting():
            if session["status"] == Status.OPEN:
                expire(state, session)

    state.timers.at(session["expires_at"], end)
