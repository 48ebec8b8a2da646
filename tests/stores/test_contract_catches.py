"""The contract is worth its name: stores that are wrong in one way or another fail it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import pytest
from tests.stores import broken_rivals as rivals
from tests.stores import broken_stores as broken
from tests.stores.contracts import MemoryContract, RowLockContract, SQLiteContract
from tests.stores.row_locks import AsyncRowLockStore, RowLockStore

from payfulfill.stores import SQLiteStore
from payfulfill.testing import StoreContract

TESTS: Final = [name for name in dir(StoreContract) if name.startswith("test_")]


def _make(kind: Callable[..., Any], path: Path) -> tuple[StoreContract, Any]:
    """A store, and the contract for stores of its kind."""
    if isinstance(kind, type) and issubclass(kind, SQLiteStore):
        in_file = kind(path / "shop.db")
        in_file.migrate()
        return SQLiteContract(), in_file
    store: Any = kind()
    if isinstance(store, (AsyncRowLockStore, RowLockStore)):
        return RowLockContract(), store
    return MemoryContract(), store


def _failures(kind: Callable[..., Any], names: Iterable[str], path: Path) -> set[str]:
    """Which tests of the contract a store fails."""
    failed = set()
    for name in names:
        contract, store = _make(kind, path)
        with asyncio.Runner() as loop:
            try:
                getattr(contract, name)(store, loop)
            except (Exception, pytest.fail.Exception):
                failed.add(name)
            finally:
                if isinstance(store, SQLiteStore):
                    store.close()
    return failed


@pytest.mark.parametrize(
    ("kind", "caught_by"),
    [
        (broken.NoUniqueness, "test_an_event_is_added_once"),
        (broken.SilentDuplicate, "test_a_source_has_one_purchase"),
        (broken.LostSave, "test_from_buy_to_download"),
        (broken.ForgetfulSave, "test_saving_a_payment_writes_all_that_changes"),
        (broken.InsertingSave, "test_saving_an_event_that_is_not_there_changes_nothing"),
        (broken.AcknowledgedNotApplied, "test_a_download_comes_back_as_it_was_added"),
        (broken.OneTooMany, "test_a_limit_of_none_at_all_lets_nothing_through"),
        (broken.SharedDownloadIds, "test_a_download_id_is_used_once_by_each_buyer"),
        (broken.WholeSeconds, "test_an_event_comes_back_as_it_was_added"),
        (broken.TriesWhatIsDone, "test_only_pending_events_are_due"),
        (broken.SlotOfTheBuyer, "test_a_slot_is_of_one_buyer_and_one_product"),
        (broken.ReopensReviews, "test_a_closed_review_is_not_opened_again"),
        (broken.KeepsReviewsClosed, "test_a_closed_review_is_put_again"),
        (broken.KeepsReviewsClosed, "test_refunding_one_of_two_activates_the_other"),
        (broken.OpensOpenReviews, "test_what_was_added_is_open_already"),
        (broken.KeepsOldWords, "test_a_closed_review_is_put_again"),
        (broken.ClosesNothing, "test_a_review_is_closed"),
        (broken.ClosesNothing, "test_a_dispute_that_is_decided_is_looked_at_no_more"),
        (broken.ForgetsClosedReviews, "test_a_review_is_closed"),
        (broken.OneCustomerForBothModes, "test_a_buyer_has_one_customer_in_each_mode"),
        (broken.ReplacesCustomers, "test_a_buyer_has_one_customer_in_each_mode"),
        (broken.ReplacesCustomers, "test_two_that_add_a_customer"),
        (broken.IgnoresCase, "test_ids_that_look_alike_are_others"),
        (broken.CutsIdsOff, "test_ids_as_long_as_they_may_be"),
        (broken.KeepsFloats, "test_numbers_come_back_as_whole_numbers"),
        (broken.PagesByTimeAlone, "test_pages_of_any_size"),
        (broken.DirtyRollback, "test_the_hosts_writes_roll_back_with_ours"),
        (broken.RollsBackErrorsOnly, "test_a_body_that_raises_leaves_nothing"),
        (broken.NeverCommits, "test_what_is_committed_is_there"),
        (broken.RunsTwice, "test_bodies_are_called_afresh"),
        (broken.WrapsErrors, "test_run_raises_what_the_body_raises"),
        (broken.LimitByReadAndWrite, "test_counters_never_pass_their_limit"),
        (rivals.LocksNoPayments, "test_what_is_locked_is_as_the_one_before_left_it"),
        (rivals.LocksNoEvents, "test_what_is_locked_is_as_the_one_before_left_it"),
        (rivals.LocksNoCustomers, "test_a_locked_customer_is_as_the_one_before_left_it"),
        (rivals.CheckThenInsert, "test_two_that_add_a_customer"),
        (rivals.LocksNoSlots, "test_a_slot_guards_what_is_read_under_it"),
        (rivals.LocksNoSlots, "test_two_payments_of_one_product_that_meet"),
        (rivals.AsyncLocksNoSlots, "test_a_slot_guards_what_is_read_under_it"),
        (rivals.AsyncLocksNoSlots, "test_two_creates_that_meet"),
        (
            rivals.LocksOnlySlotsThatAreThere,
            "test_a_slot_that_is_not_there_is_locked_all_the_same",
        ),
        (rivals.TakesWithoutLocking, "test_taking_an_event_locks_what_it_is_about"),
        (rivals.TakesTheLastRef, "test_taking_an_event_gives_what_the_repositories_give"),
        (rivals.CheckThenInsert, "test_an_add_that_meets_an_uncommitted_one"),
        (rivals.CheckThenInsert, "test_one_event_that_meets_itself"),
        (rivals.PutsByWhatItSawFirst, "test_a_put_that_meets_an_uncommitted_one"),
        (rivals.CountsWhatItSawFirst, "test_the_last_download_is_counted_once"),
        (rivals.DirtyRead, "test_what_is_not_committed_is_seen_by_nobody"),
        (rivals.NoSnapshot, "test_a_read_only_run_sees_one_state"),
        (
            rivals.SnapshotsOfReadersAndWriters,
            "test_what_is_locked_is_as_the_one_before_left_it",
        ),
        (rivals.RetriesOnTopOfItsFirstRun, "test_two_that_wait_for_each_other_both_end"),
        (rivals.GivesUpOnDeadlock, "test_two_that_wait_for_each_other_both_end"),
        (rivals.AcknowledgesBeforeItCommits, "test_who_was_told_sees_it"),
        (rivals.HoldsItsLocksAfterAnError, "test_an_error_frees_what_was_locked"),
        (rivals.ForgetsOnMigrate, "test_migrating_again_changes_nothing"),
        (rivals.RefusesNothingNewer, "test_a_newer_schema_is_refused"),
        (rivals.RunsWithoutTables, "test_a_store_that_was_not_migrated_says_so"),
        (rivals.MigratesOnceOnly, "test_several_migrations_at_once"),
        (rivals.CommitsTheHostsTransaction, "test_a_joined_store_rolls_back_with_the_host"),
        (rivals.CommitsTheHostsTransaction, "test_joined_writes_wait_for_the_hosts_commit"),
        (rivals.JoinsNothing, "test_services_in_the_hosts_transaction"),
        (
            rivals.RetriesInTheHostsTransaction,
            "test_a_joined_store_raises_what_the_body_raises",
        ),
        (
            rivals.LeavesHalfInTheHostsTransaction,
            "test_a_joined_run_that_raises_leaves_nothing_in_it",
        ),
        (rivals.CountsByItself, "test_processes_count_to_the_limit_together"),
        (rivals.CountsByItself, "test_processes_download_to_the_limit_together"),
        (rivals.WritesWhenItIsClosed, "test_what_a_killed_process_was_told_is_there"),
    ],
)
def test_a_wrong_store_fails(kind: Callable[..., Any], caught_by: str, tmp_path: Path) -> None:
    assert caught_by in TESTS
    assert _failures(kind, [caught_by], tmp_path) == {caught_by}


def test_journeys_notice_what_repositories_lose(tmp_path: Path) -> None:
    """Also without the test of the very method, a wrong store does not pass."""
    journeys = [name for name in TESTS if "many" in name or name.startswith("test_any_order")]
    assert _failures(broken.LostSave, journeys, tmp_path)
    assert _failures(broken.NoUniqueness, journeys, tmp_path)
