"""payfulfill on the web: endpoints that any framework can serve, and adapters for some.

- `endpoints`: what is done; `routes`: the table of it, what each takes, who may call it, what it
  answers.
- `wire`: the JSON; `problems`: refusals (RFC 9457); `openapi`: both as a document.
- `checkout`: Stripe's own page as a way to pay.
- `files`, `ranges`, `sending`: what buyers download.
- `fastapi`, `flask`: from a framework's request to ours, and from our response to its own.
"""

from payfulfill.web.checkout import CheckoutPages
from payfulfill.web.files import File, Files, LocalFiles, Redirect, SignedUrls

__all__ = ["CheckoutPages", "File", "Files", "LocalFiles", "Redirect", "SignedUrls"]
