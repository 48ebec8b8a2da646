"""Stores that are wrong, each in one way. See `test_contract_catches`."""

from __future__ import annotations

import json
import time
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from payfulfill.colour import drive
from payfulfill.models import (
    Customer,
    Download,
    Payment,
    ProductRef,
    Purchase,
    Review,
    StoredEvent,
)
from payfulfill.ports import Body
from payfulfill.stores import MemoryStore, memory

# --- wrong by themselves ------------------------------------------------------------------------


_REPOSITORIES: Final = (
    "payments", "purchases", "downloads", "events", "reviews", "slots", "customers",
)  # fmt: skip


class _Broken(MemoryStore):
    """A store with a repository of its own: the class `Events` within it stands for `events`."""

    def run(self, body: Body[Any], *, read_only: bool = False, **_: Any) -> Any:
        def wrong(uow: Any) -> Any:
            for name in _REPOSITORIES:
                part = getattr(self, name.capitalize(), None)
                if part is not None:
                    setattr(uow, name, part(uow.connection))
            return body(uow)

        return super().run(wrong, read_only=read_only)


class NoUniqueness(_Broken):
    class Events(memory._Events):
        async def add(self, event: StoredEvent) -> bool:
            self._tx.put("events", (event.account, event.id), event)
            return True


class SilentDuplicate(_Broken):
    """It keeps the first row, but says that it took the second."""

    class Purchases(memory._Purchases):
        async def add(self, purchase: Purchase) -> bool:
            await super().add(purchase)
            return True


class LostSave(_Broken):
    class Payments(memory._Payments):
        async def save(self, payment: Payment) -> None:
            pass


class ForgetfulSave(_Broken):
    """One column is missing in its UPDATE."""

    class Payments(memory._Payments):
        async def save(self, payment: Payment) -> None:
            before = await self.get(payment.buyer_id, payment.id)
            if before is not None:
                await super().save(replace(payment, attempt=before.attempt))


class InsertingSave(_Broken):
    class Events(memory._Events):
        async def save(self, event: StoredEvent) -> None:
            self._tx.put("events", (event.account, event.id), event)


class AcknowledgedNotApplied(_Broken):
    class Downloads(memory._Downloads):
        async def add(self, download: Download) -> bool:
            return await self.get(download.buyer_id, download.id) is None


class OneTooMany(_Broken):
    class Downloads(memory._Downloads):
        async def count(self, buyer_id: str, purchase_id: str, limit: int) -> int | None:
            return await super().count(buyer_id, purchase_id, limit + 1)


class SharedDownloadIds(_Broken):
    """Download ids are unique, but not by buyer."""

    class Downloads(memory._Downloads):
        async def add(self, download: Download) -> bool:
            taken = any(id == download.id for _, id in self._tx.tables["downloads"])
            return False if taken else await super().add(download)


class WholeSeconds(_Broken):
    class Events(memory._Events):
        async def add(self, event: StoredEvent) -> bool:
            return await super().add(
                replace(event, received_at=event.received_at.replace(microsecond=0))
            )


class TriesWhatIsDone(_Broken):
    class Events(memory._Events):
        async def due(self, now: datetime, limit: int) -> list[StoredEvent]:
            events = self._tx.tables["events"].values()
            due = [one for one in events if one.next_try_at and one.next_try_at <= now]
            return sorted(due, key=lambda one: one.next_try_at)[:limit]


class SlotOfTheBuyer(_Broken):
    """One slot a buyer, whatever the product."""

    class Slots(memory._Slots):
        async def lock(self, buyer_id: str, product: ProductRef) -> str | None:
            return await super().lock(buyer_id, ProductRef("any", "any"))

        async def put(self, buyer_id: str, product: ProductRef, payment_id: str | None) -> None:
            await super().put(buyer_id, ProductRef("any", "any"), payment_id)


class ReopensReviews(_Broken):
    class Reviews(memory._Reviews):
        async def add(self, review: Review) -> bool:
            held = self._tx.tables["reviews"].get(review.id)
            if held is None or held.closed_at is not None:
                self._tx.put("reviews", review.id, review)
                return True
            return False


class KeepsReviewsClosed(_Broken):
    """An upsert that leaves a row alone that is there."""

    class Reviews(memory._Reviews):
        async def put(self, review: Review) -> bool:
            return await self.add(review)


class OpensOpenReviews(_Broken):
    """An upsert that does not look whether the review is open, and tells the operator again."""

    class Reviews(memory._Reviews):
        async def put(self, review: Review) -> bool:
            self._tx.put("reviews", review.id, review)
            return True


class KeepsOldWords(_Broken):
    """What is opened again tells of the last time."""

    class Reviews(memory._Reviews):
        async def put(self, review: Review) -> bool:
            held = self._tx.tables["reviews"].get(review.id)
            if held is not None and held.closed_at is not None:
                self._tx.put("reviews", review.id, replace(held, closed_at=None))
                return True
            return await self.add(review)


class ClosesNothing(_Broken):
    class Reviews(memory._Reviews):
        async def close(self, review_id: str, at: datetime) -> None:
            pass


class ForgetsClosedReviews(_Broken):
    """It deletes the row, so that what is opened once is opened again."""

    class Reviews(memory._Reviews):
        async def close(self, review_id: str, at: datetime) -> None:
            held = self._tx.tables["reviews"].get(review_id)
            if held is not None:
                code = f"deleted {review_id}"
                self._tx.put("reviews", review_id, replace(held, id=code, closed_at=at))

        async def add(self, review: Review) -> bool:
            held = self._tx.tables["reviews"].get(review.id)
            if held is not None and held.id != review.id:
                self._tx.put("reviews", review.id, review)
                return True
            return await super().add(review)


class OneCustomerForBothModes(_Broken):
    """Its unique key forgets the mode."""

    class Customers(memory._Customers):
        async def add(self, customer: Customer) -> bool:
            taken = any(id == customer.buyer_id for id, _ in self._tx.tables["customers"])
            return False if taken else await super().add(customer)


class ReplacesCustomers(_Broken):
    """An upsert that takes the newest: the one that Stripe knows is lost."""

    class Customers(memory._Customers):
        async def add(self, customer: Customer) -> bool:
            key = (customer.buyer_id, customer.livemode)
            added = key not in self._tx.tables["customers"]
            self._tx.put("customers", key, customer)
            return added


class IgnoresCase(_Broken):
    """A collation that takes some ids for one another."""

    class Downloads(memory._Downloads):
        async def add(self, download: Download) -> bool:
            key = (download.buyer_id, download.id.casefold())
            return self._tx.insert("downloads", key, download)

        async def get(self, buyer_id: str, download_id: str) -> Download | None:
            return self._tx.tables["downloads"].get((buyer_id, download_id.casefold()))


class CutsIdsOff(_Broken):
    """A column that is too short, in a database that does not mind."""

    class Slots(memory._Slots):
        async def lock(self, buyer_id: str, product: ProductRef) -> str | None:
            return await super().lock(buyer_id[:255], product)

        async def put(self, buyer_id: str, product: ProductRef, payment_id: str | None) -> None:
            await super().put(buyer_id[:255], product, payment_id)


class KeepsFloats(_Broken):
    """Its numbers are floats, as JSON's are to some."""

    class Payments(memory._Payments):
        async def add(self, payment: Payment) -> bool:
            facts = json.loads(json.dumps(payment.facts), parse_int=float)
            return await super().add(replace(payment, facts=facts))


class PagesByTimeAlone(_Broken):
    """A page begins behind a moment, and leaves out what else was of that moment."""

    class Downloads(memory._Downloads):
        async def of_buyer(self, buyer_id: str, limit: int, before: str | None) -> list[Download]:
            every = await super().of_buyer(buyer_id, 9999, None)
            last = next((one for one in every if one.id == before), None)
            return [one for one in every if last is None or one.at < last.at][:limit]


class DirtyRollback(MemoryStore):
    """What a body wrote before it raised stays."""

    def run(self, body: Body[Any], *, read_only: bool = False, **_: Any) -> Any:
        with self._lock:
            return drive(body(memory._UnitOfWork(memory._Transaction(self._tables))))


class RollsBackErrorsOnly(MemoryStore):
    """It rolls back on `Exception`; what stops the process commits half."""

    def run(self, body: Body[Any], *, read_only: bool = False, **_: Any) -> Any:
        with self._lock:
            transaction = memory._Transaction(self._tables)
            try:
                return drive(body(memory._UnitOfWork(transaction)))
            except Exception:
                transaction.roll_back()
                raise


class NeverCommits(MemoryStore):
    """It answers as if it had written, and did not."""

    def run(self, body: Body[Any], *, read_only: bool = False, **_: Any) -> Any:
        with self._lock:
            transaction = memory._Transaction(self._tables)
            try:
                return drive(body(memory._UnitOfWork(transaction)))
            finally:
                transaction.roll_back()


class RunsTwice(MemoryStore):
    """It runs a body again without undoing its first run."""

    def run(self, body: Body[Any], *, read_only: bool = False, **_: Any) -> Any:
        super().run(body, read_only=read_only)
        return super().run(body, read_only=read_only)


class WrapsErrors(MemoryStore):
    def run(self, body: Body[Any], *, read_only: bool = False, **_: Any) -> Any:
        try:
            return super().run(body, read_only=read_only)
        except Exception as error:
            raise RuntimeError("transaction failed") from error


class LimitByReadAndWrite(_Broken):
    """It looks first and counts afterwards, and others come between."""

    class Downloads(memory._Downloads):
        async def count(self, buyer_id: str, purchase_id: str, limit: int) -> int | None:
            used = self._tx.tables["counters"].get((buyer_id, purchase_id), 0)
            if used >= limit:
                return None
            time.sleep(0.02)
            self._tx.put("counters", (buyer_id, purchase_id), used + 1)
            return int(used + 1)

    def __init__(self) -> None:
        super().__init__()
        self._lock = nullcontext()  # type: ignore[assignment]  # that is what is wrong
