"""Payment methods: what a buyer pays with. https://docs.stripe.com/api/payment_methods/object

`life` says who may pay with one, and how often; `entry` makes them of what a buyer enters, `fields`
is what they look like, `requests` is the API.
"""

from __future__ import annotations

from payfulfill.sandbox.payment_methods.entry import entered
from payfulfill.sandbox.payment_methods.fields import billing_details, create, shown
from payfulfill.sandbox.payment_methods.life import (
    LISTED_BY,
    NEXT,
    REFUSALS,
    Standing,
    Verb,
    attach,
    attachable,
    checked,
    detach,
    expired,
    find_of,
    named,
    of_customer,
    usable,
    use,
)
from payfulfill.sandbox.payment_methods.requests import OPERATIONS

__all__ = [
    "LISTED_BY",
    "NEXT",
    "OPERATIONS",
    "REFUSALS",
    "Standing",
    "Verb",
    "attach",
    "attachable",
    "billing_details",
    "checked",
    "create",
    "detach",
    "entered",
    "expired",
    "find_of",
    "named",
    "of_customer",
    "shown",
    "usable",
    "use",
]
