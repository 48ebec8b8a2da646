"""`payfulfill sandbox trigger`: its arguments, as Stripe's CLI has them. `triggering` does it, and
needs an extra. https://docs.stripe.com/stripe-cli/triggers
"""

from __future__ import annotations

import argparse
from typing import Any, Final, TypeAlias

from payfulfill.cli.command import Command, missing
from payfulfill.cli.places import PORT, address

Change: TypeAlias = dict[str, Any]
"""A parameter within its step: `{"payment_intent": {"metadata": {"order": "7"}}}`."""


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("event", metavar="EVENT", nargs="?", help="payment_intent.succeeded, say")
    parser.add_argument(
        "--list", action="store_true", help="list the events, and the steps that lead to each"
    )
    parser.add_argument(
        "--url",
        type=address,
        default=f"http://127.0.0.1:{PORT}",
        help="where the sandbox is (default: %(default)s)",
    )
    on = parser.add_mutually_exclusive_group()
    on.add_argument("--intent", metavar="pi_...", type=_id, help="do it to this payment intent")
    on.add_argument("--session", metavar="cs_...", type=_id, help="do it to this checkout session")
    on.add_argument(
        "--payment",
        metavar="pay_...",
        type=_id,
        help="do it to the open payment intent, or checkout session, of this payment of "
        "payfulfill's",
    )
    for name, metavar, change, help_ in _CHANGES:
        parser.add_argument(
            name, metavar=metavar, type=change, action="append", default=[], help=help_
        )


def _id(text: str) -> str:
    if not text:  # a variable of the shell's that isn't set, most likely
        raise argparse.ArgumentTypeError("it is empty: an id is needed")
    return text


def _with_value(text: str) -> Change:
    place, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} sets nothing: {text}=VALUE would")
    return _change(place, value)


def _without_value(text: str) -> Change:
    return _change(text, None)


def _change(place: str, value: str | None) -> Change:
    step, _, path = place.partition(":")
    names = [step, *path.split(".")]
    if not all(names):
        raise argparse.ArgumentTypeError(
            f"{place!r} names no parameter of a step: payment_intent:metadata.order does"
        )
    change: Any = value
    for name in reversed(names):
        change = {name: change}
    return dict(change)


_CHANGES: Final = (
    ("--override", "STEP:PATH=VALUE", _with_value, "send this: payment_intent:metadata.order=7"),
    ("--add", "STEP:PATH=VALUE", _with_value, "send this if nothing else is sent there"),
    ("--remove", "STEP:PATH", _without_value, "don't send this"),
)


def _run(arguments: argparse.Namespace) -> int:
    try:
        from payfulfill.cli.triggering import run  # noqa: PLC0415  # it needs an extra
    except ModuleNotFoundError as error:
        return missing(error, "sandbox")
    return run(arguments)


TRIGGER: Final = Command(
    "trigger",
    "Let an event happen in a running sandbox, by calls of its API that lead to it.",
    _arguments,
    _run,
)
