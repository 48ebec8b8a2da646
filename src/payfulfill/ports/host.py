"""What the host brings: its catalogue, and its hook."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from payfulfill.colour import MaybeAwaitable
from payfulfill.models import Product, ProductRef, Purchase


class Catalog(Protocol):
    """The host's products."""

    def get(self, ref: ProductRef) -> MaybeAwaitable[Product | None]:
        """The product of that name, as it is now."""
        ...


PurchaseHook = Callable[[Purchase, Any], Any]
"""`on_purchase(purchase, unit_of_work)`: called in the transaction that writes a new purchase.
What it writes through `unit_of_work.connection` is committed with the purchase; what it raises
undoes both. It may be called again for the same purchase when a transaction is run again."""

F = TypeVar("F", bound=PurchaseHook)


def fast_hook(hook: F) -> F:
    """Declares a hook to be fast: it does little more than write a row or two, so that others may
    share its transaction. A store that commits in groups has all others commit alone.

        @fast_hook
        def on_purchase(purchase, unit_of_work): ...
    """
    hook.payfulfill_is_fast = True  # type: ignore[attr-defined]  # a mark, looked for below
    return hook


def is_slow(hook: PurchaseHook | None) -> bool:
    """Whether there is a hook for which others are not to wait."""
    return hook is not None and not getattr(hook, "payfulfill_is_fast", False)
