"""The life of a payment method: who may pay with it, and how often."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum, auto
from typing import Final

from payfulfill.sandbox import cards, events, references
from payfulfill.sandbox.cards import Reply
from payfulfill.sandbox.errors import (
    CardDeclined,
    InvalidParameter,
    NotFound,
    no_such_reference,
)
from payfulfill.sandbox.operations import Call
from payfulfill.sandbox.paging import page
from payfulfill.sandbox.payment_methods.fields import create
from payfulfill.sandbox.state import Json, State
from payfulfill.sandbox.updates import update

# --- The table -----------------------------------------------------------------------------


class Standing(Enum):
    """Whose a payment method is."""

    NEW = auto()  # nobody's yet
    KEPT = auto()  # a customer's: it is attached
    SPENT = auto()  # nobody's any more: it was used once, or detached


class Verb(Enum):
    """What can be done with one."""

    USE = auto()  # pay with it; with `setup_future_usage` and a customer, that keeps it too
    KEEP = auto()  # attach it to a customer
    CHANGE = auto()  # update it
    DROP = auto()  # detach it


NEXT: Final[Mapping[Standing, Mapping[Verb, Standing]]] = {
    Standing.NEW: {Verb.USE: Standing.SPENT, Verb.KEEP: Standing.KEPT},
    Standing.KEPT: {
        Verb.USE: Standing.KEPT,
        Verb.CHANGE: Standing.KEPT,
        Verb.DROP: Standing.SPENT,
    },
    Standing.SPENT: {},
}
"""Where each verb leads. What isn't there is refused."""

_NOT_SAVED: Final = "You must save this PaymentMethod to a customer before you can update it."
_NOT_ATTACHED: Final = (
    "The payment method you provided is not attached to a customer so detachment is impossible."
)
REFUSALS: Final[Mapping[tuple[Standing, Verb], str]] = {
    (Standing.NEW, Verb.CHANGE): _NOT_SAVED,
    (Standing.NEW, Verb.DROP): _NOT_ATTACHED,
    (Standing.KEPT, Verb.KEEP): (
        "The payment method you provided has already been attached to a customer."
    ),
    (Standing.SPENT, Verb.USE): (
        "The provided PaymentMethod was previously used with a PaymentIntent without Customer "
        "attachment, shared with a connected account without Customer attachment, or was detached "
        "from a Customer. It may not be used again. To use a PaymentMethod multiple times, you "
        "must attach it to a Customer first."
    ),
    (Standing.SPENT, Verb.KEEP): (
        "This PaymentMethod was previously used without being attached to a Customer or was "
        "detached from a Customer, and may not be used again."
    ),
    (Standing.SPENT, Verb.CHANGE): _NOT_SAVED,
    (Standing.SPENT, Verb.DROP): _NOT_ATTACHED,
}
"""What Stripe says to what isn't in the table."""


def standing(state: State, method: Json) -> Standing:
    """Whose it is."""
    if method["customer"] is not None:
        return Standing.KEPT
    return Standing.SPENT if method["id"] in state.spent else Standing.NEW


def following(state: State, method: Json, verb: Verb) -> Standing:
    """Whose it will be.

    Raises:
        InvalidParameter: that can't be done with it now.
    """
    now = standing(state, method)
    if verb not in NEXT[now]:
        raise InvalidParameter(REFUSALS[now, verb])
    return NEXT[now][verb]


# --- Paying with it ------------------------------------------------------------------------


def named(state: State, reference: str, param: str = "payment_method") -> Json:
    """The payment method that a parameter names: by its id, or by a `pm_card_...` name.

    Raises:
        InvalidParameter: it names none.
    """
    if reference in state.payment_methods:
        return state.payment_methods[reference]
    card = cards.by_name(reference)
    if card is None:
        raise no_such_reference("PaymentMethod", cards.without_number(reference), param)
    return create(state, card)


def usable(state: State, method: Json, customer: str | None) -> None:
    """Checks that an intent of `customer` (or of nobody) may be paid with it.

    Raises:
        InvalidParameter: it is another customer's, or spent.
    """
    following(state, method, Verb.USE)
    if method["customer"] in (None, customer):
        return
    if customer is not None:
        raise references.not_attached(method["id"], "payment_method")
    raise InvalidParameter(
        f"The `payment_method` parameter supplied {method['id']} belongs to the Customer "
        f"{method['customer']}. Please include the Customer in the `customer` parameter on the "
        "PaymentIntent.",
        param="payment_method",
    )


def use(state: State, method: Json, intent: Json) -> None:
    """Notes that an intent was paid with it, or soon will be: it is kept as agreed, or spent."""
    agreed, paid = intent["setup_future_usage"], intent["status"] == "succeeded"
    if agreed == "off_session" and paid:
        state.cards[method["id"]] = state.cards[method["id"]].set_up()
    if standing(state, method) is not Standing.NEW:
        return
    # Whoever was deleted meanwhile keeps nothing.
    keeper = "deleted" not in state.customers.get(intent["customer"], {"deleted": True})
    if agreed is None:
        state.spent.add(method["id"])
    elif paid and keeper:
        attach(state, method, intent["customer"])


def expired(state: State, method: Json) -> bool:
    """Whether it is a card that has expired since it was entered."""
    today = datetime.fromtimestamp(state.now, UTC)
    card = method.get("card")
    return card is not None and (card["exp_year"], card["exp_month"]) < (today.year, today.month)


# --- Keeping it ----------------------------------------------------------------------------


def attachable(state: State, method: Json) -> None:
    """Checks that a customer may keep it; the bank is asked too.

    Raises:
        InvalidParameter: it is a customer's already, or spent.
        CardDeclined: the bank said no.
    """
    following(state, method, Verb.KEEP)
    card = state.cards[method["id"]]
    if card.reply is Reply.NO and card.decline is not None and not card.attaches:
        decline = card.decline
        raise CardDeclined(decline.message, code=decline.code, decline_code=decline.decline_code)


def attach(state: State, method: Json, customer: str) -> Json:
    """Lets a customer keep it, who may: see `attachable`."""
    method["customer"] = customer
    if method["type"] == "card":
        method["card"]["checks"] = checked(state, method)
    events.emit(state, "payment_method.attached", method)
    return method


def checked(state: State, method: Json) -> Json:
    """What the bank says of the security code and the address, as far as they were given."""
    outcomes = state.cards[method["id"]].checks
    return {
        name: value and outcomes.get(name, "pass" if value == "unchecked" else value)
        for name, value in method["card"]["checks"].items()
    }


def detach(state: State, method: Json) -> Json:
    """Takes it from its customer, for ever."""
    customer = state.customers[method["customer"]]
    settings = customer["invoice_settings"]
    if settings["default_payment_method"] == method["id"]:
        changed = {**settings, "default_payment_method": None}
        update(state, "customer.updated", customer, {"invoice_settings": changed})
    state.spent.add(method["id"])
    return update(state, "payment_method.detached", method, {"customer": None})


LISTED_BY: Final = ("ending_before", "limit", "starting_after", "type")
"""The parameters that lists of payment methods take, of a customer's too."""


def of_customer(state: State, customer: str, call: Call, url: str) -> Json:
    """A page of what a customer keeps."""
    kind = call.params.get("type")
    return page(
        "payment_method",
        url,
        state.payment_methods,
        call.params,
        lambda each: each["customer"] == customer and kind in (None, each["type"]),
    )


def find_of(state: State, method_id: str, customer: str) -> Json:
    """A payment method of a customer.

    Raises:
        NotFound: the customer has none with this id.
    """
    method = state.payment_methods.get(method_id)
    if method is None or method["customer"] != customer:
        refusal = references.not_attached(cards.without_number(method_id), "payment_method")
        raise NotFound(refusal.message, code=refusal.code, param=refusal.param)
    return method
