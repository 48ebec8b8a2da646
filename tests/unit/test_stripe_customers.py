"""What a customer of Stripe's tells, whatever it looks like."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payfulfill.ports import CustomerAnswer
from payfulfill.stripe.customers import BUYER_KEY, REQUEST_KEY, customer_answer
from payfulfill.stripe.shapes import UnknownShape
from payfulfill.testing.objects import customer

anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=4,
)
BARE = customer("cus_1", metadata={}, livemode=False, created=1)


def test_one_of_ours() -> None:
    metadata = {BUYER_KEY: "ada", REQUEST_KEY: "customer:0:1", "more": "x"}
    answer = customer_answer({**BARE, "metadata": metadata})
    assert answer == CustomerAnswer(id="cus_1", buyer_id="ada", request="customer:0:1")


def test_one_of_somebody_elses() -> None:
    assert customer_answer(BARE) == CustomerAnswer(id="cus_1")


def test_one_that_was_deleted() -> None:
    gone = {"id": "cus_1", "object": "customer", "deleted": True}
    assert customer_answer(gone) == CustomerAnswer(id="cus_1", deleted=True)


@given(st.sampled_from(["metadata", BUYER_KEY, REQUEST_KEY, "deleted"]), anything)
def test_what_is_not_understood_tells_nothing(name: str, value: Any) -> None:
    changed = {"metadata": {name: value}} if name.startswith("payfulfill") else {name: value}
    answer = customer_answer({**BARE, **changed})
    assert answer.id == "cus_1"
    assert {type(answer.buyer_id), type(answer.request)} <= {str, type(None)}
    assert answer.deleted is (name == "deleted" and value is True)


@pytest.mark.parametrize("id", [None, "", 1, ["cus_1"], "cus_\u00fc"])
def test_one_without_an_id(id: Any) -> None:
    with pytest.raises(UnknownShape):
        customer_answer({**BARE, "id": id})
