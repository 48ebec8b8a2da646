"""`payfulfill demo`: the example shop with a local Stripe, to click through or to check.

- `example`: the shop itself, which is in the repository's folder `examples`.
- `server`: serves it; `world`: the shop beside the sandbox; `visitor`: who visits it.
- `home`: its store, for which a server may be started; `home_postgres`, `home_mongo`.
- `story`: what happens, and what must be so; `lines`: the values it is told in.
- `terminal`: how it looks.
"""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TextIO

from payfulfill import __version__
from payfulfill.demo import example
from payfulfill.demo.home import Home, Kind, open_home
from payfulfill.demo.lines import Claim
from payfulfill.demo.story import STORY
from payfulfill.demo.terminal import Terminal
from payfulfill.demo.world import PROMOTION, World, open_world

__all__ = ["check", "run"]

SANDBOX_PORTS: Final = (12111, 0)
"""Where the sandbox listens: where `payfulfill sandbox trigger` looks for one, or elsewhere."""

CARDS: Final = (
    ("4242 4242 4242 4242", "pays"),
    ("4000 0000 0000 9995", "is declined: insufficient funds"),
    ("4000 0027 6000 3184", "asks who you are (3-D Secure)"),
)

_PATIENCE: Final = 1.0  # seconds after which Windows looks whether Ctrl-C came; others do at once


def run(
    out: TextIO,
    *,
    ports: Iterable[int],
    data: Path | None = None,
    store: Kind = "sqlite",
    url: str | None = None,
) -> None:
    """Opens the shop, says where it is, and keeps it open until an exception ends it.

    Args:
        out: Where to print.
        ports: Where the shop may listen: the first that is free; 0 is any.
        data: The folder for its database and its files; None for one that goes again.
        store: What the shop keeps its payments in.
        url: The server of that kind to use; None for one that is started.

    Raises:
        OSError: no port is free, or the folder can't be had.
        ModuleNotFoundError: something that the store needs is not installed.
        PayfulfillError: the server can't be used.
        KeyboardInterrupt: the user pressed Ctrl-C.
    """
    terminal = Terminal(out)
    with (
        open_home(store, url, clean=False) as home,
        open_world(
            ports=ports, sandbox_ports=SANDBOX_PORTS, data=data, store=home.settings
        ) as world,
    ):
        _invite(terminal, world, home, data)
        forever = threading.Event()
        while not forever.wait(_PATIENCE):
            pass


def check(out: TextIO, *, store: Kind = "sqlite", url: str | None = None) -> bool:
    """Tells the story, and says whether everything it claimed is so.

    Args:
        out: Where to print.
        store: What the shop keeps its payments in.
        url: The server of that kind to use; None for one that is started.

    Raises:
        ModuleNotFoundError: something that the store needs is not installed.
        PayfulfillError: the server can't be used.
    """
    terminal = Terminal(out)
    with (
        _warnings_left_out(),
        open_home(store, url, clean=True) as home,
        open_world(store=home.settings) as world,
    ):
        _introduce(terminal, world, home)
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


@contextmanager
def _warnings_left_out() -> Iterator[None]:
    """Keeps the log's warnings for a shop's operator out of the story; errors stay."""
    logger = logging.getLogger("payfulfill")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def _invite(terminal: Terminal, world: World, home: Home, data: Path | None) -> None:
    terminal.text(f"payfulfill {__version__}: a shop to click through", colour="bold")
    terminal.text()
    terminal.table(
        [
            ("shop", world.url, "sign in as Ada or as Bob, or as Ines, its admin"),
            ("Stripe", f"{world.sandbox.url}/", "the sandbox's page: see what happens"),
        ]
    )
    terminal.table(
        [
            ("store ", f"{home.engine}, {f'in {data}' if data else home.where}"),
            ("code  ", _relative(example.FILE)),
        ]
    )
    terminal.text()
    terminal.text("Cards to pay with, at any future date and with any three digits:")
    terminal.table(list(CARDS))
    terminal.text(
        f"The promotion code {PROMOTION} takes a quarter off, on Stripe's page. A US bank account "
        "takes days: let it pay or fail on the sandbox's page, at the payment intent."
    )
    terminal.text()
    if home.place:
        terminal.text(
            "Nothing leaves your machine but for what the shop stores on the server that you "
            f"named, and no money moves. What is bought stays there, in {home.place}; nothing "
            "else on the server is touched. Stop: Ctrl-C."
        )
    else:
        terminal.text("Nothing leaves your machine, and no money moves. Stop: Ctrl-C.")


def _introduce(terminal: Terminal, world: World, home: Home) -> None:
    terminal.text(f"payfulfill {__version__}: a shop sells its first files", colour="bold")
    terminal.text()
    but = " but for what the shop stores on the server that you named" if home.place else ""
    terminal.text(
        f"Nothing here leaves your machine{but}. A sandbox stands in for Stripe: the shop calls "
        "its API over HTTP, and it sends the shop signed webhooks."
    )
    terminal.text()
    terminal.table(
        [
            ("Stripe", world.sandbox.url, "the sandbox"),
            ("shop", world.url, ""),
            ("store", home.engine, home.where),
        ]
    )
    if home.place:
        terminal.text()
        terminal.text(
            f"It has {home.place} for itself there. The check empties that before and after, and "
            "touches nothing else."
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
