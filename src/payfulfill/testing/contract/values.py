"""What values must come through a store unharmed, and how rows are ordered and cut into pages."""
# ruff: noqa: S101  # these are tests

from __future__ import annotations

import json
import random
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import pairwise
from typing import Any, Final

from payfulfill.models import (
    MAX_ID_LENGTH,
    Attempt,
    EventStatus,
    Payment,
    ProductRef,
    StoredEvent,
    Terms,
)
from payfulfill.money import Money
from payfulfill.ports import Store, Target, UnitOfWork
from payfulfill.testing.contract.hooks import Contract
from payfulfill.testing.contract.running import in_loop, insert, read, save, write
from payfulfill.testing.contract.samples import (
    DESIGN,
    NOW,
    SECOND,
    customer,
    download,
    event,
    full_payment,
    held,
    payment,
    purchase,
    review,
)

_MICROSECOND: Final = timedelta(microseconds=1)
_MEGABYTE: Final = 1024 * 1024
_LARGEST: Final = 2**53 - 1  # minor units, the most that `Money` takes

LOOKALIKES: Final[Sequence[str]] = (
    "ada",
    "Ada",
    "ADA",
    "ada ",
    " ada",
    "ada\n",
    "ada%",
    "ad_",
    "adá",
    unicodedata.normalize("NFD", "adá"),
    "a\u0301da",
    "\u200fada",  # a mark for text that runs from right to left
    "עדה",
    "\u0430da",  # its first letter is Cyrillic
    "\ufb01n",  # a ligature
    "fin",
    "ﬁn ",
    "\N{ARTIST PALETTE}",
    "\N{ARTIST PALETTE}\ufe0f",
    "\U0010ffff",
    "\uffff",
    "$ada",
    "$where",
    "ada.b",
    ".",
    "..",
    "__proto__",
    "_id",
    "null",
    "None",
    "0",
    "00",
    "'; DROP TABLE payments; --",
    '"ada"',
    "\\ada",
    "ada?",
    ":ada",
    "%s",
    "{0}",
    "\x01",
    "\x7f",
)
"""Ids that a store may take for one another, or for something else than an id."""


def _long(seed: str, alphabet: str) -> str:
    """An id that is as long as ids may be, and that nothing compresses."""
    length = MAX_ID_LENGTH // len(alphabet[0].encode())
    return "".join(random.Random(seed).choices(alphabet, k=length))  # noqa: S311  # the same every time


async def _payments_of(uow: UnitOfWork, buyer_id: str) -> list[Payment]:
    return await uow.payments.of_buyer(buyer_id, 999, None)


async def _due(store: Store, limit: int) -> list[StoredEvent]:
    return await read(store, lambda uow: uow.events.due(NOW, limit))


class ValueContract(Contract):
    """Values, orders and pages."""

    # --- ids ---------------------------------------------------------------------------------

    @in_loop
    async def test_ids_that_look_alike_are_others(self, store: Store) -> None:
        """By case, by accents and how they are written, by blanks, by what a query might make of
        them: each buyer, product, download, event, ref and customer is found by its own id
        alone."""

        async def add(uow: UnitOfWork, id: str) -> list[bool]:
            ref = ProductRef("design", id if id.strip() else "blank")
            await uow.slots.lock(id, DESIGN)
            await uow.slots.put(id, DESIGN, f"pay_{id}")
            return [
                await uow.payments.add(payment(id, id="pay_x", title=id)),
                await uow.purchases.add(purchase(source=id, title=id, product=ref)),
                await uow.downloads.add(download(id=id, agent=id)),
                await uow.downloads.count("ada", id, 1) == 1,
                await uow.events.add(event(id=id, note=id)),
                await uow.events.add(event(account=id, id="evt_x", note=id)),
                await uow.reviews.add(review(id=id, detail=id)),
                await uow.refs.add(id, Target(id, ref, f"pay_{id}")),
                await uow.customers.add(customer(id, stripe_id=id)),
            ]

        async def find(uow: UnitOfWork, id: str) -> list[Any]:
            ref = ProductRef("design", id if id.strip() else "blank")
            found: list[Any] = [
                await uow.payments.get(id, "pay_x"),
                await uow.payments.latest(id, DESIGN),
                *await uow.payments.of_buyer(id, 9, None),
                *await uow.purchases.of_product("ada", ref),
            ]
            titles = [one and one.title for one in found]
            kept = await uow.downloads.get("ada", id)
            noted = [await uow.events.lock("", id), await uow.events.lock(id, "evt_x")]
            target = await uow.refs.get(id)
            known = await uow.customers.get(id, livemode=False)
            return [
                *titles,
                kept and kept.agent,
                *(one and one.note for one in noted),
                target and target.buyer_id,
                known and known.stripe_id,
                (await uow.slots.lock(id, DESIGN) or "").removeprefix("pay_"),
                *await uow.downloads.used("ada", [id]),
            ]

        for id in LOOKALIKES:
            assert {*await write(store, partial(add, id=id))} == {True}, ascii(id)
        for id in LOOKALIKES:
            assert await write(store, partial(find, id=id)) == [id] * 11, ascii(id)
        used = await read(store, lambda uow: uow.downloads.used("ada", LOOKALIKES))
        assert used == dict.fromkeys(LOOKALIKES, 1)

    @in_loop
    async def test_ids_as_long_as_they_may_be(self, store: Store) -> None:
        """500 bytes each, in every key that holds several of them."""
        await _keep_long_ids(store, "abcdefghijklmnopqrstuvwxyz0123456789")

    @in_loop
    async def test_ids_as_long_as_they_may_be_of_four_bytes_each(self, store: Store) -> None:
        """The same with characters that take the most room."""
        await _keep_long_ids(store, "".join(chr(0x1F300 + place) for place in range(256)))

    # --- contents ----------------------------------------------------------------------------

    @in_loop
    async def test_contents_of_a_megabyte(self, store: Store) -> None:
        """An event as large as we take, and facts and parameters that are as large."""
        text = "\N{ARTIST PALETTE}é'\"\\" * (_MEGABYTE // 9)
        told = event(status=EventStatus.PENDING, payload=text, next_try_at=NOW)
        one = full_payment(
            facts={"intent:pi_1": {"text": text}},
            attempt=Attempt(number=1, parameters={"text": text}, started_at=NOW),
        )
        assert await insert(store, told, one) == [True, True]
        await save(store, replace(told, payload=text[::-1]))
        (found,) = await _due(store, 9)
        assert found.payload == text[::-1]
        assert await read(store, lambda uow: uow.payments.get("ada", one.id)) == one

    @in_loop
    async def test_names_within_facts_are_kept(self, store: Store) -> None:
        """Also those that mean something to a database, or nothing at all."""
        inner = {name: {name: name} for name in LOOKALIKES}
        facts = {f"intent:{name}": inner for name in ("pi_1", "pi.1", "$pi", "")}
        attempt = Attempt(number=1, parameters={"metadata": inner, "": []}, started_at=NOW)
        one = payment(facts=facts, attempt=attempt)
        await insert(store, one)
        assert await read(store, lambda uow: uow.payments.get("ada", one.id)) == one

    @in_loop
    async def test_numbers_come_back_as_whole_numbers(self, store: Store) -> None:
        """No float, no Decimal, and what is true is not 1: to the last digit of what is kept."""
        values = [0, 1, -1, 2**31, 2**53, 2**63 - 1, True, False, None, "1", 0.5]
        facts = {"intent:pi_1": {"values": values, "nested": [[values]]}}
        for amount in (0, 1, 2**31, 2**40, _LARGEST):
            one = payment(amount=Money(amount, "JPY"), facts=facts, reads=2**31 - 1)
            await insert(store, one)
            found = await read(store, lambda uow, id=one.id: uow.payments.get("ada", id))  # type: ignore[misc]  # mypy cannot infer it
            assert found == one
            assert isinstance(found.amount.amount, int)
            assert json.dumps(found.facts) == json.dumps(one.facts)
        limit = 2**31 - 1
        bought = purchase(amount=Money(_LARGEST, "USD"), terms=Terms(download_limit=limit))
        await insert(store, bought)
        (kept,) = await read(store, lambda uow: uow.purchases.of_buyer("ada"))
        assert (kept.amount, kept.terms) == (bought.amount, bought.terms)
        number = await write(store, lambda uow: uow.downloads.count("ada", bought.id, limit))
        assert type(number) is int

    @in_loop
    async def test_times_are_kept_to_the_microsecond(self, store: Store) -> None:
        """Two that are one microsecond apart stay in their order, and neither is rounded."""
        rows = [
            purchase(id=f"pur_{9 - place}", paid_at=NOW + place * _MICROSECOND)
            for place in range(5)
        ]
        await insert(store, *rows[::-1])
        assert await read(store, lambda uow: uow.purchases.of_buyer("ada")) == rows

    # --- orders and pages --------------------------------------------------------------------

    @in_loop
    async def test_pages_of_any_size(self, store: Store) -> None:
        """Payments and downloads, of which many are of one moment: whatever the page's size,
        each is shown once, the newest first; by id, those of one moment."""
        names = [
            f"{name}{place}" for place, name in enumerate(("A", "a", "Z", "z", "_", "é", "🎨"))
        ]
        rows = [
            download(id=name, at=NOW + (place % 3) * SECOND) for place, name in enumerate(names)
        ]
        mine = [payment(id=f"pay_{place:02d}") for place in range(len(names))]
        await insert(store, *rows, *mine[::-1], payment("bob"), download("bob"))
        newest = sorted(rows, key=lambda one: (one.at, one.id), reverse=True)
        for size in (1, 2, 3, 6, 7, 8, 1000):
            assert await _paged(store, "downloads", size) == newest
            assert await _paged(store, "payments", size) == mine[::-1]

    @in_loop
    async def test_a_page_begins_behind_the_last_one_seen(self, store: Store) -> None:
        """What is added while somebody turns the pages moves none of them."""
        rows = [download(id=f"dl_{place}", at=NOW + place * SECOND) for place in range(4)]
        await insert(store, *rows)
        await insert(store, download(id="dl_new", at=NOW + 9 * SECOND), download(id="dl_0a"))
        older = await read(store, lambda uow: uow.downloads.of_buyer("ada", 9, "dl_2"))
        assert [one.id for one in older] == ["dl_1", "dl_0a", "dl_0"]

    @in_loop
    async def test_events_that_are_due_at_one_moment(self, store: Store) -> None:
        """As many as are asked for, each of them once, and those that are due before first."""
        same = [_pending(0) for _ in range(5)]
        first = _pending(-1)
        await insert(store, *same, first)
        for limit in (1, 2, 5, 6, 7):
            found = await _due(store, limit)
            assert found[0] == first
            assert len({one.id for one in found}) == min(limit, 6)
            assert all(one in same for one in found[1:])

    @in_loop
    async def test_many_rows_of_one_buyer(self, store: Store) -> None:
        """More than fit into a batch of any driver's."""
        rows = [purchase(paid_at=NOW + place * SECOND) for place in range(250)]
        await insert(store, *rows)
        assert await read(store, lambda uow: uow.purchases.of_buyer("ada")) == rows
        found = await read(store, lambda uow: uow.purchases.opening("ada", DESIGN))
        assert sorted(map(held, found), key=lambda one: one.paid_at) == [*map(held, rows)]
        ids = [one.id for one in rows] + [f"pur_none_{place}" for place in range(1750)]
        await write(store, lambda uow: uow.downloads.count("ada", ids[0], 9))
        assert await read(store, lambda uow: uow.downloads.used("ada", ids)) == {ids[0]: 1}


def _pending(seconds: int) -> StoredEvent:
    due = NOW + seconds * SECOND
    return event(status=EventStatus.PENDING, payload="{}", next_try_at=due)


async def _paged(store: Store, name: str, size: int) -> list[Any]:
    """All that a repository has of a buyer, page by page."""

    async def page(uow: UnitOfWork, before: str | None) -> list[Any]:
        rows: list[Any] = await getattr(uow, name).of_buyer("ada", size, before)
        return rows

    pages: list[list[Any]] = [await read(store, partial(page, before=None))]
    while pages[-1]:
        pages.append(await read(store, partial(page, before=pages[-1][-1].id)))
    assert all(len(page) == size for page, rest in pairwise(pages) if rest)
    return [one for page in pages for one in page]


async def _keep_long_ids(store: Store, alphabet: str) -> None:
    buyer = _long("buyer", alphabet)
    other = buyer[:-1] + next(letter for letter in alphabet if letter != buyer[-1])
    ref = ProductRef(_long("type", alphabet), _long("id", alphabet))
    id = _long("download", alphabet)

    async def body(uow: UnitOfWork) -> list[Any]:
        await uow.slots.lock(buyer, ref)
        await uow.slots.put(buyer, ref, "pay_1")
        return [
            await uow.payments.add(payment(buyer, id="pay_1", product=ref)),
            await uow.purchases.add(purchase(buyer, product=ref)),
            await uow.downloads.add(download(buyer, id=id, product=ref)),
            await uow.downloads.count(buyer, "pur_1", 1) == 1,
            await uow.refs.add("pi_1", Target(buyer, ref, "pay_1")),
            await uow.customers.add(customer(buyer)),
        ]

    async def find(uow: UnitOfWork, buyer: str) -> list[Any]:
        return [
            await uow.slots.lock(buyer, ref),
            await uow.payments.latest(buyer, ref),
            await uow.downloads.get(buyer, id),
            await uow.customers.lock(buyer, livemode=False),
            *await uow.purchases.of_product(buyer, ref),
            *await uow.downloads.used(buyer, ["pur_1"]),
        ]

    assert await write(store, body) == [True] * 6
    assert None not in (found := await write(store, partial(find, buyer=buyer)))
    assert len(found) == 6
    assert await write(store, partial(find, buyer=other)) == [None] * 4
    target = await read(store, lambda uow: uow.refs.get("pi_1"))
    assert target == Target(buyer, ref, "pay_1")
