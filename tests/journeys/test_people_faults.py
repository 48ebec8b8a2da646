"""FAULTS.md, "People"."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from tests.journeys.shop import (
    ADA,
    ADMIN,
    BANK_DEBIT,
    BOB,
    BROKE_CARD,
    DAY,
    DESIGN,
    FREEBIE,
    PRO,
    Shop,
    usd,
)

from payfulfill import Period, Terms
from payfulfill.colour import settle
from payfulfill.errors import (
    AccessDenied,
    AlreadyOwned,
    Forbidden,
    GatewayUnavailable,
    NotCancelable,
    NotFound,
    PayfulfillError,
    PaymentProcessing,
    ProductUnavailable,
    UnknownProduct,
)
from payfulfill.models import Origin, OutcomeKind, PaymentStatus, PurchaseState
from payfulfill.payments.ways import Options
from payfulfill.sandbox import CardDeclined, Fault, UnexpectedState

DONE = OutcomeKind.DONE
CANCEL = "payment_intents.cancel"


class Crash(Exception):
    """Our process dies here."""


def crash(*_: object) -> None:
    raise Crash


def hear_all(shop: Shop) -> None:
    for event in shop.sandbox.events():
        assert shop.hear(event).status_code == 200


# --- double clicks -------------------------------------------------------------------------


@pytest.mark.parametrize("ref", [DESIGN, PRO])
def test_double_click_the_same_payment_and_the_same_client_secret(shop: Shop, ref: Any) -> None:
    first, second = shop.create(ref), shop.create(ref)
    assert not first.repeated
    assert second.repeated
    assert first.payment.id == second.payment.id
    assert first.client_secret == second.client_secret is not None
    assert len(shop.intents()) == 1


@pytest.mark.parametrize("ref", [DESIGN, PRO])
def test_double_click_at_once(shop: Shop, ref: Any) -> None:
    shop.buyers.add("ada")
    found = shop.at_once([lambda: shop.payments.create(ADA, ref)] * 8)
    assert len({checkout.payment.id for checkout in found}) == 1
    assert len({checkout.client_secret for checkout in found}) == 1
    assert sum(not checkout.repeated for checkout in found) == 1
    assert len(shop.intents()) == 1


def test_two_tabs_one_pays_while_the_other_asks(shop: Shop) -> None:
    """The read that the second tab makes is the first that tells us."""
    first = shop.create()
    shop.pay(first)
    with pytest.raises(AlreadyOwned):
        shop.create()
    assert shop.check().allowed
    assert shop.hear(shop.said("payment_intent.succeeded")).kind is DONE
    assert len(shop.library()) == 1


def test_two_tabs_cannot_both_pay(shop: Shop) -> None:
    first, second = shop.create(), shop.create()
    shop.pay(first)
    with pytest.raises(UnexpectedState):
        shop.pay(second)


def test_a_double_click_after_a_pass_was_paid_in_another_tab_never_buys_two(shop: Shop) -> None:
    shop.pay(shop.create(PRO))
    with pytest.raises(AlreadyOwned):  # not a second payment: they do not know of the first yet
        shop.create(PRO)
    assert len(shop.intents()) == 1
    assert len(shop.library()) == 1
    hear_all(shop)
    shop.pay(shop.create(PRO))  # now they mean it
    hear_all(shop)
    assert len(shop.library()) == 2


def test_a_double_click_far_apart_keeps_the_price_for_another_day(shop: Shop) -> None:
    first = shop.create()
    shop.clock.advance(20 * DAY)
    second = shop.create()
    assert second.payment.id == first.payment.id
    assert second.payment.quote_expires_at > first.payment.quote_expires_at
    assert second.payment.quote_expires_at > shop.watch.now()
    assert len(shop.intents()) == 1


def test_a_double_click_while_the_bank_has_it_gets_the_same_payment(shop: Shop) -> None:
    first = shop.create()
    shop.pay(first, BANK_DEBIT)
    second = shop.create()
    assert second.payment.id == first.payment.id
    assert second.payment.intent_status == "processing"
    assert len(shop.intents()) == 1


# --- what a client may say -----------------------------------------------------------------


@pytest.mark.parametrize(
    "field", ["amount", "price", "status", "buyer_id", "user_id", "payment_id", "metadata", "terms"]
)
def test_client_sends_an_amount_a_status_or_a_user_id(shop: Shop, field: str) -> None:
    options: dict[str, Any] = {field: 1}
    with pytest.raises(TypeError, match=field):
        shop.create(**options)
    assert shop.history() == []
    assert shop.sandbox.calls == ()


def test_client_sends_nothing_but_what_to_buy(shop: Shop) -> None:
    parameters = inspect.signature(shop.payments.create).parameters
    assert list(parameters) == [
        "buyer",
        "ref",
        "currency",
        "way",
    ]
    assert set(Options.__annotations__) == {
        "ui",
        "success_url",
        "cancel_url",
        "allow_promotion_codes",
        "automatic_tax",
        "setup_future_usage",
        "receipt_email",
        "statement_descriptor",
        "statement_descriptor_suffix",
    }


# --- prices --------------------------------------------------------------------------------


def test_price_changes_before_payment_an_old_one_is_honoured_while_its_quote_runs(
    shop: Shop,
) -> None:
    checkout = shop.create()
    shop.shelf.reprice(DESIGN, usd(9999))
    shop.clock.advance(DAY - 60)
    shop.pay(checkout)
    assert shop.hear(shop.said("payment_intent.succeeded")).kind is DONE
    assert shop.get(checkout).status is PaymentStatus.SUCCEEDED
    assert shop.library()[0].purchase.amount == usd(3999)
    assert shop.check().allowed
    assert shop.reviews() == {}


@pytest.mark.parametrize("change", ["price", "terms", "free"])
def test_price_changes_and_the_next_create_cancels_the_old_intent_first(
    shop: Shop, change: str
) -> None:
    first = shop.create()
    if change == "price":
        shop.shelf.reprice(DESIGN, usd(2999))
    elif change == "free":
        shop.shelf.reprice(DESIGN, usd(0))
    else:
        shop.shelf.change(DESIGN, terms=Terms(download_limit=3))

    def none_payable_yet() -> None:
        assert shop.payable() == []

    shop.gateway.before["create"].append(none_payable_yet)
    second = shop.create()
    assert second.payment.id != first.payment.id
    assert not second.repeated
    assert shop.get(first).status is PaymentStatus.CANCELED
    with pytest.raises(UnexpectedState):
        shop.pay(first)
    if change == "free":
        assert shop.payable() == []
    else:
        shop.pay(second)
    hear_all(shop)
    assert shop.check().allowed
    (entry,) = shop.library()
    assert entry.purchase.payment_id == second.payment.id


def test_price_changes_back_and_forth_never_two_payable_intents(shop: Shop) -> None:
    for amount in (3999, 4999, 3999, 2999, 2999, 4999):
        shop.shelf.reprice(DESIGN, usd(amount))
        checkout = shop.create()
        assert checkout.payment.amount == usd(amount)
        assert [intent["id"] for intent in shop.payable()] == [checkout.payment.intent_id]
    hear_all(shop)
    statuses = Counter(payment.status for payment in shop.history())
    assert statuses == {PaymentStatus.CANCELED: 4, PaymentStatus.PENDING: 1}


def test_price_changes_while_the_old_one_is_being_paid(shop: Shop) -> None:
    """It is paid between our look and our cancel: the money counts, and nothing more is asked."""
    first = shop.create()
    shop.shelf.reprice(DESIGN, usd(9999))

    def meanwhile() -> None:
        shop.pay(first)

    shop.gateway.before["cancel"].append(meanwhile)
    with pytest.raises(AlreadyOwned):
        shop.create()
    assert shop.get(first).status is PaymentStatus.SUCCEEDED
    assert shop.check().allowed
    assert len(shop.intents()) == 1


def test_price_changes_while_the_bank_has_the_old_one(shop: Shop) -> None:
    first = shop.create()
    shop.pay(first, BANK_DEBIT)
    shop.shelf.reprice(DESIGN, usd(9999))
    with pytest.raises(PaymentProcessing) as caught:
        shop.create()
    assert (caught.value.status, caught.value.code) == (409, "payment_processing")
    assert len(shop.intents()) == 1
    assert shop.check().code == "payment_processing"
    shop.sandbox.settle(str(first.payment.intent_id))
    hear_all(shop)
    assert shop.check().allowed


def test_price_changes_after_the_bank_bounced_the_old_one(shop: Shop) -> None:
    first = shop.create()
    shop.pay(first, BANK_DEBIT)
    shop.shelf.reprice(DESIGN, usd(9999))
    with pytest.raises(PaymentProcessing):
        shop.create()
    shop.sandbox.settle(str(first.payment.intent_id), succeed=False)
    second = shop.create()
    assert second.payment.amount == usd(9999)
    assert [intent["amount"] for intent in shop.payable()] == [9999]


def test_price_changes_and_we_crash_after_the_cancel(shop: Shop) -> None:
    first = shop.create()
    shop.shelf.reprice(DESIGN, usd(9999))
    shop.gateway.after["cancel"].append(crash)
    with pytest.raises(Crash):
        shop.create()
    shop.reopen()
    second = shop.create()
    assert second.payment.amount == usd(9999)
    assert shop.get(first).status is PaymentStatus.CANCELED
    assert [intent["amount"] for intent in shop.payable()] == [9999]


# --- create and the webhook at once --------------------------------------------------------


def test_create_races_with_the_webhook_that_comes_before_stripes_answer(shop: Shop) -> None:
    """The intent is made, paid and told of while our call is still on its way back."""

    async def meanwhile(answer: Any) -> None:
        shop.sandbox.pay(answer.id, "pm_card_visa")
        for event in shop.told():
            outcome = await settle(shop.webhooks.handle(*shop.signed(event)))
            assert outcome.kind is DONE

    shop.gateway.after["create"].append(meanwhile)
    with pytest.raises(AlreadyOwned):
        shop.create()
    assert shop.check().allowed
    assert len(shop.library()) == 1
    assert len(shop.intents()) == 1


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("ref", [DESIGN, PRO])
def test_create_races_with_the_webhook_of_the_payment_that_is_open(
    shop: Shop, moment: str, ref: Any
) -> None:
    """It is paid, and we hear of it, just before or after a second click reads the intent."""
    first = shop.create(ref)

    async def meanwhile(*_: object) -> None:
        shop.sandbox.pay(str(first.payment.intent_id), "pm_card_visa")
        event = shop.said("payment_intent.succeeded")
        assert (await settle(shop.webhooks.handle(*shop.signed(event)))).kind is DONE

    (shop.gateway.before if moment == "before" else shop.gateway.after)["retrieve"].append(
        meanwhile
    )
    with pytest.raises(AlreadyOwned):
        shop.create(ref)
    assert len(shop.library()) == 1
    assert len(shop.intents()) == 1


def test_create_races_with_the_event_that_its_intent_was_created(shop: Shop) -> None:
    async def meanwhile(answer: Any) -> None:
        event = shop.said("payment_intent.created")
        assert (await settle(shop.webhooks.handle(*shop.signed(event)))).kind is DONE

    shop.gateway.after["create"].append(meanwhile)
    checkout = shop.create()
    assert checkout.payment.status is PaymentStatus.PENDING
    assert checkout.client_secret is not None


def test_create_races_with_a_create_of_the_same_pair(shop: Shop) -> None:
    """The second comes while the first waits for Stripe; both get the one payment."""
    seen: list[Any] = []

    async def meanwhile(*_: object) -> None:
        seen.append(await settle(shop.payments.create(ADA, DESIGN)))

    for hooks in (shop.gateway.before, shop.gateway.after):
        hooks["create"].append(meanwhile)
    checkout = shop.create()
    assert {one.payment.id for one in seen} == {checkout.payment.id}
    assert {one.client_secret for one in seen} == {checkout.client_secret}
    assert len(shop.intents()) == 1


def test_create_races_with_a_create_at_another_price(shop: Shop) -> None:
    """The one that was first quoted must not hand out what the other has canceled."""

    async def meanwhile(*_: object) -> None:
        shop.shelf.reprice(DESIGN, usd(4999))
        other = await settle(shop.payments.create(ADA, DESIGN))
        assert other.payment.amount == usd(4999)

    shop.gateway.after["create"].append(meanwhile)
    checkout = shop.create()
    (intent,) = shop.payable()
    assert intent["id"] == checkout.payment.intent_id
    assert intent["amount"] == checkout.payment.amount.amount


def test_create_after_the_webhook_is_already_owned(shop: Shop) -> None:
    shop.pay(shop.create())
    hear_all(shop)
    with pytest.raises(AlreadyOwned) as caught:
        shop.create()
    assert (caught.value.status, caught.value.code) == (409, "already_owned")
    assert len(shop.intents()) == 1


def test_create_after_a_crash_when_the_payment_was_paid_meanwhile(shop: Shop) -> None:
    """Nobody had its client secret, but Stripe's own retry or a person may have paid it."""
    shop.gateway.after["create"].append(crash)
    with pytest.raises(Crash):
        shop.create()
    shop.sandbox.pay(next(iter(shop.intents())), "pm_card_visa")
    # The answer that the key replays is of the time when nothing was paid; so is its secret.
    checkout = shop.create()
    assert checkout.payment.status is PaymentStatus.PENDING
    with pytest.raises(AlreadyOwned):
        shop.create()
    assert shop.check().allowed
    assert len(shop.intents()) == 1


def test_create_learns_of_the_payment_but_the_hook_raises(shop: Shop) -> None:
    """The host's error comes out as it is, and nothing is half done."""

    def choke(purchase: Any, uow: Any) -> None:
        raise LookupError("no shelf for it")

    checkout = shop.create()
    shop.pay(checkout)
    shop.hook = choke
    for call in (shop.create, lambda: shop.sync(checkout), lambda: shop.cancel(checkout)):
        with pytest.raises(LookupError):
            call()
    with pytest.raises(LookupError):
        shop.create(FREEBIE)
    with pytest.raises(LookupError):
        shop.grant(PRO)
    assert shop.get(checkout).status is PaymentStatus.PENDING
    assert shop.library() == []
    assert len(shop.history()) == 1
    shop.hook = None
    assert shop.sync(checkout).status is PaymentStatus.SUCCEEDED
    assert shop.check().allowed


# --- withdrawn -----------------------------------------------------------------------------


def withdraw(shop: Shop) -> None:
    shop.shelf.change(DESIGN, available=False)


def forget(shop: Shop) -> None:
    del shop.shelf.products[DESIGN]


GONE = [
    pytest.param(withdraw, ProductUnavailable, id="withdrawn"),
    pytest.param(forget, UnknownProduct, id="forgotten"),
]
Gone = Callable[[Shop], None]


@pytest.mark.parametrize(("gone", "error"), GONE)
def test_product_withdrawn_before_anything_is_not_sold(
    shop: Shop, gone: Gone, error: type[PayfulfillError]
) -> None:
    gone(shop)
    with pytest.raises(error):
        shop.create()
    assert shop.history() == []
    assert shop.sandbox.calls == ()


@pytest.mark.parametrize(("gone", "error"), GONE)
def test_product_withdrawn_before_payment_is_seen_at_create(
    shop: Shop, gone: Gone, error: type[PayfulfillError]
) -> None:
    checkout = shop.create()
    gone(shop)
    with pytest.raises(error):
        shop.create()
    assert shop.payable() == []
    assert shop.get(checkout).status is PaymentStatus.CANCELED
    with pytest.raises(UnexpectedState):
        shop.pay(checkout)


@pytest.mark.parametrize(("gone", "error"), GONE)
def test_product_withdrawn_before_payment_is_seen_at_status(
    shop: Shop, gone: Gone, error: type[PayfulfillError]
) -> None:
    checkout = shop.create()
    gone(shop)
    assert shop.sync(checkout, actor=ADA).status is PaymentStatus.CANCELED
    assert shop.payable() == []


@pytest.mark.parametrize(("gone", "error"), GONE)
def test_product_withdrawn_and_back_is_sold_anew(
    shop: Shop, gone: Gone, error: type[PayfulfillError]
) -> None:
    product = shop.shelf.products[DESIGN]
    first = shop.create()
    gone(shop)
    shop.sync(first)
    shop.shelf.products[DESIGN] = product
    second = shop.create()
    assert second.payment.id != first.payment.id
    shop.pay(second)
    hear_all(shop)
    assert shop.check().allowed
    assert shop.reviews() == {}


@pytest.mark.parametrize(("gone", "error"), GONE)
def test_product_withdrawn_but_paid_all_the_same_is_fulfilled_and_flagged(
    shop: Shop,
    caplog: pytest.LogCaptureFixture,
    gone: Gone,
    error: type[PayfulfillError],
) -> None:
    """Stripe was away when we would have canceled it."""
    checkout = shop.create()
    gone(shop)
    shop.sandbox.fail_next("*", Fault.CUT_BEFORE, 5)
    with pytest.raises(GatewayUnavailable):
        shop.create()
    shop.pay(checkout)
    assert shop.hear(shop.said("payment_intent.succeeded")).kind is DONE
    assert shop.get(checkout).status is PaymentStatus.SUCCEEDED
    assert shop.check().allowed
    assert shop.reviews()["paid_after_withdrawal"].payment_id == checkout.payment.id
    assert any(getattr(one, "alert", "") == "paid_after_withdrawal" for one in caplog.records)


@pytest.mark.parametrize("by", ["create", "sync"])
def test_product_withdrawn_while_the_bank_has_the_payment(shop: Shop, by: str) -> None:
    checkout = shop.create()
    shop.pay(checkout, BANK_DEBIT)
    withdraw(shop)
    if by == "create":
        with pytest.raises((ProductUnavailable, PaymentProcessing)):
            shop.create()
    else:
        assert shop.sync(checkout).intent_status == "processing"
    shop.sandbox.settle(str(checkout.payment.intent_id))
    hear_all(shop)
    assert shop.check().allowed
    assert "paid_after_withdrawal" in shop.reviews()


def test_product_withdrawn_between_our_look_and_our_cancel_is_flagged(shop: Shop) -> None:
    checkout = shop.create()
    withdraw(shop)

    def meanwhile() -> None:
        shop.pay(checkout)

    shop.gateway.before["cancel"].append(meanwhile)
    assert shop.sync(checkout).status is PaymentStatus.SUCCEEDED
    assert shop.check().allowed
    assert "paid_after_withdrawal" in shop.reviews()


def test_product_withdrawn_after_payment_stays_with_who_paid(shop: Shop) -> None:
    checkout = shop.create()
    shop.pay(checkout)
    withdraw(shop)
    hear_all(shop)
    assert shop.check().allowed
    with pytest.raises(PayfulfillError) as caught:
        shop.create()
    assert caught.value.code in ("already_owned", "product_unavailable")
    forget(shop)
    assert shop.check().allowed
    assert shop.reviews() == {}  # it was paid for in time


# --- owned ---------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["paid", "granted", "free"])
def test_buys_what_they_own(shop: Shop, how: str) -> None:
    ref = FREEBIE if how == "free" else DESIGN
    if how == "granted":
        shop.grant()
    else:
        checkout = shop.create(ref)
        if how == "paid":
            shop.pay(checkout)
            hear_all(shop)
    calls = len(shop.keys())
    for _ in range(2):
        with pytest.raises(AlreadyOwned):
            shop.create(ref)
    assert len(shop.keys()) == calls
    assert len(shop.library()) == 1


def test_buys_what_they_own_a_pass_may_be_bought_again_and_extends(shop: Shop) -> None:
    shop.pay(shop.create(PRO))
    hear_all(shop)
    began = shop.library()[0].starts_at
    shop.create(PRO)
    shop.pay(shop.create(PRO))
    hear_all(shop)
    first, second = shop.library()
    assert first.ends_at == second.starts_at == began + timedelta(days=30)
    assert second.ends_at == began + timedelta(days=60)
    assert len(shop.intents()) == 2


def test_buys_what_they_own_a_thing_that_may_be_bought_again(shop: Shop) -> None:
    shop.shelf.change(DESIGN, terms=Terms(repeatable=True, download_limit=1))
    for _ in range(2):
        shop.pay(shop.create())
        hear_all(shop)
    assert [entry.purchase.state for entry in shop.library()] == [PurchaseState.ACTIVE] * 2
    assert [shop.download().remaining for _ in range(2)] == [0, 0]
    with pytest.raises(AccessDenied):
        shop.download()


def test_buys_what_they_own_since_a_grant_while_the_page_was_open(shop: Shop) -> None:
    checkout = shop.create()
    shop.grant()
    assert shop.payable() == []
    assert shop.get(checkout).status is PaymentStatus.CANCELED
    with pytest.raises(AlreadyOwned):
        shop.create()


def test_buys_what_they_own_since_a_grant_while_stripe_was_away(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    """The open payment could not be canceled then; the next create does it."""
    shop.create()
    shop.sandbox.fail_next("*", Fault.CUT_BEFORE, 5)
    shop.grant()
    assert any(getattr(one, "alert", "").startswith("grant") for one in caplog.records)
    assert len(shop.payable()) == 1
    with pytest.raises(AlreadyOwned):
        shop.create()
    assert shop.payable() == []


def test_buys_what_they_own_since_a_grant_before_stripe_knew_of_the_payment(shop: Shop) -> None:
    shop.gateway.before["create"].append(crash)
    with pytest.raises(Crash):
        shop.create()
    shop.sandbox.fail_next("*", Fault.CUT_BEFORE, 5)
    shop.grant()
    with pytest.raises(AlreadyOwned):
        shop.create()
    assert shop.payable() == []


def test_a_grant_of_a_pass_leaves_an_open_payment_alone(shop: Shop) -> None:
    checkout = shop.create(PRO)
    shop.grant(PRO)
    assert shop.create(PRO).payment.id == checkout.payment.id
    shop.pay(checkout)
    hear_all(shop)
    assert len(shop.library()) == 2


def test_a_grant_is_for_admins_and_needs_a_reason(shop: Shop) -> None:
    for actor in (ADA, BOB):
        with pytest.raises(Forbidden):
            shop.call(shop.payments.grant, ADA, DESIGN, actor=actor, reason="I want it")
    with pytest.raises(ValueError, match="reason"):
        shop.call(shop.payments.grant, ADA, DESIGN, actor=ADMIN, reason=" ")
    assert shop.library() == []
    assert shop.grant().origin is Origin.GRANTED


# --- limits --------------------------------------------------------------------------------


def test_downloads_at_once_against_a_limit(shop: Shop) -> None:
    """200 against 3 are raced elsewhere."""
    shop.shelf.change(DESIGN, terms=Terms(download_limit=3))
    shop.grant()
    found = shop.at_once([lambda: shop.access.download(ADA, DESIGN)] * 12)
    denied = [one for one in found if isinstance(one, AccessDenied)]
    assert len(denied) == 9
    assert {one.code for one in denied} == {"download_limit_reached"}
    assert len(shop.call(shop.access.downloads, ADA)) == 3


def test_a_denied_download_leaves_no_trace(shop: Shop) -> None:
    shop.shelf.change(DESIGN, terms=Terms(download_limit=0))
    shop.grant()
    for _ in range(3):
        with pytest.raises(AccessDenied) as denied:
            shop.download(download_id="x")
        assert denied.value.status == 403
    assert shop.call(shop.access.downloads, ADA) == []
    with pytest.raises(AccessDenied):
        shop.download(buyer=BOB)


# --- strangers -----------------------------------------------------------------------------


def test_someone_else_s_payment_is_forbidden_and_tells_nothing(shop: Shop) -> None:
    checkout = shop.create()
    payment_id, intent_id = checkout.payment.id, str(checkout.payment.intent_id)
    calls = len(shop.sandbox.calls)
    for name in ("get", "sync", "cancel"):
        for one in (payment_id, intent_id):
            with pytest.raises(Forbidden) as caught:
                shop.call(getattr(shop.payments, name), one, actor=BOB)
            assert (caught.value.status, caught.value.code) == (403, "forbidden")
            said = caught.value.message
            assert not any(word in said for word in ("ada", payment_id, intent_id, "Poster"))
    assert len(shop.sandbox.calls) == calls
    assert shop.get(checkout).status is PaymentStatus.PENDING
    assert shop.history(BOB) == []


def test_someone_else_s_price_is_nobody_s_secret_and_binds_nobody(shop: Shop) -> None:
    quote = shop.call(shop.payments.quote, BOB, DESIGN)
    assert quote.amount == usd(3999)
    assert shop.history(BOB) == []
    assert shop.sandbox.calls == ()
    shop.shelf.change(DESIGN, available=False)
    with pytest.raises(ProductUnavailable):
        shop.call(shop.payments.quote, BOB, DESIGN)


def test_someone_else_s_payment_is_open_to_admins(shop: Shop) -> None:
    checkout = shop.create()
    for name in ("get", "sync", "cancel"):
        found = shop.call(getattr(shop.payments, name), checkout.payment.id, actor=ADMIN)
        assert found.id == checkout.payment.id


@pytest.mark.parametrize("actor", [ADA, ADMIN])
def test_unknown_ids_are_not_found(shop: Shop, actor: Any) -> None:
    shop.create()
    unknown = ("", "pay_nowhere", "pi_nowhere", "ada", "../pay_1", "x" * 5000, "pay_\x00", "'")
    for payment_id in unknown:
        for name in ("get", "sync", "cancel"):
            with pytest.raises(NotFound) as caught:
                shop.call(getattr(shop.payments, name), payment_id, actor=actor)
            assert caught.value.status == 404


def test_someone_else_s_purchase_gives_no_access(shop: Shop) -> None:
    shop.pay(shop.create())
    hear_all(shop)
    assert not shop.check(buyer=BOB).allowed
    with pytest.raises(AccessDenied) as denied:
        shop.download(buyer=BOB)
    assert denied.value.code == "not_owned"
    assert shop.library(BOB) == []
    assert shop.call(shop.access.downloads, BOB) == []
    # Nor does an admin's badge open what was not bought.
    assert not shop.check(buyer=ADMIN).allowed


# --- cancel --------------------------------------------------------------------------------


def test_a_paid_payment_cannot_be_canceled(shop: Shop) -> None:
    checkout = shop.create()
    shop.pay(checkout)
    with pytest.raises(NotCancelable) as caught:  # the webhook is still to come
        shop.cancel(checkout, actor=ADA)
    assert caught.value.status == 409
    assert shop.check().allowed
    with pytest.raises(NotCancelable):
        shop.cancel(checkout, actor=ADA)
    granted = shop.grant(PRO)
    with pytest.raises(NotCancelable):
        shop.cancel(granted)


def test_a_declined_payment_can_be_canceled(shop: Shop) -> None:
    checkout = shop.create()
    with pytest.raises(CardDeclined):
        shop.pay(checkout, BROKE_CARD)
    hear_all(shop)
    assert shop.cancel(checkout, actor=ADA).status is PaymentStatus.CANCELED
    assert shop.payable() == []


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_payment_that_stripe_may_not_know_can_be_canceled(shop: Shop, moment: str) -> None:
    (shop.gateway.before if moment == "before" else shop.gateway.after)["create"].append(crash)
    with pytest.raises(Crash):
        shop.create()
    (payment,) = shop.history()
    assert shop.cancel(payment).status is PaymentStatus.CANCELED
    assert shop.payable() == []


def test_a_payment_canceled_in_stripes_dashboard(shop: Shop) -> None:
    first = shop.create()
    canceled = shop.made(shop.said("payment_intent.created"), status="canceled")
    shop.at_stripe("cancel", first.payment.intent_id)
    assert shop.hear({**canceled, "type": "payment_intent.canceled"}).kind is DONE
    assert shop.get(first).status is PaymentStatus.CANCELED
    assert shop.create().payment.id != first.payment.id


def test_a_payment_canceled_in_stripes_dashboard_and_the_event_is_lost(shop: Shop) -> None:
    first = shop.create()
    shop.at_stripe("cancel", first.payment.intent_id)
    second = shop.create()
    assert second.payment.id != first.payment.id
    assert [intent["id"] for intent in shop.payable()] == [second.payment.intent_id]


# --- a pass and its neighbours --------------------------------------------------------------


def test_a_limited_pass_and_a_thing_that_is_owned_too(shop: Shop) -> None:
    """An unlimited right is used first, so the pass is not used up for it."""
    shop.grant(PRO)
    shop.grant(DESIGN)
    for _ in range(5):
        assert shop.download(DESIGN).remaining is None
    assert shop.check(PRO).allowed


def test_the_pass_that_ends_soonest_is_used_first(shop: Shop) -> None:
    shop.grant(PRO)
    shop.shelf.change(PRO, terms=Terms(period=Period(days=5), download_limit=3, covers=["design"]))
    shop.grant(PRO)
    first = shop.library()[0].purchase.id
    assert shop.download(DESIGN).purchase_id == first
