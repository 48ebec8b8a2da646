"""One customer at Stripe for each buyer, whatever breaks on the way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import pytest

from payfulfill import Buyer
from payfulfill.colour import MaybeAwaitable, drive, settle, within
from payfulfill.errors import (
    CannotJoin,
    GatewayFailed,
    GatewayRefused,
    GatewayUnavailable,
    PayfulfillError,
)
from payfulfill.models import Customer
from payfulfill.payments.customers import CustomerCore, begun, key_of
from payfulfill.ports import KEY_LIFETIME, CustomerAnswer, UnitOfWork
from payfulfill.stores import AsyncMemoryStore, MemoryStore
from payfulfill.testing import AsyncFakeGateway, AsyncManualClock, FakeGateway, ManualClock
from payfulfill.testing.contract.running import all_at_once
from payfulfill.testing.contract.samples import NOW
from payfulfill.testing.contract.values import LOOKALIKES

T = TypeVar("T")

ADA = Buyer("ada")
HERE = "https://shop.example/account"
CREATE: Final = "create_customer"
STUBBORN = 9  # more failures than a call puts up with


class Shop:
    """Everything that customers take, in one colour."""

    def __init__(self, *, is_async: bool, runner: asyncio.Runner) -> None:
        self._runner = runner
        self.clock = AsyncManualClock() if is_async else ManualClock()
        self.store: Any = AsyncMemoryStore() if is_async else MemoryStore()
        self.gateway = self.account(is_async=is_async)
        self.core = CustomerCore(self.store, self.gateway, self.clock)

    def account(self, *, is_async: bool, livemode: bool = False) -> FakeGateway:
        kind = AsyncFakeGateway if is_async else FakeGateway
        return kind(livemode=livemode, clock=self.clock)

    def run(self, answer: Awaitable[T]) -> T:
        async def whole() -> T:
            return await answer

        return self._runner.run(whole())

    def ensure(self, buyer: Buyer = ADA) -> str:
        return self.run(self.core.ensure(buyer))

    def portal(self, buyer: Buyer = ADA) -> str:
        return self.run(self.core.portal(buyer, HERE))

    def forget(self, stripe_id: str, buyer: Buyer = ADA) -> None:
        self.run(self.core.forget(buyer, stripe_id))

    def row(self, buyer: Buyer = ADA, *, livemode: bool = False) -> Customer:
        async def body(uow: UnitOfWork) -> Customer | None:
            return await uow.customers.get(buyer.id, livemode=livemode)

        found = self.run(settle(self.store.run(body, read_only=True)))
        assert isinstance(found, Customer)
        return found

    def put(self, customer: Customer) -> None:
        assert self.run(settle(self.store.run(lambda uow: uow.customers.add(customer))))

    def keys(self) -> list[str]:
        """The number in each key that a customer was asked for with, call by call."""
        return [key.rpartition(":")[2] for verb, key in self.gateway.calls if verb == CREATE]

    def made(self) -> list[str]:
        return [*self.gateway.customers]


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    with asyncio.Runner() as runner:
        yield Shop(is_async=request.param, runner=runner)


# --- keys ----------------------------------------------------------------------------------------


def test_no_two_rows_share_a_key() -> None:
    long = [letter * length for letter in "a\N{ARTIST PALETTE}" for length in (124, 125)]
    rows = [
        Customer(buyer_id=buyer_id, livemode=livemode, created_at=created_at)
        for buyer_id in (*LOOKALIKES, *long)
        for livemode in (False, True)
        for created_at in (NOW, NOW + timedelta(microseconds=1))
    ]
    keys = {key_of(row, number) for row in rows for number in (1, 2, 11)}
    assert len(keys) == 3 * len(rows)
    # https://docs.stripe.com/api/idempotent_requests
    assert all(key.isascii() and len(key) <= 255 for key in keys)


def test_what_is_sent() -> None:
    """No more than it takes to find it again; each value fits: https://docs.stripe.com/metadata"""
    buyer_id = "\N{ARTIST PALETTE}" * 125
    row = begun(Customer(buyer_id=buyer_id, livemode=False, created_at=NOW), NOW)
    assert row.attempt
    metadata = {"payfulfill_buyer": buyer_id, "payfulfill_request": key_of(row, 1)}
    assert row.attempt.parameters == {"metadata": metadata}
    assert all(len(name) <= 40 and len(value) <= 500 for name, value in metadata.items())


# --- the way that goes well ----------------------------------------------------------------------


def test_a_customer_is_made_once_and_known_from_then_on(shop: Shop) -> None:
    made = shop.ensure()
    assert [shop.ensure() for _ in range(3)] == [made] * 3
    assert shop.made() == [made]
    assert len(shop.gateway.calls) == 1
    assert shop.row().stripe_id == made
    assert shop.gateway.customers[made]["metadata"]["payfulfill_buyer"] == ADA.id


def test_each_buyer_has_their_own(shop: Shop) -> None:
    made = [shop.ensure(Buyer(id)) for id in LOOKALIKES]
    assert len({*made}) == len(LOOKALIKES) == len(shop.made())


def test_each_mode_has_its_own(shop: Shop) -> None:
    live = shop.account(is_async=shop.store.is_async, livemode=True)
    made = shop.ensure()
    lives = shop.run(CustomerCore(shop.store, live, shop.clock).ensure(ADA))
    assert lives != made
    assert (shop.row().stripe_id, shop.row(livemode=True).stripe_id) == (made, lives)
    assert [*live.customers] == [lives]


def test_one_that_the_host_brought_along_is_taken(shop: Shop) -> None:
    shop.put(Customer(buyer_id="ada", livemode=False, stripe_id="cus_old", created_at=NOW))
    assert shop.ensure() == "cus_old"
    assert shop.gateway.calls == []
    shop.forget("cus_old")
    assert shop.ensure() in shop.made()
    assert shop.keys() == ["1"]


def test_a_row_without_anything_is_begun(shop: Shop) -> None:
    shop.put(Customer(buyer_id="ada", livemode=False, created_at=NOW))
    assert [shop.ensure()] == shop.made()
    assert shop.keys() == ["1"]


def test_many_at_once_get_one(shop: Shop) -> None:
    def ensure(_: int) -> MaybeAwaitable[str]:
        coming = shop.core.ensure(ADA)
        return coming if shop.store.is_async else drive(coming)

    found = shop.run(all_at_once(shop.store, 64, ensure))
    assert shop.made() == [found[0]]
    assert {*found} == {found[0]}


# --- Stripe's answers ----------------------------------------------------------------------------


@pytest.mark.parametrize("after", [False, True])
def test_a_lost_call_is_made_again_with_the_same_key(shop: Shop, after: bool) -> None:
    """A timeout, a 409 (key in use) and a 429 are all of this kind."""
    shop.gateway.fail_next(GatewayUnavailable(), verb=CREATE, times=3, after=after)
    assert [shop.ensure()] == shop.made()
    assert shop.keys() == ["1"] * 4


@pytest.mark.parametrize("after", [False, True])
def test_what_stays_lost_is_told_and_healed_later(shop: Shop, after: bool) -> None:
    shop.gateway.fail_next(GatewayUnavailable(), verb=CREATE, times=5, after=after)
    with pytest.raises(GatewayUnavailable):
        shop.ensure()
    assert shop.row().stripe_id is None
    shop.clock.advance(KEY_LIFETIME - timedelta(minutes=1))
    assert [shop.ensure()] == shop.made()
    assert {*shop.keys()} == {"1"}


@pytest.mark.parametrize("after", [False, True])
def test_after_an_error_of_stripes_its_list_tells(shop: Shop, after: bool) -> None:
    """The key would only give that error again."""
    shop.gateway.fail_next(GatewayFailed(), verb=CREATE, after=after)
    assert [shop.ensure()] == shop.made()
    assert shop.keys() == (["1"] if after else ["1", "2"])
    assert ("list_customers", "") in shop.gateway.calls


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("days", [1, 400])
def test_after_its_lifetime_a_key_is_not_relied_on(shop: Shop, after: bool, days: int) -> None:
    shop.gateway.fail_next(GatewayUnavailable(), verb=CREATE, times=5, after=after)
    with pytest.raises(GatewayUnavailable):
        shop.ensure()
    shop.clock.advance(timedelta(days=days))
    assert [shop.ensure()] == shop.made()
    assert {*shop.keys()} == ({"1"} if after else {"1", "2"})


def test_only_the_time_is_looked_through_in_which_it_may_have_been_made(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shop may have had many customers since."""
    asked: list[tuple[datetime, datetime]] = []
    whole = shop.gateway.list_customers

    async def list_customers(since: datetime, until: datetime) -> Any:
        asked.append((since, until))
        return await whole(since, until)

    monkeypatch.setattr(shop.gateway, "list_customers", list_customers)
    began = shop.clock.now()
    shop.gateway.fail_next(GatewayUnavailable(), verb=CREATE, times=5)
    with pytest.raises(GatewayUnavailable):
        shop.ensure()
    shop.clock.advance(timedelta(days=400))
    shop.ensure()
    [(since, until)] = asked
    assert since < began
    assert began + KEY_LIFETIME < until < began + timedelta(days=1)


def test_a_list_that_cannot_be_had_leaves_all_as_it_is(shop: Shop) -> None:
    shop.gateway.fail_next(GatewayFailed(), verb=CREATE, after=True)
    shop.gateway.fail_next(GatewayUnavailable(), verb="list_customers", times=STUBBORN)
    with pytest.raises(GatewayUnavailable):
        shop.ensure()
    with pytest.raises(GatewayUnavailable):
        shop.ensure()
    assert [shop.ensure()] == shop.made()
    assert shop.keys() == ["1"]


def test_a_refusal_is_told_to_the_caller_and_to_the_operator(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    shop.gateway.fail_next(GatewayRefused("no such key", reason="api_key_expired"), verb=CREATE)
    with pytest.raises(GatewayRefused):
        shop.ensure()
    (record,) = caplog.records
    assert (record.levelno, record.reason) == (logging.ERROR, "api_key_expired")  # type: ignore[attr-defined]
    assert [shop.ensure()] == shop.made()
    assert shop.keys() == ["1", "2"]


def test_a_refusal_does_not_hide_what_was_made_before(shop: Shop) -> None:
    """It speaks of its own call, not of the one whose answer was lost."""
    shop.gateway.fail_next(GatewayUnavailable(), verb=CREATE, times=5, after=True)
    with pytest.raises(GatewayUnavailable):
        shop.ensure()
    # Lost with its connection, as the key is known; so it is refused before Stripe looks at it.
    shop.gateway.fail_next(GatewayRefused("revoked"), verb=CREATE)
    with pytest.raises(GatewayRefused):
        shop.ensure()
    assert [shop.ensure()] == shop.made()
    assert {*shop.keys()} == {"1"}


def test_two_shops_at_one_account_never_share_a_buyers_customer(shop: Shop) -> None:
    """Both number their buyers, and this one's answer was lost."""
    other = Shop(is_async=shop.store.is_async, runner=shop._runner)
    other.core = CustomerCore(other.store, shop.gateway, shop.clock)
    shop.gateway.fail_next(GatewayFailed(), verb=CREATE)
    with pytest.raises(GatewayFailed):
        shop.run(shop.core._round(ADA))
    shop.clock.advance(1)
    theirs = other.ensure()
    assert shop.ensure() != theirs
    assert len(shop.made()) == 2


# --- customers that are gone ---------------------------------------------------------------------


def test_what_was_forgotten_is_made_anew(shop: Shop) -> None:
    first = shop.ensure()
    shop.gateway.delete_customer(first)
    shop.forget(first)
    second = shop.ensure()
    assert shop.made() == [first, second]
    assert shop.keys() == ["1", "2"]


def test_only_the_one_that_is_gone_is_forgotten(shop: Shop) -> None:
    """Who comes late finds another there, or none."""
    shop.forget("cus_never")
    first = shop.ensure()
    shop.forget("cus_other")
    shop.forget(first, Buyer("bob"))
    assert shop.ensure() == first
    shop.forget(first)
    second = shop.ensure()
    shop.forget(first)
    assert shop.ensure() == second
    assert shop.made() == [first, second]


def meanwhile(
    shop: Shop, patch: pytest.MonkeyPatch, doing: Callable[[str], Awaitable[object]]
) -> None:
    """Has something done once, with the id that it made, before the next create is answered."""
    whole = shop.gateway.create_customer

    async def create_customer(parameters: Any, key: str) -> CustomerAnswer:
        patch.setattr(shop.gateway, CREATE, whole)
        answer = await whole(parameters, key)
        await doing(answer.id)
        return answer

    patch.setattr(shop.gateway, CREATE, create_customer)


def test_a_late_answer_does_not_bring_back_what_was_forgotten(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = CustomerCore(shop.store, shop.gateway, shop.clock)

    async def forget(made: str) -> None:
        assert await other.ensure(ADA) == made
        await other.forget(ADA, made)

    meanwhile(shop, monkeypatch, forget)
    found = shop.ensure()
    assert len(shop.made()) == 2
    assert found == shop.made()[1] == shop.row().stripe_id


def test_a_late_answer_does_not_replace_what_is_there(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host has brought one along meanwhile, say."""

    async def bring(_: str) -> None:
        async def body(uow: UnitOfWork) -> None:
            held = await uow.customers.lock("ada", livemode=False)
            assert held
            await uow.customers.save(replace(held, stripe_id="cus_host"))

        await settle(shop.store.run(body))

    meanwhile(shop, monkeypatch, bring)
    assert shop.ensure() == "cus_host" == shop.row().stripe_id


@pytest.mark.parametrize("error", [GatewayRefused("revoked"), GatewayFailed()])
def test_a_late_failure_undoes_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, error: PayfulfillError
) -> None:
    """Another call was answered before it."""
    other = CustomerCore(shop.store, shop.gateway, shop.clock)

    async def fail(made: str) -> None:
        assert await other.ensure(ADA) == made
        raise error

    meanwhile(shop, monkeypatch, fail)
    with suppress(GatewayRefused):
        shop.ensure()
    assert [shop.row().stripe_id] == shop.made() == [shop.ensure()]


def test_one_that_was_deleted_before_we_knew_of_it(shop: Shop) -> None:
    """Its key still gives the answer of old."""
    shop.gateway.fail_next(GatewayUnavailable(), verb=CREATE, times=5, after=True)
    with pytest.raises(GatewayUnavailable):
        shop.ensure()
    (first,) = shop.made()
    shop.gateway.delete_customer(first)
    assert shop.portal()
    assert shop.ensure() == shop.made()[1]


# --- the portal ----------------------------------------------------------------------------------


def test_the_portal_is_the_customers(shop: Shop) -> None:
    first, second = shop.portal(), shop.portal()
    assert first != second
    assert first.startswith("https://")
    (made,) = shop.made()
    opened = [about for verb, about in shop.gateway.calls if verb == "open_portal"]
    assert opened == [made] * 2


def test_a_deleted_customer_gets_a_new_one_and_a_portal(shop: Shop) -> None:
    first = shop.ensure()
    shop.gateway.delete_customer(first)
    assert shop.portal()
    assert shop.made() == [first, shop.ensure()]


def test_a_portal_that_stays_refused_makes_no_customers(shop: Shop) -> None:
    """One more at most, in case that was the reason."""
    shop.ensure()
    for reason, more in (("", 0), ("resource_missing", 1)):
        before = len(shop.made())
        refused = GatewayRefused("no", reason=reason)
        shop.gateway.fail_next(refused, verb="open_portal", times=1 + more)
        with pytest.raises(GatewayRefused):
            shop.portal()
        assert len(shop.made()) == before + more


def test_a_portal_whose_answer_was_lost_is_opened_again(shop: Shop) -> None:
    shop.gateway.fail_next(GatewayUnavailable(), verb="open_portal", times=3, after=True)
    assert shop.portal()
    shop.gateway.fail_next(GatewayUnavailable(), verb="open_portal", times=5)
    with pytest.raises(GatewayUnavailable):
        shop.portal()


def test_the_portals_address_is_kept_nowhere(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        secret = shop.portal().rpartition("/")[2]
    shown = [repr(shop.row()), repr(shop.store._tables), repr(shop.core), caplog.text]
    assert not [text for text in shown if secret in text]


# --- the host's transaction ----------------------------------------------------------------------


def test_in_a_transaction_of_the_hosts_nothing_is_made(shop: Shop) -> None:
    """Also if the host commits all the same."""

    async def ensured() -> str | None:
        async with within(shop.store.transaction()) as connection:
            core = CustomerCore(shop.store.joined(connection), shop.gateway, shop.clock)
            with suppress(CannotJoin):
                return await core.ensure(ADA)
        return None

    assert shop.run(ensured()) is None
    assert shop.store._tables["customers"] == {}
    made = shop.ensure()
    assert shop.run(ensured()) == made


# --- crashes -------------------------------------------------------------------------------------


class Crash(Exception):
    """The process dies here."""


class Fate:
    """Lets a process die before or behind one of its calls to the store or to Stripe."""

    def __init__(self, at: int) -> None:
        self.at = at

    def step(self) -> None:
        self.at -= 1
        if self.at == 0:
            raise Crash


class FatefulStore:
    def __init__(self, inner: Any, fate: Fate) -> None:
        self.is_async, self.async_hooks = inner.is_async, inner.async_hooks
        self._inner, self._fate = inner, fate

    async def _run(self, body: Any, **options: bool) -> Any:
        self._fate.step()
        answer = await settle(self._inner.run(body, **options))
        self._fate.step()
        return answer

    run = _run


class FatefulGateway:
    def __init__(self, inner: FakeGateway, fate: Fate) -> None:
        self.is_async, self.livemode = inner.is_async, inner.livemode
        self._inner, self._fate = inner, fate

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def call(*arguments: Any) -> Any:
            self._fate.step()
            answer = await getattr(self._inner, name)(*arguments)
            self._fate.step()
            return answer

        return call


def _dies(shop: Shop, at: int) -> bool:
    """Whether a process that makes a customer comes to its end at that place."""
    fate = Fate(at)
    gateway: Any = FatefulGateway(shop.gateway, fate)
    try:
        shop.run(
            CustomerCore(FatefulStore(shop.store, fate), gateway, shop.clock).portal(ADA, HERE)
        )
    except Crash:
        return True
    except PayfulfillError:
        return False
    return False


FAULTS: dict[str, list[tuple[PayfulfillError, bool]]] = {
    "none": [],
    "answer lost": [(GatewayUnavailable(), True)],
    "failed": [(GatewayFailed(), False)],
    "failed after": [(GatewayFailed(), True)],
    "refused": [(GatewayRefused(), False)],
}


@pytest.mark.parametrize("again", [False, True], ids=["once", "twice"])
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("days", [0, 2])
def test_a_crash_anywhere_is_healed_by_calling_again(
    shop: Shop, fault: str, days: int, again: bool
) -> None:
    """Also if the process that heals it dies at the same place."""
    at, buyers = 0, 0
    dies = True
    while dies:
        at += 1
        fresh = Shop(is_async=shop.store.is_async, runner=shop._runner)
        for error, after in FAULTS[fault]:
            fresh.gateway.fail_next(error, verb=CREATE, after=after)
        dies = _dies(fresh, at)
        fresh.clock.advance(timedelta(days=days))
        if again:
            _dies(fresh, at)
        try:
            found = fresh.ensure()
        except GatewayRefused:  # that was still to come
            found = fresh.ensure()
        assert [found] == fresh.made(), at
        buyers += 1
    assert buyers > 7


def test_the_clock_of_an_attempt_begins_with_it(shop: Shop) -> None:
    first = shop.ensure()
    shop.clock.advance(timedelta(days=3))
    shop.forget(first)
    row = shop.row()
    assert row.attempt
    assert (row.attempt.number, row.attempt.started_at) == (2, shop.clock.now())
    assert replace(row, attempt=None) == Customer(
        buyer_id="ada", livemode=False, created_at=row.created_at
    )
