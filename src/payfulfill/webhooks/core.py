"""From the bytes of a webhook to a purchase, and to the answer that Stripe gets.

Verify, parse and interpret are pure. Then one transaction stores the event and all its effects;
an event that needs a look at Stripe takes two, with the look between them and no transaction
open. We answer 2xx for what is durable, and for nothing else.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Final, TypeVar

from payfulfill.errors import (
    CannotJoin,
    Conflict,
    GatewayFailed,
    GatewayRefused,
    PayfulfillError,
    SignatureRejected,
    Unavailable,
)
from payfulfill.facts import join
from payfulfill.fulfilment import Recorded, numbered
from payfulfill.joined import gateway_beside
from payfulfill.ledger import Ledger
from payfulfill.models import (
    EventStatus,
    OutcomeKind,
    Review,
    StoredEvent,
    Subject,
    WebhookOutcome,
    utc,
)
from payfulfill.ports import (
    Clock,
    Gateway,
    Observed,
    PurchaseHook,
    Store,
    Taken,
    Target,
    UnitOfWork,
)
from payfulfill.refunding import COMMAND
from payfulfill.refunds import RefundCore
from payfulfill.rules import FINDINGS, Policy
from payfulfill.stripe.envelope import MAX_BODY, Event, parse, redacted, restored
from payfulfill.stripe.events import HANDLED, Reading, interpret
from payfulfill.stripe.signature import Verifier
from payfulfill.webhooks.answers import about, outcome, rejected, report
from payfulfill.webhooks.steps import (
    DONE,
    FOREIGN,
    MISSING,
    Ending,
    Look,
    Read,
    Work,
    belonging,
    expected,
    still_without_payment,
    to_read,
    without_payment,
)

T = TypeVar("T")

log = logging.getLogger("payfulfill.webhooks")

MAX_TRIES: Final = 8
"""How often an event may fail by its content before it is given up."""

_NOTE: Final = 500  # characters of an error that are kept with its event
_LEASE: Final = timedelta(seconds=30)
_FIRST_DELAY: Final = timedelta(seconds=10)
_LONGEST_DELAY: Final = timedelta(hours=1)
_BAD_REQUEST, _TOO_LARGE = 400, 413
_FINAL: Final = (EventStatus.DONE, EventStatus.IGNORED, EventStatus.DEAD)
_STATUS: Final[Mapping[OutcomeKind, EventStatus]] = {
    OutcomeKind(status.value): status for status in EventStatus
}
"""How an event stands that came to such an end."""
EVENT_TYPES: Final = tuple(HANDLED)
"""The events to choose for the endpoint at Stripe; any others are ignored."""


class WebhookCore:
    """What `WebhookHandler` does, written once for both colours."""

    def __init__(
        self,
        store: Store,
        gateway: Gateway,
        secrets: Sequence[str],
        clock: Clock,
        hook: PurchaseHook | None,
        policy: Policy,
    ) -> None:
        self._ledger = Ledger(store, clock, hook, policy)
        self._gateway = gateway_beside(store, gateway)
        self._verifier = Verifier(secrets)
        self._clock = clock
        self._refunds = RefundCore(self._ledger, gateway, clock)

    async def handle(self, body: bytes, header: str | bytes | None) -> WebhookOutcome:
        """See `WebhookHandler.handle`."""
        if not isinstance(body, bytes):
            raise TypeError(
                "body must be the bytes of the request as they came, which Stripe signed; not "
                f"{type(body).__name__} (a parsed and re-serialised body has another signature)"
            )
        if len(body) > MAX_BODY:
            return rejected(_TOO_LARGE, "body too large", f"it is longer than {MAX_BODY} bytes")
        try:
            self._verifier.verify(body, header, self._clock.now())
        except SignatureRejected as error:
            return rejected(_BAD_REQUEST, error.reason, error.message)
        return await self._answer(self._work(parse(body)))

    def _work(self, event: Event) -> Work:
        reading = self._read(event)
        ending = expected(reading)
        row = StoredEvent(
            account=event.account,
            id=event.id,
            type=event.type,
            livemode=event.livemode,
            created_at=utc(event.created),
            received_at=self._clock.now(),
            status=_STATUS[ending.kind],
            note=ending.note,
            payload=redacted(event) if ending.kind is OutcomeKind.DEAD else None,
        )
        return Work(event, reading, row)

    def _read(self, event: Event) -> Reading:
        """What an event tells us; nothing, if it is of another account or mode."""
        if event.unusable is None and event.account:
            return Reading(ignored="another account")
        if event.unusable is None and event.livemode != self._gateway.livemode:
            return Reading(ignored="another mode")
        return interpret(event)

    async def _answer(self, work: Work) -> WebhookOutcome:
        """Does what can be done of an event, and says what became of it."""
        try:
            try:
                step = await self._ledger.run(partial(self._first, work=work))
                while isinstance(step, Look):
                    step = await self._look(step)
                ending = step
            except Unavailable:
                raise
            except Exception as error:  # its content, a hook or we are at fault: it is kept
                if self._ledger.is_joined:
                    raise
                ending = await self._park(work, error)
        except Unavailable as error:
            if self._ledger.is_joined:
                raise
            log.warning("Not acknowledged: %s", error, extra=about(work.event))
            return outcome(work.event, Ending(OutcomeKind.UNAVAILABLE, error.code))
        report(work.event, ending)
        return outcome(work.event, ending)

    # --- the first transaction ----------------------------------------------------------------

    async def _first(self, uow: UnitOfWork, work: Work) -> Ending | Look:
        """Stores the event and, where nothing more need be known, all its effects.

        The row is inserted as it will most likely end: it commits together with the effects, or
        is mended in the same transaction.
        """
        refs = [ref for ref in (work.reading.intent_id, work.reading.payment_id) if ref]
        taken = await uow.take(work.row, refs)
        if not taken.added:
            known = self._known(taken.event, listed=work.listed)
            if known is not None:
                return known._replace(recorded=Recorded(taken.payment)) if taken.payment else known
        work = Work(work.event, work.reading, taken.event)
        return await self._write(uow, work, await self._process(uow, work, taken))

    async def _target(self, uow: UnitOfWork, told: Reading | Observed) -> Target | None:
        """Whose payment it is, by our own record of the intent or of what it claims."""
        target = await uow.refs.get(told.intent_id) if told.intent_id else None
        if target is None and told.payment_id is not None:
            target = await uow.refs.get(told.payment_id)
        return target

    def _known(self, held: StoredEvent | None, *, listed: bool = False) -> Ending | None:
        """What to answer for an event that the store holds; None if it is to be tried now."""
        if held is not None and held.status in _FINAL:
            return Ending(OutcomeKind.DUPLICATE, held.status.value)
        if held is not None and held.leased_until and held.leased_until > self._clock.now():
            return Ending(OutcomeKind.PENDING, "under way")
        if held is not None and listed and self._is_put_off(held):
            return Ending(OutcomeKind.PENDING, "not due")
        return None

    def _is_put_off(self, held: StoredEvent) -> bool:
        """Whether it was tried, and its next try is for later."""
        later = held.next_try_at is not None and held.next_try_at > self._clock.now()
        return later and held.leased_until is None

    async def _process(self, uow: UnitOfWork, work: Work, taken: Taken) -> Ending | Read:
        """Joins what is certain. How the event ends, or what must be read from Stripe first."""
        reading = work.reading
        ending = expected(reading)
        if ending is not DONE:
            return ending
        if taken.target is None:
            return without_payment(reading)
        if taken.payment is None:
            return MISSING
        if reading.whose is not None:  # a claim names the payment, and nothing yet the intent
            return Read(reading.whose, None)
        recorded = await self._ledger.fulfilment().record(
            uow, taken.payment, taken.slot, reading.facts, taken.siblings
        )
        return await self._go_on(uow, reading, recorded)

    async def _go_on(self, uow: UnitOfWork, reading: Reading, recorded: Recorded) -> Ending | Read:
        """How an event ends that was recorded, or what is still to be read for it."""
        payment = recorded.payment
        subject = to_read(reading, payment)
        if subject is None:
            return Ending(OutcomeKind.DONE, recorded=recorded)
        await uow.payments.save(replace(payment, reads=payment.reads + 1))
        return Read(subject, payment.reads + 1)

    async def _write(self, uow: UnitOfWork, work: Work, step: Ending | Read) -> Ending | Look:
        """Writes what becomes of an event."""
        if isinstance(step, Read):
            row = self._leased(work)
            await uow.events.save(row)
            return Look(work._replace(row=row), step)
        row = work.row if _says(work.row, step) else self._ended(work, step)
        if row is not work.row:
            await uow.events.save(row)
        if row.status is EventStatus.DEAD:
            await uow.reviews.add(self._review(row, step))
        return step

    # --- looks at Stripe, and the transactions after them --------------------------------------

    async def _look(self, look: Look) -> Ending | Look:
        """Reads from Stripe, with no transaction open, and goes on with the event."""
        answer: Observed | None
        try:
            answer = await self._ask(look.read.subject)
        except (Unavailable, GatewayRefused) as error:
            if _will_come_again(error):
                return await self._park(look.work, error)
            missing = isinstance(error, GatewayRefused) and error.reason == "resource_missing"
            if not missing:  # Stripe is away, or our key is not right: no fault of the event's
                return await self._ledger.run(partial(self._postpone, work=look.work, error=error))
            answer = None  # our account has no such object
        return await self._ledger.run(partial(self._after, look=look, answer=answer))

    async def _ask(self, subject: Subject) -> Observed:
        if subject.kind == "intent":
            return (await self._gateway.retrieve(subject.id)).observed
        return await self._gateway.read(subject)

    async def _after(self, uow: UnitOfWork, look: Look, answer: Observed | None) -> Ending | Look:
        """Joins what was read, and ends the event or finds what is to be read next."""
        work = look.work
        held = await uow.events.lock(work.row.account, work.row.id)
        if held != work.row:  # our lease ran out, and another took it
            return self._known(held) or Ending(OutcomeKind.PENDING, "under way")
        return await self._write(uow, work, await self._conclude(uow, look, answer))

    async def _conclude(
        self, uow: UnitOfWork, look: Look, answer: Observed | None
    ) -> Ending | Read:
        reading, number = look.work.reading, look.read.number
        target = await self._target(uow, reading)
        if target is None and answer is not None:
            target = await self._target(uow, answer)
        if target is None:
            return still_without_payment(look.read, answer)
        intent_id = answer.intent_id if answer else None
        if intent_id is None and look.read.subject == reading.whose:
            return FOREIGN
        facts = belonging(reading, intent_id)
        if answer is not None:
            facts = join(facts, answer.facts if number is None else numbered(answer, number))
        recorded = await self._ledger.fulfilment().observe(uow, target, facts)
        if recorded is None:
            return MISSING
        if number is None:  # now it is known whose it is
            return await self._go_on(uow, reading, recorded)
        return Ending(OutcomeKind.DONE, recorded=recorded)

    async def _postpone(self, uow: UnitOfWork, work: Work, error: PayfulfillError) -> Ending:
        """Keeps an event for later; what Stripe does not answer does not count as a try."""
        held = await uow.events.lock(work.row.account, work.row.id)
        if held != work.row:
            return self._known(held) or Ending(OutcomeKind.PENDING, "under way")
        later = self._clock.now() + _FIRST_DELAY
        row = replace(work.row, note=_named(error), next_try_at=later, leased_until=None)
        await uow.events.save(row)
        return Ending(OutcomeKind.PENDING, error.code)

    # --- what fails --------------------------------------------------------------------------

    async def _park(self, work: Work, error: Exception) -> Ending:
        """Keeps an event that failed by its content, to be tried again."""
        log.error(
            "Event %s could not be handled", work.event.id, exc_info=error, extra=about(work.event)
        )
        return await self._ledger.run(partial(self._keep, work=work, error=error))

    async def _keep(self, uow: UnitOfWork, work: Work, error: Exception) -> Ending:
        ending = Ending(OutcomeKind.PENDING, _named(error))
        target = await self._target(uow, work.reading)
        payment_id = target.payment_id if target else work.row.payment_id
        row = self._failed(replace(work.row, payment_id=payment_id), work.event, error)
        if await uow.events.add(row):
            return ending
        held = await uow.events.lock(work.row.account, work.row.id)
        if held is None or held.status in _FINAL:
            return self._known(held) or ending
        if self._is_put_off(held):
            return ending  # it came several times at once, say, and another has counted the try
        row = self._failed(held, work.event, error)
        if row.tries >= MAX_TRIES:
            ending = Ending(OutcomeKind.DEAD, row.note)
        else:
            await uow.events.save(row)
            return ending
        await self._write(uow, work._replace(row=row), ending)
        return ending

    async def process_pending(self, limit: int) -> list[WebhookOutcome]:
        """See `WebhookHandler.process_pending`."""
        if self._ledger.is_joined:
            raise CannotJoin("process_pending() may call Stripe; use it with the store itself")
        now = self._clock.now()
        due = await self._ledger.run(lambda uow: uow.events.due(now, limit), read_only=True)
        return [await self._try_again(row) for row in due]

    async def _try_again(self, row: StoredEvent) -> WebhookOutcome:
        if row.type == COMMAND:
            return await self._carry_out(row)
        work = self._work(restored(row.payload or ""))
        return await self._answer(work._replace(listed=True))

    # --- refunds that are to be made -----------------------------------------------------------

    async def _carry_out(self, row: StoredEvent) -> WebhookOutcome:
        """Makes a refund that was begun, or finds out what became of it."""
        event = Event(id=row.id, type=row.type)
        work = Work(event, Reading(), row)
        try:
            taken = await self._ledger.run(partial(self._lease, row=row))
            if isinstance(taken, Ending):
                return outcome(event, taken)
            work = work._replace(row=taken)
            ending = DONE
            with suppress(GatewayRefused, Conflict):  # it was noted that there will be none
                await self._refunds.resume(taken)
        except Exception as error:
            if isinstance(error, Unavailable) and not _will_come_again(error):
                ending = await self._ledger.run(partial(self._postpone, work=work, error=error))
            else:
                ending = await self._park(work, error)
        report(event, ending)
        return outcome(event, ending)

    async def _lease(self, uow: UnitOfWork, row: StoredEvent) -> Ending | StoredEvent:
        """Takes up an event of our own, unless another has it."""
        held = await uow.events.lock(row.account, row.id)
        known = self._known(held, listed=True)
        if held is None or known is not None:
            return known or Ending(OutcomeKind.IGNORED, "gone")
        until = self._clock.now() + _LEASE
        leased = replace(held, next_try_at=until, leased_until=until)
        await uow.events.save(leased)
        return leased

    # --- rows of the store ---------------------------------------------------------------------

    def _leased(self, work: Work) -> StoredEvent:
        until = self._clock.now() + _LEASE
        return replace(
            work.row,
            status=EventStatus.PENDING,
            payload=work.row.payload or redacted(work.event),
            next_try_at=until,
            leased_until=until,
        )

    def _failed(self, row: StoredEvent, event: Event, error: Exception) -> StoredEvent:
        delay = min(_FIRST_DELAY * 4**row.tries, _LONGEST_DELAY)
        return replace(
            row,
            status=EventStatus.PENDING,
            payload=row.payload or redacted(event),
            note=_named(error),
            tries=row.tries + 1,
            next_try_at=self._clock.now() + delay,
            leased_until=None,
        )

    def _ended(self, work: Work, ending: Ending) -> StoredEvent:
        recorded = ending.recorded
        dead = ending.kind is OutcomeKind.DEAD
        return replace(
            work.row,
            status=_STATUS[ending.kind],
            note=ending.note,
            payment_id=recorded.payment.id if recorded else work.row.payment_id,
            payload=work.row.payload or redacted(work.event) if dead else None,
            next_try_at=None,
            leased_until=None,
        )

    def _review(self, row: StoredEvent, ending: Ending) -> Review:
        code = "payment_missing" if ending is MISSING else "event_dead"
        subject = f"{row.account}/{row.id}" if row.account else row.id
        return Review(
            id=f"{code}:{subject}",
            code=code,
            subject=subject,
            detail=f"{FINDINGS[code]} ({row.type or 'no type'}: {row.note})",
            payment_id=row.payment_id,
            opened_at=self._clock.now(),
        )


def _will_come_again(error: PayfulfillError) -> bool:
    """Whether Stripe answered, so that to ask again helps nobody; a later release may."""
    return isinstance(error, GatewayFailed) and error.unreadable


def _says(row: StoredEvent, ending: Ending) -> bool:
    """Whether a row tells already how its event ended."""
    recorded = ending.recorded
    return (
        row.status is _STATUS[ending.kind]
        and row.note == ending.note
        and (recorded is None or recorded.payment.id == row.payment_id)
    )


def _named(error: Exception) -> str:
    """An error in words that every store takes: no lone surrogates, and no NUL."""
    words = f"{type(error).__name__}: {error}"[:_NOTE]
    return words.encode("utf-8", "replace").decode().replace("\0", "?")
