"""What reviews must do."""
# ruff: noqa: S101  # these are tests

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from payfulfill.models import Review
from payfulfill.ports import Store, UnitOfWork
from payfulfill.testing.contract.hooks import Contract
from payfulfill.testing.contract.running import in_loop, insert, read, write
from payfulfill.testing.contract.samples import NOW, SECOND, WORDS, review

_LATER = NOW + timedelta(days=1)


async def _open(store: Store, limit: int = 50) -> list[Review]:
    return await read(store, lambda uow: uow.reviews.open(limit))


async def _put(store: Store, *reviews: Review) -> list[bool]:
    async def body(uow: UnitOfWork) -> list[bool]:
        return [await uow.reviews.put(one) for one in reviews]

    return await write(store, body)


async def _close(store: Store, review_id: str, at: datetime = NOW) -> None:
    await write(store, lambda uow: uow.reviews.close(review_id, at))


class ReviewContract(Contract):
    """Reviews."""

    # --- those that are opened once ----------------------------------------------------------

    @in_loop
    async def test_a_review_comes_back_as_it_was_opened(self, store: Store) -> None:
        """Every field, set or not."""
        bare, full = review(), review(buyer_id=WORDS, payment_id="pay_1", opened_at=NOW + SECOND)
        assert await insert(store, bare, full) == [True, True]
        assert await _open(store) == [bare, full]

    @in_loop
    async def test_a_review_is_opened_once(self, store: Store) -> None:
        """The second says so and changes nothing, so that no operator is told twice."""
        one = review()
        again = replace(one, detail="Again.", opened_at=NOW + SECOND)
        assert await insert(store, one, again) == [True, False]
        assert await insert(store, again) == [False]
        assert await _open(store) == [one]

    @in_loop
    async def test_open_reviews_the_oldest_first(self, store: Store) -> None:
        """By time, then by id; what is closed is left out; at most so many."""
        third = review(id="a", opened_at=NOW + timedelta(microseconds=1))
        second, first = review(id="c"), review(id="b")
        closed = review(closed_at=NOW)
        await insert(store, third, second, closed, first)
        assert await _open(store) == [first, second, third]
        assert await _open(store, 2) == [first, second]
        assert await _open(store, 0) == []

    @in_loop
    async def test_a_closed_review_is_not_opened_again(self, store: Store) -> None:
        """Its id stays taken."""
        closed = review(closed_at=NOW)
        assert await insert(store, closed) == [True]
        assert await insert(store, replace(closed, closed_at=None)) == [False]
        assert await _open(store) == []

    # --- those that come and go --------------------------------------------------------------

    @in_loop
    async def test_a_review_is_put_as_it_is(self, store: Store) -> None:
        """Every field, set or not; while it is open, a second one changes nothing."""
        bare, full = review(), review(buyer_id=WORDS, payment_id="pay_1", opened_at=NOW + SECOND)
        assert await _put(store, bare, full) == [True, True]
        assert await _open(store) == [bare, full]
        again = replace(bare, detail="Again.", opened_at=_LATER)
        assert await _put(store, again) == [False]
        assert await insert(store, again) == [False]
        assert await _open(store) == [bare, full]

    @in_loop
    async def test_what_was_added_is_open_already(self, store: Store) -> None:
        """`put` and `add` open the same reviews."""
        one = review()
        assert await insert(store, one) == [True]
        assert await _put(store, replace(one, detail="Again.")) == [False]
        assert await _open(store) == [one]

    @in_loop
    async def test_a_review_is_closed(self, store: Store) -> None:
        """That one alone; it stays known, so that what is opened once is not opened again."""
        one, bystander = review(), review()
        await insert(store, one, bystander)
        await _close(store, one.id)
        assert await _open(store) == [bystander]
        assert await insert(store, one) == [False]
        assert await _open(store) == [bystander]

    @in_loop
    async def test_a_closed_review_is_put_again(self, store: Store) -> None:
        """It is open as if for the first time, with the words and the time of now; as often as it
        comes and goes, and whoever closed it."""
        one, bystander = review(buyer_id="ada", payment_id="pay_1"), review(opened_at=_LATER)
        closed = review(closed_at=NOW)
        await insert(store, one, bystander, closed)
        for number in range(3):
            await _close(store, one.id)
            again = replace(
                one, detail=f"{WORDS} {number}", opened_at=NOW + timedelta(microseconds=number)
            )
            assert await _put(store, again) == [True]
            assert await _open(store) == [again, bystander]
            assert await _put(store, one) == [False]
        assert await _put(store, replace(closed, closed_at=None, opened_at=_LATER + SECOND)) == [
            True
        ]
        assert [review.id for review in await _open(store)] == [one.id, bystander.id, closed.id]

    @in_loop
    async def test_closing_again_or_nothing_at_all(self, store: Store) -> None:
        """What is closed stays closed, and what is not there is not made."""
        one, never = review(), review()
        await insert(store, one)
        await _close(store, one.id)
        await _close(store, one.id, _LATER)
        await _close(store, never.id)
        assert await _open(store) == []
        assert await insert(store, one, never) == [False, True]
        assert await _open(store) == [never]

    @in_loop
    async def test_a_transaction_sees_the_reviews_it_put_and_closed(self, store: Store) -> None:
        """Each step, in the transaction that takes it."""
        one = review()
        again = replace(one, detail="Again.")

        async def body(uow: UnitOfWork) -> list[object]:
            seen: list[object] = [await uow.reviews.put(one), await uow.reviews.open(9)]
            await uow.reviews.close(one.id, NOW)
            seen.append(await uow.reviews.open(9))
            seen += [await uow.reviews.put(again), await uow.reviews.put(one)]
            return [*seen, await uow.reviews.open(9)]

        assert await write(store, body) == [True, [one], [], True, False, [again]]
        assert await _open(store) == [again]
