"""The repositories in SQL, written once for every SQL store.

Times are integers, microseconds since the epoch; money is integer minor units. A `Dialect` holds
the few words that differ between databases.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Final, Protocol

from payfulfill.models import (
    Download,
    EventStatus,
    Origin,
    Payment,
    PaymentStatus,
    ProductRef,
    Purchase,
    PurchaseKind,
    PurchaseState,
    Review,
    StoredEvent,
)
from payfulfill.money import Money
from payfulfill.ports import Target
from payfulfill.stores.documents import (
    dump_attempt,
    dump_facts,
    dump_terms,
    load_attempt,
    load_facts,
    load_terms,
)

Row = Sequence[Any]


class Statements(Protocol):
    """A connection, as the repositories use it. Parameters are written `?`."""

    async def fetch(self, sql: str, parameters: Sequence[Any]) -> Sequence[Row]:
        """The rows that a statement gives."""
        ...

    async def execute(self, sql: str, parameters: Sequence[Any]) -> int:
        """How many rows a statement changed."""
        ...


@dataclass(frozen=True, slots=True)
class Dialect:
    """What differs between databases.

    Attributes:
        for_update: Ends a SELECT whose rows are locked until the transaction ends.
        lock_slot: Locks the row of a slot, which may not be there yet, and gives its payment.
    """

    for_update: str
    lock_slot: str


# --- The schema ----------------------------------------------------------------------------

_PAYMENT: Final = (
    "buyer_id", "id", "product_type", "product_id", "title", "amount", "currency", "terms",
    "origin", "livemode", "account", "created_at", "granted_by", "grant_reason",
    "quote_expires_at", "status", "succeeded_at", "purchase_id", "intent_id", "intent_status",
    "last_error", "facts", "reads", "attempt",
)  # fmt: skip
_PAYMENT_FIXED: Final = 14  # columns that never change, in front

_PURCHASE: Final = (
    "buyer_id", "source", "id", "product_type", "product_id", "title", "kind", "payment_id",
    "amount", "currency", "terms", "wide", "origin", "livemode", "account", "created_at",
    "paid_at", "standing", "state", "revoked_at",
)  # fmt: skip
_PURCHASE_FIXED: Final = 16

_EVENT: Final = (
    "account", "id", "type", "livemode", "created_at", "received_at",
    "status", "payment_id", "note", "payload", "tries", "next_try_at", "leased_until",
)  # fmt: skip
_EVENT_FIXED: Final = 6

_DOWNLOAD: Final = (
    "buyer_id", "id", "product_type", "product_id", "purchase_id", "at", "address", "agent",
)  # fmt: skip
_REVIEW: Final = (
    "id", "code", "subject", "detail", "buyer_id", "payment_id", "opened_at", "closed_at",
)  # fmt: skip

SCHEMA: Final[Sequence[Sequence[str]]] = (
    (  # version 1
        """CREATE TABLE payfulfill_payments (
            buyer_id TEXT NOT NULL, id TEXT NOT NULL,
            product_type TEXT NOT NULL, product_id TEXT NOT NULL, title TEXT NOT NULL,
            amount BIGINT NOT NULL, currency TEXT NOT NULL, terms TEXT NOT NULL,
            origin TEXT NOT NULL, livemode SMALLINT NOT NULL, account TEXT NOT NULL,
            created_at BIGINT NOT NULL, granted_by TEXT, grant_reason TEXT,
            quote_expires_at BIGINT NOT NULL, status TEXT NOT NULL, succeeded_at BIGINT,
            purchase_id TEXT, intent_id TEXT, intent_status TEXT, last_error TEXT,
            facts TEXT NOT NULL, reads INTEGER NOT NULL, attempt TEXT,
            PRIMARY KEY (buyer_id, id))""",
        """CREATE TABLE payfulfill_purchases (
            buyer_id TEXT NOT NULL, source TEXT NOT NULL, id TEXT NOT NULL,
            product_type TEXT NOT NULL, product_id TEXT NOT NULL, title TEXT NOT NULL,
            kind TEXT NOT NULL, payment_id TEXT NOT NULL,
            amount BIGINT NOT NULL, currency TEXT NOT NULL, terms TEXT NOT NULL,
            wide SMALLINT NOT NULL, origin TEXT NOT NULL, livemode SMALLINT NOT NULL,
            account TEXT NOT NULL, created_at BIGINT NOT NULL, paid_at BIGINT NOT NULL,
            standing TEXT NOT NULL, state TEXT NOT NULL, revoked_at BIGINT,
            PRIMARY KEY (buyer_id, source))""",
        """CREATE INDEX payfulfill_purchases_product
            ON payfulfill_purchases (buyer_id, product_type, product_id)""",
        """CREATE TABLE payfulfill_downloads (
            buyer_id TEXT NOT NULL, id TEXT NOT NULL,
            product_type TEXT NOT NULL, product_id TEXT NOT NULL, purchase_id TEXT NOT NULL,
            at BIGINT NOT NULL, address TEXT, agent TEXT,
            PRIMARY KEY (buyer_id, id))""",
        "CREATE INDEX payfulfill_downloads_at ON payfulfill_downloads (buyer_id, at)",
        """CREATE TABLE payfulfill_counters (
            buyer_id TEXT NOT NULL, purchase_id TEXT NOT NULL, period TEXT NOT NULL,
            used BIGINT NOT NULL,
            PRIMARY KEY (buyer_id, purchase_id, period))""",
        """CREATE TABLE payfulfill_events (
            account TEXT NOT NULL, id TEXT NOT NULL, type TEXT NOT NULL,
            livemode SMALLINT NOT NULL, created_at BIGINT NOT NULL, received_at BIGINT NOT NULL,
            status TEXT NOT NULL, payment_id TEXT, note TEXT, payload TEXT,
            tries INTEGER NOT NULL, next_try_at BIGINT, leased_until BIGINT,
            PRIMARY KEY (account, id))""",
        """CREATE INDEX payfulfill_events_pending
            ON payfulfill_events (next_try_at) WHERE status = 'pending'""",
        """CREATE TABLE payfulfill_reviews (
            id TEXT NOT NULL PRIMARY KEY, code TEXT NOT NULL, subject TEXT NOT NULL,
            detail TEXT NOT NULL, buyer_id TEXT NOT NULL, payment_id TEXT,
            opened_at BIGINT NOT NULL, closed_at BIGINT)""",
        """CREATE INDEX payfulfill_reviews_open
            ON payfulfill_reviews (opened_at) WHERE closed_at IS NULL""",
        """CREATE TABLE payfulfill_slots (
            buyer_id TEXT NOT NULL, product_type TEXT NOT NULL, product_id TEXT NOT NULL,
            payment_id TEXT,
            PRIMARY KEY (buyer_id, product_type, product_id))""",
        """CREATE TABLE payfulfill_refs (
            ref TEXT NOT NULL PRIMARY KEY, buyer_id TEXT NOT NULL, product_type TEXT NOT NULL,
            product_id TEXT NOT NULL, payment_id TEXT NOT NULL)""",
    ),
)
"""The statements that take a database from each version of the schema to the next."""


# --- Statements ------------------------------------------------------------------------------


def _insert(table: str, columns: Sequence[str]) -> str:
    marks = ", ".join("?" * len(columns))
    names = ", ".join(columns)
    return f"INSERT INTO {table} ({names}) VALUES ({marks}) ON CONFLICT DO NOTHING"


def _select(table: str, columns: Sequence[str], where: str) -> str:
    return f"SELECT {', '.join(columns)} FROM {table} WHERE {where}"


def _update(table: str, columns: Sequence[str], where: str) -> str:
    return f"UPDATE {table} SET {', '.join(f'{name} = ?' for name in columns)} WHERE {where}"


_ADD_PAYMENT: Final = _insert("payfulfill_payments", _PAYMENT)
_GET_PAYMENT: Final = _select("payfulfill_payments", _PAYMENT, "buyer_id = ? AND id = ?")
_SAVE_PAYMENT: Final = _update(
    "payfulfill_payments", _PAYMENT[_PAYMENT_FIXED:], "buyer_id = ? AND id = ?"
)
_LATEST_PAYMENT: Final = (
    _select("payfulfill_payments", _PAYMENT, "buyer_id = ? AND product_type = ? AND product_id = ?")
    + " ORDER BY id DESC LIMIT 1"
)
_PAYMENTS_OF_BUYER: Final = (
    _select("payfulfill_payments", _PAYMENT, "buyer_id = ? AND id < ?")
    + " ORDER BY id DESC LIMIT ?"
)

_ADD_PURCHASE: Final = _insert("payfulfill_purchases", _PURCHASE)
_GET_PURCHASE: Final = _select("payfulfill_purchases", _PURCHASE, "buyer_id = ? AND id = ?")
_SAVE_PURCHASE: Final = _update(
    "payfulfill_purchases", _PURCHASE[_PURCHASE_FIXED:], "buyer_id = ? AND source = ?"
)
_OF_PRODUCT: Final = _select(
    "payfulfill_purchases", _PURCHASE, "buyer_id = ? AND product_type = ? AND product_id = ?"
)
_OPENING: Final = _select(
    "payfulfill_purchases",
    _PURCHASE,
    "buyer_id = ? AND (wide = 1 OR (product_type = ? AND product_id = ?))",
)
_OF_BUYER: Final = (
    _select("payfulfill_purchases", _PURCHASE, "buyer_id = ?") + " ORDER BY paid_at, id"
)

_ADD_DOWNLOAD: Final = _insert("payfulfill_downloads", _DOWNLOAD)
_GET_DOWNLOAD: Final = _select("payfulfill_downloads", _DOWNLOAD, "buyer_id = ? AND id = ?")
_NEWEST_DOWNLOADS: Final = (
    _select("payfulfill_downloads", _DOWNLOAD, "buyer_id = ?")
    + " ORDER BY at DESC, id DESC LIMIT ?"
)
_OLDER_DOWNLOADS: Final = (
    _select(
        "payfulfill_downloads",
        _DOWNLOAD,
        "buyer_id = ? AND (at, id) < "
        "(SELECT at, id FROM payfulfill_downloads WHERE buyer_id = ? AND id = ?)",
    )
    + " ORDER BY at DESC, id DESC LIMIT ?"
)
_COUNT: Final = """INSERT INTO payfulfill_counters (buyer_id, purchase_id, period, used)
    SELECT ?, ?, '', 1 WHERE 1 <= ?
    ON CONFLICT (buyer_id, purchase_id, period) DO UPDATE
    SET used = payfulfill_counters.used + 1 WHERE payfulfill_counters.used < ?
    RETURNING used"""

_ADD_EVENT: Final = _insert("payfulfill_events", _EVENT)
_GET_EVENT: Final = _select("payfulfill_events", _EVENT, "account = ? AND id = ?")
_SAVE_EVENT: Final = _update("payfulfill_events", _EVENT[_EVENT_FIXED:], "account = ? AND id = ?")
_DUE: Final = (
    _select("payfulfill_events", _EVENT, "status = 'pending' AND next_try_at <= ?")
    + " ORDER BY next_try_at LIMIT ?"
)

_ADD_REVIEW: Final = _insert("payfulfill_reviews", _REVIEW)
_OPEN_REVIEWS: Final = (
    _select("payfulfill_reviews", _REVIEW, "closed_at IS NULL") + " ORDER BY opened_at, id LIMIT ?"
)

_PUT_SLOT: Final = """INSERT INTO payfulfill_slots (buyer_id, product_type, product_id, payment_id)
    VALUES (?, ?, ?, ?)
    ON CONFLICT (buyer_id, product_type, product_id)
    DO UPDATE SET payment_id = excluded.payment_id"""

_ADD_REF: Final = _insert(
    "payfulfill_refs", ("ref", "buyer_id", "product_type", "product_id", "payment_id")
)
_GET_REF: Final = _select(
    "payfulfill_refs", ("buyer_id", "product_type", "product_id", "payment_id"), "ref = ?"
)

_AFTER_ALL_IDS: Final = "~"  # sorts after every id of ours


# --- Times ---------------------------------------------------------------------------------

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def _stamp(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def _stamp_or_none(moment: datetime | None) -> int | None:
    return None if moment is None else (moment - _EPOCH) // _MICROSECOND


def _moment(stamp: int) -> datetime:
    return _EPOCH + timedelta(microseconds=stamp)


def _moment_or_none(stamp: int | None) -> datetime | None:
    return None if stamp is None else _EPOCH + timedelta(microseconds=stamp)


# --- Repositories ----------------------------------------------------------------------------


class _Repository:
    __slots__ = ("_dialect", "_statements")

    def __init__(self, statements: Statements, dialect: Dialect) -> None:
        self._statements = statements
        self._dialect = dialect

    async def _one(self, sql: str, *parameters: Any) -> Row | None:
        rows = await self._statements.fetch(sql, parameters)
        return rows[0] if rows else None


class _Payments(_Repository):
    __slots__ = ()

    async def add(self, payment: Payment) -> bool:
        row = (*_fixed_of_payment(payment), *_rest_of_payment(payment))
        return await self._statements.execute(_ADD_PAYMENT, row) == 1

    async def get(self, buyer_id: str, payment_id: str) -> Payment | None:
        row = await self._one(_GET_PAYMENT, buyer_id, payment_id)
        return None if row is None else _payment(row)

    async def lock(self, buyer_id: str, payment_id: str) -> Payment | None:
        row = await self._one(_GET_PAYMENT + self._dialect.for_update, buyer_id, payment_id)
        return None if row is None else _payment(row)

    async def save(self, payment: Payment) -> None:
        key = (payment.buyer_id, payment.id)
        await self._statements.execute(_SAVE_PAYMENT, (*_rest_of_payment(payment), *key))

    async def latest(self, buyer_id: str, product: ProductRef) -> Payment | None:
        row = await self._one(_LATEST_PAYMENT, buyer_id, product.type, product.id)
        return None if row is None else _payment(row)

    async def of_buyer(self, buyer_id: str, limit: int, before: str | None) -> list[Payment]:
        key = (buyer_id, _AFTER_ALL_IDS if before is None else before, limit)
        return [_payment(row) for row in await self._statements.fetch(_PAYMENTS_OF_BUYER, key)]


def _fixed_of_payment(payment: Payment) -> Row:
    return (
        payment.buyer_id,
        payment.id,
        payment.product.type,
        payment.product.id,
        payment.title,
        payment.amount.amount,
        payment.amount.currency,
        dump_terms(payment.terms),
        payment.origin,
        int(payment.livemode),
        payment.account,
        _stamp(payment.created_at),
        payment.granted_by,
        payment.grant_reason,
    )


def _rest_of_payment(payment: Payment) -> Row:
    return (
        _stamp(payment.quote_expires_at),
        payment.status,
        _stamp_or_none(payment.succeeded_at),
        payment.purchase_id,
        payment.intent_id,
        payment.intent_status,
        payment.last_error,
        dump_facts(payment.facts),
        payment.reads,
        dump_attempt(payment.attempt),
    )


def _payment(row: Row) -> Payment:
    return Payment(
        buyer_id=row[0],
        id=row[1],
        product=ProductRef(row[2], row[3]),
        title=row[4],
        amount=Money(row[5], row[6]),
        terms=load_terms(row[7]),
        origin=Origin(row[8]),
        livemode=bool(row[9]),
        account=row[10],
        created_at=_moment(row[11]),
        granted_by=row[12],
        grant_reason=row[13],
        quote_expires_at=_moment(row[14]),
        status=PaymentStatus(row[15]),
        succeeded_at=_moment_or_none(row[16]),
        purchase_id=row[17],
        intent_id=row[18],
        intent_status=row[19],
        last_error=row[20],
        facts=load_facts(row[21]),
        reads=row[22],
        attempt=load_attempt(row[23]),
    )


class _Purchases(_Repository):
    __slots__ = ()

    async def add(self, purchase: Purchase) -> bool:
        row = (*_fixed_of_purchase(purchase), *_rest_of_purchase(purchase))
        return await self._statements.execute(_ADD_PURCHASE, row) == 1

    async def get(self, buyer_id: str, purchase_id: str) -> Purchase | None:
        row = await self._one(_GET_PURCHASE, buyer_id, purchase_id)
        return None if row is None else _purchase(row)

    async def save(self, purchase: Purchase) -> None:
        key = (purchase.buyer_id, purchase.source)
        await self._statements.execute(_SAVE_PURCHASE, (*_rest_of_purchase(purchase), *key))

    async def of_product(self, buyer_id: str, product: ProductRef) -> list[Purchase]:
        return await self._all(_OF_PRODUCT, buyer_id, product.type, product.id)

    async def opening(self, buyer_id: str, product: ProductRef) -> list[Purchase]:
        return await self._all(_OPENING, buyer_id, product.type, product.id)

    async def of_buyer(self, buyer_id: str) -> list[Purchase]:
        return await self._all(_OF_BUYER, buyer_id)

    async def _all(self, sql: str, *parameters: Any) -> list[Purchase]:
        return [_purchase(row) for row in await self._statements.fetch(sql, parameters)]


def _fixed_of_purchase(purchase: Purchase) -> Row:
    return (
        purchase.buyer_id,
        purchase.source,
        purchase.id,
        purchase.product.type,
        purchase.product.id,
        purchase.title,
        purchase.kind,
        purchase.payment_id,
        purchase.amount.amount,
        purchase.amount.currency,
        dump_terms(purchase.terms),
        int(purchase.terms.is_wide),
        purchase.origin,
        int(purchase.livemode),
        purchase.account,
        _stamp(purchase.created_at),
    )


def _rest_of_purchase(purchase: Purchase) -> Row:
    return (
        _stamp(purchase.paid_at),
        purchase.standing,
        purchase.state,
        _stamp_or_none(purchase.revoked_at),
    )


def _purchase(row: Row) -> Purchase:
    return Purchase(
        buyer_id=row[0],
        source=row[1],
        id=row[2],
        product=ProductRef(row[3], row[4]),
        title=row[5],
        kind=PurchaseKind(row[6]),
        payment_id=row[7],
        amount=Money(row[8], row[9]),
        terms=load_terms(row[10]),
        origin=Origin(row[12]),
        livemode=bool(row[13]),
        account=row[14],
        created_at=_moment(row[15]),
        paid_at=_moment(row[16]),
        standing=PurchaseState(row[17]),
        state=PurchaseState(row[18]),
        revoked_at=_moment_or_none(row[19]),
    )


class _Downloads(_Repository):
    __slots__ = ()

    async def add(self, download: Download) -> bool:
        product = download.product
        row = (
            download.buyer_id,
            download.id,
            product.type,
            product.id,
            download.purchase_id,
            _stamp(download.at),
            download.address,
            download.agent,
        )
        return await self._statements.execute(_ADD_DOWNLOAD, row) == 1

    async def get(self, buyer_id: str, download_id: str) -> Download | None:
        row = await self._one(_GET_DOWNLOAD, buyer_id, download_id)
        return None if row is None else _download(row)

    async def count(self, buyer_id: str, purchase_id: str, limit: int) -> int | None:
        row = await self._one(_COUNT, buyer_id, purchase_id, limit, limit)
        return None if row is None else int(row[0])

    async def used(self, buyer_id: str, purchase_ids: Collection[str]) -> Mapping[str, int]:
        marks = ", ".join("?" * len(purchase_ids))
        rows = await self._statements.fetch(
            "SELECT purchase_id, used FROM payfulfill_counters "  # only marks
            f"WHERE buyer_id = ? AND period = '' AND purchase_id IN ({marks})",
            (buyer_id, *purchase_ids),
        )
        return {row[0]: row[1] for row in rows}

    async def of_buyer(self, buyer_id: str, limit: int, before: str | None) -> list[Download]:
        if before is None:
            rows = await self._statements.fetch(_NEWEST_DOWNLOADS, (buyer_id, limit))
        else:
            rows = await self._statements.fetch(
                _OLDER_DOWNLOADS, (buyer_id, buyer_id, before, limit)
            )
        return [_download(row) for row in rows]


def _download(row: Row) -> Download:
    return Download(
        buyer_id=row[0],
        id=row[1],
        product=ProductRef(row[2], row[3]),
        purchase_id=row[4],
        at=_moment(row[5]),
        address=row[6],
        agent=row[7],
    )


class _Events(_Repository):
    __slots__ = ()

    async def add(self, event: StoredEvent) -> bool:
        fixed = (
            event.account,
            event.id,
            event.type,
            int(event.livemode),
            _stamp(event.created_at),
            _stamp(event.received_at),
        )
        row = (*fixed, *_rest_of_event(event))
        return await self._statements.execute(_ADD_EVENT, row) == 1

    async def lock(self, account: str, event_id: str) -> StoredEvent | None:
        row = await self._one(_GET_EVENT + self._dialect.for_update, account, event_id)
        return None if row is None else _event(row)

    async def save(self, event: StoredEvent) -> None:
        key = (event.account, event.id)
        await self._statements.execute(_SAVE_EVENT, (*_rest_of_event(event), *key))

    async def due(self, now: datetime, limit: int) -> list[StoredEvent]:
        rows = await self._statements.fetch(_DUE, (_stamp(now), limit))
        return [_event(row) for row in rows]


def _rest_of_event(event: StoredEvent) -> Row:
    return (
        event.status,
        event.payment_id,
        event.note,
        event.payload,
        event.tries,
        _stamp_or_none(event.next_try_at),
        _stamp_or_none(event.leased_until),
    )


def _event(row: Row) -> StoredEvent:
    return StoredEvent(
        account=row[0],
        id=row[1],
        type=row[2],
        livemode=bool(row[3]),
        created_at=_moment(row[4]),
        received_at=_moment(row[5]),
        status=EventStatus(row[6]),
        payment_id=row[7],
        note=row[8],
        payload=row[9],
        tries=row[10],
        next_try_at=_moment_or_none(row[11]),
        leased_until=_moment_or_none(row[12]),
    )


class _Reviews(_Repository):
    __slots__ = ()

    async def add(self, review: Review) -> bool:
        row = (
            review.id,
            review.code,
            review.subject,
            review.detail,
            review.buyer_id,
            review.payment_id,
            _stamp(review.opened_at),
            _stamp_or_none(review.closed_at),
        )
        return await self._statements.execute(_ADD_REVIEW, row) == 1

    async def open(self, limit: int) -> list[Review]:
        rows = await self._statements.fetch(_OPEN_REVIEWS, (limit,))
        return [
            Review(
                id=row[0],
                code=row[1],
                subject=row[2],
                detail=row[3],
                buyer_id=row[4],
                payment_id=row[5],
                opened_at=_moment(row[6]),
                closed_at=_moment_or_none(row[7]),
            )
            for row in rows
        ]


class _Slots(_Repository):
    __slots__ = ()

    async def lock(self, buyer_id: str, product: ProductRef) -> str | None:
        row = await self._one(self._dialect.lock_slot, buyer_id, product.type, product.id)
        return None if row is None else row[0]

    async def put(self, buyer_id: str, product: ProductRef, payment_id: str | None) -> None:
        row = (buyer_id, product.type, product.id, payment_id)
        await self._statements.execute(_PUT_SLOT, row)


class _Refs(_Repository):
    __slots__ = ()

    async def add(self, ref: str, target: Target) -> bool:
        product = target.product
        row = (ref, target.buyer_id, product.type, product.id, target.payment_id)
        return await self._statements.execute(_ADD_REF, row) == 1

    async def get(self, ref: str) -> Target | None:
        row = await self._one(_GET_REF, ref)
        return None if row is None else Target(row[0], ProductRef(row[1], row[2]), row[3])


class SqlUnitOfWork:
    """A transaction of a SQL store, seen through the repositories."""

    def __init__(self, statements: Statements, dialect: Dialect, connection: Any) -> None:
        self._parts = (statements, dialect)
        self.connection = connection

    @cached_property
    def payments(self) -> _Payments:
        """Payments."""
        return _Payments(*self._parts)

    @cached_property
    def purchases(self) -> _Purchases:
        """Purchases."""
        return _Purchases(*self._parts)

    @cached_property
    def downloads(self) -> _Downloads:
        """Downloads and their counters."""
        return _Downloads(*self._parts)

    @cached_property
    def events(self) -> _Events:
        """Events of Stripe's."""
        return _Events(*self._parts)

    @cached_property
    def reviews(self) -> _Reviews:
        """What a person must look at."""
        return _Reviews(*self._parts)

    @cached_property
    def slots(self) -> _Slots:
        """Locks, and open payments."""
        return _Slots(*self._parts)

    @cached_property
    def refs(self) -> _Refs:
        """Whose an id is."""
        return _Refs(*self._parts)
