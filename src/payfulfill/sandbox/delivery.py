"""Webhooks: events go out signed, in order, and again until they are taken.

https://docs.stripe.com/webhooks. Each endpoint has a thread of its own, so a slow one holds up
neither the API nor the others.
"""

from __future__ import annotations

import hashlib
import heapq
import hmac
import http.client
import itertools
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from payfulfill.sandbox.clock import Clock
from payfulfill.sandbox.events import type_matches
from payfulfill.sandbox.state import Json

logger = logging.getLogger("payfulfill.sandbox")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where events are sent to.

    Attributes:
        secret: Signs what is sent there.
        events: The types it wants, in which `*` stands for anything.
    """

    id: str
    url: str
    secret: str = field(repr=False)
    events: tuple[str, ...] = ("*",)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to deliver an event, as the log keeps it.

    Attributes:
        attempt: 1 for the first, and again when the event is resent.
        status: The HTTP status of the answer, or None if there was none.
        error: Why there was none.
    """

    event_id: str
    event_type: str
    endpoint_id: str
    url: str
    attempt: int
    status: int | None = None
    error: str | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the event was taken: only by a 2xx. To Stripe a redirect is a failure too."""
        return self.status is not None and 200 <= self.status < 300


def sign(secret: str, timestamp: int, body: bytes) -> str:
    """The `Stripe-Signature` header. https://docs.stripe.com/webhooks/signature"""
    signed = b"%d.%b" % (timestamp, body)
    return f"t={timestamp},v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


@dataclass(frozen=True, slots=True)
class _Parcel:
    """An event as it goes out: the same bytes at every attempt, to every endpoint."""

    event_id: str
    event_type: str
    body: bytes


@dataclass(order=True, frozen=True, slots=True)
class _Job:
    """One delivery to come. Sorts by when it is due, then by when its event was made."""

    due: float
    number: int
    parcel: _Parcel = field(compare=False)
    attempt: int = field(compare=False, default=1)


@dataclass(slots=True)
class _Lane:
    """The way to one endpoint."""

    endpoint: Endpoint
    queue: list[_Job] = field(default_factory=list)
    busy: bool = False
    connection: http.client.HTTPConnection | None = None
    thread: threading.Thread | None = None


class Deliveries:
    """Sends events to endpoints. Every method may be called from any thread."""

    def __init__(self, clock: Clock, retry_delays: Sequence[float], timeout: float) -> None:
        """`retry_delays`: seconds on `clock` before each further attempt; then it gives up.

        `timeout`: seconds, of real time, for which an endpoint may keep silent.
        """
        self.log: list[Attempt] = []
        self._clock = clock
        self._delays = tuple(retry_delays)
        self._timeout = timeout
        self._changed = threading.Condition()  # guards all that follows
        self._lanes: list[_Lane] = []
        self._parcels: dict[str, _Parcel] = {}
        self._pending: dict[str, set[str]] = {}  # endpoints that have yet to take an event
        self._numbers = itertools.count()
        self._running = False
        self._unsubscribe: Callable[[], None] = lambda: None

    # --- Lifecycle ---------------------------------------------------------------------

    def start(self) -> None:
        """Begins, or goes on where `stop` left off."""
        with self._changed:
            self._running = True
            self._unsubscribe = self._clock.subscribe(self._wake)
            for lane in self._lanes:
                self._start_lane(lane)

    def stop(self) -> None:
        """Ends, in the middle of an attempt if need be; what is still to be sent is kept."""
        with self._changed:
            if not self._running:
                return
            self._running = False
            self._unsubscribe()
            threads = [lane.thread for lane in self._lanes if lane.thread is not None]
            for lane in self._lanes:
                _interrupt(lane.connection)
            self._changed.notify_all()
        for thread in threads:
            thread.join()

    def add(self, endpoint: Endpoint) -> None:
        """Sends events to this endpoint too, from now on."""
        lane = _Lane(endpoint)
        with self._changed:
            self._lanes.append(lane)
            if self._running:
                self._start_lane(lane)

    def _start_lane(self, lane: _Lane) -> None:
        lane.thread = threading.Thread(
            target=self._work, args=(lane,), name="payfulfill-sandbox-webhooks", daemon=True
        )
        lane.thread.start()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    # --- What goes out -----------------------------------------------------------------

    def audience(self, event_type: str) -> int:
        """How many endpoints want events of this type."""
        with self._changed:
            return len(self._lanes_for(event_type))

    def pending(self, event_id: str) -> int:
        """How many endpoints have not taken the event yet."""
        with self._changed:
            return len(self._pending[event_id])

    def send(self, event: Json) -> None:
        """Delivers an event to every endpoint that wants it, later."""
        body = json.dumps(event, indent=2, ensure_ascii=False).encode()
        parcel = _Parcel(event["id"], event["type"], body)
        with self._changed:
            lanes = self._lanes_for(parcel.event_type)
            self._parcels[parcel.event_id] = parcel
            self._pending[parcel.event_id] = {lane.endpoint.id for lane in lanes}
            self._enqueue(parcel, lanes)

    def resend(self, event_id: str) -> None:
        """Delivers an event anew, whether it was taken or not.

        Raises:
            KeyError: there is no such event.
        """
        with self._changed:
            parcel = self._parcels[event_id]
            self._enqueue(parcel, self._lanes_for(parcel.event_type))

    def _enqueue(self, parcel: _Parcel, lanes: Iterable[_Lane]) -> None:
        number = next(self._numbers)
        for lane in lanes:
            heapq.heappush(lane.queue, _Job(self._clock.now(), number, parcel))
        self._changed.notify_all()

    def flush(self, timeout: float) -> None:
        """Waits until every delivery that is due has been tried.

        Raises:
            RuntimeError: nothing is delivered, as the sandbox isn't started.
            TimeoutError: it took longer than `timeout` seconds of real time.
        """
        deadline = time.monotonic() + timeout
        with self._changed:
            while any(lane.busy or self._is_due(lane) for lane in self._lanes):
                if not self._running:
                    raise RuntimeError("the sandbox is not started: nothing is delivered")
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    raise TimeoutError(f"webhooks were still under way after {timeout} seconds")
                self._changed.wait(remaining)

    def _lanes_for(self, event_type: str) -> list[_Lane]:
        return [lane for lane in self._lanes if type_matches(event_type, lane.endpoint.events)]

    def _is_due(self, lane: _Lane) -> bool:
        return bool(lane.queue) and lane.queue[0].due <= self._clock.now()

    # --- One endpoint's thread ---------------------------------------------------------

    def _work(self, lane: _Lane) -> None:
        while (job := self._next(lane)) is not None:
            self._settle(lane, job, self._try(lane, job))

    def _next(self, lane: _Lane) -> _Job | None:
        """Waits for the next delivery that is due; None when it is time to stop."""
        with self._changed:
            while self._running:
                if self._is_due(lane):
                    lane.busy = True
                    return heapq.heappop(lane.queue)
                due = lane.queue[0].due if lane.queue else None
                self._changed.wait(None if due is None else self._clock.seconds_until(due))
            return None

    def _try(self, lane: _Lane, job: _Job) -> Attempt:
        endpoint, parcel = lane.endpoint, job.parcel
        attempt = Attempt(
            parcel.event_id, parcel.event_type, endpoint.id, endpoint.url, job.attempt
        )
        timestamp = int(self._clock.now())  # a fresh one each time, and so a fresh signature
        try:
            status = self._post(lane, parcel.body, sign(endpoint.secret, timestamp, parcel.body))
        except (OSError, ValueError, http.client.HTTPException) as error:
            return replace(attempt, error=str(error) or type(error).__name__)
        return replace(attempt, status=status)

    def _post(self, lane: _Lane, body: bytes, signature: str) -> int:
        url = urlsplit(lane.endpoint.url)
        secure = url.scheme == "https"
        connect = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = connect(url.hostname or "", url.port, timeout=self._timeout)
        lane.connection = connection
        target = f"{url.path or '/'}{'?' if url.query else ''}{url.query}"
        try:
            connection.request("POST", target, body, {**_HEADERS, "Stripe-Signature": signature})
            return connection.getresponse().status
        finally:
            lane.connection = None
            connection.close()

    def _settle(self, lane: _Lane, job: _Job, attempt: Attempt) -> None:
        """Writes an attempt down, and plans the next one if there is to be one."""
        with self._changed:
            self.log.append(attempt)
            lane.busy = False
            if attempt.succeeded:
                self._pending[attempt.event_id].discard(attempt.endpoint_id)
            elif job.attempt <= len(self._delays):
                due = self._clock.now() + self._delays[job.attempt - 1]
                heapq.heappush(lane.queue, replace(job, due=due, attempt=job.attempt + 1))
            self._changed.notify_all()
        # The URL stays out of the log: its query may hold a secret.
        outcome = attempt.status or attempt.error
        logger.info(
            "%s (%s) to %s, attempt %d: %s",
            attempt.event_id,
            attempt.event_type,
            attempt.endpoint_id,
            attempt.attempt,
            outcome,
        )


_HEADERS = {
    "Accept": "*/*; q=0.5, application/xml",
    "Content-Type": "application/json; charset=utf-8",
    "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
}


def _interrupt(connection: http.client.HTTPConnection | None) -> None:
    """Ends another thread's wait for an answer."""
    listening = connection.sock if connection is not None else None
    if listening is None:
        return
    try:
        listening.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it had ended already
