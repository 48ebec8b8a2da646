"""The plain journeys, from "buy" to "may download", in both colours and on every store:
through Stripe's SDK over HTTP to the sandbox, and by webhooks over HTTP back."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.journeys.shop import (
    ADA,
    ADMIN,
    ASKING_CARD,
    BAD_BANK_DEBIT,
    BANK_DEBIT,
    BOB,
    BROKE_CARD,
    COURSE,
    DAY,
    DESIGN,
    FREEBIE,
    GOOD_CARD,
    KINDS,
    PRO,
    TRIAL,
    WORLD,
    Shop,
    usd,
)

from payfulfill import Buyer, Money, Period, ProductRef, Terms
from payfulfill.errors import (
    AccessDenied,
    AlreadyOwned,
    AmountTooSmall,
    CurrencyNotOffered,
    DownloadIdSpent,
    PaymentProcessing,
    UnknownProduct,
)
from payfulfill.models import Origin, PaymentStatus, PurchaseKind
from payfulfill.sandbox import CardDeclined


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def shop(shop: Shop) -> Shop:
    shop.connect()
    return shop


def test_a_design(shop: Shop) -> None:
    assert shop.check().code == "not_owned"
    checkout = shop.create()
    assert checkout.payment.status is PaymentStatus.PENDING
    assert checkout.payment.amount == usd(3999)
    assert shop.check().code == "payment_pending"

    shop.pay(checkout)
    shop.flush()

    payment = shop.get(checkout)
    assert payment.status is PaymentStatus.SUCCEEDED
    assert payment.succeeded_at == shop.watch.now()
    decision = shop.check()
    assert decision.allowed
    assert decision.code == "owned"
    assert decision.ends_at is None
    grant = shop.download(download_id="d1", address="192.0.2.1", agent="curl")
    assert grant.counted
    assert grant.remaining is None
    assert grant.purchase_id == payment.purchase_id
    assert not shop.download(download_id="d1").counted
    (entry,) = shop.library()
    assert entry.usable
    assert entry.purchase.id == payment.purchase_id
    assert entry.purchase.kind is PurchaseKind.INDIVIDUAL
    assert entry.purchase.origin is Origin.STRIPE
    assert entry.purchase.amount == usd(3999)
    assert [purchase.id for purchase in shop.hooked] == [payment.purchase_id]
    assert shop.reviews() == {}


def test_a_course_costs_its_discounted_price(shop: Shop) -> None:
    checkout = shop.create(COURSE)
    assert shop.pay(checkout)["amount"] == 9900
    shop.flush()
    assert shop.check(COURSE).code == "owned"
    assert shop.library()[0].purchase.amount == Money(9900, "EUR")


def test_a_pass_opens_what_it_covers_until_it_ends_or_is_used_up(shop: Shop) -> None:
    shop.pay(shop.create(PRO))
    shop.flush()
    member = shop.check(PRO)
    assert member.code == "subscribed"
    assert member.ends_at == shop.watch.now() + timedelta(days=30)
    assert shop.check(DESIGN).code == "covered"
    assert shop.check(COURSE).code == "not_owned"
    assert [shop.download(DESIGN).remaining for _ in range(3)] == [2, 1, 0]
    with pytest.raises(AccessDenied) as denied:
        shop.download(DESIGN)
    assert denied.value.code == "download_limit_reached"
    shop.clock.advance(30 * DAY)
    assert shop.check(PRO).code == "ended"
    assert shop.check(DESIGN).code == "ended"


def test_passes_follow_one_another(shop: Shop) -> None:
    shop.pay(shop.create(PRO))
    shop.flush()
    began = shop.watch.now()
    shop.clock.advance(10 * DAY)
    shop.pay(shop.create(PRO))
    shop.flush()
    first, second = shop.library()
    assert first.ends_at == second.starts_at == began + timedelta(days=30)
    assert second.ends_at == began + timedelta(days=60)
    assert [first.usable, second.usable] == [True, False]
    for _ in range(3):
        shop.download()
    assert shop.check(DESIGN).code == "download_limit_reached"
    shop.clock.advance(25 * DAY)
    assert shop.check(DESIGN).code == "covered"
    assert shop.download().remaining == 2
    assert shop.check(PRO).ends_at == began + timedelta(days=60)
    assert shop.reviews() == {}


def test_a_pass_bought_after_the_one_before_ended_starts_when_it_is_paid(shop: Shop) -> None:
    shop.pay(shop.create(PRO))
    shop.flush()
    shop.clock.advance(100 * DAY)
    assert not shop.check(PRO).allowed
    shop.pay(shop.create(PRO))
    shop.flush()
    assert shop.check(PRO).ends_at == shop.watch.now() + timedelta(days=30)


def test_a_free_product_needs_no_stripe(shop: Shop) -> None:
    checkout = shop.create(FREEBIE)
    assert checkout.client_secret is None
    assert checkout.payment.status is PaymentStatus.SUCCEEDED
    assert checkout.payment.origin is Origin.FREE
    assert shop.check(FREEBIE).allowed
    assert shop.sandbox.calls == ()
    assert len(shop.hooked) == 1
    with pytest.raises(AlreadyOwned):
        shop.create(FREEBIE)


def test_a_free_pass_is_not_piled_up_but_comes_again(shop: Shop) -> None:
    shop.create(TRIAL)
    with pytest.raises(AlreadyOwned):
        shop.create(TRIAL)
    shop.clock.advance(7 * DAY)
    assert shop.check(TRIAL).code == "ended"
    shop.create(TRIAL)
    assert shop.check(TRIAL).allowed


def test_a_granted_product(shop: Shop) -> None:
    payment = shop.grant()
    assert payment.status is PaymentStatus.SUCCEEDED
    assert payment.origin is Origin.GRANTED
    assert (payment.granted_by, payment.grant_reason) == ("root", "a competition")
    assert shop.check().code == "owned"
    assert shop.library()[0].purchase.origin is Origin.GRANTED
    assert shop.sandbox.calls == ()
    with pytest.raises(AlreadyOwned):
        shop.create()
    with pytest.raises(AlreadyOwned):
        shop.grant()


def test_what_is_not_for_sale_can_be_granted_and_passes_may_be_given_again(shop: Shop) -> None:
    shop.shelf.change(DESIGN, available=False)
    shop.grant(DESIGN)
    assert shop.check().allowed
    shop.grant(PRO)
    shop.grant(PRO)
    _, first, second = shop.library()
    assert first.ends_at == second.starts_at
    assert second.ends_at == shop.watch.now() + timedelta(days=60, seconds=-1)


def test_a_declined_card_then_a_good_one(shop: Shop) -> None:
    checkout = shop.create()
    with pytest.raises(CardDeclined):
        shop.pay(checkout, BROKE_CARD)
    shop.flush()
    payment = shop.get(checkout)
    assert payment.status is PaymentStatus.PENDING
    assert payment.last_error == "Your card has insufficient funds."
    assert not shop.check().allowed

    again = shop.create()
    assert again.payment.id == payment.id
    assert again.client_secret == checkout.client_secret
    shop.pay(again, GOOD_CARD)
    shop.flush()
    payment = shop.get(checkout)
    assert payment.status is PaymentStatus.SUCCEEDED
    assert payment.last_error is None
    assert shop.check().allowed
    assert len(shop.hooked) == 1


def test_a_bank_that_asks_who_is_paying(shop: Shop) -> None:
    checkout = shop.create()
    shop.pay(checkout, ASKING_CARD)
    shop.flush()
    payment = shop.get(checkout)
    assert (payment.status, payment.intent_status) == (PaymentStatus.PENDING, "requires_action")
    assert shop.check().code == "payment_pending"
    shop.sandbox.authenticate(str(payment.intent_id))
    shop.flush()
    payment = shop.get(checkout)
    assert (payment.status, payment.intent_status) == (PaymentStatus.SUCCEEDED, None)
    assert shop.check().allowed


def test_a_buyer_who_cannot_say_who_they_are_may_try_again(shop: Shop) -> None:
    checkout = shop.create()
    intent_id = str(checkout.payment.intent_id)
    shop.pay(checkout, ASKING_CARD)
    shop.flush()
    shop.sandbox.authenticate(intent_id, succeed=False)
    shop.flush()
    payment = shop.get(checkout)
    assert payment.status is PaymentStatus.PENDING
    assert payment.intent_status == "requires_payment_method"
    assert "failed authentication" in str(payment.last_error)
    shop.pay(checkout)
    shop.flush()
    assert shop.check().allowed


def test_a_bank_debit_takes_its_time(shop: Shop) -> None:
    checkout = shop.create()
    shop.pay(checkout, BANK_DEBIT)
    shop.flush()
    payment = shop.get(checkout)
    assert (payment.status, payment.intent_status) == (PaymentStatus.PENDING, "processing")
    decision = shop.check()
    assert (decision.allowed, decision.code) == (False, "payment_processing")
    shop.clock.advance(4 * DAY)
    shop.sandbox.settle(str(payment.intent_id))
    shop.flush()
    assert shop.get(checkout).status is PaymentStatus.SUCCEEDED
    assert shop.check().allowed


def test_a_bank_debit_that_bounces_may_be_paid_by_card(shop: Shop) -> None:
    checkout = shop.create()
    shop.pay(checkout, BAD_BANK_DEBIT)
    shop.flush()
    shop.clock.advance(4 * DAY)
    shop.sandbox.settle(str(checkout.payment.intent_id))
    shop.flush()
    payment = shop.get(checkout)
    assert payment.intent_status == "requires_payment_method"
    assert "insufficient funds" in str(payment.last_error)
    assert not shop.check().allowed
    again = shop.create()
    assert again.payment.id == payment.id
    shop.pay(again)
    shop.flush()
    assert shop.check().allowed


def test_what_passes_through_to_stripe(shop: Shop) -> None:
    checkout = shop.create(
        receipt_email="ada@example.org",
        statement_descriptor="PAYFULFILL",
        statement_descriptor_suffix="POSTER",
    )
    intent = shop.intents()[str(checkout.payment.intent_id)]
    assert intent["receipt_email"] == "ada@example.org"
    assert intent["statement_descriptor"] == "PAYFULFILL"
    assert intent["statement_descriptor_suffix"] == "POSTER"
    assert intent["description"] == "Poster"
    assert intent["automatic_payment_methods"]["enabled"] is True
    assert intent["metadata"] == {
        "payfulfill_payment": checkout.payment.id,
        "userId": "ada",
        "productType": "design",
        "productId": "poster",
    }


@pytest.mark.parametrize(
    ("currency", "price", "sent"),
    [
        (None, usd(1000), (1000, "usd")),
        ("jpy", Money(1500, "JPY"), (1500, "jpy")),  # no decimals
        ("UGX", Money(500000, "UGX"), (500000, "ugx")),  # no decimals, counted in hundredths
        ("kwd", Money(3500, "KWD"), (3500, "kwd")),  # three decimals
    ],
)
def test_currencies(shop: Shop, currency: str | None, price: Money, sent: tuple[int, str]) -> None:
    checkout = shop.create(WORLD, currency=currency)
    assert checkout.payment.amount == price
    intent = shop.pay(checkout)
    assert (intent["amount"], intent["currency"]) == sent
    shop.flush()
    assert shop.library()[0].purchase.amount == price
    assert shop.check(WORLD).allowed


def test_a_currency_that_is_not_offered_reaches_nobody(shop: Shop) -> None:
    with pytest.raises(CurrencyNotOffered):
        shop.create(WORLD, currency="gbp")
    with pytest.raises(CurrencyNotOffered):
        shop.create(DESIGN, currency="xyz")
    assert shop.history() == []
    assert shop.sandbox.calls == ()


def test_a_price_below_stripes_minimum_reaches_nobody(shop: Shop) -> None:
    shop.shelf.reprice(DESIGN, usd(49))
    with pytest.raises(AmountTooSmall):
        shop.create()
    assert shop.history() == []
    assert shop.sandbox.calls == ()


def test_another_currency_is_another_offer(shop: Shop) -> None:
    first = shop.create(WORLD)
    second = shop.create(WORLD, currency="JPY")
    assert second.payment.id != first.payment.id
    shop.flush()
    assert shop.get(first).status is PaymentStatus.CANCELED
    assert [intent["id"] for intent in shop.payable()] == [second.payment.intent_id]


def test_an_unknown_product(shop: Shop) -> None:
    shop.shelf.products.clear()
    with pytest.raises(UnknownProduct):
        shop.create()
    with pytest.raises(UnknownProduct):
        shop.grant()
    assert shop.check().code == "unknown_product"


def test_what_was_bought_stays_open_when_the_catalogue_forgets_it(shop: Shop) -> None:
    shop.pay(shop.create())
    shop.flush()
    del shop.shelf.products[DESIGN]
    assert shop.check().allowed
    assert shop.download().counted


def test_one_buyer_s_money_buys_nothing_for_another(shop: Shop) -> None:
    mine, theirs = shop.create(buyer=ADA), shop.create(buyer=BOB)
    assert mine.payment.id != theirs.payment.id
    assert mine.payment.intent_id != theirs.payment.intent_id
    shop.pay(mine)
    shop.flush()
    assert shop.check(buyer=ADA).allowed
    assert not shop.check(buyer=BOB).allowed


def test_the_history_has_the_newest_first_in_pages(shop: Shop) -> None:
    made = [shop.create(ref).payment.id for ref in (DESIGN, COURSE, WORLD)]
    listed = shop.history()
    assert [payment.id for payment in listed] == made[::-1]
    page: list[Any] = shop.call(shop.payments.history, ADA, limit=1, before=made[2])
    assert [payment.id for payment in page] == [made[1]]


def test_a_canceled_payment_can_be_begun_anew(shop: Shop) -> None:
    first = shop.create()
    assert shop.cancel(first).status is PaymentStatus.CANCELED
    assert shop.cancel(first).status is PaymentStatus.CANCELED
    shop.flush()
    assert shop.payable() == []
    assert shop.check().code == "not_owned"
    second = shop.create()
    assert second.payment.id != first.payment.id
    assert not second.repeated
    shop.pay(second)
    shop.flush()
    assert shop.check().allowed


def test_a_payment_that_the_bank_has_cannot_be_canceled(shop: Shop) -> None:
    checkout = shop.create()
    shop.pay(checkout, BANK_DEBIT)
    with pytest.raises(PaymentProcessing):
        shop.cancel(checkout)
    assert shop.get(checkout).intent_status == "processing"


def test_a_download_id_is_good_for_a_day_and_for_one_product(shop: Shop) -> None:
    shop.grant(DESIGN)
    shop.grant(COURSE)
    shop.download(DESIGN, download_id="x")
    with pytest.raises(DownloadIdSpent):
        shop.download(COURSE, download_id="x")
    shop.clock.advance(DAY - 1)
    assert not shop.download(DESIGN, download_id="x").counted
    shop.clock.advance(1)
    with pytest.raises(DownloadIdSpent):
        shop.download(DESIGN, download_id="x")


def test_terms_are_those_of_the_day_of_the_purchase(shop: Shop) -> None:
    shop.pay(shop.create(PRO))
    shop.flush()
    shop.shelf.change(PRO, terms=Terms(period=Period(days=1), covers=[]))
    assert shop.check(PRO).ends_at == shop.watch.now() + timedelta(days=30)
    assert shop.check(DESIGN).allowed


def test_a_hook_writes_with_the_purchase(shop: Shop) -> None:
    def note(purchase: Any, uow: Any) -> None:
        uow.connection.put("notes", purchase.id, "bought")

    if "memory" not in type(shop.store.inner).__name__.lower():

        def note(purchase: Any, uow: Any) -> None:
            uow.connection.execute("CREATE TABLE IF NOT EXISTS notes (id TEXT)")
            uow.connection.execute("INSERT INTO notes VALUES (?)", (purchase.id,))

    shop.hook = note
    checkout = shop.create()
    shop.pay(checkout)
    shop.flush()
    purchase_id = shop.get(checkout).purchase_id

    async def read(uow: Any) -> Any:
        if hasattr(uow.connection, "tables"):
            return list(uow.connection.tables["notes"])
        return [row[0] for row in uow.connection.execute("SELECT id FROM notes")]

    assert shop.rows(read) == [purchase_id]


def test_admins_and_owners_find_a_payment_by_either_id(shop: Shop) -> None:
    payment = shop.create().payment
    for actor in (ADA, ADMIN):
        for one in (payment.id, payment.intent_id):
            assert shop.call(shop.payments.get, one, actor=actor).id == payment.id


@pytest.mark.parametrize("kind", ["async, memory"])  # the others run hooks in one step
def test_a_hook_may_wait_where_the_store_lets_it(shop: Shop) -> None:
    told: list[str] = []

    async def tell(purchase: Any, uow: Any) -> None:
        await asyncio.sleep(0)
        told.append(purchase.id)

    shop.hook = tell
    checkout = shop.create()
    shop.pay(checkout)
    shop.flush()
    assert told == [shop.get(checkout).purchase_id]


def test_a_clock_behind_stripes_keeps_nobody_out(shop: Shop) -> None:
    shop.watch.behind = 200
    shop.pay(shop.create(PRO))
    shop.pay(shop.create(DESIGN))
    shop.flush()
    assert shop.check(PRO).allowed
    assert shop.check(DESIGN).allowed
    assert shop.download().counted


def test_ids_beyond_ascii(shop: Shop) -> None:
    zoe = Buyer("zo\u00eb \U0001f98a/\"'%=&")
    ref = ProductRef("\u8a2d\u8a08", "\u56fe & co/../1")
    shop.shelf.products[ref] = replace(
        shop.shelf.products[DESIGN], ref=ref, title="\u56fe \U0001f5bc"
    )
    checkout = shop.create(ref, buyer=zoe)
    intent = shop.pay(checkout)
    assert intent["metadata"]["userId"] == zoe.id
    assert intent["metadata"]["productId"] == ref.id
    shop.flush()
    assert shop.check(ref, buyer=zoe).allowed
