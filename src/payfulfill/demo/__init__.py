"""`payfulfill demo`: a purchase from the first click to the download, shown and checked.

- `shop`: the shop, as a host would write it; `server`: its HTTP.
- `world`: the shop beside the sandbox, which stands in for Stripe.
- `story`: what happens, and what must be so; `lines`: the values it is told in.
- `terminal`: how it looks.
"""

from __future__ import annotations

import sqlite3
import traceback
from pathlib import Path
from typing import TextIO

from payfulfill import Buyer, Product, __version__
from payfulfill.demo import shop
from payfulfill.demo.lines import Claim
from payfulfill.demo.story import STORY
from payfulfill.demo.terminal import Terminal
from payfulfill.demo.world import World, open_world

__all__ = ["run"]


def run(out: TextIO, *, pauses: bool) -> bool:
    """Tells the story, and says whether everything it claimed is so.

    Args:
        out: Where to print.
        pauses: Whether to wait a little after each line.
    """
    terminal = Terminal(out, pauses=pauses)
    with open_world() as scene:
        _introduce(terminal, scene)
        claims, complete = _tell(terminal, scene)
    failed = sum(not claim.holds for claim in claims)
    terminal.text()
    if failed or not complete:
        steps = "" if complete else "; a step broke, and the story ended with it"
        terminal.text(f"{failed} of {len(claims)} checks failed{steps}.", colour="red")
        return False
    _end(terminal, len(claims))
    return True


def _introduce(terminal: Terminal, scene: World) -> None:
    terminal.text(f"payfulfill {__version__}: a shop sells its first files", colour="bold")
    terminal.text()
    terminal.text(
        "Nothing here leaves your machine. A sandbox stands in for Stripe: the shop calls its "
        "API over HTTP, and it sends the shop signed webhooks."
    )
    terminal.text()
    terminal.table(
        [
            ("Stripe", scene.sandbox.url, "the sandbox"),
            ("shop", scene.url, f"SQLite {sqlite3.sqlite_version}, in a temporary folder"),
        ]
    )
    terminal.text()
    terminal.text("On sale:")
    terminal.table([_offer(scene.shop, product) for product in shop.PRODUCTS])


def _offer(host: shop.Shop, product: Product) -> tuple[str, str, str]:
    """A product, its price and what it gives."""
    quote = host.quote(product, Buyer("nobody"))
    reduced = quote.amount != quote.base_amount
    terms = product.terms
    gives = [
        f"{terms.period.months} month" if terms.period else "",
        f"{terms.download_limit} downloads" if terms.download_limit else "",
        *(f"any {cover}" for cover in terms.covers),
    ]
    return (
        product.title,
        f"{quote.amount}{f', was {quote.base_amount.decimal}' if reduced else ''}",
        ", ".join(filter(None, gives)),
    )


def _tell(terminal: Terminal, scene: World) -> tuple[list[Claim], bool]:
    """Plays the steps: their claims, and whether all were played to the end."""
    claims: list[Claim] = []
    for number, step in enumerate(STORY, 1):
        terminal.title(number, step.title, step.why)
        try:
            for line in step.play(scene):
                terminal.line(line)
                if isinstance(line, Claim):
                    claims.append(line)
        except Exception as error:  # whatever it is, it is what the demo is here to show
            terminal.broke(error)
            traceback.print_exc()
            return claims, False
    return claims, True


def _end(terminal: Terminal, checks: int) -> None:
    terminal.text(f"All {checks} checks passed.", colour="green")
    terminal.text(
        f"Where to look next: {_relative(shop.__file__)}, the shop you have just watched; "
        "and the README, which begins with a shop of forty lines."
    )


def _relative(file: str) -> str:
    path = Path(file)
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path.name)
