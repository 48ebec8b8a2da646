"""What purchases, downloads and their counters must do."""
# ruff: noqa: S101  # these are tests

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from payfulfill.models import (
    Download,
    Period,
    ProductRef,
    Purchase,
    PurchaseState,
    Tag,
    Terms,
)
from payfulfill.ports import Store, UnitOfWork
from payfulfill.rules import Holding
from payfulfill.testing.contract.hooks import Contract
from payfulfill.testing.contract.running import in_loop, insert, read, save, write
from payfulfill.testing.contract.samples import (
    COURSE,
    DESIGN,
    LARGE,
    LAST_MOMENT,
    NOW,
    PASS,
    SECOND,
    TERMS,
    WORDS,
    download,
    full_purchase,
    held,
    purchase,
)


async def _get(store: Store, one: Purchase) -> Purchase | None:
    return await read(store, lambda uow: uow.purchases.get(one.buyer_id, one.id))


async def _all(store: Store, buyer_id: str) -> list[Purchase]:
    return await read(store, lambda uow: uow.purchases.of_buyer(buyer_id))


async def _opening(store: Store) -> list[Holding]:
    found = await read(store, lambda uow: uow.purchases.opening("ada", DESIGN))
    return sorted(map(held, found), key=lambda one: one.id)


async def _count(store: Store, limit: int, buyer_id: str = "ada", id_: str = "pur_1") -> int | None:
    return await write(store, lambda uow: uow.downloads.count(buyer_id, id_, limit))


async def _used(store: Store, *ids: str, buyer_id: str = "ada") -> Mapping[str, int]:
    return await read(store, lambda uow: uow.downloads.used(buyer_id, ids))


async def _page(
    store: Store, buyer_id: str, limit: int = 50, before: str | None = None
) -> list[Download]:
    return await read(store, lambda uow: uow.downloads.of_buyer(buyer_id, limit, before))


class PurchaseContract(Contract):
    """Purchases, downloads and their counters."""

    # --- purchases ---------------------------------------------------------------------------

    @in_loop
    async def test_a_purchase_comes_back_as_it_was_added(self, store: Store) -> None:
        """Every field, set or not, with terms of every shape."""
        rows = [purchase(), full_purchase(), *(purchase(terms=terms) for terms in TERMS)]
        assert await insert(store, *rows) == [True] * len(rows)
        for one in rows:
            assert await _get(store, one) == one

    @in_loop
    async def test_a_source_has_one_purchase(self, store: Store) -> None:
        """The second insert says so and changes nothing, in the same transaction or another."""
        one = purchase()
        second = replace(full_purchase(), source=one.source)
        assert await insert(store, one, second) == [True, False]
        assert await insert(store, second) == [False]
        assert await _all(store, "ada") == [one]
        assert await _get(store, second) is None

    @in_loop
    async def test_a_purchase_is_its_buyers(self, store: Store) -> None:
        """Two buyers may have one source, and neither finds the other's purchase."""
        adas = purchase("ada", id="pur_x", source="pay_x")
        bobs = purchase("bob", id="pur_x", source="pay_x", title="Bob's")
        assert await insert(store, adas, bobs) == [True, True]
        assert await _get(store, adas) == adas
        assert await _get(store, bobs) == bobs
        assert await _all(store, "bob") == [bobs]
        assert await _get(store, replace(adas, buyer_id="eve")) is None

    @in_loop
    async def test_saving_a_purchase_writes_all_that_changes(self, store: Store) -> None:
        """From unset to set and back, and of this purchase alone."""
        one, bystander = purchase(), purchase()
        twin = replace(one, buyer_id="bob")
        await insert(store, one, bystander, twin)
        revoked = replace(
            one,
            paid_at=NOW - timedelta(days=1, microseconds=1),
            standing=PurchaseState.SUSPENDED,
            state=PurchaseState.DUPLICATE,
            revoked_at=LAST_MOMENT,
        )
        for after in (revoked, replace(one, paid_at=NOW + SECOND)):
            await save(store, after)
            assert await _get(store, one) == after
        assert await _get(store, bystander) == bystander
        assert await _get(store, twin) == twin

    @in_loop
    async def test_saving_a_purchase_that_is_not_there_changes_nothing(self, store: Store) -> None:
        """`save` never inserts."""
        await save(store, purchase())
        assert await _all(store, "ada") == []

    @in_loop
    async def test_the_purchases_of_one_product(self, store: Store) -> None:
        """All of them, whatever their state, and no other's."""
        mine = [purchase(), purchase(state=PurchaseState.REVOKED, standing=PurchaseState.REVOKED)]
        others = [
            purchase("bob"),
            purchase(product=COURSE),
            purchase(product=ProductRef(DESIGN.type, "sunset")),
            purchase(product=PASS, terms=Terms(covers=[DESIGN])),
        ]
        await insert(store, *mine, *others)
        found = await read(store, lambda uow: uow.purchases.of_product("ada", DESIGN))
        assert sorted(found, key=lambda one: one.id) == mine

    @in_loop
    async def test_the_purchases_that_may_open_a_product(self, store: Store) -> None:
        """Those of the product itself, and all that last for a period or cover others: whether
        they do cover it, the rules say."""
        opening = [
            purchase(),
            purchase(product=PASS, terms=Terms(period=Period(months=1))),
            purchase(product=PASS, terms=Terms(covers=["course"])),
            purchase(product=PASS, terms=Terms(covers=[Tag("premium")])),
            purchase(product=COURSE, terms=Terms(covers=[COURSE])),
        ]
        others = [
            purchase(product=COURSE, terms=Terms(download_limit=1, repeatable=True)),
            purchase("bob"),
            purchase("bob", product=PASS, terms=Terms(covers=["design"])),
        ]
        await insert(store, *others, *opening)
        assert await _opening(store) == [held(one) for one in opening]

    @in_loop
    async def test_as_much_of_a_purchase_as_decides_about_access(self, store: Store) -> None:
        """Every field of it, set or not."""
        every = [purchase(), full_purchase(product=DESIGN)]
        await insert(store, *every)
        assert await _opening(store) == sorted(map(held, every), key=lambda one: one.id)

    @in_loop
    async def test_a_buyers_purchases_the_oldest_first(self, store: Store) -> None:
        """By the time they were paid, then by id."""
        last = purchase(id="pur_1", paid_at=NOW + timedelta(microseconds=1))
        second = purchase(id="pur_3", paid_at=NOW)
        first = purchase(id="pur_2", paid_at=NOW)
        await insert(store, last, second, purchase("bob"), first)
        assert await _all(store, "ada") == [first, second, last]
        assert await _all(store, "eve") == []

    # --- downloads ---------------------------------------------------------------------------

    @in_loop
    async def test_a_download_comes_back_as_it_was_added(self, store: Store) -> None:
        """Every field, set or not."""
        for one in (
            download(),
            download(id=WORDS, product=ProductRef(WORDS, WORDS), address=WORDS, agent=LARGE),
        ):
            assert await insert(store, one) == [True]
            found = await read(store, lambda uow, id=one.id: uow.downloads.get("ada", id))  # type: ignore[misc]  # mypy cannot infer it
            assert found == one

    @in_loop
    async def test_a_download_id_is_used_once_by_each_buyer(self, store: Store) -> None:
        """The second insert says so and changes nothing; another buyer may use the same id."""
        one = download(id="dl_x")
        again = replace(one, at=NOW + SECOND, purchase_id="pur_2")
        bobs = replace(one, buyer_id="bob")
        assert await insert(store, one, again, bobs) == [True, False, True]
        assert await insert(store, again) == [False]
        assert await read(store, lambda uow: uow.downloads.get("ada", "dl_x")) == one
        assert await read(store, lambda uow: uow.downloads.get("bob", "dl_x")) == bobs
        assert await read(store, lambda uow: uow.downloads.get("eve", "dl_x")) is None

    @in_loop
    async def test_pages_of_a_buyers_downloads(self, store: Store) -> None:
        """The newest first; those of one moment by id, so that no page repeats or leaves out."""
        moments = (0, 1, 1, 1, 1, 2, 3)
        mine = [
            download(id=f"dl_{place}", at=NOW + moment * SECOND)
            for place, moment in enumerate(moments)
        ]
        bobs = download("bob", id="dl_3", at=NOW)
        await insert(store, *mine[4:], bobs, *mine[:4])
        newest = mine[::-1]
        assert await _page(store, "ada") == newest
        assert await _page(store, "ada", 3) == newest[:3]
        assert await _page(store, "ada", 2, newest[2].id) == newest[3:5]
        assert await _page(store, "ada", 9, newest[4].id) == newest[5:]
        assert await _page(store, "ada", 9, newest[-1].id) == []
        assert await _page(store, "ada", 0) == []
        assert await _page(store, "ada", 9, "dl_unknown") == []
        assert await _page(store, "bob") == [bobs]
        assert await _page(store, "eve") == []

    # --- counters ----------------------------------------------------------------------------

    @in_loop
    async def test_a_counter_stops_at_its_limit(self, store: Store) -> None:
        """It says how many they are now, and None once they are enough; refusals count nothing."""
        assert [await _count(store, 3) for _ in range(5)] == [1, 2, 3, None, None]
        assert await _used(store, "pur_1") == {"pur_1": 3}

    @in_loop
    async def test_a_limit_of_none_at_all_lets_nothing_through(self, store: Store) -> None:
        """Not even the first."""
        assert await _count(store, 0) is None
        assert await _used(store, "pur_1") == {}

    @in_loop
    async def test_a_limit_may_change(self, store: Store) -> None:
        """The count goes on where it was."""
        counts = [await _count(store, limit) for limit in (2, 2, 1, 2, 4, 4, 4)]
        assert counts == [1, 2, None, None, 3, 4, None]

    @in_loop
    async def test_counters_of_others_are_others(self, store: Store) -> None:
        """Each buyer and each purchase has its own."""
        assert await _count(store, 1) == 1
        assert await _count(store, 1, id_="pur_2") == 1
        assert await _count(store, 1, "bob") == 1
        assert await _used(store, "pur_1", "pur_2", "pur_3") == {"pur_1": 1, "pur_2": 1}
        assert await _used(store, "pur_1", buyer_id="bob") == {"pur_1": 1}
        assert await _used(store, "pur_1", buyer_id="eve") == {}
        assert await _used(store) == {}

    @in_loop
    async def test_a_transaction_sees_what_it_counted(self, store: Store) -> None:
        """Counts of one transaction go on from one another."""

        async def body(uow: UnitOfWork) -> list[object]:
            counts = [await uow.downloads.count("ada", "pur_1", 2) for _ in range(3)]
            return [*counts, await uow.downloads.used("ada", ["pur_1"])]

        assert await write(store, body) == [1, 2, None, {"pur_1": 2}]
