"""Taking part in a transaction of the host's: what that is, and what services may not do there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NoReturn, TypeVar

from payfulfill.colour import MaybeAwaitable
from payfulfill.errors import CannotJoin
from payfulfill.ports import Body, Gateway, Store

T = TypeVar("T")


class JoinedStore:
    """A store inside a transaction of the host's, as `store.joined(connection)` gives it.

    Each run is all or nothing within that transaction, where the database has savepoints. Nothing
    is committed, rolled back or run again here: a conflict raises `StoreUnavailable`, and it is
    the host's transaction that is to be run again. Acknowledge nothing before it is committed.
    """

    def __init__(
        self, run: Callable[[Body[Any]], MaybeAwaitable[Any]], *, is_async: bool, async_hooks: bool
    ) -> None:
        """A store that runs bodies by `run`, in a transaction that is open."""
        self._run = run
        self.is_async: Final = is_async
        self.async_hooks: Final = async_hooks

    def run(
        self,
        body: Body[T],
        *,
        read_only: bool = False,  # noqa: ARG002  # whatever the host's transaction is
        alone: bool = False,  # noqa: ARG002  # it is
    ) -> MaybeAwaitable[T]:
        """See `payfulfill.ports.Store.run`."""
        return self._run(body)


def is_joined(store: Store) -> bool:
    """Whether a store takes part in a transaction of the host's."""
    return isinstance(store, JoinedStore)


def gateway_beside(store: Store, gateway: Gateway) -> Gateway:
    """The gateway that a service may use with this store: none inside a host's transaction, which
    could not take back what Stripe did, and would stay open for as long as Stripe takes."""
    return _NoGateway(gateway) if is_joined(store) else gateway


class _NoGateway:
    """Stripe, out of bounds."""

    def __init__(self, gateway: Gateway) -> None:
        self.is_async = gateway.is_async
        self.livemode = gateway.livemode

    async def create(self, *_: object) -> NoReturn:
        raise CannotJoin

    retrieve = cancel = list = refund = read = create
    create_session = retrieve_session = expire_session = list_sessions = create
    create_customer = list_customers = open_portal = create
