"""What the portal's page asks: what a customer paid and keeps, and to forget a payment method."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from payfulfill.sandbox import account, billing_portal
from payfulfill.sandbox.dashboard.serving import json_route

if TYPE_CHECKING:
    from starlette.routing import Route

    from payfulfill.sandbox.dashboard.asked import Asked
    from payfulfill.sandbox.state import Json, State


def routes(state: State) -> list[Route]:
    """One for each thing that the page asks."""

    def answer(act: Callable[[State, Json, Asked], None], asked: Asked) -> Json:
        with state.acting() as acting:
            session = billing_portal.visit(acting, asked.id)
            act(acting, session, asked)
            return _shown(acting, session)

    return [json_route("POST", path, partial(answer, act)) for path, act in _ACTS.items()]


def _come(state: State, session: Json, asked: Asked) -> None:
    """The customer is here: nothing more."""


def _remove(state: State, session: Json, asked: Asked) -> None:
    billing_portal.remove(state, session, asked.text("payment_method"))


_ROOT: Final = "/_sandbox/portal/{id}"
_ACTS: Final = {f"{_ROOT}/come": _come, f"{_ROOT}/remove": _remove}


def _shown(state: State, session: Json) -> Json:
    customer = state.customers[session["customer"]]
    settings = customer.get("invoice_settings", {})
    return {
        "seller": account.NAME,
        "customer": customer.get("email") or customer.get("name") or customer["id"],
        "back": session["return_url"],
        "methods": [
            {
                "id": method["id"],
                **_details(method),
                "is_default": method["id"] == settings.get("default_payment_method"),
            }
            for method in billing_portal.kept(state, session)
        ],
        "payments": [_payment(charge) for charge in billing_portal.paid(state, session)],
    }


def _details(method: Json) -> Json:
    """What a customer knows their card or account by."""
    if method["type"] == "card":
        card = method["card"]
        return {
            "brand": card["brand"],
            "last4": card["last4"],
            "until": [card["exp_month"], card["exp_year"]],
        }
    bank = method["us_bank_account"]
    return {"brand": bank["bank_name"], "last4": bank["last4"], "until": None}


def _payment(charge: Json) -> Json:
    return {
        "time": charge["created"],
        "description": charge["description"],
        "amount": charge["amount"],
        "refunded": charge["amount_refunded"],
        "currency": charge["currency"],
        "status": charge["status"],
    }
