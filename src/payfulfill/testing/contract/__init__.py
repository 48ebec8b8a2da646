"""The contract of stores: subclass `StoreContract`, and give it your store.

    class TestMyStore(StoreContract):
        @pytest.fixture
        def store(self, tmp_path):
            store = MyStore(tmp_path / "shop.db")
            store.migrate()
            yield store
            store.close()

        def reopen(self, store):
            return functools.partial(MyStore, store.path)

An async store is made and closed in the loop of the test, which is the fixture `loop`:

        @pytest.fixture
        def store(self, loop):
            store = MyAsyncStore(...)
            loop.run(store.migrate())
            yield store
            loop.run(store.close())

Each test gets a store of its own that is migrated and empty. It needs pytest, and no plugin.

Some tests need to know more of a store. What they ask for are methods to override; one that is
not overridden skips its tests, which say so:

- `write_through(connection, value)` and `read_through(connection)`: how a host writes and reads
  through `unit_of_work.connection`;
- `reopen(store)`: a function that makes another store on the same data, here or, pickled, in
  another process;
- `fresh_store(store)`: a store beside it that was never migrated;
- `pretend_newer_schema(store)`: makes the tables look as if a newer payfulfill had made them;
- `host_transaction(store)`: a context manager, plain or async, that opens a transaction of the
  host's and gives its connection, for `store.joined(connection)`.

Methods for an async store may be coroutine functions. Attributes of the class say how much is
done, and what the database can do; see `Contract`. A store that lives in one process sets
`processes = 0`.
"""

from __future__ import annotations

import pytest

# Before they are imported, so that a failed assertion shows its values in users' tests too.
for _name in (
    "checkouts", "concurrency", "customers", "events", "interleavings", "invariants", "isolation",
    "joined", "journeys", "locking", "migrations", "payments", "processes", "purchases",
    "returns", "reviews", "rules", "taking", "transactions", "values",
):  # fmt: skip
    pytest.register_assert_rewrite(f"{__name__}.{_name}")

from payfulfill.testing.contract.checkouts import CheckoutContract  # noqa: E402  # see above
from payfulfill.testing.contract.concurrency import ConcurrencyContract  # noqa: E402
from payfulfill.testing.contract.customers import CustomerContract  # noqa: E402
from payfulfill.testing.contract.events import EventContract  # noqa: E402
from payfulfill.testing.contract.interleavings import InterleavingContract  # noqa: E402
from payfulfill.testing.contract.invariants import InvariantContract  # noqa: E402
from payfulfill.testing.contract.isolation import IsolationContract  # noqa: E402
from payfulfill.testing.contract.joined import JoinedContract  # noqa: E402
from payfulfill.testing.contract.journeys import JourneyContract  # noqa: E402
from payfulfill.testing.contract.locking import LockingContract  # noqa: E402
from payfulfill.testing.contract.migrations import MigrationContract  # noqa: E402
from payfulfill.testing.contract.payments import PaymentContract  # noqa: E402
from payfulfill.testing.contract.processes import ProcessContract  # noqa: E402
from payfulfill.testing.contract.purchases import PurchaseContract  # noqa: E402
from payfulfill.testing.contract.returns import ReturnContract  # noqa: E402
from payfulfill.testing.contract.reviews import ReviewContract  # noqa: E402
from payfulfill.testing.contract.rules import RuleContract  # noqa: E402
from payfulfill.testing.contract.taking import TakingContract  # noqa: E402
from payfulfill.testing.contract.transactions import TransactionContract  # noqa: E402
from payfulfill.testing.contract.values import ValueContract  # noqa: E402

__all__ = ["StoreContract"]


class StoreContract(
    PaymentContract,
    PurchaseContract,
    EventContract,
    ReviewContract,
    CustomerContract,
    ValueContract,
    TransactionContract,
    LockingContract,
    IsolationContract,
    TakingContract,
    ConcurrencyContract,
    ProcessContract,
    MigrationContract,
    JoinedContract,
    JourneyContract,
    CheckoutContract,
    ReturnContract,
    InterleavingContract,
    InvariantContract,
    RuleContract,
):
    """All that payfulfill relies on in a store, as tests."""
