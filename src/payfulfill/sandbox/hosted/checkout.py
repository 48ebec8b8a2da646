"""What Checkout's page asks: what is sold, whether a code is good, and to pay."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from payfulfill.sandbox import account, checkout, payment_methods
from payfulfill.sandbox.checkout import Buyer, Status
from payfulfill.sandbox.dashboard.serving import json_route

if TYPE_CHECKING:
    from starlette.routing import Route

    from payfulfill.sandbox.dashboard.asked import Asked
    from payfulfill.sandbox.state import Json, State


def routes(state: State, publishable_key: str) -> list[Route]:
    """One for each thing that the page asks."""

    def answer(act: Callable[[State, Json, Asked], None], asked: Asked) -> Json:
        with state.acting() as acting:
            session = checkout.find(acting, asked.id)
            act(acting, session, asked)
            return {**_shown(acting, session), "key": publishable_key}

    return [json_route("POST", path, partial(answer, act)) for path, act in _ACTS.items()]


def _come(state: State, session: Json, asked: Asked) -> None:  # noqa: ARG001  # every act's signature
    """The buyer is here. The page's form has a country from the start, so their tax is known."""
    checkout.locate(state, session)


def _use_code(state: State, session: Json, asked: Asked) -> None:
    checkout.apply_code(state, session, asked.text("code", "") or None)


def _pay(state: State, session: Json, asked: Asked) -> None:
    reference = asked.text("payment_method", "")
    method = payment_methods.named(state, reference) if reference else None
    address = method["billing_details"]["address"] if method is not None else None
    buyer = Buyer(
        email=asked.text("email", "") or None,
        name=asked.text("name", "") or None,
        address=dict(address) if address is not None and any(address.values()) else None,
    )
    checkout.confirm(state, session, method, buyer)


_ROOT: Final = "/_sandbox/checkout/{id}"
_ACTS: Final = {f"{_ROOT}/come": _come, f"{_ROOT}/code": _use_code, f"{_ROOT}/pay": _pay}


# --- What the page shows -------------------------------------------------------------------


def _shown(state: State, session: Json) -> Json:
    basket = state.baskets[session["id"]]
    intent = state.payment_intents.get(session["payment_intent"], {})
    open_ = session["status"] == Status.OPEN
    known = (session["customer_details"] or {}).get("email")
    details = session["total_details"]
    return {
        "status": session["status"],
        "payment_status": session["payment_status"],
        "seller": account.NAME,
        "currency": session["currency"],
        "items": [_item(state, item) for item in basket.items],
        "subtotal": session["amount_subtotal"],
        "discount": details["amount_discount"],
        "tax": details["amount_tax"],
        "reckons_tax": session["automatic_tax"]["enabled"],
        "total": session["amount_total"],
        "takes_codes": bool(session["allow_promotion_codes"]),
        "code": _code(state, session),
        "email": known,
        "knows_email": known is not None
        and (session["customer"] is not None or session["customer_email"] is not None),
        "keeps": basket.intent_params.get("setup_future_usage"),
        "methods": session["payment_method_types"],
        "expires_at": session["expires_at"],
        "trouble": ((intent.get("last_payment_error") or {}).get("message")) if open_ else None,
        "bank": _bank(intent) if open_ else None,
        "back": _address(session, "cancel_url"),
        "forward": None if open_ else _address(session, "success_url"),
    }


def _item(state: State, item: Json) -> Json:
    product = state.products[item["price"]["product"]]
    return {
        "name": item["description"],
        "description": product["description"],
        "quantity": item["quantity"],
        "each": item["price"]["unit_amount"],
        "amount": item["amount_subtotal"],
    }


def _code(state: State, session: Json) -> str | None:
    """What the buyer typed, or the name of the coupon that the shop has used for them."""
    if not session["discounts"]:
        return None
    (applied,) = session["discounts"]
    if applied["promotion_code"] is not None:
        code: str = state.promotion_codes[applied["promotion_code"]]["code"]
        return code
    coupon = state.coupons.get(applied["coupon"], {})
    return coupon.get("name") or str(applied["coupon"])


def _bank(intent: Json) -> str | None:
    """Where the buyer proves who they are."""
    action = intent.get("next_action") or {}
    url: str | None = action.get("redirect_to_url", {}).get("url")
    return url


def _address(session: Json, name: str) -> str | None:
    """Where the buyer goes from here.

    https://docs.stripe.com/payments/checkout/custom-success-page
    """
    url: str | None = session[name]
    return None if url is None else url.replace("{CHECKOUT_SESSION_ID}", session["id"])
