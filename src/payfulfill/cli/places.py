"""Where things are: the sandbox's port, and addresses as people type them."""

from __future__ import annotations

import argparse
import re
from typing import Final
from urllib.parse import urlsplit

PORT: Final = 12111
"""Where the sandbox listens unless told otherwise. It is stripe-mock's port, which apps and SDKs
that are set up for that one call already: https://github.com/stripe/stripe-mock"""


def address(text: str) -> str:
    """An HTTP address, which may come without its scheme and host: `8000/webhook`.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    url = re.sub(r"^:?(?=\d+(/|$))", "localhost:", text)
    url = url if "://" in url else f"http://{url}"
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        sound = False
    if not sound or re.search(r"[\s\x00-\x1f]", url):
        raise argparse.ArgumentTypeError(f"{text!r} is no HTTP address")
    return url
