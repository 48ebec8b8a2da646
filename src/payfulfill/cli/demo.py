"""`payfulfill demo`: the example shop with a local Stripe, to click through or to check."""

from __future__ import annotations

import argparse
import errno
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NoReturn

from payfulfill.cli.command import FAILED, OK, TERMINATED, Command, missing, unusable

PORT: Final = 8000
_NEXT: Final = 20  # ports that are tried if nobody named one


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
        help="keep the shop's database there (default: in a folder that goes again)",
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
    if arguments.check and (arguments.data or arguments.port is not None):
        return unusable("--check has a port and a folder of its own")
    try:
        from payfulfill import demo  # noqa: PLC0415  # it needs an extra
    except ModuleNotFoundError as error:
        return missing(error, "demo")
    with _terminable():
        if arguments.check:
            return OK if demo.check(sys.stdout) else FAILED
        named = arguments.port is not None
        ports = [arguments.port] if named else range(PORT, PORT + _NEXT)
        try:
            demo.run(sys.stdout, ports=ports, data=arguments.data)
        except OSError as error:
            if isinstance(error, BrokenPipeError):
                raise
            return unusable(_why_not(error, arguments))
    return OK


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
