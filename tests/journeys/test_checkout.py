"""Bought on Stripe's own page: from "buy" to "may download", and all that comes between."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.journeys.shop import (
    ADA,
    ADMIN,
    BAD_BANK_DEBIT,
    BANK_DEBIT,
    BROKE_CARD,
    DAY,
    DESIGN,
    FREEBIE,
    GOOD_CARD,
    KINDS,
    PRO,
    THANKS,
    Shop,
    usd,
)

from payfulfill.errors import (
    AlreadyOwned,
    GatewayFailed,
    GatewayUnavailable,
    InvalidRequest,
    NotCancelable,
    PaymentInReview,
    PaymentProcessing,
)
from payfulfill.models import Buyer, OutcomeKind, PaymentStatus, Product, Quote
from payfulfill.rules import charged

PENDING, SUCCEEDED, CANCELED = (
    PaymentStatus.PENDING,
    PaymentStatus.SUCCEEDED,
    PaymentStatus.CANCELED,
)


# --- buying ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_buying_on_stripes_page(shop: Shop) -> None:
    checkout = shop.open_page()
    assert (checkout.payment.status, checkout.client_secret, checkout.repeated) == (
        PENDING,
        None,
        False,
    )
    assert checkout.url is not None
    assert not shop.check().allowed
    (session,) = shop.sessions()
    assert session["client_reference_id"] == checkout.payment.id
    assert session["success_url"] == THANKS
    assert session["amount_total"] == 3999
    shop.pay_page(checkout)
    shop.catch_up()
    payment = shop.get(checkout)
    assert payment.status is SUCCEEDED
    assert shop.check().allowed
    (entry,) = shop.library()
    assert entry.purchase.amount == usd(3999)
    assert charged(payment) == (usd(3999), usd(0), usd(0))
    assert len(shop.hooked) == 1
    with pytest.raises(AlreadyOwned):
        shop.open_page()
    assert shop.payable() == []


def test_the_events_of_the_intent_alone_are_enough(shop: Shop) -> None:
    checkout = shop.open_page()
    shop.pay_page(checkout)
    assert shop.hear(shop.said("payment_intent.succeeded")).kind is OutcomeKind.DONE
    assert shop.check().allowed


def test_the_event_of_the_session_alone_is_enough(shop: Shop) -> None:
    checkout = shop.open_page()
    shop.pay_page(checkout)
    assert shop.hear(shop.said("checkout.session.completed")).kind is OutcomeKind.DONE
    assert shop.check().allowed
    assert shop.get(checkout).intent_id is not None


def test_who_comes_back_before_the_webhook_need_not_wait(shop: Shop) -> None:
    checkout = shop.open_page()
    shop.pay_page(checkout)
    found = shop.call(shop.payments.get, shop.session(checkout), actor=ADA)
    assert found.id == checkout.payment.id
    assert shop.sync(found, ADA).status is SUCCEEDED
    assert shop.check().allowed


def test_a_double_click_gets_the_same_page(shop: Shop) -> None:
    first, second = shop.open_page(), shop.open_page()
    assert second.url == first.url
    assert second.payment.id == first.payment.id
    assert (first.repeated, second.repeated) == (False, True)
    assert len(shop.sessions()) == 1


def test_64_clicks_at_once_get_one_page(shop: Shop) -> None:
    options = {"ui": "checkout", "success_url": THANKS}
    shop.buyers.add(ADA.id)
    found = shop.at_once([lambda: shop.payments.create(ADA, DESIGN, **options)] * 64)
    assert {one.url for one in found if not isinstance(one, Exception)} == {found[0].url}
    assert {type(one) for one in found if isinstance(one, Exception)} <= {GatewayUnavailable}
    assert len([one for one in shop.sessions() if one["status"] == "open"]) == 1


def test_what_is_free_needs_no_page(shop: Shop) -> None:
    checkout = shop.open_page(FREEBIE)
    assert (checkout.url, checkout.payment.status) == (None, SUCCEEDED)
    assert shop.sessions() == []


def test_a_pass_can_be_bought_again(shop: Shop) -> None:
    for _ in range(2):
        checkout = shop.open_page(PRO)
        shop.pay_page(checkout)
        shop.catch_up()
    assert len(shop.library()) == 2


@pytest.mark.parametrize("ui", ["elements", "checkout"])
def test_a_title_that_is_longer_than_stripe_takes(shop: Shop, ui: str) -> None:
    title = "Poster " * 700
    shop.shelf.change(DESIGN, title=title)
    if ui == "checkout":
        checkout = shop.open_page()
        shop.pay_page(checkout)
    else:
        checkout = shop.create()
        shop.pay(checkout)
    shop.catch_up()
    assert [entry.purchase.title for entry in shop.library()] == [title]


# --- declined, given up, expired ---------------------------------------------------------------


def test_declined_then_bought_on_the_same_page(shop: Shop) -> None:
    checkout = shop.open_page()
    shop.pay_page(checkout, BROKE_CARD)
    shop.catch_up()
    payment = shop.get(checkout)
    assert payment.status is PENDING
    assert "insufficient funds" in str(payment.last_error)
    assert shop.open_page().url == checkout.url
    shop.pay_page(checkout)
    shop.catch_up()
    assert shop.check().allowed


@pytest.mark.parametrize("tried", [True, False])
def test_a_page_that_expires_closes_the_payment(shop: Shop, tried: bool) -> None:
    checkout = shop.open_page()
    if tried:
        shop.pay_page(checkout, BROKE_CARD)
    shop.clock.advance(DAY + 60)
    shop.catch_up()
    assert shop.get(checkout).status is CANCELED
    again = shop.open_page()
    assert again.payment.id != checkout.payment.id
    shop.pay_page(again)
    shop.catch_up()
    assert shop.check().allowed


@pytest.mark.parametrize("tried", [True, False])
def test_nobody_told_that_the_page_expired(shop: Shop, tried: bool) -> None:
    checkout = shop.open_page()
    if tried:
        shop.pay_page(checkout, BROKE_CARD)
    shop.clock.advance(DAY + 60)
    again = shop.open_page()
    assert again.payment.id != checkout.payment.id
    assert shop.get(checkout).status is CANCELED


def test_a_page_does_not_outlive_the_quote(shop: Shop) -> None:
    """A quote runs a day by default; one that ends sooner ends the page, within Stripe's limits."""
    shop.open_page()
    (session,) = shop.sessions()
    assert session["expires_at"] == session["created"] + DAY


def test_canceling(shop: Shop) -> None:
    checkout = shop.open_page()
    assert shop.cancel(checkout, ADA).status is CANCELED
    (session,) = shop.sessions()
    assert session["status"] == "expired"
    shop.catch_up()
    assert shop.get(checkout).status is CANCELED


def test_canceling_after_a_declined_card(shop: Shop) -> None:
    checkout = shop.open_page()
    shop.pay_page(checkout, BROKE_CARD)
    shop.catch_up()
    assert shop.cancel(checkout, ADA).status is CANCELED
    assert [one["status"] for one in shop.intents().values()] == ["canceled"]


def test_canceling_what_was_just_paid(shop: Shop) -> None:
    checkout = shop.open_page()
    shop.pay_page(checkout)
    with pytest.raises(NotCancelable):
        shop.cancel(checkout, ADA)
    assert shop.check().allowed


@pytest.mark.parametrize("change", ["price", "ui", "ui after a declined card"])
def test_another_offer_closes_the_page_first(shop: Shop, change: str) -> None:
    checkout = shop.open_page()
    if change.endswith("card"):
        shop.pay_page(checkout, BROKE_CARD)
        shop.catch_up()
    if change == "price":
        shop.shelf.reprice(DESIGN, usd(2999))
        again = shop.open_page()
    else:
        again = shop.create()
        assert again.client_secret
    assert again.payment.id != checkout.payment.id
    assert shop.get(checkout).status is CANCELED
    assert len(shop.payable()) == 1


def test_from_the_shops_page_to_stripes(shop: Shop) -> None:
    checkout = shop.create()
    page = shop.open_page()
    assert page.payment.id != checkout.payment.id
    assert shop.get(checkout).status is CANCELED
    shop.pay_page(page)
    shop.catch_up()
    assert shop.check().allowed


def test_another_offer_when_the_page_was_paid_a_moment_ago(shop: Shop) -> None:
    checkout = shop.open_page()
    shop.pay_page(checkout)
    shop.shelf.reprice(DESIGN, usd(2999))
    with pytest.raises(AlreadyOwned):
        shop.open_page()
    assert shop.check().allowed


def test_a_product_off_sale_closes_the_page(shop: Shop) -> None:
    checkout = shop.open_page()
    shop.shelf.change(DESIGN, available=False)
    assert shop.sync(checkout).status is CANCELED
    assert shop.payable() == []


# --- methods that settle later -----------------------------------------------------------------


@pytest.mark.parametrize("told", [True, False])
def test_a_debit_that_arrives(shop: Shop, told: bool) -> None:
    checkout = shop.open_page()
    shop.pay_page(checkout, BANK_DEBIT)
    if told:
        shop.catch_up()
    else:
        shop.sync(checkout)
    payment = shop.get(checkout)
    assert (payment.status, payment.intent_status) == (PENDING, "processing")
    assert not shop.check().allowed
    with pytest.raises(PaymentProcessing):
        shop.open_page()
    with pytest.raises(PaymentProcessing):
        shop.cancel(checkout, ADA)
    with pytest.raises(PaymentProcessing):
        shop.create()
    shop.sandbox.checkout.settle(shop.session(checkout))
    if told:
        shop.catch_up()
    else:
        shop.sync(checkout)
    assert shop.get(checkout).status is SUCCEEDED
    assert shop.check().allowed


@pytest.mark.parametrize("wanted", ["the page", "the shop's own", "none"])
def test_a_voucher_that_is_to_be_paid_in_a_shop(shop: Shop, wanted: str) -> None:
    """The buyer is done with the page, though the intent is not `processing` yet."""
    checkout = shop.open_page()
    shop.pay_page(checkout, BANK_DEBIT)
    waits: Any = lambda answer: replace(answer, step="requires_action")  # noqa: E731  # each answer
    shop.gateway.after["retrieve_session"] += [waits] * 20
    calls: dict[str, Callable[[], Any]] = {
        "the page": shop.open_page,
        "the shop's own": shop.create,
        "none": lambda: shop.cancel(checkout, ADA),
    }
    with pytest.raises(PaymentProcessing):
        calls[wanted]()
    assert shop.get(checkout).status is PENDING
    shop.sandbox.checkout.settle(shop.session(checkout))
    shop.catch_up()
    assert shop.check().allowed


def test_the_session_alone_tells_that_the_bank_is_at_work(shop: Shop) -> None:
    checkout = shop.open_page()
    shop.pay_page(checkout, BANK_DEBIT)
    shop.hear(shop.said("checkout.session.completed"))
    assert shop.get(checkout).intent_status == "processing"


@pytest.mark.parametrize("told", [True, False])
def test_a_debit_that_bounces_can_be_paid_another_way(shop: Shop, told: bool) -> None:
    """The same payment is payable again, on a new page."""
    checkout = shop.open_page()
    shop.pay_page(checkout, BAD_BANK_DEBIT)
    shop.catch_up()
    shop.sandbox.checkout.settle(shop.session(checkout))
    if told:
        shop.catch_up()
        payment = shop.get(checkout)
        assert payment.status is PENDING
        assert payment.last_error
    again = shop.open_page()
    assert again.payment.id == checkout.payment.id
    assert again.url != checkout.url
    assert shop.open_page().url == again.url
    shop.pay_page(again)
    shop.catch_up()
    payment = shop.get(checkout)
    assert payment.status is SUCCEEDED
    assert shop.check().allowed
    assert shop.reviews() == {}
    # The intent that counts is the one that was paid.
    assert shop.intents()[str(payment.intent_id)]["status"] == "succeeded"


@pytest.mark.parametrize("made", [True, False])
def test_a_debit_that_bounces_and_a_stored_failure_of_stripes(shop: Shop, made: bool) -> None:
    """The session before is not taken for what came of the second attempt."""
    checkout = shop.open_page()
    shop.pay_page(checkout, BAD_BANK_DEBIT)
    shop.sandbox.checkout.settle(shop.session(checkout))
    shop.catch_up()

    def fail(*_: object) -> None:
        raise GatewayFailed

    (shop.gateway.after if made else shop.gateway.before)["create_session"].append(fail)
    again = shop.open_page()
    assert again.payment.id == checkout.payment.id
    assert len(shop.sessions()) == 2
    assert shop.session(again) != shop.session(checkout)
    shop.pay_page(again)
    shop.catch_up()
    assert shop.check().allowed


def test_a_debit_that_bounces_and_a_page_that_expires(shop: Shop) -> None:
    checkout = shop.open_page()
    shop.pay_page(checkout, BAD_BANK_DEBIT)
    shop.sandbox.checkout.settle(shop.session(checkout))
    shop.catch_up()
    shop.open_page()
    shop.clock.advance(DAY + 60)
    shop.catch_up()
    assert shop.get(checkout).status is CANCELED
    assert shop.open_page().payment.id != checkout.payment.id


@pytest.mark.parametrize("then", ["cancel", "another offer", "another ui"])
def test_a_debit_that_bounces_and_is_given_up(shop: Shop, then: str) -> None:
    checkout = shop.open_page()
    shop.pay_page(checkout, BAD_BANK_DEBIT)
    shop.sandbox.checkout.settle(shop.session(checkout))
    shop.catch_up()
    if then == "cancel":
        shop.cancel(checkout, ADA)
    elif then == "another offer":
        shop.shelf.reprice(DESIGN, usd(2999))
        shop.open_page()
    else:
        shop.create()
    assert shop.get(checkout).status is CANCELED


@pytest.mark.parametrize("settles", [True, False])
def test_a_debit_on_the_shops_own_page(shop: Shop, settles: bool) -> None:
    """By intent: it stays open for days, and when it fails the same intent is payable again."""
    checkout = shop.create()
    shop.pay(checkout, BANK_DEBIT if settles else BAD_BANK_DEBIT)
    shop.catch_up()
    payment = shop.get(checkout)
    assert (payment.status, payment.intent_status) == (PENDING, "processing")
    assert shop.create().client_secret == checkout.client_secret
    with pytest.raises(PaymentProcessing):
        shop.cancel(checkout, ADA)
    shop.sandbox.settle(str(payment.intent_id))
    shop.catch_up()
    if settles:
        assert shop.check().allowed
        return
    payment = shop.get(checkout)
    assert (payment.status, payment.intent_status) == (PENDING, "requires_payment_method")
    assert payment.last_error
    again = shop.create()
    assert again.client_secret == checkout.client_secret
    shop.pay(again)
    shop.catch_up()
    assert shop.check().allowed


# --- discounts and taxes -----------------------------------------------------------------------


def test_a_promotion_code(shop: Shop) -> None:
    shop.sandbox.checkout.add_promotion_code("SPRING25", percent_off=25)
    checkout = shop.open_page(allow_promotion_codes=True)
    shop.sandbox.checkout.apply_code(shop.session(checkout), "SPRING25")
    shop.pay_page(checkout)
    shop.catch_up()
    payment = shop.get(checkout)
    assert payment.status is SUCCEEDED
    assert payment.amount == usd(3999)
    assert charged(payment) == (usd(2999), usd(1000), usd(0))
    (entry,) = shop.library()
    assert entry.purchase.amount == usd(2999)
    assert shop.reviews() == {}


def test_a_promotion_code_and_only_the_intent_tells(shop: Shop) -> None:
    """The amount is not what was quoted, so its session is read."""
    shop.sandbox.checkout.add_promotion_code("SPRING25", percent_off=25)
    checkout = shop.open_page(allow_promotion_codes=True)
    shop.pay_page(checkout, BROKE_CARD)  # at the full price
    shop.sandbox.checkout.apply_code(shop.session(checkout), "SPRING25")
    shop.pay_page(checkout)
    for type in ("payment_intent.payment_failed", "payment_intent.succeeded"):
        assert shop.hear(shop.said(type)).kind is OutcomeKind.DONE
    assert shop.check().allowed
    shop.catch_up()
    assert shop.reviews() == {}


def test_a_promotion_code_while_stripe_is_away(shop: Shop) -> None:
    shop.sandbox.checkout.add_promotion_code("SPRING25", percent_off=25)
    checkout = shop.open_page(allow_promotion_codes=True)
    shop.sandbox.checkout.apply_code(shop.session(checkout), "SPRING25")
    shop.pay_page(checkout)

    def away() -> None:
        raise GatewayUnavailable

    shop.gateway.before["read"].append(away)
    event = shop.said("payment_intent.succeeded")
    assert shop.hear(event).kind is OutcomeKind.PENDING
    assert not shop.check().allowed
    assert shop.get(checkout).status is PENDING
    with pytest.raises(AlreadyOwned):
        shop.open_page()  # never a second charge
    assert shop.check().allowed
    shop.clock.advance(60)
    assert {one.kind for one in shop.process_pending()} <= {OutcomeKind.DONE}


def test_what_a_promotion_code_did_is_asked_for_by_sync(shop: Shop) -> None:
    """Stripe was away when the intent's event came, and the event of the session is lost."""
    shop.sandbox.checkout.add_promotion_code("SPRING25", percent_off=25)
    checkout = shop.open_page(allow_promotion_codes=True)
    shop.sandbox.checkout.apply_code(shop.session(checkout), "SPRING25")
    shop.pay_page(checkout)

    def away() -> None:
        raise GatewayUnavailable

    shop.gateway.before["read"].append(away)
    assert shop.hear(shop.said("payment_intent.succeeded")).kind is OutcomeKind.PENDING
    assert shop.sync(checkout).status is SUCCEEDED
    assert shop.check().allowed


def test_a_promotion_code_that_leaves_nothing_to_pay(shop: Shop) -> None:
    shop.sandbox.checkout.add_promotion_code("GIFT", percent_off=100)
    checkout = shop.open_page(allow_promotion_codes=True)
    shop.sandbox.checkout.apply_code(shop.session(checkout), "GIFT")
    shop.pay_page(checkout)
    assert shop.intents() == {}
    shop.catch_up()
    payment = shop.get(checkout)
    assert payment.status is SUCCEEDED
    assert charged(payment) == (usd(0), usd(3999), usd(0))
    assert shop.check().allowed
    assert shop.library()[0].purchase.amount == usd(0)


@pytest.mark.parametrize("told", [True, False])
def test_a_declined_card_then_a_promotion_code_that_leaves_nothing_to_pay(
    shop: Shop, told: bool
) -> None:
    """The session has an intent, which has nothing to do with what is theirs now."""
    shop.sandbox.checkout.add_promotion_code("GIFT", percent_off=100)
    checkout = shop.open_page(allow_promotion_codes=True)
    shop.pay_page(checkout, BROKE_CARD)
    shop.sandbox.checkout.apply_code(shop.session(checkout), "GIFT")
    shop.pay_page(checkout)
    if told:
        shop.catch_up()
    assert shop.sync(checkout).status is SUCCEEDED
    assert shop.check().allowed
    with pytest.raises(AlreadyOwned):
        shop.open_page()


@pytest.mark.parametrize("known", [True, False])
def test_taxes(shop: Shop, known: bool) -> None:
    shop.selling["customers"] = known
    shop.reopen()
    shop.sandbox.checkout.tax_percent = 19
    checkout = shop.open_page(automatic_tax=True)
    shop.pay_page(checkout)
    shop.catch_up()
    payment = shop.get(checkout)
    assert payment.status is SUCCEEDED
    assert charged(payment) == (usd(4759), usd(0), usd(760))


def test_a_discount_that_the_host_did_not_allow(shop: Shop) -> None:
    """Somebody else gave one, in Stripe's dashboard: a person is to look, and there is no
    access."""
    shop.sandbox.checkout.tax_percent = 19
    checkout = shop.open_page(allow_promotion_codes=True)
    shop.pay_page(checkout)
    said = shop.said("checkout.session.completed")
    taxed = {"amount_total": 4759, "total_details": {"amount_discount": 0, "amount_tax": 760}}
    shop.hear(shop.made(said, **taxed))
    assert shop.get(checkout).status is PaymentStatus.REVIEW
    assert list(shop.reviews()) == ["amount_mismatch"]
    assert not shop.check().allowed
    with pytest.raises(PaymentInReview):
        shop.open_page()
    shop.catch_up()
    assert not shop.check().allowed


# --- what breaks -------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", ["the call", "the answer", "its recording"])
def test_what_is_lost_while_the_page_is_opened(shop: Shop, lost: str) -> None:
    def fail(*_: object) -> None:
        raise GatewayUnavailable

    if lost == "the call":
        shop.gateway.before["create_session"] += [fail] * 5
    elif lost == "the answer":
        shop.gateway.after["create_session"] += [fail] * 5
    else:
        shop.store.plan = ["well", "away"]
    with pytest.raises(Exception):  # noqa: B017, PT011  # whichever it is, it is made again
        shop.open_page()
    checkout = shop.open_page()
    assert checkout.url
    assert len(shop.sessions()) == 1
    shop.pay_page(checkout)
    shop.catch_up()
    assert shop.check().allowed


class ShortOffer:
    """A price that stands for an hour."""

    def quote(self, product: Product, buyer: Buyer, currency: str | None, now: datetime) -> Quote:
        return Quote(amount=usd(3999), base_amount=usd(3999), expires_at=now + timedelta(hours=1))


def test_a_call_that_is_made_again_when_its_page_would_close_too_soon(shop: Shop) -> None:
    """Stripe was away, and now takes no page that closes within half an hour."""

    def fail() -> None:
        raise GatewayUnavailable

    shop.shelf.change(DESIGN, pricing=ShortOffer())
    shop.gateway.before["create_session"] += [fail] * 5
    with pytest.raises(GatewayUnavailable):
        shop.open_page()
    shop.clock.advance(DAY / 24 - 60)
    checkout = shop.open_page()
    (session,) = shop.sessions()
    assert session["expires_at"] == session["created"] + DAY / 24
    shop.pay_page(checkout)
    shop.catch_up()
    assert shop.check().allowed


def test_paid_though_we_never_learned_of_the_session(shop: Shop) -> None:
    """The answer was lost, and the buyer found the page: the events tell."""

    def fail(*_: object) -> None:
        raise GatewayUnavailable

    shop.gateway.after["create_session"] += [fail] * 5
    with pytest.raises(GatewayUnavailable):
        shop.open_page()
    (session,) = shop.sessions()
    shop.sandbox.checkout.pay(session["id"])
    with pytest.raises(AlreadyOwned):
        shop.open_page()
    shop.catch_up()
    assert shop.check().allowed
    assert len(shop.sessions()) == 1


def test_a_stored_failure_of_stripes_and_a_page_that_was_made(shop: Shop) -> None:
    """Whether a session was made, the list tells, not the key."""

    def fail(*_: object) -> None:
        raise GatewayFailed

    shop.gateway.after["create_session"] += [fail]
    checkout = shop.open_page()
    assert len(shop.sessions()) == 1
    assert shop.session(checkout) == shop.sessions()[0]["id"]


def test_a_stored_failure_of_stripes_and_no_page(shop: Shop) -> None:
    def fail(*_: object) -> None:
        raise GatewayFailed

    shop.gateway.before["create_session"] += [fail]
    checkout = shop.open_page()
    assert shop.keys("checkout.sessions.create") == [f"{checkout.payment.id}:2"]


def test_a_day_after_the_answer_was_lost(shop: Shop) -> None:
    def fail(*_: object) -> None:
        raise GatewayUnavailable

    shop.gateway.after["create_session"] += [fail] * 5
    with pytest.raises(GatewayUnavailable):
        shop.open_page()
    shop.clock.advance(DAY - 600)
    checkout = shop.open_page()
    assert len(shop.sessions()) == 1  # found by the list
    assert shop.session(checkout) == shop.sessions()[0]["id"]


def test_stripe_has_no_such_session(shop: Shop) -> None:
    shop.open_page()
    shop.forget_stripe()
    again = shop.open_page()
    assert again.url
    assert len(shop.sessions()) == 1


# --- what an operator sees, and what nobody sees -----------------------------------------------


def test_the_page_is_a_secret(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever has its address sees the order and can pay."""
    with caplog.at_level(logging.DEBUG):
        checkout = shop.open_page()
        shop.open_page()
    url = str(checkout.url)
    assert url not in repr(checkout)
    assert url not in repr(shop.get(checkout))
    assert url not in caplog.text
    assert url not in str(shop.rows(lambda uow: uow.payments.of_buyer("ada", 10, None)))


def test_a_session_of_somebody_elses_is_ignored(shop: Shop) -> None:
    checkout = shop.open_page()
    shop.pay_page(checkout)
    said = shop.said("checkout.session.completed")
    outcome = shop.hear(shop.made(said, id="cs_test_other", metadata={"order": "7"}))
    assert (outcome.kind, outcome.reason) == (OutcomeKind.IGNORED, "not ours")


def test_a_session_of_a_shape_that_we_do_not_know_is_read(shop: Shop) -> None:
    checkout = shop.open_page()
    shop.pay_page(checkout)
    said = shop.said("checkout.session.completed")
    thing = {**said["data"]["object"]}
    del thing["status"]  # as in versions of old
    event = {**said, "data": {"object": thing}, "api_version": "2020-08-27"}
    assert shop.hear(event).kind is OutcomeKind.DONE
    assert shop.check().allowed


# --- where the buyer may be sent ----------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "thanks",
        "/thanks",
        "//evil.example/",
        "javascript:alert(1)",
        "https:///thanks",
        "https://shop.example@evil.example/",
        "https://evil.example\\@shop.example/",
        "https://shop.example:x/",
        "https://shop.example/\n",
        "https://shöp.example/",
        "",
    ],
)
@pytest.mark.parametrize("kind", ["sync, memory"])
def test_a_return_address_that_is_none(shop: Shop, url: str) -> None:
    tries: list[dict[str, Any]] = [{"success_url": url}, {"cancel_url": url}]
    for options in tries:
        with pytest.raises(InvalidRequest):
            shop.open_page(**options)
    assert shop.sandbox.calls == ()
    assert shop.history() == []


@pytest.mark.parametrize("kind", ["sync, memory"])
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"ui": "checkout"}, "needs success_url"),
        ({"ui": "page", "success_url": THANKS}, "'elements' or 'checkout'"),
        ({"success_url": THANKS}, "only ui='checkout' takes success_url"),
        ({"allow_promotion_codes": True}, "only ui='checkout' takes allow_promotion_codes"),
        ({"setup_future_usage": "always"}, "'on_session' or 'off_session'"),
    ],
)
def test_options_that_make_no_sense(shop: Shop, options: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        shop.create(**options)
    assert shop.sandbox.calls == ()
    assert shop.history() == []


def test_by_its_sessions_id_an_admin_finds_it_too(shop: Shop) -> None:
    """An admin sees another's payment by its session's id; nobody else does."""
    checkout = shop.open_page()
    session = shop.session(checkout)
    assert shop.call(shop.payments.get, session, actor=ADMIN).buyer_id == "ada"
    shop.pay_page(checkout, GOOD_CARD)
    shop.catch_up()
