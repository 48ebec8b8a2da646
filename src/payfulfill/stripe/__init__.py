"""Stripe: verifying and reading its events (pure), and calling it through its own SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from payfulfill.stripe.gateway import AsyncStripeGateway, StripeGateway

__all__ = ["AsyncStripeGateway", "StripeGateway"]

if not TYPE_CHECKING:  # a type checker is to know that other names do not exist

    def __getattr__(name: str) -> Any:
        # The SDK takes a quarter of a second to import; who only verifies events never needs it.
        if name in __all__:
            from payfulfill.stripe import gateway  # noqa: PLC0415

            return getattr(gateway, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
