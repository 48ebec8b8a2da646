"""What refunds and disputes do to access: every policy, every line of its tables."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payfulfill.errors import ConfigurationError
from payfulfill.models import Dispute, ProductRef, PurchaseState, Returned, Terms
from payfulfill.money import Money
from payfulfill.rules.policy import DEFAULT, Policy, any_refund, by_the_money, full, proportion

moderate = settings(max_examples=100, deadline=None)

ACTIVE, SUSPENDED = PurchaseState.ACTIVE, PurchaseState.SUSPENDED
REVOKED = PurchaseState.REVOKED


def returned(refunded: int, paid: int = 4000) -> Returned:
    return Returned(
        product=ProductRef("design", "1"),
        terms=Terms(),
        paid=Money(paid, "USD"),
        refunded=Money(refunded, "USD"),
    )


def dispute(status: str | None, *, withdrawn: bool) -> Dispute:
    return Dispute(
        id="du_1",
        intent_id="pi_1",
        status=status,
        funds_withdrawn=withdrawn,
        refundable=False,
        created_at=datetime(2026, 3, 3, tzinfo=UTC),
    )


# --- Refunds -------------------------------------------------------------------------------------

# Of 40.00, how much went back: whether the access ends by each policy.
POLICIES: dict[str, Any] = {
    "full": "full",
    "any": "any",
    "half": proportion("1/2"),
    "a third": proportion(Fraction(1, 3)),
    "a tenth": proportion(Decimal("0.1")),
    "all": proportion("1"),
}
REFUNDS = [
    # back    full   any    half   third  tenth  all
    (0,      (False, False, False, False, False, False)),
    (1,      (False, True,  False, False, False, False)),
    (399,    (False, True,  False, False, False, False)),
    (400,    (False, True,  False, False, True,  False)),
    (1333,   (False, True,  False, False, True,  False)),
    (1334,   (False, True,  False, True,  True,  False)),
    (1999,   (False, True,  False, True,  True,  False)),
    (2000,   (False, True,  True,  True,  True,  False)),
    (3999,   (False, True,  True,  True,  True,  False)),
    (4000,   (True,  True,  True,  True,  True,  True)),
    (4001,   (True,  True,  True,  True,  True,  True)),
]  # fmt: skip


@pytest.mark.parametrize(("back", "ends"), REFUNDS, ids=[str(back) for back, _ in REFUNDS])
def test_whether_so_much_back_ends_the_access(back: int, ends: tuple[bool, ...]) -> None:
    for (name, rule), expected in zip(POLICIES.items(), ends, strict=True):
        assert Policy(refunds=rule).revokes(returned(back)) is expected, name


def test_by_default_all_of_it_must_be_back() -> None:
    assert Policy() == DEFAULT
    assert not DEFAULT.revokes(returned(3999))
    assert DEFAULT.revokes(returned(4000))


def test_the_names_are_the_functions() -> None:
    for back in (0, 1, 4000):
        assert Policy(refunds="full").revokes(returned(back)) == full(returned(back))
        assert Policy(refunds="any").revokes(returned(back)) == any_refund(returned(back))


def test_a_function_of_the_hosts_decides() -> None:
    asked: list[Returned] = []

    def rule(about: Returned) -> bool:
        asked.append(about)
        return about.product.type == "course"

    assert not Policy(refunds=rule).revokes(returned(4000))
    assert asked == [returned(4000)]


rules = st.one_of(
    st.sampled_from(["full", "any"]),
    st.fractions(min_value=Fraction(1, 10_000), max_value=1).map(proportion),
)
amounts = st.integers(0, 2**40)


@moderate
@given(rules, amounts, amounts, amounts)
def test_once_it_says_yes_it_says_yes_for_more(rule: Any, paid: int, some: int, more: int) -> None:
    policy = Policy(refunds=rule)
    if policy.revokes(returned(some, paid)):
        assert policy.revokes(returned(some + more, paid))


@moderate
@given(rules, st.integers(1, 2**40))
def test_nothing_back_keeps_and_everything_back_ends(rule: Any, paid: int) -> None:
    assert not Policy(refunds=rule).revokes(returned(0, paid))
    assert Policy(refunds=rule).revokes(returned(paid, paid))


@moderate
@given(st.integers(1, 10_000), st.integers(1, 2**40), st.data())
def test_a_proportion_is_exact(parts: int, paid: int, data: st.DataObject) -> None:
    """Of any share, and of any amount: no float comes near it."""
    whole = data.draw(st.integers(parts, 10_000))
    rule = proportion(Fraction(parts, whole))
    least = -(-paid * parts // whole)  # rounded up
    assert rule(returned(least, paid))
    assert not rule(returned(least - 1, paid))


SHARES: list[Any] = ["1/2", "0.5", Fraction(1, 2), Decimal("0.5"), 0.5, "5e-1", " 1/2 "]


@pytest.mark.parametrize("share", SHARES, ids=repr)
def test_a_share_may_be_written_in_several_ways(share: Any) -> None:
    rule = proportion(share)
    assert [rule(returned(back)) for back in (1999, 2000)] == [False, True]


def test_a_float_is_what_it_looks_like() -> None:
    tenth: Any = 0.1
    assert proportion(tenth)(returned(1, 10))


NO_SHARES: list[Any] = [
    0, "0", "-1/2", -1, 2, "1.01", Fraction(3, 2), Decimal("1.000001"), "half", "", "1/0", "50%",
    None, True, [], Decimal("NaN"), Decimal("Infinity"), float("nan"), float("inf"),
]  # fmt: skip


@pytest.mark.parametrize("share", NO_SHARES, ids=repr)
def test_what_is_no_share_is_refused(share: Any) -> None:
    with pytest.raises(ConfigurationError, match="share"):
        proportion(share)


# --- Disputes ------------------------------------------------------------------------------------

# Every status that Stripe knows, one that it may have some day, and None while it was not read.
# https://docs.stripe.com/api/disputes/object#dispute_object-status
WITHDRAWN: dict[str | None, PurchaseState] = {
    "warning_needs_response": SUSPENDED,
    "warning_under_review": SUSPENDED,
    "warning_closed": SUSPENDED,
    "needs_response": SUSPENDED,
    "under_review": SUSPENDED,
    "won": ACTIVE,
    "lost": REVOKED,
    "prevented": REVOKED,
    "appeal_under_review": SUSPENDED,
    "a_status_of_the_future": SUSPENDED,
    None: SUSPENDED,
}


@pytest.mark.parametrize(("status", "state"), WITHDRAWN.items(), ids=str)
def test_while_the_money_is_withdrawn(status: str | None, state: PurchaseState) -> None:
    assert by_the_money(dispute(status, withdrawn=True)) is state
    assert DEFAULT.disputes is by_the_money


@pytest.mark.parametrize("status", WITHDRAWN, ids=str)
def test_while_the_money_is_here_access_is_too(status: str | None) -> None:
    """An inquiry moves none; and lost or not, what came back came back."""
    assert by_the_money(dispute(status, withdrawn=False)) is ACTIVE


@moderate
@given(st.none() | st.text(), st.booleans())
def test_any_status_at_all(status: str | None, withdrawn: bool) -> None:
    state = by_the_money(dispute(status, withdrawn=withdrawn))
    assert (state is REVOKED) == (withdrawn and status in ("lost", "prevented"))
    assert state is ACTIVE or withdrawn


# --- The policy as a whole -----------------------------------------------------------------------


async def an_async_rule(_: Any) -> bool:
    return False


NO_POLICIES: dict[str, list[Any]] = {
    # What is async would answer with a coroutine, which counts as yes.
    "refunds": ["half", "FULL", "", None, 0.5, ["full"], {}, an_async_rule],
    "disputes": ["lost", None, PurchaseState.REVOKED, an_async_rule],
    "duplicates": ["suspend", "", None, True],
    "fraud_warnings": ["dispute", "", None, True, ["note"]],
    "radar_reviews": ["Suspend", None, {}],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, found in NO_POLICIES.items() for value in found]
)
def test_a_policy_that_cannot_be_is_refused_at_once(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=name):
        Policy(**{name: value})


def test_a_policy_is_a_value() -> None:
    assert Policy(refunds="any") == Policy(refunds="any")
    assert Policy(refunds="any") != Policy()
    assert hash(Policy()) == hash(DEFAULT)
