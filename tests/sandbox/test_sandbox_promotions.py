"""Coupons, promotion codes and tax: what is to be paid at Checkout."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from payfulfill.sandbox import ApiError, CardDeclined, Sandbox

Client = stripe.StripeClient

ITEM: Any = {
    "price_data": {"currency": "usd", "unit_amount": 2000, "product_data": {"name": "Poster"}},
    "quantity": 1,
}
SALE: Any = {"mode": "payment", "line_items": [ITEM], "success_url": "https://shop.example/"}


def create(client: Client, **params: Any) -> stripe.checkout.Session:
    sale: Any = {**SALE, **params}
    return client.v1.checkout.sessions.create(sale)


def priced(**price: Any) -> Any:
    return [{**ITEM, "price_data": {**ITEM["price_data"], **price}}]


def test_a_promotion_code_on_the_page(client: Client, sandbox: Sandbox) -> None:
    code = sandbox.checkout.add_promotion_code("SPRING20", percent_off=20)
    session = create(client, allow_promotion_codes=True)
    applied = sandbox.checkout.apply_code(session.id, " spring20 ")
    assert (applied["amount_subtotal"], applied["amount_total"]) == (2000, 1600)
    assert applied["total_details"]["amount_discount"] == 400
    assert applied["discounts"] == [{"coupon": None, "promotion_code": code["id"]}]
    assert sandbox.checkout.apply_code(session.id, None)["amount_total"] == 2000
    sandbox.checkout.apply_code(session.id, "SPRING20")
    with pytest.raises(CardDeclined):
        sandbox.checkout.pay(session.id, "pm_card_chargeDeclined")
    assert client.v1.promotion_codes.retrieve(code["id"]).times_redeemed == 0
    sandbox.checkout.apply_code(session.id, None)

    paid = sandbox.checkout.pay(session.id)

    assert paid["amount_total"] == 2000
    assert sandbox.find(paid["payment_intent"])["amount_received"] == 2000
    other = create(client, allow_promotion_codes=True)
    sandbox.checkout.apply_code(other.id, "SPRING20")
    less = sandbox.checkout.pay(other.id)
    assert sandbox.find(less["payment_intent"])["amount_received"] == 1600
    used = client.v1.promotion_codes.retrieve(code["id"], {"expand": ["promotion.coupon"]})
    assert used.times_redeemed == 1
    assert isinstance(used.promotion.coupon, stripe.Coupon)
    assert used.promotion.coupon.times_redeemed == 1


def test_a_discount_of_the_shops(client: Client, sandbox: Sandbox) -> None:
    coupon = client.v1.coupons.create({"amount_off": 500, "currency": "usd"})
    session = create(client, discounts=[{"coupon": coupon.id}])
    assert (session.amount_total, session.discounts and session.discounts[0].coupon) == (
        1500,
        coupon.id,
    )
    with pytest.raises(ApiError, match="takes no promotion codes"):
        sandbox.checkout.apply_code(session.id, "SPRING20")
    all_off = client.v1.coupons.create({"percent_off": 100})
    free = create(client, discounts=[{"coupon": all_off.id}])
    assert sandbox.checkout.pay(free.id)["payment_status"] == "no_payment_required"


CODES: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"percent_off": 10, "max_redemptions": 1}, {}, "used up"),
    ({"percent_off": 10}, {"max_redemptions": 1}, "used up"),
    ({"percent_off": 10, "redeem_by": 1_800_000_001}, {}, "has expired"),
    ({"percent_off": 10}, {"expires_at": 1_800_000_001}, "has expired"),
    ({"percent_off": 10}, {"active": False}, "is invalid"),
    ({"amount_off": 100, "currency": "eur"}, {}, "is for eur"),
    (
        {"percent_off": 10},
        {"restrictions": {"minimum_amount": 2001, "minimum_amount_currency": "usd"}},
        "larger purchase",
    ),
    ({"percent_off": 10}, {"restrictions": {"first_time_transaction": True}}, "first purchase"),
    ({"percent_off": 99}, {}, "at least \\$0.50"),
]


@pytest.mark.parametrize(("coupon", "code", "says"), CODES)
def test_codes_that_cannot_be_used(
    client: Client, sandbox: Sandbox, coupon: Any, code: Any, says: str
) -> None:
    made = client.v1.coupons.create(coupon)
    promotion = {"type": "coupon", "coupon": made.id}
    params: Any = {"promotion": promotion, "code": "CODE", **code}
    client.v1.promotion_codes.create(params)
    first, second = (create(client, allow_promotion_codes=True) for _ in range(2))
    if "used up" in says:
        sandbox.checkout.apply_code(first.id, "CODE")
        sandbox.checkout.pay(first.id)
    sandbox.clock.advance(2)
    with pytest.raises(ApiError, match=says):
        sandbox.checkout.apply_code(second.id, "CODE")
    after = client.v1.checkout.sessions.retrieve(second.id)
    assert (after.amount_total, after.discounts) == (2000, [])


def test_tax_is_added_once_it_is_known_where_the_buyer_is(client: Client, sandbox: Sandbox) -> None:
    sandbox.checkout.tax_percent = "8.25"
    session = create(client, automatic_tax={"enabled": True})
    assert (session.amount_total, session.automatic_tax.status) == (
        2000,
        "requires_location_inputs",
    )
    paid = sandbox.checkout.pay(session.id)
    assert (paid["amount_subtotal"], paid["amount_total"]) == (2000, 2165)
    assert paid["total_details"] == {
        "amount_discount": 0,
        "amount_shipping": 0,
        "amount_tax": 165,
    }
    assert sandbox.find(paid["payment_intent"])["amount_received"] == 2165
    assert sandbox.checkout.pay(create(client).id)["amount_total"] == 2000  # it wasn't asked for


def test_tax_of_a_customer_whose_address_is_known(client: Client, sandbox: Sandbox) -> None:
    sandbox.checkout.tax_percent = 20
    ada = client.v1.customers.create({"address": {"country": "GB"}}).id
    session = create(
        client,
        automatic_tax={"enabled": True},
        customer=ada,
        line_items=priced(tax_behavior="inclusive"),
    )
    assert session.automatic_tax.status == "complete"
    assert (session.amount_subtotal, session.amount_total) == (2000, 2000)
    assert session.total_details is not None
    assert session.total_details.amount_tax == 333


def test_a_customer_without_an_address_is_asked_for_it(client: Client, sandbox: Sandbox) -> None:
    sandbox.checkout.tax_percent = 10
    customer = client.v1.customers.create({}).id
    tax: Any = {"automatic_tax": {"enabled": True}, "customer": customer}
    with pytest.raises(stripe.InvalidRequestError) as caught:
        create(client, **tax)
    assert caught.value.code == "customer_tax_location_invalid"
    assert client.v1.checkout.sessions.list().data == []
    session = create(client, **tax, customer_update={"address": "auto"})
    assert sandbox.checkout.pay(session.id)["amount_total"] == 2200


def test_discount_and_tax_are_spread_over_the_items(client: Client, sandbox: Sandbox) -> None:
    sandbox.checkout.tax_percent = 10
    coupon = client.v1.coupons.create({"amount_off": 100, "currency": "usd"})
    items = [*priced(unit_amount=1000), *priced(unit_amount=1000), *priced(unit_amount=1000)]
    session = create(
        client,
        automatic_tax={"enabled": True},
        discounts=[{"coupon": coupon.id}],
        line_items=items,
    )
    paid = sandbox.checkout.pay(session.id)
    listed = client.v1.checkout.sessions.line_items.list(session.id).data
    assert [each.amount_discount for each in listed] == [33, 34, 33]
    assert sum(each.amount_total for each in listed) == paid["amount_total"] == 3191
    with pytest.raises(ValueError, match="0 to 100"):
        sandbox.checkout.tax_percent = 101


# --- What there is to use ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({}, "percent_off"),
        ({"percent_off": 10, "amount_off": 100, "currency": "usd"}, "percent_off"),
        ({"percent_off": 101}, "percent_off"),
        ({"amount_off": 100}, "currency"),
        ({"amount_off": 0, "currency": "usd"}, "amount_off"),
        ({"percent_off": 10, "applies_to": {"products": ["prod_1"]}}, "applies_to"),
        ({"percent_off": 10, "id": "taken"}, "id"),
    ],
)
def test_coupons_that_make_no_sense(client: Client, wrong: Any, param: str) -> None:
    client.v1.coupons.create({"percent_off": 10, "id": "taken"})
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.coupons.create(wrong)
    assert refused.value.param == param


def test_a_code_is_there_once(client: Client, sandbox: Sandbox) -> None:
    sandbox.checkout.add_promotion_code("SPRING", amount_off=100, currency="usd")
    before = sandbox.counts["coupon"]
    for code, says in (("spring", "already exists"), ("SPR ING", "letters, digits and dashes")):
        with pytest.raises(ApiError, match=says):
            sandbox.checkout.add_promotion_code(code, percent_off=10)
    assert sandbox.counts["coupon"] == before
