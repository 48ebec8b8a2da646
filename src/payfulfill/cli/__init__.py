"""The command line: `payfulfill demo`, `payfulfill migrate`, `payfulfill --version` and so on.

Each command is a file here that ends in a `Command`, and a row of `COMMANDS`. What it needs
beyond the package's own dependencies, it imports when it runs.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Final

from payfulfill import __version__
from payfulfill.cli.command import FAILED, INTERRUPTED, STATUSES, Command
from payfulfill.cli.demo import DEMO
from payfulfill.cli.migrate import MIGRATE
from payfulfill.cli.sandbox import SANDBOX
from payfulfill.cli.schema import SCHEMA

__all__ = ["COMMANDS", "main"]

COMMANDS: Final = (DEMO, SANDBOX, MIGRATE, SCHEMA)


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
        epilog=STATUSES,
    )
    parser.add_argument("--version", action="version", version=f"payfulfill {__version__}")
    _add(parser, COMMANDS, required=True)
    return parser


def _add(parser: argparse.ArgumentParser, commands: Iterable[Command], *, required: bool) -> None:
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=required)
    for command in commands:
        subparser = subparsers.add_parser(
            command.name, help=command.help, description=command.help, epilog=STATUSES
        )
        command.arguments(subparser)
        subparser.set_defaults(command=command)
        if command.commands:
            _add(subparser, command.commands, required=False)
