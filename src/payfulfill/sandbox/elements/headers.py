"""What every page for a buyer's browser says about itself."""

from __future__ import annotations

from typing import Final

PAGE: Final = {
    "Cache-Control": "no-store",
    # Without `frame-ancestors`: any local page may have these in a frame, they are made for it.
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'none'; object-src 'none'"
    ),
    "Referrer-Policy": "no-referrer",  # client secrets are in the addresses
    "X-Content-Type-Options": "nosniff",
}
