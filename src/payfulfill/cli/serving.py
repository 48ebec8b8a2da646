"""`payfulfill sandbox`: runs a sandbox until it is told to stop, and tells what happens in it."""

from __future__ import annotations

import argparse
import errno
import logging
import queue
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

from payfulfill.cli import kept
from payfulfill.cli.command import INTERRUPTED, TERMINATED, unusable
from payfulfill.sandbox import Endpoint, Sandbox
from payfulfill.sandbox.narration import Lines, Narrator, Records
from payfulfill.sandbox.watching import Happened

_STATUSES = {signal.SIGINT: INTERRUPTED, signal.SIGTERM: TERMINATED}
_PATIENCE = 1.0  # seconds after which Windows looks whether a signal came; others look at once
_NO_PORT = {
    errno.EADDRINUSE: "port {port} is taken, perhaps by another sandbox: name another one with "
    "--port, or let --port 0 find one",
    errno.EACCES: "port {port} is not for everybody: name one above 1023 with --port",
}


@dataclass(frozen=True, slots=True)
class _Stop:
    """The sign that it is time to stop."""

    status: int


_Queue: TypeAlias = "queue.SimpleQueue[Happened | _Stop]"


def serve(arguments: argparse.Namespace) -> int:
    """Runs it as `cli.sandbox` lets one ask for. Returns the exit status."""
    happening: _Queue = queue.SimpleQueue()
    sandbox = Sandbox(seed=arguments.seed, port=arguments.port)
    try:
        endpoints = _endpoints(sandbox, arguments)
    except ValueError as error:
        return unusable(str(error))
    narrator = Records(sys.stdout) if arguments.json else Lines(sys.stdout)
    with _signals(happening), _only_bugs_logged():
        try:
            sandbox.start()
        except OSError as error:
            if error.errno not in _NO_PORT:
                raise
            return unusable(_NO_PORT[error.errno].format(port=arguments.port))
        try:
            narrator.begin(sandbox, endpoints)
            if not arguments.quiet:
                sandbox.watch(happening.put)
            return _narrate(narrator, happening)
        finally:
            sandbox.stop()


def _endpoints(sandbox: Sandbox, arguments: argparse.Namespace) -> list[Endpoint]:
    """Adds those that are to get webhooks.

    Raises:
        ValueError: one can't be.
    """
    secret = arguments.secret
    if secret is None and arguments.seed is None and arguments.forward_to:
        secret = kept.signing_secret()
    return [
        sandbox.add_endpoint(
            url,
            events=arguments.events or ("*",),
            api_version=arguments.api_version,
            secret=secret,
        )
        for url in arguments.forward_to
    ]


def _narrate(narrator: Narrator, happening: _Queue) -> int:
    """Tells what happens until it is time to stop. Returns the exit status.

    From here and not where it happens, so that a reader who is slow holds nothing up.
    """
    while True:
        try:
            happened = happening.get(timeout=_PATIENCE)
        except queue.Empty:
            continue
        if isinstance(happened, _Stop):
            narrator.end()
            return happened.status
        narrator.tell(happened)


@contextmanager
def _signals(happening: _Queue) -> Iterator[None]:
    """Ctrl-C and `kill` end it properly; the second one ends it at once."""
    handlers = {number: signal.getsignal(number) for number in _STATUSES}
    # What a shell has a background job ignore, it is to ignore.
    before = {number: each for number, each in handlers.items() if each != signal.SIG_IGN}

    def stop(number: int, frame: object) -> None:  # noqa: ARG001  # a handler's signature
        for each, handler in before.items():
            signal.signal(each, handler)
        happening.put(_Stop(_STATUSES[signal.Signals(number)]))

    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _only_bugs_logged() -> Iterator[None]:
    """Whatever else the sandbox logs, is told already."""
    logger = logging.getLogger("payfulfill.sandbox")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
