"""The tables of every SQL store.

Times are integers, microseconds since the epoch; money is integer minor units; facts, terms and
attempts are JSON text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

SCHEMA: Final[Sequence[Sequence[str]]] = (
    (  # version 1
        """CREATE TABLE payfulfill_payments (
            buyer_id TEXT NOT NULL, id TEXT NOT NULL,
            product_type TEXT NOT NULL, product_id TEXT NOT NULL, title TEXT NOT NULL,
            amount BIGINT NOT NULL, currency TEXT NOT NULL, terms TEXT NOT NULL,
            origin TEXT NOT NULL, livemode SMALLINT NOT NULL, account TEXT NOT NULL,
            created_at BIGINT NOT NULL, granted_by TEXT, grant_reason TEXT,
            quote_expires_at BIGINT NOT NULL, status TEXT NOT NULL, succeeded_at BIGINT,
            purchase_id TEXT, intent_id TEXT, intent_status TEXT, last_error TEXT,
            facts TEXT NOT NULL, reads INTEGER NOT NULL, attempt TEXT,
            PRIMARY KEY (buyer_id, id))""",
        """CREATE TABLE payfulfill_purchases (
            buyer_id TEXT NOT NULL, source TEXT NOT NULL, id TEXT NOT NULL,
            product_type TEXT NOT NULL, product_id TEXT NOT NULL, title TEXT NOT NULL,
            kind TEXT NOT NULL, payment_id TEXT NOT NULL,
            amount BIGINT NOT NULL, currency TEXT NOT NULL, terms TEXT NOT NULL,
            wide SMALLINT NOT NULL, origin TEXT NOT NULL, livemode SMALLINT NOT NULL,
            account TEXT NOT NULL, created_at BIGINT NOT NULL, paid_at BIGINT NOT NULL,
            standing TEXT NOT NULL, state TEXT NOT NULL, revoked_at BIGINT,
            PRIMARY KEY (buyer_id, source))""",
        """CREATE INDEX payfulfill_purchases_product
            ON payfulfill_purchases (buyer_id, product_type, product_id)""",
        """CREATE TABLE payfulfill_downloads (
            buyer_id TEXT NOT NULL, id TEXT NOT NULL,
            product_type TEXT NOT NULL, product_id TEXT NOT NULL, purchase_id TEXT NOT NULL,
            at BIGINT NOT NULL, address TEXT, agent TEXT,
            PRIMARY KEY (buyer_id, id))""",
        "CREATE INDEX payfulfill_downloads_at ON payfulfill_downloads (buyer_id, at)",
        """CREATE TABLE payfulfill_counters (
            buyer_id TEXT NOT NULL, purchase_id TEXT NOT NULL, period TEXT NOT NULL,
            used BIGINT NOT NULL,
            PRIMARY KEY (buyer_id, purchase_id, period))""",
        """CREATE TABLE payfulfill_events (
            account TEXT NOT NULL, id TEXT NOT NULL, type TEXT NOT NULL,
            livemode SMALLINT NOT NULL, created_at BIGINT NOT NULL, received_at BIGINT NOT NULL,
            status TEXT NOT NULL, payment_id TEXT, note TEXT, payload TEXT,
            tries INTEGER NOT NULL, next_try_at BIGINT, leased_until BIGINT,
            PRIMARY KEY (account, id))""",
        """CREATE INDEX payfulfill_events_pending
            ON payfulfill_events (next_try_at) WHERE status = 'pending'""",
        """CREATE TABLE payfulfill_reviews (
            id TEXT NOT NULL PRIMARY KEY, code TEXT NOT NULL, subject TEXT NOT NULL,
            detail TEXT NOT NULL, buyer_id TEXT NOT NULL, payment_id TEXT,
            opened_at BIGINT NOT NULL, closed_at BIGINT)""",
        """CREATE INDEX payfulfill_reviews_open
            ON payfulfill_reviews (opened_at) WHERE closed_at IS NULL""",
        """CREATE TABLE payfulfill_slots (
            buyer_id TEXT NOT NULL, product_type TEXT NOT NULL, product_id TEXT NOT NULL,
            payment_id TEXT,
            PRIMARY KEY (buyer_id, product_type, product_id))""",
        """CREATE TABLE payfulfill_refs (
            ref TEXT NOT NULL PRIMARY KEY, buyer_id TEXT NOT NULL, product_type TEXT NOT NULL,
            product_id TEXT NOT NULL, payment_id TEXT NOT NULL)""",
    ),
    (  # version 2: buyers' customers at Stripe
        """CREATE TABLE payfulfill_customers (
            buyer_id TEXT NOT NULL, livemode SMALLINT NOT NULL, created_at BIGINT NOT NULL,
            stripe_id TEXT, attempt TEXT,
            PRIMARY KEY (buyer_id, livemode))""",
    ),
)
"""The statements that take a database from each version of the schema to the next."""
