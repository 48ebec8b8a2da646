"""Whether a buyer may have a product, and the downloads that are let through.

Access is computed from the store on every call; nothing is cached.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from datetime import datetime, timedelta
from typing import Final, TypeVar

from payfulfill.colour import drive, require_async, require_sync, settle
from payfulfill.errors import AccessDenied, DownloadIdSpent
from payfulfill.ids import new_id
from payfulfill.models import (
    AccessDecision,
    Buyer,
    Download,
    DownloadGrant,
    LibraryEntry,
    Product,
    ProductRef,
    require_id,
    require_limit,
    storable,
)
from payfulfill.ports import AsyncSystemClock, Body, Catalog, Clock, Store, SystemClock, UnitOfWork
from payfulfill.rules import Held, Right, decide, entry, rights, spans

T = TypeVar("T")

FREE_AGAIN: Final = timedelta(hours=24)
"""How long a download id may be used again without being counted again."""

RESUMABLE: Final = timedelta(hours=1)
"""How long a download without an id may be continued without being counted again."""
_LAST_FEW: Final = 100  # downloads of a buyer's among which the one to continue is looked for


class _Core:
    """What `AccessService` does, written once for both colours."""

    def __init__(self, store: Store, catalog: Catalog, clock: Clock) -> None:
        self._store = store
        self._catalog = catalog
        self._clock = clock

    async def check(self, buyer: Buyer, ref: ProductRef) -> AccessDecision:
        product = await settle(self._catalog.get(ref))
        return await self._run(
            lambda uow: self._decision(uow, buyer, ref, product, self._clock.now()),
            read_only=True,
        )

    async def _decision(
        self,
        uow: UnitOfWork,
        buyer: Buyer,
        ref: ProductRef,
        product: Product | None,
        now: datetime,
    ) -> AccessDecision:
        found = await self._rights(uow, buyer, ref, product, now)
        # Only who has no right at all is told of a payment that is still on its way.
        payment = None if found else await uow.payments.latest(buyer.id, ref)
        return decide(found, payment=payment, known=product is not None)

    async def _rights(
        self,
        uow: UnitOfWork,
        buyer: Buyer,
        ref: ProductRef,
        product: Product | None,
        now: datetime,
    ) -> list[Right]:
        purchases = await uow.purchases.opening(buyer.id, ref)
        limited = _limited(purchases)
        used = await uow.downloads.used(buyer.id, limited) if limited else {}
        found = rights(ref, product.tags if product else (), purchases, used, now)
        # What the catalogue does not have is open to its buyers, but no pass covers it.
        return found if product else [right for right in found if right.purchase.product == ref]

    async def download(
        self,
        buyer: Buyer,
        ref: ProductRef,
        download_id: str | None,
        address: str | None,
        agent: str | None,
        *,
        resume: bool,
    ) -> DownloadGrant:
        if download_id:
            require_id(download_id, "a download id")
        product = await settle(self._catalog.get(ref))

        async def body(uow: UnitOfWork) -> DownloadGrant:
            now = self._clock.now()
            await uow.slots.lock(buyer.id, ref)  # keeps two downloads of one id apart
            found = await self._rights(uow, buyer, ref, product, now)
            if download_id:
                before = await uow.downloads.get(buyer.id, download_id)
            else:
                before = await _broken_off(uow, buyer.id, ref, now) if resume else None
            right = _again(before, ref, found, now) if before else None
            if before is not None and right is not None:
                return DownloadGrant(download=before, counted=False, remaining=right.remaining)
            right = await _take(uow, buyer.id, found)
            if right is None:
                decision = await self._decision(uow, buyer, ref, product, now)  # read once more
                raise AccessDenied(decision.code, decision.reason)
            download = Download(
                id=download_id or new_id("dl", now),
                buyer_id=buyer.id,
                product=ref,
                purchase_id=right.purchase.id,
                at=now,
                address=storable(address) if address else None,
                agent=storable(agent) if agent else None,
            )
            if not await uow.downloads.add(download):
                raise DownloadIdSpent
            return DownloadGrant(download=download, counted=True, remaining=right.remaining)

        return await self._run(body)

    async def library(self, buyer: Buyer) -> list[LibraryEntry]:
        async def body(uow: UnitOfWork) -> list[LibraryEntry]:
            purchases = await uow.purchases.of_buyer(buyer.id)
            limited = _limited(purchases)
            used = await uow.downloads.used(buyer.id, limited) if limited else {}
            when, now = spans(purchases), self._clock.now()
            return [entry(one, when[one.id], used.get(one.id, 0), now) for one in purchases]

        return await self._run(body, read_only=True)

    async def downloads(self, buyer: Buyer, limit: int, before: str | None) -> list[Download]:
        require_limit(limit)
        return await self._run(
            lambda uow: uow.downloads.of_buyer(buyer.id, limit, before), read_only=True
        )

    def _run(self, body: Body[T], *, read_only: bool = False) -> Awaitable[T]:
        return settle(self._store.run(body, read_only=read_only))


def _limited(purchases: Iterable[Held]) -> list[str]:
    """The ids of those purchases on which downloads are counted."""
    return [one.id for one in purchases if one.terms.download_limit is not None]


async def _take(uow: UnitOfWork, buyer_id: str, found: Iterable[Right]) -> Right | None:
    """Counts a download on the first right that has one left; None if none has."""
    for right in found:
        if not right.allows:
            continue
        if right.limit is None:
            return right
        count = await uow.downloads.count(buyer_id, right.purchase.id, right.limit)
        if count is not None:
            return right._replace(remaining=right.limit - count)
    return None


async def _broken_off(
    uow: UnitOfWork, buyer_id: str, ref: ProductRef, now: datetime
) -> Download | None:
    """The download that a request for the rest of a file may continue: the last one of it."""
    recent = await uow.downloads.of_buyer(buyer_id, _LAST_FEW, None)
    last = next((each for each in recent if each.product == ref), None)
    return last if last is not None and now - last.at < RESUMABLE else None


def _again(
    before: Download, ref: ProductRef, found: Iterable[Right], now: datetime
) -> Right | None:
    """The right by which a download that was counted before may go on, if there still is one.

    Raises:
        DownloadIdSpent: it was for something else, or too long ago.
    """
    if before.product != ref or now - before.at >= FREE_AGAIN:
        raise DownloadIdSpent
    still = (right for right in found if right.allows or right.code == "download_limit_reached")
    return next(still, None)


class AccessService:
    """Says who may download what, counts it, and says why not."""

    def __init__(self, *, store: Store, catalog: Catalog, clock: Clock | None = None) -> None:
        """Puts the service together.

        Args:
            store: Where purchases and downloads are kept.
            catalog: The host's products.
            clock: The time; the machine's by default.

        Raises:
            ConfigurationError: one of them is async.
        """
        clock = clock or SystemClock()
        require_sync(type(self).__name__, store, None, catalog.get, clock.sleep)
        self._core = _Core(store, catalog, clock)

    def check(self, buyer: Buyer, ref: ProductRef) -> AccessDecision:
        """Whether `buyer` may have `ref` now, and why. It counts nothing.

        Raises:
            StoreUnavailable: it cannot be told; give no access.
        """
        return drive(self._core.check(buyer, ref))

    def download(
        self,
        buyer: Buyer,
        ref: ProductRef,
        *,
        download_id: str | None = None,
        resume: bool = False,
        address: str | None = None,
        agent: str | None = None,
    ) -> DownloadGrant:
        """Lets a buyer download a product now: checks, counts and records it in one transaction.

        Args:
            buyer: Who.
            ref: What.
            download_id: The caller's id of this download. The same one is free again for 24
                hours, for the same product; without one each call counts.
            resume: Whether only the rest of a file is asked for. It continues the buyer's last
                download of the product without being counted, if that is no hour old.
            address: The network address, if it is to be recorded.
            agent: The user agent, if it is to be recorded.

        Raises:
            AccessDenied: they may not; its `code` and message say why.
            DownloadIdSpent: `download_id` was used more than 24 hours ago, or for another product.
            StoreUnavailable: it cannot be told; send nothing.
        """
        return drive(self._core.download(buyer, ref, download_id, address, agent, resume=resume))

    def library(self, buyer: Buyer) -> list[LibraryEntry]:
        """All that a buyer bought, the oldest first, with what remains of it."""
        return drive(self._core.library(buyer))

    def downloads(
        self, buyer: Buyer, *, limit: int = 50, before: str | None = None
    ) -> list[Download]:
        """A buyer's downloads, the newest first; `before` is the last id of the page before."""
        return drive(self._core.downloads(buyer, limit, before))


class AsyncAccessService:
    """`AccessService` for async hosts: the same, awaited."""

    def __init__(self, *, store: Store, catalog: Catalog, clock: Clock | None = None) -> None:
        """See `AccessService`."""
        require_async(type(self).__name__, store, None)
        self._core = _Core(store, catalog, clock or AsyncSystemClock())

    async def check(self, buyer: Buyer, ref: ProductRef) -> AccessDecision:
        """See `AccessService.check`."""
        return await self._core.check(buyer, ref)

    async def download(
        self,
        buyer: Buyer,
        ref: ProductRef,
        *,
        download_id: str | None = None,
        resume: bool = False,
        address: str | None = None,
        agent: str | None = None,
    ) -> DownloadGrant:
        """See `AccessService.download`."""
        return await self._core.download(buyer, ref, download_id, address, agent, resume=resume)

    async def library(self, buyer: Buyer) -> list[LibraryEntry]:
        """See `AccessService.library`."""
        return await self._core.library(buyer)

    async def downloads(
        self, buyer: Buyer, *, limit: int = 50, before: str | None = None
    ) -> list[Download]:
        """See `AccessService.downloads`."""
        return await self._core.downloads(buyer, limit, before)
