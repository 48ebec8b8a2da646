"""What a command is, and what its exit status says."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

OK: Final = 0
FAILED: Final = 1
UNUSABLE: Final = 2  # argparse's own status for wrong arguments
INTERRUPTED: Final = 130  # what shells say of a program that Ctrl-C has ended
TERMINATED: Final = 143  # the same of SIGTERM, which is what `kill` sends

STATUSES: Final = (
    "exit status: 0 done, 1 something was not as it should be, 2 called wrongly or something is "
    "not installed or not free, 130 interrupted, 143 terminated"
)


@dataclass(frozen=True, slots=True)
class Command:
    """A subcommand.

    Attributes:
        name: What the user types.
        help: What it does, in a line.
        arguments: Adds its own arguments.
        run: Does it, and returns the exit status.
        commands: Subcommands of its own, any of which may be typed after its name.
    """

    name: str
    help: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]
    commands: tuple[Command, ...] = ()


def missing(error: ModuleNotFoundError, extra: str) -> int:
    """Says which extra brings a module that is not installed."""
    name = (error.name or "payfulfill").partition(".")[0]
    if name == "payfulfill":
        raise error  # ours: no extra brings it
    return unusable(f"{name} is not installed: pip install 'payfulfill[{extra}]'")


def unusable(message: str) -> int:
    """Says why a command can't be run at all."""
    print(f"payfulfill: {message}", file=sys.stderr)
    return UNUSABLE


def failed(message: str) -> int:
    """Says what went wrong."""
    print(f"payfulfill: {message}", file=sys.stderr)
    return FAILED
