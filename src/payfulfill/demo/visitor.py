"""A visitor of the shop: a browser without a screen."""

from __future__ import annotations

from typing import Any, Final

import httpx

_TIMEOUT: Final = 10  # seconds


class Visitor:
    """Somebody who is signed in at the shop, and pays at Stripe."""

    def __init__(self, name: str, shop_url: str, stripe_url: str) -> None:
        """Signs them in.

        Args:
            name: The shop's id of them.
            shop_url: Where the shop is.
            stripe_url: Where Stripe's API is, as far as browsers call it.
        """
        self.name = name
        self._stripe = stripe_url
        # Without the machine's proxy, which knows nothing of our ports.
        self._http = httpx.Client(base_url=shop_url, trust_env=False, timeout=_TIMEOUT)
        self.post("/shop/sign-in", {"person": name})

    def get(self, path: str) -> httpx.Response:
        """What the shop answers to a GET."""
        return self._http.get(path)

    def post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        """What the shop answers to JSON."""
        return self._http.post(path, json=body)

    def confirm(self, client_secret: str, publishable_key: str, card: str) -> dict[str, Any]:
        """What Stripe answers when the payment page sends a card, as Stripe's script does."""
        intent_id = client_secret.partition("_secret_")[0]
        sent = {
            "key": publishable_key,
            "client_secret": client_secret,
            "payment_method_data[type]": "card",
            "payment_method_data[card][number]": card.replace(" ", ""),
            "payment_method_data[card][exp_month]": "12",
            "payment_method_data[card][exp_year]": "2034",
            "payment_method_data[card][cvc]": "123",
        }
        url = f"{self._stripe}/v1/payment_intents/{intent_id}/confirm"
        # Without the shop's cookies: it is another site.
        answer = httpx.post(url, data=sent, trust_env=False, timeout=_TIMEOUT)
        found: dict[str, Any] = answer.json()
        return found

    def close(self) -> None:
        """Ends their connections."""
        self._http.close()
