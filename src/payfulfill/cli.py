"""The command line: `payfulfill demo`, `payfulfill --version`.

A command is a row of `COMMANDS`. What it needs beyond the package's own dependencies, it imports
when it runs.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from payfulfill import __version__

OK: Final = 0
FAILED: Final = 1
UNUSABLE: Final = 2  # argparse's own status for wrong arguments
INTERRUPTED: Final = 130  # what shells say of a program that Ctrl-C has ended

_STATUSES: Final = (
    "exit status: 0 done, 1 something was not as it should be, 2 called wrongly or something is "
    "not installed, 130 interrupted"
)


@dataclass(frozen=True, slots=True)
class Command:
    """A subcommand.

    Attributes:
        name: What the user types.
        help: What it does, in a line.
        arguments: Adds its own arguments.
        run: Does it, and returns the exit status.
    """

    name: str
    help: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit status.

    Args:
        arguments: Those of the command line by default.

    Raises:
        SystemExit: the arguments are wrong, or ask for help or the version.
    """
    parsed = _parser().parse_args(arguments)
    command: Command = parsed.command
    try:
        return command.run(parsed)
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has left. Python would write the rest of it at exit:
        # https://docs.python.org/3/library/signal.html#note-on-sigpipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="payfulfill",
        description="Takes a Stripe payment for a digital product from 'buy' to 'may download'.",
        epilog=_STATUSES,
    )
    parser.add_argument("--version", action="version", version=f"payfulfill {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        subparser = subparsers.add_parser(
            command.name, help=command.help, description=command.help, epilog=_STATUSES
        )
        command.arguments(subparser)
        subparser.set_defaults(command=command)
    return parser


# --- demo ------------------------------------------------------------------------------------


def _demo_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--check", action="store_true", help="the same without pauses")


def _demo(arguments: argparse.Namespace) -> int:
    try:
        from payfulfill import demo  # noqa: PLC0415  # it needs an extra
    except ModuleNotFoundError as error:
        return _missing(error, "demo")
    return OK if demo.run(sys.stdout, pauses=not arguments.check) else FAILED


# --- all of them -----------------------------------------------------------------------------

COMMANDS: Final = (
    Command(
        "demo",
        "Show a purchase from the first click to the download, against a local Stripe.",
        _demo_arguments,
        _demo,
    ),
)


def _missing(error: ModuleNotFoundError, extra: str) -> int:
    """Says which extra brings a module that is not installed."""
    name = (error.name or "payfulfill").partition(".")[0]
    if name == "payfulfill":
        raise error  # ours: no extra brings it
    print(
        f"payfulfill: {name} is not installed: pip install 'payfulfill[{extra}]'",
        file=sys.stderr,
    )
    return UNUSABLE
