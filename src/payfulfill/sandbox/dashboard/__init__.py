"""The sandbox's page: what happened, what there is, and buttons to play buyer, bank and bad day."""

from __future__ import annotations

from typing import TYPE_CHECKING

from payfulfill.sandbox.dashboard import control, pages

if TYPE_CHECKING:
    from starlette.routing import Route

    from payfulfill.sandbox.sandbox import Sandbox

__all__ = ["routes"]


def routes(sandbox: Sandbox) -> list[Route]:
    """The page at `/`, and the control API under `/_sandbox/api/` that it works with."""
    return [*pages.routes(), *control.routes(sandbox)]
