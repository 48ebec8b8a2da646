"""What differs between your machine and production. All of it comes from the environment."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from payfulfill.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The keys, and the addresses.

    Attributes:
        url: `SHOP_URL`, where buyers find the shop. Stripe's page sends them back to it, and to no
            other site.
        api_key: `STRIPE_API_KEY`, the secret key.
        publishable_key: `STRIPE_PUBLISHABLE_KEY`, for the browser.
        webhook_secret: `STRIPE_WEBHOOK_SECRET`, by which Stripe's webhooks are known.
        stripe_js: `STRIPE_JS`, the script of the payment page.
        api_base: `STRIPE_API_BASE`, where the API is. None: at Stripe.
        promotion: `SHOP_PROMOTION`, a promotion code that the payment page speaks of. You make it
            at Stripe.
        data: `SHOP_DATA`, the folder of the files for sale, and of `shop.db`.
        store: `SHOP_STORE`, where payments and purchases are kept: the path of an SQLite file (by
            default `shop.db`), `postgresql://...` or `mongodb://host/database`.
        store_name: `SHOP_STORE_NAME`, another schema of PostgreSQL than `public`, or another
            database of MongoDB than the one in the URL.
        session_secret: `SHOP_SESSION_SECRET`, which signs the cookie. Without one, everybody is
            signed out when the shop starts anew.
        https: `SHOP_HTTPS=1` once the shop is served over HTTPS: the cookie goes nowhere else.
    """

    url: str
    api_key: str = field(repr=False)
    publishable_key: str
    webhook_secret: str = field(repr=False)
    stripe_js: str
    api_base: str | None
    promotion: str | None
    data: Path
    store: str = field(repr=False)
    store_name: str | None
    session_secret: str = field(repr=False)
    https: bool

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Settings:
        """The settings in an environment, such as `os.environ`.

        Raises:
            ConfigurationError: one is missing.
        """
        needed = ("STRIPE_API_KEY", "STRIPE_PUBLISHABLE_KEY", "STRIPE_WEBHOOK_SECRET")
        missing = [name for name in needed if not environment.get(name)]
        if missing:
            raise ConfigurationError(f"set {', '.join(missing)} in the environment; see README.md")
        data = Path(environment.get("SHOP_DATA") or "shop-data")
        return cls(
            url=(environment.get("SHOP_URL") or "http://127.0.0.1:8000").rstrip("/"),
            api_key=environment["STRIPE_API_KEY"],
            publishable_key=environment["STRIPE_PUBLISHABLE_KEY"],
            webhook_secret=environment["STRIPE_WEBHOOK_SECRET"],
            stripe_js=environment.get("STRIPE_JS") or "https://js.stripe.com/v3/",
            api_base=environment.get("STRIPE_API_BASE") or None,
            promotion=environment.get("SHOP_PROMOTION") or None,
            data=data,
            store=environment.get("SHOP_STORE") or str(data / "shop.db"),
            store_name=environment.get("SHOP_STORE_NAME") or None,
            session_secret=environment.get("SHOP_SESSION_SECRET") or secrets.token_hex(32),
            https=environment.get("SHOP_HTTPS") == "1",
        )
