"""`payfulfill demo`: the example shop with a local Stripe, to click through or to check.

- `example`: the shop itself, which is in the repository's folder `examples`.
- `server`: serves it; `world`: the shop beside the sandbox; `visitor`: who visits it.
- `story`: what happens, and what must be so; `lines`: the values it is told in.
- `terminal`: how it looks.
"""

from __future__ import annotations

import sqlite3
import threading
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Final, TextIO

from payfulfill import __version__
from payfulfill.demo import example
from payfulfill.demo.lines import Claim
from payfulfill.demo.story import STORY
from payfulfill.demo.terminal import Terminal
from payfulfill.demo.world import World, open_world

__all__ = ["check", "run"]

SANDBOX_PORTS: Final = (12111, 0)
"""Where the sandbox listens: where `payfulfill sandbox trigger` looks for one, or elsewhere."""

CARDS: Final = (
    ("4242 4242 4242 4242", "pays"),
    ("4000 0000 0000 9995", "is declined: insufficient funds"),
    ("4000 0027 6000 3184", "asks who you are (3-D Secure)"),
)

_PATIENCE: Final = 1.0  # seconds after which Windows looks whether Ctrl-C came; others do at once


def run(out: TextIO, *, ports: Iterable[int], data: Path | None = None) -> None:
    """Opens the shop, says where it is, and keeps it open until an exception ends it.

    Args:
        out: Where to print.
        ports: Where the shop may listen: the first that is free; 0 is any.
        data: The folder for its database and its files; None for one that goes again.

    Raises:
        OSError: no port is free, or the folder can't be had.
        KeyboardInterrupt: the user pressed Ctrl-C.
    """
    terminal = Terminal(out)
    with open_world(ports=ports, sandbox_ports=SANDBOX_PORTS, data=data) as world:
        _invite(terminal, world, data)
        forever = threading.Event()
        while not forever.wait(_PATIENCE):
            pass


def check(out: TextIO) -> bool:
    """Tells the story, and says whether everything it claimed is so.

    Args:
        out: Where to print.
    """
    terminal = Terminal(out)
    with open_world() as world:
        _introduce(terminal, world)
        claims, complete = _tell(terminal, world)
    failed = sum(not claim.holds for claim in claims)
    terminal.text()
    if failed or not complete:
        steps = "" if complete else "; a step broke, and the story ended with it"
        terminal.text(f"{failed} of {len(claims)} checks failed{steps}.", colour="red")
        return False
    terminal.text(f"All {len(claims)} checks passed.", colour="green")
    terminal.text(
        "Where to look next: `payfulfill demo`, the same shop to click through; and "
        f"{_relative(example.FILE)}, where its code begins."
    )
    return True


def _invite(terminal: Terminal, world: World, data: Path | None) -> None:
    terminal.text(f"payfulfill {__version__}: a shop to click through", colour="bold")
    terminal.text()
    terminal.table(
        [
            ("shop", world.url, "sign in as Ada or as Bob"),
            ("Stripe", f"{world.sandbox.url}/", "the sandbox's page: see what happens"),
        ]
    )
    terminal.table(
        [
            ("data  ", str(data) if data else "in a temporary folder"),
            ("code  ", _relative(example.FILE)),
        ]
    )
    terminal.text()
    terminal.text("Cards to pay with, at any future date and with any three digits:")
    terminal.table(list(CARDS))
    terminal.text()
    terminal.text("Nothing leaves your machine, and no money moves. Stop: Ctrl-C.")


def _introduce(terminal: Terminal, world: World) -> None:
    terminal.text(f"payfulfill {__version__}: a shop sells its first files", colour="bold")
    terminal.text()
    terminal.text(
        "Nothing here leaves your machine. A sandbox stands in for Stripe: the shop calls its "
        "API over HTTP, and it sends the shop signed webhooks."
    )
    terminal.text()
    terminal.table(
        [
            ("Stripe", world.sandbox.url, "the sandbox"),
            ("shop", world.url, f"SQLite {sqlite3.sqlite_version}, in a temporary folder"),
        ]
    )


def _tell(terminal: Terminal, world: World) -> tuple[list[Claim], bool]:
    """Plays the steps: their claims, and whether all were played to the end."""
    claims: list[Claim] = []
    for number, step in enumerate(STORY, 1):
        terminal.title(number, step.title, step.why)
        try:
            for line in step.play(world):
                terminal.line(line)
                if isinstance(line, Claim):
                    claims.append(line)
        except Exception as error:  # whatever it is, it is what the demo is here to show
            terminal.broke(error)
            traceback.print_exc()
            return claims, False
    return claims, True


def _relative(file: str) -> str:
    path = Path(file)
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
