"""Pages that buyers are sent to, in the place of Stripe's own: Checkout's and the portal's.

They say of themselves that they are a stand-in, and look like no page of Stripe's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from payfulfill.sandbox.hosted import checkout, files, portal

if TYPE_CHECKING:
    from starlette.routing import Route

    from payfulfill.sandbox.state import State

__all__ = ["routes"]


def routes(state: State, publishable_key: str) -> list[Route]:
    """The pages, to be served beside the API; `publishable_key` is for their own Stripe.js."""
    return [*files.routes(), *checkout.routes(state, publishable_key), *portal.routes(state)]
