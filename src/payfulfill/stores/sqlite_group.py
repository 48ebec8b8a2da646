"""Who writes when: one at a time, and those who wait are served together.

A caller that finds nobody writing gets the turn at once, in its own thread. One that would have
to wait leaves its body in the line, and a thread runs all that wait there as members of one
transaction. The thread is started when somebody waits, and ends when nobody has for a while.
"""

from __future__ import annotations

import atexit
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import suppress
from contextvars import copy_context
from queue import Empty, SimpleQueue
from threading import Lock, Thread, get_ident
from typing import Any, Final, Generic, TypeVar, cast
from weakref import WeakSet

from payfulfill.errors import ConfigurationError, StoreUnavailable
from payfulfill.ports import Body, UnitOfWork

T = TypeVar("T")

_MOST: Final = 128
_LONGEST: Final = 0.010
"""A transaction takes no more members than this, and none after so many seconds: who comes next
must not wait long behind it."""

_CROWD: Final = 3
_LINGER: Final = 0.001
"""After it has served so many at once, the thread stays for so many seconds the only one who
writes. They are about to come again, and one that wrote for itself would keep the others from
sharing its wait for the disk."""

_IDLE: Final = 2.0  # seconds after which the thread ends

TOO_LONG: Final = "SQLite: other writers took too long"
_NESTED: Final = (
    "a hook called a service that writes to its own store; use the unit of work that it was given"
)


class Member(ABC, Generic[T]):
    """A place in the line, and then what became of it.

    Attributes:
        body: What is to be run.
        deadline: When its caller stops waiting, on `time.monotonic`'s clock.
        alone: Whether it shares no transaction with others.
        context: The context variables of its caller, which its body sees too.
        result: What the body gave.
        error: What it raised, or why it was not run.
    """

    __slots__ = ("_open", "alone", "body", "context", "deadline", "error", "result")

    def __init__(self, body: Body[T], deadline: float, *, alone: bool = False) -> None:
        self.body = body
        self.deadline = deadline
        self.alone = alone
        self.context = copy_context()
        self.result: T | None = None
        self.error: BaseException | None = None
        self._open = [True]

    def claim(self) -> bool:
        """Decides what becomes of it: it is run, or its caller gives it up. True for the first
        who asks, and for nobody else."""
        try:
            return self._open.pop()
        except IndexError:
            return False

    def admit(self) -> bool:
        """Whether it is to be run now; one that waited for too long is told so."""
        if not self.claim():
            return False
        if time.monotonic() < self.deadline:
            return True
        self.error = StoreUnavailable(TOO_LONG)
        self.tell()
        return False

    @abstractmethod
    def tell(self) -> None:
        """Wakes its caller, for whom `result` or `error` is there."""


class ThreadMember(Member[T]):
    """One whose caller is a thread that waits."""

    __slots__ = ("_told",)

    def __init__(self, body: Body[T], deadline: float, *, alone: bool = False) -> None:
        super().__init__(body, deadline, alone=alone)
        self._told = Lock()
        self._told.acquire()

    def tell(self) -> None:
        """See `Member`."""
        self._told.release()

    def wait(self) -> None:
        """Returns when there is an outcome; the next time, at once."""
        if not self._told.acquire(timeout=max(self.deadline - time.monotonic(), 0)):
            if self.claim():
                self.error = StoreUnavailable(TOO_LONG)
                return
            self._told.acquire()  # it is being run
        self._told.release()

    def outcome(self) -> T:
        """What its body gave or raised."""
        error, self.error = self.error, None
        if error is None:
            return cast("T", self.result)
        try:
            raise error
        finally:
            del error  # its traceback holds this frame


async def _nothing(_: UnitOfWork) -> None:
    """The body of a turn, which its caller uses as it likes."""


class _Turn(ThreadMember[None]):
    """One whose caller wants the turn itself, for its own thread."""

    __slots__ = ()

    def __init__(self, deadline: float) -> None:
        super().__init__(_nothing, deadline, alone=True)


class Line:
    """The line of those who want to write."""

    def __init__(self, serve: Callable[[Iterator[Member[Any]]], None]) -> None:
        """An empty line.

        Args:
            serve: Runs members, of which there is one at least, and sees that each is told. It is
                called in the line's thread, which has the turn.
        """
        self._serve = serve
        self._turn = Lock()
        self._holder: int | None = None
        self._waiting: SimpleQueue[Member[Any] | None] = SimpleQueue()
        self._next: Member[Any] | None = None
        self._crowded = False
        self._gate = Lock()
        self._thread: Thread | None = None
        _lines.add(self)

    # --- for callers -------------------------------------------------------------------------

    def take_if_free(self) -> bool:
        """Takes the turn, unless somebody has it or waits for it.

        Raises:
            ConfigurationError: this thread has it already.
        """
        thread = get_ident()
        if self._holder == thread:
            raise ConfigurationError(_NESTED)
        if self._crowded or self._next is not None or not self._waiting.empty():
            return False
        if not self._turn.acquire(blocking=False):
            return False
        self._holder = thread
        return True

    def take(self, deadline: float) -> None:
        """Takes the turn, after all who came before.

        Raises:
            ConfigurationError: this thread has it already.
            StoreUnavailable: the others took too long.
        """
        if self.take_if_free():
            return
        member = _Turn(deadline)
        try:
            self.join(member)
            member.wait()
        except BaseException:  # such as Ctrl-C
            if not member.claim() and member.error is None:
                member.wait()  # the turn is ours all the same, and nobody would end it
                if member.error is None:
                    self._turn.release()
            raise
        member.outcome()
        self._holder = get_ident()

    def give(self) -> None:
        """Ends the turn of this thread."""
        self._holder = None
        self._turn.release()

    def join(self, member: Member[Any]) -> None:
        """Puts a member into the line.

        Raises:
            ConfigurationError: this thread has the turn, and would wait for itself.
        """
        if self._holder == get_ident():
            raise ConfigurationError(_NESTED)
        with self._gate:
            if self._thread is None:
                self._start()
            self._waiting.put(member)

    def wait_for(self, member: ThreadMember[T]) -> T:
        """What the body of a member gives or raises, which another thread runs."""
        try:
            self.join(member)
            member.wait()
        except BaseException:  # such as Ctrl-C
            member.claim()  # so that it is not run any more
            raise
        return member.outcome()

    def pause(self, timeout: float) -> bool:
        """Keeps everybody from writing; whether that was reached within `timeout` seconds."""
        return self._turn.acquire(timeout=timeout)

    def resume(self) -> None:
        """Ends a pause."""
        self._turn.release()

    def rest(self, timeout: float) -> None:
        """Ends the thread, which first serves those who wait now, within `timeout` seconds."""
        with self._gate:
            thread = self._thread
            if thread is not None:
                self._waiting.put(None)
        if thread is not None:
            thread.join(timeout)

    # --- the thread --------------------------------------------------------------------------

    def _start(self) -> None:
        # A daemon, or it would keep the process from ending; at its exit, `rest` is called.
        self._thread = Thread(target=self._work, name="payfulfill-sqlite-writer", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        try:
            while (member := self._first()) is not None:
                self._turn.acquire()
                self._next = None
                if isinstance(member, _Turn):
                    self._hand_over(member)
                else:
                    self._serve_from(member)
        finally:
            with self._gate:
                self._thread, self._crowded = None, False
                if not self._waiting.empty():  # somebody came just now
                    self._start()

    def _first(self) -> Member[Any] | None:
        """Who is next; None if there was nobody for a while, or the thread is to end."""
        if self._next is None and self._crowded:
            with suppress(Empty):
                self._next = self._waiting.get(timeout=_LINGER)
                return self._next
            self._crowded = False
        if self._next is None:
            with suppress(Empty):
                self._next = self._waiting.get(timeout=_IDLE)
        return self._next

    def _serve_from(self, member: Member[Any]) -> None:
        self._holder = get_ident()
        try:
            if member.admit():
                self._serve(self._together(member))
        finally:
            self.give()

    def _hand_over(self, member: _Turn) -> None:
        """Gives the turn to a caller that wants it in its own thread."""
        if not member.admit():
            self._turn.release()
        else:
            member.tell()

    def _together(self, first: Member[Any]) -> Iterator[Member[Any]]:
        """A member, and those who wait behind it or come meanwhile, and may share its
        transaction."""
        self._crowded = False
        yield first
        if first.alone:
            return
        end = time.monotonic() + _LONGEST
        count = 1
        while count < _MOST and not self._waiting.empty() and time.monotonic() < end:
            member = self._waiting.get()
            if member is None:  # the thread is to end, but not now
                self._waiting.put(None)
                return
            if member.alone:
                self._next = member
                return
            if member.admit():
                count += 1
                self._crowded = count >= _CROWD
                yield member


_lines: Final[WeakSet[Line]] = WeakSet()


@atexit.register
def _rest() -> None:
    """Ends the threads while they can still end well: the interpreter would stop them in the midst
    of what SQLite does, and then wait for what they hold."""
    for line in [*_lines]:
        line.rest(_IDLE)
