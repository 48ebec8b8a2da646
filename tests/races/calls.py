"""What people, Stripe and workers ask of a shop, as values that go to other processes too."""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from tests.races.shop import ADMIN, Shop

from payfulfill import Buyer, Money, ProductRef, WebhookOutcome
from payfulfill.colour import settle
from payfulfill.errors import PayfulfillError
from payfulfill.testing import Delivery

Call = Callable[[Shop], Awaitable[Any]]


@dataclass(frozen=True)
class Answer:
    """What a call gave or raised.

    Attributes:
        word: The error's code, what became of an event, or what the call gave.
        value: More of it: the ids that others may have got as well, or what went wrong.
        again: Whether the caller is to try again.
    """

    word: str
    value: Any = None
    again: bool = False


async def answer(call: Call, shop: Shop) -> Answer:
    """What a call answers, whatever it raises."""
    try:
        given: Answer = await call(shop)
    except PayfulfillError as error:
        return Answer(error.code, error.message, again=error.retryable)
    except Exception:  # it is no answer that a test allows
        return Answer("crashed", traceback.format_exc())
    return given


def create(buyer: Buyer, ref: ProductRef) -> Call:
    """The buyer clicks on "buy". Gives the payment, its intent and the client secret."""
    return partial(_create, buyer=buyer, ref=ref)


async def _create(shop: Shop, buyer: Buyer, ref: ProductRef) -> Answer:
    checkout = await settle(shop.payments.create(buyer, ref))
    payment = checkout.payment
    return Answer("checkout", (payment.id, payment.intent_id, checkout.client_secret))


def open_page(buyer: Buyer, ref: ProductRef) -> Call:
    """The buyer chooses Stripe's own page, as a customer of Stripe's. Gives the payment and the
    page."""
    return partial(_open_page, buyer=buyer, ref=ref)


async def _open_page(shop: Shop, buyer: Buyer, ref: ProductRef) -> Answer:
    checkout = await settle(
        shop.payments.create(
            buyer,
            ref,
            ui="checkout",
            success_url="https://shop.example/",
            setup_future_usage="on_session",
        )
    )
    return Answer("page", (checkout.payment.id, checkout.url))


def cancel(buyer: Buyer, payment_id: str) -> Call:
    """The buyer thinks better of it. Gives where the payment stands."""
    return partial(_cancel, buyer=buyer, payment_id=payment_id)


async def _cancel(shop: Shop, buyer: Buyer, payment_id: str) -> Answer:
    payment = await settle(shop.payments.cancel(payment_id, actor=buyer))
    return Answer(payment.status.value, payment.id)


def grant(buyer: Buyer, ref: ProductRef) -> Call:
    """Someone gives it to the buyer. Gives the payment."""
    return partial(_grant, buyer=buyer, ref=ref)


async def _grant(shop: Shop, buyer: Buyer, ref: ProductRef) -> Answer:
    payment = await settle(shop.payments.grant(buyer, ref, actor=ADMIN, reason="a present"))
    return Answer("granted", payment.id)


def refund(payment_id: str, amount: int | None, request_id: str) -> Call:
    """An admin gives money back. Gives which refund it is."""
    return partial(_refund, payment_id=payment_id, amount=amount, request_id=request_id)


async def _refund(shop: Shop, payment_id: str, amount: int | None, request_id: str) -> Answer:
    made = await settle(
        shop.payments.refund(
            payment_id,
            actor=ADMIN,
            amount=None if amount is None else Money(amount, "USD"),
            request_id=request_id,
        )
    )
    return Answer("refunded", made.stripe_id)


def customer(buyer: Buyer, gone: str | None = None) -> Call:
    """The buyer's customer is needed; `gone` is one that Stripe has no more. Gives which it is."""
    return partial(_customer, buyer=buyer, gone=gone)


async def _customer(shop: Shop, buyer: Buyer, gone: str | None) -> Answer:
    if gone is not None:
        await shop.customers.forget(buyer, gone)
    return Answer("customer", await shop.customers.ensure(buyer))


def sync(payment_id: str) -> Call:
    """An admin has Stripe asked how a payment stands. Gives that."""
    return partial(_sync, payment_id=payment_id)


async def _sync(shop: Shop, payment_id: str) -> Answer:
    payment = await settle(shop.payments.sync(payment_id, actor=ADMIN))
    return Answer(payment.status.value, payment.id)


def hear(delivery: Delivery, handler: str = "webhooks") -> Call:
    """Stripe sends an event. Gives the purchase."""
    return partial(_hear, body=delivery.body, signature=delivery.signature, handler=handler)


async def _hear(shop: Shop, body: bytes, signature: str, handler: str) -> Answer:
    return _become(await settle(getattr(shop, handler).handle(body, signature)))


def _become(outcome: WebhookOutcome) -> Answer:
    return Answer(outcome.kind.value, outcome.purchase_id, again=outcome.status_code == 503)


def work_through(handler: str) -> Call:
    """A worker takes up what is due. Gives what became of each event, by its id."""
    return partial(_work_through, handler=handler)


async def _work_through(shop: Shop, handler: str) -> Answer:
    outcomes = await settle(getattr(shop, handler).process_pending())
    return Answer("worked", {one.event_id: _become(one) for one in outcomes})


def download(buyer: Buyer, ref: ProductRef, id: str | None = None) -> Call:
    """The buyer downloads. Gives how many are left, and whether it was counted."""
    return partial(_download, buyer=buyer, ref=ref, id=id)


async def _download(shop: Shop, buyer: Buyer, ref: ProductRef, id: str | None) -> Answer:
    given = await settle(shop.access.download(buyer, ref, download_id=id))
    return Answer("counted" if given.counted else "free", given.remaining)
