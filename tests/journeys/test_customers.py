"""One customer at Stripe for each buyer, over HTTP, whatever breaks on the way."""

from __future__ import annotations

import logging
import urllib.request
from collections.abc import Awaitable
from typing import TypeVar

import pytest
from tests.journeys.shop import ADA, BOB, DAY, DESIGN, FREEBIE, PRO, WORLD, Json, Shop

from payfulfill import Buyer, ProductRef
from payfulfill.colour import drive
from payfulfill.errors import AlreadyOwned, GatewayRefused, GatewayUnavailable, InvalidRequest
from payfulfill.models import Customer
from payfulfill.payments.customers import CustomerCore
from payfulfill.sandbox import Fault

T = TypeVar("T")

CREATE = "customers.create"
LIST = "customers.list"
PORTAL = "billing_portal.sessions.create"
HOME = "http://127.0.0.1:9/account"
STRANGE = Buyer("Ádá \N{ARTIST PALETTE} 'x' & [y]=" + "\N{ARTIST PALETTE}" * 115)

NEVER_STORED = [
    Fault.RATE_LIMITED,
    Fault.LOCK_TIMEOUT,
    Fault.KEY_IN_USE,
    Fault.CUT_BEFORE,
    Fault.CUT_AFTER,
]
"""After these the same key still gives an answer."""

STORED = [Fault.ERROR_500, Fault.ERROR_500_AFTER]
"""After these it never does."""


def run(shop: Shop, coming: Awaitable[T]) -> T:
    """The result of what an async or a sync shop does."""
    if not shop.is_async:
        return drive(coming)

    async def whole() -> T:
        return await coming

    found: T = shop.call(whole)
    return found


def core(shop: Shop) -> CustomerCore:
    return CustomerCore(shop.store, shop.gateway.inner, shop.watch)


def ensure(shop: Shop, buyer: Buyer = ADA) -> str:
    return run(shop, core(shop).ensure(buyer))


def portal(shop: Shop, buyer: Buyer = ADA) -> str:
    return run(shop, core(shop).portal(buyer, HOME))


def made(shop: Shop) -> list[Json]:
    """The customers at Stripe, the oldest first."""
    return shop.sandbox.objects("customer")[::-1]


def is_made_once(shop: Shop, *, keys: int = 1) -> None:
    """By now, whichever way it became known."""
    (one,) = made(shop)
    calls = len(shop.sandbox.calls)
    for _ in range(2):
        assert ensure(shop) == one["id"]
        shop.reopen()
        shop.clock.advance(2 * DAY)
    assert len(shop.sandbox.calls) == calls
    assert one["metadata"]["payfulfill_buyer"] == ADA.id
    assert len(set(shop.keys(CREATE))) == keys


def delete(shop: Shop, customer_id: str) -> None:
    """In Stripe's dashboard."""
    address = f"{shop.sandbox.url}/v1/customers/{customer_id}"
    request = urllib.request.Request(address, method="DELETE")
    request.add_header("Authorization", f"Bearer {shop.sandbox.api_key}")
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200


def test_customers_are_made_once(shop: Shop) -> None:
    found = {buyer: ensure(shop, buyer) for buyer in (ADA, BOB, STRANGE)}
    shop.reopen()
    assert {buyer: ensure(shop, buyer) for buyer in found} == found
    names = {one["id"]: one["metadata"]["payfulfill_buyer"] for one in made(shop)}
    assert names == {customer_id: buyer.id for buyer, customer_id in found.items()}


def test_many_at_once_make_one(shop: Shop) -> None:
    one = core(shop)

    def call() -> object:
        return one.ensure(ADA) if shop.is_async else drive(one.ensure(ADA))

    found = shop.at_once([call] * 16)
    (customer,) = made(shop)
    assert found == [customer["id"]] * 16


@pytest.mark.parametrize("times", [1, 4])
@pytest.mark.parametrize("fault", NEVER_STORED)
def test_429_409_lock_timeout_and_cut_connections_are_retried_with_the_same_key(
    shop: Shop, fault: Fault, times: int
) -> None:
    shop.sandbox.fail_next(CREATE, fault, times)
    ensure(shop)
    is_made_once(shop)
    assert len(shop.watch.slept) == times


@pytest.mark.parametrize("fault", [Fault.CUT_BEFORE, Fault.CUT_AFTER])
@pytest.mark.parametrize("days", [0, 2])
def test_an_answer_that_stays_lost_is_found_out_later(shop: Shop, fault: Fault, days: int) -> None:
    """Within the key's life by the key, afterwards by Stripe's list."""
    shop.sandbox.fail_next(CREATE, fault, 5)
    with pytest.raises(GatewayUnavailable) as caught:
        ensure(shop)
    assert (caught.value.status, caught.value.retryable) == (503, True)
    shop.reopen()
    shop.clock.advance(days * DAY)
    ensure(shop)
    is_made_once(shop, keys=2 if days and fault is Fault.CUT_BEFORE else 1)


@pytest.mark.parametrize("fault", STORED)
def test_after_a_500_it_is_looked_for(shop: Shop, fault: Fault) -> None:
    shop.sandbox.fail_next(CREATE, fault)
    ensure(shop)
    is_made_once(shop, keys=2 if fault is Fault.ERROR_500 else 1)
    assert LIST in [call.operation for call in shop.sandbox.calls]


def test_it_is_found_on_any_page_of_the_list(shop: Shop) -> None:
    """Stripe gives a hundred at once."""
    shop.sandbox.fail_next(CREATE, Fault.ERROR_500_AFTER)
    shop.sandbox.fail_next(LIST, Fault.CUT_BEFORE, 5)
    with pytest.raises(GatewayUnavailable):
        ensure(shop)
    for number in range(101):
        ensure(shop, Buyer(f"buyer {number}"))
    found = ensure(shop)
    assert found == made(shop)[0]["id"]
    assert len(made(shop)) == 102


def test_one_that_was_deleted_is_made_anew_for_the_portal(shop: Shop) -> None:
    first = ensure(shop)
    delete(shop, first)
    assert ensure(shop) == first  # nobody has told us
    assert portal(shop)
    (second,) = [one["id"] for one in made(shop) if "deleted" not in one]
    assert ensure(shop) == second != first


def test_the_portal_opens(shop: Shop) -> None:
    with urllib.request.urlopen(portal(shop)) as page:
        assert page.status == 200
        assert "text/html" in page.headers["Content-Type"]
    (session,) = shop.sandbox.objects("billing_portal.session")
    assert (session["customer"], session["return_url"]) == (made(shop)[0]["id"], HOME)


def test_a_way_back_that_leads_nowhere_is_refused(shop: Shop) -> None:
    with pytest.raises(GatewayRefused):
        run(shop, core(shop).portal(ADA, "not an address"))
    assert len(made(shop)) == 1


def test_the_portals_address_is_shown_and_kept_nowhere(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        secret = portal(shop).rpartition("/")[2]
        shop.sandbox.fail_next(PORTAL, Fault.ERROR_500_AFTER)
        portal(shop)
    row = shop.rows(lambda uow: uow.customers.get(ADA.id, livemode=False))
    assert isinstance(row, Customer)
    assert "/session/..." in caplog.text  # the SDK's log of the answer
    kept = b"".join(each.read_bytes() for each in shop.path.parent.glob("shop.db*"))
    assert secret not in caplog.text + repr(row) + repr(shop.gateway.inner)
    assert secret.encode() not in kept


# --- buying as a customer ------------------------------------------------------------------------


def at_stripe(shop: Shop, name: str) -> list[Json]:
    """The objects of a kind that were not deleted, the oldest first."""
    return [one for one in shop.sandbox.objects(name)[::-1] if "deleted" not in one]


@pytest.mark.parametrize("ui", ["elements", "checkout"])
def test_what_was_paid_with_is_kept_for_later(shop: Shop, ui: str) -> None:
    options: Json = {"setup_future_usage": "off_session"}
    if ui == "elements":
        checkout = shop.create(**options)
        shop.pay(checkout)
    else:
        checkout = shop.open_page(**options)
        shop.pay_page(checkout)
    shop.catch_up()
    assert shop.check().allowed
    (customer,) = at_stripe(shop, "customer")
    assert customer["metadata"]["payfulfill_buyer"] == ADA.id
    (intent,) = shop.intents().values()
    assert (intent["customer"], intent["setup_future_usage"]) == (customer["id"], "off_session")
    kept = [one for one in at_stripe(shop, "payment_method") if one["customer"] == customer["id"]]
    assert len(kept) == 1


def test_each_buyer_is_one_customer_where_the_host_wants_it(shop: Shop) -> None:
    shop.selling["customers"] = True
    shop.reopen()
    for ref in (DESIGN, WORLD, PRO):
        shop.buy(ref)
    shop.buy(buyer=BOB)
    ada, bob = at_stripe(shop, "customer")
    assert [intent["customer"] for intent in shop.intents().values()] == [
        *[ada["id"]] * 3,
        bob["id"],
    ]


def test_most_hosts_want_none(shop: Shop) -> None:
    shop.buy()
    assert at_stripe(shop, "customer") == []


@pytest.mark.parametrize("ref", [FREEBIE, DESIGN])
def test_nobody_is_made_a_customer_for_nothing(shop: Shop, ref: ProductRef) -> None:
    """What is free, or owned, or not sold needs none."""
    shop.selling["customers"] = True
    shop.reopen()
    if ref == FREEBIE:
        shop.create(FREEBIE)
    else:
        shop.grant(DESIGN)
        with pytest.raises(AlreadyOwned):
            shop.create(DESIGN)
    assert at_stripe(shop, "customer") == []


def test_another_wish_for_later_is_another_offer(shop: Shop) -> None:
    plain = shop.create()
    keeping = shop.create(setup_future_usage="on_session")
    assert keeping.payment.id != plain.payment.id
    assert shop.create(setup_future_usage="on_session").payment.id == keeping.payment.id
    assert len(shop.payable()) == 1


@pytest.mark.parametrize("ui", ["elements", "checkout"])
@pytest.mark.parametrize("when", ["before", "between"])
def test_a_customer_who_was_deleted_at_stripe(shop: Shop, ui: str, when: str) -> None:
    """Another one is made, and the payment is the same."""
    options: Json = {"setup_future_usage": "on_session"}
    make = shop.create if ui == "elements" else shop.open_page
    if when == "before":
        gone = ensure(shop)
        delete(shop, gone)
    else:
        shop.gateway.before["create" if ui == "elements" else "create_session"].append(
            lambda: delete(shop, at_stripe(shop, "customer")[0]["id"])
        )
    checkout = make(**options)
    assert len(at_stripe(shop, "customer")) == 1
    assert ensure(shop) == at_stripe(shop, "customer")[0]["id"]
    assert checkout.client_secret or checkout.url
    assert len(shop.history()) == 1


def test_something_else_that_stripe_misses_makes_no_row_of_customers(shop: Shop) -> None:
    def missing() -> None:
        raise GatewayRefused(reason="resource_missing")

    shop.gateway.before["create"] += [missing] * 20
    with pytest.raises(GatewayRefused):
        shop.create(setup_future_usage="on_session")
    assert len(at_stripe(shop, "customer")) <= 2


def test_64_first_purchases_at_once_are_of_one_customer(shop: Shop) -> None:
    shop.buyers.add(ADA.id)
    found = shop.at_once(
        [lambda: shop.payments.create(ADA, DESIGN, setup_future_usage="on_session")] * 64
    )
    assert {type(one) for one in found if isinstance(one, Exception)} <= {GatewayUnavailable}
    assert len(at_stripe(shop, "customer")) == 1
    assert len(shop.payable()) == 1


def test_the_portal(shop: Shop) -> None:
    url = shop.call(shop.payments.portal, ADA, return_url=HOME)
    with urllib.request.urlopen(url) as page:
        assert b"Your payments" in page.read()
    assert len(at_stripe(shop, "customer")) == 1


@pytest.mark.parametrize("url", ["/account", "https://evil.example/", "https://shop.example:444/"])
def test_the_portal_leads_back_to_the_shop_alone(shop: Shop, url: str) -> None:
    shop.selling["return_origins"] = ["https://shop.example"]
    shop.reopen()
    with pytest.raises(InvalidRequest):
        shop.call(shop.payments.portal, ADA, return_url=url)
    with pytest.raises(InvalidRequest):
        shop.open_page(success_url=url)
    assert shop.sandbox.calls == ()
    assert shop.open_page().url
