"""What leads to the events of Checkout: of sessions, coupons, promotion codes and the portal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from payfulfill.sandbox.trigger_steps import Step

SESSIONS: Final = "/v1/checkout/sessions"
_CONTROL: Final = "/_sandbox/api/checkout"

_ITEM: Final = {
    "price_data": {
        "currency": "usd",
        "unit_amount": "2000",
        "product_data": {"name": "triggered"},
    },
    "quantity": "1",
}
_SESSION: Final = Step(
    "checkout_session",
    "POST",
    SESSIONS,
    {"mode": "payment", "line_items": [_ITEM], "success_url": "http://127.0.0.1/thanks"},
)


def _paid_with(card: str) -> Step:
    """By the buyer, on the page: Stripe's API has no call for it."""
    params = {"session": "{checkout_session.id}", "card": card}
    return Step("checkout_session_pay", "POST", f"{_CONTROL}/pay", params)


def _settled(*, well: bool) -> Step:
    params = {"session": "{checkout_session.id}", "succeed": well}
    return Step("checkout_session_settle", "POST", f"{_CONTROL}/settle", params)


_PAY: Final = _paid_with("pm_card_visa")
_WAIT: Final = _paid_with("pm_usBankAccount_success")
_EXPIRE: Final = Step(
    "checkout_session_expire", "POST", f"{SESSIONS}/{{checkout_session.id}}/expire"
)
_COUPON: Final = Step("coupon", "POST", "/v1/coupons", {"percent_off": "20"})
_CODE: Final = Step(
    "promotion_code",
    "POST",
    "/v1/promotion_codes",
    {"promotion": {"type": "coupon", "coupon": "{coupon.id}"}},
)

TRIGGERS: Final[Mapping[str, tuple[Step, ...]]] = {
    "checkout.session.completed": (_SESSION, _PAY),
    "checkout.session.expired": (_SESSION, _EXPIRE),
    "checkout.session.async_payment_succeeded": (_SESSION, _WAIT, _settled(well=True)),
    "checkout.session.async_payment_failed": (_SESSION, _WAIT, _settled(well=False)),
    "billing_portal.session.created": (
        Step("customer", "POST", "/v1/customers", {"description": "triggered"}),
        Step(
            "billing_portal_session",
            "POST",
            "/v1/billing_portal/sessions",
            {"customer": "{customer.id}"},
        ),
    ),
    "coupon.created": (_COUPON,),
    "coupon.deleted": (
        _COUPON,
        Step("coupon_delete", "DELETE", "/v1/coupons/{coupon.id}"),
    ),
    "promotion_code.created": (_COUPON, _CODE),
    "promotion_code.updated": (
        _COUPON,
        _CODE,
        Step(
            "promotion_code_update",
            "POST",
            "/v1/promotion_codes/{promotion_code.id}",
            {"active": "false"},
        ),
    ),
}
"""What leads to each event, from nothing."""

ON_SESSION: Final[Mapping[str, Mapping[str, tuple[Step, ...]]]] = {
    "open": {
        "checkout.session.completed": (_PAY,),
        "checkout.session.expired": (_EXPIRE,),
    },
    "complete": {
        "checkout.session.async_payment_succeeded": (_settled(well=True),),
        "checkout.session.async_payment_failed": (_settled(well=False),),
    },
}
"""What leads to each event from a session that is there, by its status."""
