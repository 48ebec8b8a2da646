"""What parameters refer to: other objects, by their id."""

from __future__ import annotations

from payfulfill.sandbox.errors import InvalidParameter, no_such_reference
from payfulfill.sandbox.state import Json, State


def customer(state: State, customer_id: str, param: str = "customer") -> Json:
    """The customer that a parameter names.

    Raises:
        InvalidParameter: there is none, or it was deleted.
    """
    found = state.customers.get(customer_id)
    if found is None or "deleted" in found:
        raise no_such_reference("customer", customer_id, param)
    return found


def not_attached(method_id: str, param: str) -> InvalidParameter:
    """A parameter names a payment method that isn't the customer's."""
    return InvalidParameter(
        f"The customer does not have a payment method with the ID {method_id}. The payment method "
        "must be attached to the customer.",
        code="resource_missing",
        param=param,
    )
