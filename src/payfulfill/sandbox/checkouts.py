"""`Sandbox.checkout`: what a buyer does on Checkout's page, and what it reckons with."""

from __future__ import annotations

from copy import deepcopy
from decimal import Decimal
from typing import Any, Final

from payfulfill.sandbox import cards, checkout, payment_intents, payment_methods, promotions
from payfulfill.sandbox.checkout import Buyer
from payfulfill.sandbox.errors import UnexpectedState
from payfulfill.sandbox.state import Json, State

_EMAIL: Final = "buyer@example.com"


class Checkouts:
    """Checkout sessions, as buyers, banks and time move them.

    Every method returns the session as it is then, unless it says something else.
    """

    def __init__(self, state: State) -> None:
        self._state = state

    def pay(
        self,
        session_id: str,
        card: str = "4242424242424242",
        *,
        email: str = _EMAIL,
        name: str | None = None,
    ) -> Json:
        """The buyer fills in the page and pays; only now the session has a payment intent.

        Args:
            session_id: `cs_test_...`.
            card: A test card's number, or a `pm_card_...` or `pm_usBankAccount_...` name. Where
                there is nothing to pay, it isn't used.
            email: What they type, unless the shop has said it.
            name: The same, of their name.

        Returns:
            The session. It is still `open` if the bank wants to know who is paying: see
            `authenticate`. With a bank account it is `complete`, but `unpaid`: see `settle`.

        Raises:
            CardDeclined: the bank said no, or the number has a digit wrong; the session can be paid
                with another card.
            UnexpectedState: the session isn't open.
            NotFound: there is no such session.
            ApiError: the session doesn't take such a method, as with a bank account for euros.
            ValueError: that isn't one of Stripe's test cards.
        """
        chosen = cards.typed(card)
        with self._state.acting() as state:
            session = checkout.find(state, session_id)
            billing = payment_methods.billing_details({"email": email, "name": name})
            method = payment_methods.create(state, chosen, {"billing_details": billing})
            return deepcopy(checkout.confirm(state, session, method, Buyer(email, name)))

    def authenticate(self, session_id: str, *, succeed: bool = True) -> Json:
        """The buyer answers the bank's question (3-D Secure), well or badly.

        Raises:
            UnexpectedState: there was none.
            NotFound: there is no such session.
        """
        with self._state.acting() as state:
            session = checkout.find(state, session_id)
            payment_intents.authenticate(state, _intent_of(session), succeed=succeed)
            return deepcopy(session)

    def settle(self, session_id: str, *, succeed: bool | None = None) -> Json:
        """The bank debit that a session was paid with arrives, or bounces.

        Args:
            session_id: `cs_test_...`.
            succeed: None for what the payment method's name says.

        Raises:
            UnexpectedState: nobody waits for it.
            NotFound: there is no such session.
        """
        with self._state.acting() as state:
            session = checkout.find(state, session_id)
            payment_intents.settle(state, _intent_of(session), succeed=succeed)
            return deepcopy(session)

    def expire(self, session_id: str) -> Json:
        """Ends a session, as its time does.

        Raises:
            UnexpectedState: it isn't open.
            NotFound: there is no such session.
        """
        with self._state.acting() as state:
            return deepcopy(checkout.expire(state, checkout.find(state, session_id)))

    def apply_code(self, session_id: str, code: str | None) -> Json:
        """The buyer uses a promotion code, or takes it away again (None).

        Raises:
            ApiError: it can't be used here.
            NotFound: there is no such session.
        """
        with self._state.acting() as state:
            return deepcopy(checkout.apply_code(state, checkout.find(state, session_id), code))

    @property
    def totals(self) -> tuple[int, ...]:
        """What each session comes to, oldest first: of changes to it there is no event."""
        with self._state.acting() as state:
            return tuple(each["amount_total"] for each in state.checkout_sessions.values())

    def made(self, intent_id: str) -> bool:
        """Whether a payment intent was made by a checkout session."""
        with self._state.acting() as state:
            return intent_id in state.sold_by

    # --- What it reckons with ----------------------------------------------------------

    def add_promotion_code(
        self,
        code: str,
        *,
        percent_off: float | None = None,
        amount_off: int | None = None,
        currency: str | None = None,
    ) -> Json:
        """Makes a promotion code, and the coupon behind it.

        Args:
            code: What buyers type, such as `SPRING20`.
            percent_off: What it takes off: above 0, and 100 at most.
            amount_off: The same as an amount, in minor units of `currency`.
            currency: Of `amount_off`.

        Returns:
            The promotion code, `promo_...`.

        Raises:
            ApiError: it isn't to be had so, or there is one.
        """
        stated: dict[str, Any] = {
            "percent_off": percent_off,
            "amount_off": amount_off,
            "currency": currency,
        }
        params = {name: value for name, value in stated.items() if value is not None}
        with self._state.acting() as state:
            promotions.check_code(state, code)
            coupon = promotions.create_coupon(state, params)
            promotion = {"type": "coupon", "coupon": coupon["id"]}
            made = promotions.create_code(state, {"code": code, "promotion": promotion})
            return deepcopy(made)

    @property
    def tax_percent(self) -> Decimal:
        """The tax that sessions with `automatic_tax` reckon with, wherever the buyer is.

        It is 0 at first, as with Stripe for whoever is registered nowhere. Sessions take what it
        is when the buyer comes to the page.
        """
        return self._state.tax_percent

    @tax_percent.setter
    def tax_percent(self, percent: Decimal | float | str) -> None:
        value = Decimal(str(percent))
        if not 0 <= value <= 100:
            raise ValueError("a tax is 0 to 100 percent")
        with self._state.acting() as state:
            state.tax_percent = value


def _intent_of(session: Json) -> str:
    """The payment intent of a session.

    Raises:
        UnexpectedState: it has none yet.
    """
    intent: str | None = session["payment_intent"]
    if intent is None:
        raise UnexpectedState("Nothing was paid with this Checkout Session yet.")
    return intent
