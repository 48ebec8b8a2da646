"""`payfulfill sandbox`: its arguments. `serving` does it, and needs an extra."""

from __future__ import annotations

import argparse
import re
from typing import Final

from payfulfill.cli.command import Command, missing
from payfulfill.cli.places import PORT, address
from payfulfill.cli.trigger import TRIGGER


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--port",
        type=_port,
        default=PORT,
        help="where to listen, on 127.0.0.1 (default: %(default)s; 0: any free port)",
    )
    parser.add_argument(
        "--forward-to",
        metavar="URL",
        type=address,
        action="append",
        default=[],
        help="send webhooks there, such as localhost:8000/webhook; may be given several times",
    )
    parser.add_argument(
        "--events",
        metavar="TYPES",
        type=_types,
        action="extend",
        default=[],
        help="only these events, with commas: payment_intent.succeeded,charge.* (default: all)",
    )
    parser.add_argument(
        "--api-version", metavar="VERSION", help="the shape of the events (default: today's)"
    )
    parser.add_argument(
        "--secret",
        type=_secret,
        help="sign webhooks with this whsec_...; by default with one that is made at the first "
        "start and kept for the next ones",
    )
    parser.add_argument(
        "--seed",
        type=int,
        metavar="NUMBER",
        help="give the same ids and secrets at every start (default: new ids each time)",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--quiet", action="store_true", help="don't tell what happens")
    form.add_argument("--json", action="store_true", help="print JSON, one object a line")


def _run(arguments: argparse.Namespace) -> int:
    try:
        from payfulfill.cli.serving import serve  # noqa: PLC0415  # it needs an extra
    except ModuleNotFoundError as error:
        return missing(error, "sandbox")
    return serve(arguments)


# --- Arguments -------------------------------------------------------------------------------


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text[:6]) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is no port: a number from 0 to 65535 is")
    return int(text)


def _types(text: str) -> list[str]:
    types = [each.strip() for each in text.split(",") if each.strip()]
    if not types:
        raise argparse.ArgumentTypeError("no event is named")
    return types


def _secret(text: str) -> str:
    if not re.fullmatch(r"whsec_\w+", text, re.ASCII):
        raise argparse.ArgumentTypeError("a signing secret looks like whsec_1a2b3c")
    return text


SANDBOX: Final = Command(
    "sandbox",
    "Stand in for Stripe on this machine: its API, signed webhooks, and a page to watch and play.",
    _arguments,
    _run,
    (TRIGGER,),
)
