"""Webhooks: events go out signed, in order, and again until they are taken.

https://docs.stripe.com/webhooks. Each endpoint has a thread of its own, so a slow one holds up
neither the API nor the others.
"""

from __future__ import annotations

import http.client
import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from payfulfill.sandbox.clock import Clock
from payfulfill.sandbox.disturbances import Disturbance, Fate
from payfulfill.sandbox.events import type_matches
from payfulfill.sandbox.lanes import Endpoint, Job, Lane, Parcel, Show
from payfulfill.sandbox.posting import Post, Reply
from payfulfill.sandbox.signatures import KeyRing, sign
from payfulfill.sandbox.state import Json
from payfulfill.sandbox.watching import Watchers

logger = logging.getLogger("payfulfill.sandbox")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to deliver an event, as the log keeps it.

    Attributes:
        attempt: 1 for the first, and again when the event is resent.
        status: The HTTP status of the answer, or None if there was none.
        error: Why there was none.
        time: When it began: seconds since the epoch, on the sandbox's clock.
        duration: Seconds of real time until it was over.
        signed_at: The signature's timestamp.
        answer: How the answer's body begins: 2 kB at most, what isn't UTF-8 replaced.
        disturbance: What the event met.
    """

    event_id: str
    event_type: str
    endpoint_id: str
    url: str
    attempt: int
    status: int | None = None
    error: str | None = None
    time: float = 0.0
    duration: float = 0.0
    signed_at: int = 0
    answer: str = field(default="", repr=False)
    disturbance: Disturbance | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the event was taken: only by a 2xx. To Stripe a redirect is a failure too."""
        return self.status is not None and 200 <= self.status < 300


class Deliveries:
    """Sends events to endpoints. Every method may be called from any thread."""

    def __init__(self, clock: Clock, retry_delays: Sequence[float], timeout: float) -> None:
        """`retry_delays`: seconds on `clock` before each further attempt; then it gives up.

        `timeout`: seconds, of real time, that an attempt may take.
        """
        self.log: list[Attempt] = []
        self.watchers = Watchers()
        self._clock = clock
        self._delays = tuple(retry_delays)
        self._timeout = timeout
        self._changed = threading.Condition()  # guards all that follows
        self._lanes: dict[str, Lane] = {}
        self._closing: list[threading.Thread] = []  # of lanes that are gone
        self._parcels: dict[str, Parcel] = {}
        self._numbers = itertools.count()
        self._running = False
        self._unsubscribe: Callable[[], None] = lambda: None

    # --- Lifecycle ---------------------------------------------------------------------

    def start(self) -> None:
        """Begins, or goes on where `stop` left off."""
        with self._changed:
            self._running = True
            self._unsubscribe = self._clock.subscribe(self._wake)
            for lane in self._lanes.values():
                self._start_lane(lane)

    def stop(self) -> None:
        """Ends, in the middle of an attempt if need be; what is still to be sent is kept."""
        with self._changed:
            if not self._running:
                return
            self._running = False
            self._unsubscribe()
            threads = [lane.thread for lane in self._lanes.values() if lane.thread is not None]
            threads += self._closing
            self._closing = []
            for lane in self._lanes.values():
                _interrupt(lane)
            self._changed.notify_all()
        for thread in threads:
            thread.join()

    def _start_lane(self, lane: Lane) -> None:
        lane.thread = threading.Thread(
            target=self._work, args=(lane,), name="payfulfill-sandbox-webhooks", daemon=True
        )
        lane.thread.start()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    # --- Endpoints ---------------------------------------------------------------------

    def open(self, endpoint: Endpoint) -> None:
        """Sends events to this endpoint too, from now on."""
        lane = Lane(endpoint, KeyRing(endpoint.secret))
        with self._changed:
            self._lanes[endpoint.id] = lane
            if self._running:
                self._start_lane(lane)

    def change(
        self, endpoint_id: str, *, url: str, events: Iterable[str], enabled: bool
    ) -> Endpoint:
        """Changes an endpoint; what is on its way to it goes where it is now.

        One that isn't enabled gets nothing: no events, and no retries that come due meanwhile.
        """
        with self._changed:
            lane = self._lanes[endpoint_id]
            lane.endpoint = replace(lane.endpoint, url=url, events=tuple(events))
            lane.enabled = enabled
            return lane.endpoint

    def close(self, endpoint_id: str) -> None:
        """Sends nothing to this endpoint any more, not even what is under way.

        Doesn't wait for its thread: whoever calls may be what the endpoint is waiting for.
        """
        with self._changed:
            lane = self._lanes.pop(endpoint_id)
            lane.closed = True
            for parcel in self._parcels.values():
                parcel.pending.discard(endpoint_id)
            self._closing = [thread for thread in self._closing if thread.is_alive()]
            if lane.thread is not None:
                self._closing.append(lane.thread)
            _interrupt(lane)
            self._changed.notify_all()

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Where events are sent to, oldest first."""
        with self._changed:
            return tuple(lane.endpoint for lane in self._lanes.values())

    @property
    def next_due(self) -> float | None:
        """When the next delivery is due, on the clock; None if there is nothing to deliver."""
        with self._changed:
            lanes = self._lanes.values()
            return min((lane.queue[0].due for lane in lanes if lane.queue), default=None)

    def roll(self, endpoint_id: str, secret: str, expires_in: float) -> Endpoint:
        """Gives an endpoint a new secret; the old one signs too for `expires_in` more seconds.

        Raises:
            KeyError: there is no such endpoint.
        """
        with self._changed:
            lane = self._lanes[endpoint_id]
            lane.ring = lane.ring.rolled(secret, self._clock.now(), expires_in)
            lane.endpoint = replace(lane.endpoint, secret=secret)
            return lane.endpoint

    # --- What goes out -----------------------------------------------------------------

    def audience(self, event_type: str) -> int:
        """How many endpoints want events of this type."""
        with self._changed:
            return len(self._lanes_for(event_type))

    def pending(self, event_id: str) -> int:
        """How many endpoints have not taken the event yet."""
        with self._changed:
            return len(self._parcels[event_id].pending)

    def send(self, event: Json, show: Show, fate: Fate) -> None:
        """Delivers an event to every endpoint that wants it, later, as its fate has it."""
        parcel = Parcel(event["id"], event["type"], show)
        with self._changed:
            lanes = self._lanes_for(parcel.event_type)
            parcel.pending = {lane.endpoint.id for lane in lanes}
            self._parcels[parcel.event_id] = parcel
            self._enqueue(parcel, lanes, fate)

    def resend(self, event_id: str) -> None:
        """Delivers an event anew, whether it was taken or not, and undisturbed.

        Raises:
            KeyError: there is no such event.
        """
        with self._changed:
            parcel = self._parcels[event_id]
            self._enqueue(parcel, self._lanes_for(parcel.event_type), Fate())

    def lie(self, event: Json, endpoint_id: str | None) -> None:
        """Delivers what nobody has recorded, to one endpoint or to all that are enabled.

        Raises:
            KeyError: there is no such endpoint.
        """
        about = (event.get(name) for name in ("id", "type"))
        event_id, event_type = (each if isinstance(each, str) else "" for each in about)
        parcel = Parcel(event_id, event_type, lambda _: event)
        with self._changed:
            lanes = self._lanes.values() if endpoint_id is None else [self._lanes[endpoint_id]]
            self._enqueue(parcel, [lane for lane in lanes if lane.enabled], Fate())

    def _enqueue(self, parcel: Parcel, lanes: Iterable[Lane], fate: Fate) -> None:
        effect = fate.effect
        due = self._clock.now() + (fate.seconds if effect.late or effect.held else 0)
        for lane in lanes:
            body = parcel.disturbed_body(lane.endpoint.api_version, fate)
            for _ in range(effect.copies):
                number = next(self._numbers)
                job = Job(due, number, parcel, body, fate, held=effect.held)
                lane.push(job)
            if effect.copies and not effect.held:
                lane.release(due, self._numbers)
        self._changed.notify_all()

    def flush(self, timeout: float) -> None:
        """Waits until every delivery that is due has been tried, and those held back after them.

        Raises:
            RuntimeError: nothing is delivered, as the sandbox isn't started.
            TimeoutError: it took longer than `timeout` seconds of real time.
        """
        deadline = time.monotonic() + timeout
        with self._changed:
            while self._is_busy() or self._release():
                if not self._running:
                    raise RuntimeError("the sandbox is not started: nothing is delivered")
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    raise TimeoutError(f"webhooks were still under way after {timeout} seconds")
                self._changed.wait(remaining)

    def _is_busy(self) -> bool:
        return any(lane.post is not None or self._is_due(lane) for lane in self._lanes.values())

    def _release(self) -> bool:
        """Lets go of all that is held back, to be delivered now; whether there was any."""
        now = self._clock.now()
        released = [lane.release(now, self._numbers) for lane in self._lanes.values()]
        self._changed.notify_all()
        return any(released)

    def _lanes_for(self, event_type: str) -> list[Lane]:
        return [
            lane
            for lane in self._lanes.values()
            if lane.enabled and type_matches(event_type, lane.endpoint.events)
        ]

    def _is_due(self, lane: Lane) -> bool:
        return bool(lane.queue) and lane.queue[0].due <= self._clock.now()

    # --- One endpoint's thread ---------------------------------------------------------

    def _work(self, lane: Lane) -> None:
        while (taken := self._next(lane)) is not None:
            job, post = taken
            self._settle(lane, job, self._try(lane, job, post))

    def _next(self, lane: Lane) -> tuple[Job, Post] | None:
        """Waits for the next delivery that is due; None when it is time to stop."""
        with self._changed:
            while self._running and not lane.closed:
                if self._is_due(lane):
                    job = lane.pop()
                    if lane.enabled:
                        lane.post = Post(lane.endpoint.url, self._timeout)
                        return job, lane.post
                    # As Stripe has it: what comes due at a disabled endpoint isn't tried again.
                    self._changed.notify_all()
                    continue
                due = lane.queue[0].due if lane.queue else None
                self._changed.wait(None if due is None else self._clock.seconds_until(due))
            return None

    def _try(self, lane: Lane, job: Job, post: Post) -> Attempt:
        now = self._clock.now()
        with self._changed:
            secrets = lane.ring.alive(now)
        signed_at = int(now) - job.slip.age  # fresh each time, and so a fresh signature
        began = time.monotonic()
        attempt = Attempt(
            job.parcel.event_id,
            job.parcel.event_type,
            lane.endpoint.id,
            post.url,
            job.attempt,
            time=now,
            signed_at=signed_at,
            disturbance=job.fate.disturbance,
        )
        try:
            reply = _post(post, job, secrets, signed_at)
        except (OSError, ValueError, http.client.HTTPException) as error:
            reason = str(error) or type(error).__name__
            return replace(attempt, error=reason, duration=time.monotonic() - began)
        return replace(
            attempt,
            status=reply.status,
            answer=reply.excerpt,
            duration=time.monotonic() - began,
        )

    def _settle(self, lane: Lane, job: Job, attempt: Attempt) -> None:
        """Writes an attempt down, and plans the next one if there is to be one."""
        with self._changed:
            self.log.append(attempt)
            self.watchers.tell(attempt)
            lane.post = None
            if attempt.succeeded:
                job.parcel.pending.discard(attempt.endpoint_id)
            elif job.attempt <= len(self._delays):
                due = self._clock.now() + self._delays[job.attempt - 1]
                lane.push(replace(job, due=due, attempt=job.attempt + 1, held=False))
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
_FORGER = ("whsec_forged",)


def _post(post: Post, job: Job, secrets: Sequence[str], signed_at: int) -> Reply:
    body = job.body[: len(job.body) // 2] if job.slip.garbled else job.body
    signature = sign(_FORGER if job.slip.forged else secrets, signed_at, body)
    return post.send(body, {**_HEADERS, "Stripe-Signature": signature})


def _interrupt(lane: Lane) -> None:
    if lane.post is not None:
        lane.post.interrupt()
