"""Processes that open a store and do a job on it when they are told to.

They are started when first needed, stay for the tests that follow, and end with this process.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import pickle  # what a process reads comes from the one that started it
import subprocess
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import IO, Any, Final

from payfulfill.colour import settle

Job = Callable[..., Any]
"""An async function of a store, of `say(value)`, which tells the caller, and of arguments."""

_BEGINNING: Final = f"import sys; sys.path[:] = sys.argv[1:]; from {__name__} import main; main()"
"""What a process runs, that finds modules where this one does."""


class Worker:
    """A process that waits for work."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603  # ourselves
            [sys.executable, "-c", _BEGINNING, *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def open(self, opener: Callable[[], Any]) -> None:
        """Has it make the store; `ready` says when that is done."""
        self._send(opener)

    def ready(self) -> None:
        """Waits until the store is made."""
        assert self.hear() == "ready"  # noqa: S101  # or it raises

    def start(self, job: Job, *arguments: Any) -> None:
        """Has it begin a job; what it says is heard one by one, its result at last."""
        self._send((job, arguments))

    def hear(self) -> Any:
        """The next thing it says.

        Raises:
            RuntimeError: the job failed; with what happened there.
        """
        said, failed = _receive(self._process.stdout)
        if failed:
            raise RuntimeError(f"in another process:\n{said}")
        return said

    def kill(self) -> None:
        """Ends it at once, whatever it is doing."""
        self._process.kill()
        self.end()

    def end(self) -> None:
        """Lets it end, and waits for that."""
        self._process.communicate()

    def _send(self, value: Any) -> None:
        stream = self._process.stdin
        pickle.dump(value, stream)  # type: ignore[arg-type]  # it is a pipe
        stream.flush()  # type: ignore[union-attr]


_crew: Final[list[Worker]] = []


def crew(number: int) -> Sequence[Worker]:
    """So many processes that wait for work."""
    while len(_crew) < number:
        _crew.append(Worker())
    return _crew[:number]


@atexit.register
def dismiss() -> None:
    """Ends the processes."""
    while _crew:
        _crew.pop().end()


def work(
    number: int, opener: Callable[[], Any], job: Job, arguments: Sequence[Sequence[Any]]
) -> list[Any]:
    """What a job gives in each of several processes that begin together, each with a store of
    its own and with the arguments of its place."""
    workers = crew(number)
    try:
        for worker in workers:
            worker.open(opener)
        for worker in workers:
            worker.ready()
        for worker, own in zip(workers, arguments, strict=True):
            worker.start(job, *own)
        return [worker.hear() for worker in workers]
    except BaseException:
        dismiss()  # whatever state they are in
        raise


# --- in the other process ----------------------------------------------------------------------


def main() -> None:
    """Does what comes in, until nothing more does."""
    inbox = sys.stdin.buffer
    outbox = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a store prints is no answer

    def say(value: Any, *, failed: bool = False) -> None:
        pickle.dump((value, failed), outbox)
        outbox.flush()

    while True:
        try:
            opener = _receive(inbox)
        except EOFError:
            return
        try:
            with asyncio.Runner() as loop:
                loop.run(_serve(opener, inbox, say))
        except Exception:  # the other side raises it
            say(traceback.format_exc(), failed=True)


async def _serve(opener: Callable[[], Any], inbox: IO[bytes], say: Callable[[Any], None]) -> None:
    store = opener()
    try:
        say("ready")
        job, arguments = _receive(inbox)
        say(await job(store, say, *arguments))
    finally:
        await settle(store.close())


def _receive(stream: IO[bytes] | None) -> Any:
    return pickle.load(stream)  # type: ignore[arg-type]  # noqa: S301  # from ourselves
