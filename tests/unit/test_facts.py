"""Joins: neither the order of observations nor their repetition matters."""

from __future__ import annotations

import copy
import functools
import itertools
import json
import operator
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payfulfill.facts import (
    CANCELED,
    CLOSED,
    COMPLETE,
    EXPIRED,
    OPEN,
    SUCCEEDED,
    TABLE,
    Join,
    fact_key,
    intent_key,
    intents,
    join,
    known,
    order_key,
    rank,
)
from payfulfill.models import Facts

moderate = settings(max_examples=60, deadline=None)

# --- Observations of every kind ----------------------------------------------------------------

times = st.integers(0, 5)
words = st.sampled_from(["usd", "eur", "gbp"])
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["", "a", "ö", "😀"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=4,
)
attempts = st.fixed_dictionaries(
    {"at": times, "code": st.sampled_from(["", "expired_card"]), "message": st.text(max_size=2)}
)
REFUND_STEPS = ["pending", "requires_action", "succeeded", "failed", "canceled"]
standings = st.tuples(
    st.integers(1, 4),
    st.fixed_dictionaries(
        {
            "status": st.sampled_from(["needs_response", "won", "lost"]),
            "amount": st.integers(0, 3),
            "refundable": st.booleans(),
        }
    ),
).map(list)
parameters = st.fixed_dictionaries(
    {"payment_intent": st.sampled_from(["pi_1", "pi_2"]), "amount": st.integers(1, 3)}
)


def single(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    """What is set once."""
    return values.map(lambda value: [value])


whose = single(st.sampled_from(["pi_1", "pi_2"]))
# What one observation may say of each field: a row for each row of the table.
SAID: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "intent": {
        "status": st.sampled_from([OPEN, CANCELED, SUCCEEDED]),
        "step": st.tuples(st.integers(1, 4), st.sampled_from(["processing", "canceled"])).map(list),
        "amount_received": st.integers(0, 3),
        "paid_at": times,
        "attempts": st.dictionaries(st.sampled_from(["ch_1", "ch_2", "card::1"]), attempts),
        "amount": single(st.integers(0, 3)),
        "currency": single(words),
        "account": single(st.sampled_from(["", "acct_1"])),
        "livemode": single(st.booleans()),
    },
    "checkout": {
        "status": st.sampled_from([OPEN, EXPIRED, COMPLETE]),
        "payment": st.sampled_from(["unpaid", "no_payment_required", "paid"]),
        "failed": st.booleans(),
        "attempt": single(st.integers(1, 3)),
        "intent": whose,
        "total": single(st.integers(0, 3)),
        "discount": single(st.integers(0, 3)),
        "tax": single(st.integers(0, 3)),
        "completed_at": times,
        "currency": single(words),
        "account": single(st.sampled_from(["", "acct_1"])),
        "livemode": single(st.booleans()),
    },
    "refund": {
        "status": st.sampled_from(REFUND_STEPS),
        "intent": whose,
        "amount": single(st.integers(0, 3)),
        "created": times,
        "failure": single(st.sampled_from(["expired_or_canceled_card", "unknown"])),
        "request": single(st.sampled_from(["rfd_1", "rfd_2"])),
    },
    "request": {
        "parameters": single(parameters),
        "by": single(st.sampled_from(["root", "sue"])),
        "why": single(st.text(max_size=2)),
        "at": times,
        "attempt": st.tuples(st.integers(1, 3), times).map(list),
        "lost": st.integers(1, 3),
        "refused_at": times,
    },
    "dispute": {
        "intent": whose,
        "created": times,
        "funds": st.dictionaries(st.sampled_from(["txn_1", "txn_2"]), st.integers(-3, 3)),
        "standing": standings,
    },
    "warning": {
        "intent": whose,
        "created": times,
        "kind": single(st.sampled_from(["misc", "made_with_stolen_card"])),
    },
    "radar": {
        "intent": whose,
        "created": times,
        "status": st.sampled_from([OPEN, CLOSED]),
        "opened": single(st.sampled_from(["rule", "manual"])),
        "closed": single(st.sampled_from(["approved", "refunded"])),
    },
    "order": {
        "settled_at": times,
        "withdrawn_at": times,
        "abandoned_at": times,
        "trusted": st.dictionaries(
            st.sampled_from(["issfr_1", "prv_1"]), st.fixed_dictionaries({"at": times})
        ),
    },
}
IDS = {"intent": ["pi_1", "pi_2"], "order": ["pay_1"]}  # of other kinds, two each too


def joined(field: str, kind: str) -> st.SearchStrategy[Any]:
    """Any value that a field can take: what one observation says, or several together."""
    law = TABLE[kind][field]
    return st.lists(SAID[kind][field], min_size=1, max_size=3).map(
        lambda said: functools.reduce(law, said)
    )


def some_of(kind: str) -> st.SearchStrategy[Mapping[str, Any]]:
    return st.fixed_dictionaries({}, optional=SAID[kind]).filter(bool)


def telling_of(kind: str) -> st.SearchStrategy[Facts]:
    ids = st.sampled_from(IDS.get(kind, [f"{kind}_1", f"{kind}_2"]))
    return st.builds(lambda id, fields: {fact_key(kind, id): fields}, ids, some_of(kind))


kinds = st.sampled_from(list(TABLE))
observations: st.SearchStrategy[Facts] = st.one_of(
    kinds.flatmap(telling_of),
    # One answer of Stripe's may tell of several objects.
    st.lists(kinds, min_size=2, max_size=3, unique=True).flatmap(
        lambda some: st.tuples(*map(telling_of, some)).map(
            lambda told: functools.reduce(operator.or_, told)
        )
    ),
)
several = st.lists(observations, max_size=4)
ROWS = [(kind, field) for kind, fields in TABLE.items() for field in fields]


def together(tellings: list[Facts]) -> Facts:
    nothing: Facts = {}
    return functools.reduce(join, tellings, nothing)


def canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def test_every_row_of_the_table_is_tested_here() -> None:
    assert {kind: set(fields) for kind, fields in TABLE.items()} == {
        kind: set(fields) for kind, fields in SAID.items()
    }


# --- The laws, row by row ----------------------------------------------------------------------

each_row = pytest.mark.parametrize(("kind", "field"), ROWS, ids=[f"{k}.{f}" for k, f in ROWS])


@each_row
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_each_field_joins_in_any_order_and_any_number(
    kind: str, field: str, data: st.DataObject
) -> None:
    law: Join = TABLE[kind][field]
    a, b, c = (data.draw(joined(field, kind)) for _ in range(3))
    before = copy.deepcopy([a, b, c])
    assert law(a, b) == law(b, a)
    assert law(law(a, b), c) == law(a, law(b, c))
    assert law(a, a) == a
    assert law(law(a, b), b) == law(a, b)
    assert [a, b, c] == before  # nothing was changed in place


@each_row
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_each_field_stays_json(kind: str, field: str, data: st.DataObject) -> None:
    """What went through a store joins as what did not."""
    law: Join = TABLE[kind][field]
    a, b = (data.draw(joined(field, kind)) for _ in range(2))
    assert json.loads(json.dumps(law(a, b))) == law(a, b)
    assert law(json.loads(json.dumps(a)), b) == law(a, b)


CHOOSING = [(kind, field) for kind, field in ROWS if TABLE[kind][field] in (max, min)] + [
    ("intent", "status"),
    ("intent", "step"),
    ("refund", "status"),
    ("dispute", "standing"),
    ("radar", "status"),
]


@pytest.mark.parametrize(
    ("kind", "field"), CHOOSING, ids=[f"{kind}.{field}" for kind, field in CHOOSING]
)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_there_are_no_ties(kind: str, field: str, data: st.DataObject) -> None:
    """Where one of two values is taken, two that differ are never equally good."""
    law: Join = TABLE[kind][field]
    a, b, c = (data.draw(joined(field, kind)) for _ in range(3))
    assert law(a, b) in (a, b)
    if a != b:
        wins = law(a, b) == a
        assert wins is not (law(a, b) == b)
    if law(a, b) == a and law(b, c) == b:
        assert law(a, c) == a


@pytest.mark.parametrize(
    ("row", "a", "b", "both"),
    [
        ("intent.status", OPEN, OPEN, OPEN),
        ("intent.status", OPEN, CANCELED, CANCELED),
        ("intent.status", OPEN, SUCCEEDED, SUCCEEDED),
        ("intent.status", CANCELED, SUCCEEDED, SUCCEEDED),
        ("intent.step", [1, "processing"], [2, "requires_action"], [2, "requires_action"]),
        ("intent.step", [9, "a"], [10, "a"], [10, "a"]),
        ("intent.step", [2, "a"], [2, "b"], [2, "b"]),
        ("intent.amount_received", 0, 500, 500),
        ("intent.paid_at", 20, 10, 10),
        ("intent.amount", [500], [500], [500]),
        ("intent.amount", [500], [400], [400, 500]),
        ("intent.amount", [400, 500], [500], [400, 500]),
        ("intent.currency", ["usd"], ["eur"], ["eur", "usd"]),
        ("intent.account", [""], ["acct_1"], ["", "acct_1"]),
        ("intent.livemode", [True], [False], [False, True]),
        ("intent.livemode", [False], [False], [False]),
        (
            "intent.attempts",
            {"ch_1": {"at": 1}},
            {"ch_2": {"at": 2}},
            {"ch_1": {"at": 1}, "ch_2": {"at": 2}},
        ),
        ("intent.attempts", {"ch_1": {"at": 1}}, {"ch_1": {"at": 1}}, {"ch_1": {"at": 1}}),
        ("intent.attempts", {"ch_1": {"at": 2}}, {"ch_1": {"at": 1}}, {"ch_1": {"at": 1}}),
        ("intent.attempts", {}, {}, {}),
        ("refund.status", "pending", "requires_action", "requires_action"),
        ("refund.status", "requires_action", "succeeded", "succeeded"),
        ("refund.status", "succeeded", "failed", "failed"),  # weeks later
        ("refund.status", "failed", "canceled", "canceled"),
        ("refund.status", "pending", "canceled", "canceled"),
        ("refund.amount", [500], [500], [500]),
        ("refund.amount", [500], [400], [400, 500]),
        ("refund.created", 20, 10, 10),
        ("request.attempt", [1, 90], [2, 10], [2, 10]),
        ("request.lost", 1, 2, 2),
        ("request.refused_at", 20, 10, 10),
        ("dispute.funds", {"txn_1": -500}, {"txn_2": 500}, {"txn_1": -500, "txn_2": 500}),
        ("dispute.funds", {"txn_1": -500}, {}, {"txn_1": -500}),
        (
            "dispute.standing",
            [1, {"status": "won"}],
            [2, {"status": "lost"}],
            [2, {"status": "lost"}],
        ),
        (
            "dispute.standing",
            [10, {"status": "won"}],
            [9, {"status": "lost"}],
            [10, {"status": "won"}],
        ),
        ("radar.status", OPEN, CLOSED, CLOSED),
        ("order.settled_at", 20, 10, 10),
        ("order.withdrawn_at", 20, 10, 10),
        ("order.abandoned_at", 20, 10, 10),
    ],
)
def test_what_each_join_gives(row: str, a: Any, b: Any, both: Any) -> None:
    kind, _, field = row.partition(".")
    assert TABLE[kind][field](a, b) == both
    assert TABLE[kind][field](b, a) == both


@moderate
@given(st.lists(st.text(max_size=3), min_size=1, max_size=6, unique=True), st.data())
def test_a_rank_takes_the_later_step(steps: list[str], data: st.DataObject) -> None:
    a, b = (data.draw(st.sampled_from(steps)) for _ in range(2))
    assert rank(*steps)(a, b) == steps[max(steps.index(a), steps.index(b))]


@moderate
@given(st.dictionaries(st.sampled_from("abc"), json_values), st.data())
def test_a_union_is_the_same_in_both_orders_whatever_it_holds(
    a: dict[str, Any], data: st.DataObject
) -> None:
    law = TABLE["intent"]["attempts"]
    b, c = (data.draw(st.dictionaries(st.sampled_from("abc"), json_values)) for _ in range(2))
    assert canonical(law(a, b)) == canonical(law(b, a))
    assert canonical(law(law(a, b), c)) == canonical(law(a, law(b, c)))
    assert law(a, b).keys() == a.keys() | b.keys()


def test_a_union_does_not_depend_on_the_order_of_keys() -> None:
    """A store may give them back in another one."""
    law = TABLE["intent"]["attempts"]
    other = {"ch_1": {"at": 2, "code": ""}}
    for first in ({"at": 1, "code": "x"}, {"code": "x", "at": 1}):
        assert law({"ch_1": first}, other) == law(other, {"ch_1": first}) == {"ch_1": first}


# --- The laws, for all that is known -------------------------------------------------------------


@moderate
@given(several, several, several)
def test_facts_join_in_any_order_and_any_number(
    these: list[Facts], those: list[Facts], others: list[Facts]
) -> None:
    a, b, c = together(these), together(those), together(others)
    assert canonical(join(a, b)) == canonical(join(b, a))
    assert canonical(join(join(a, b), c)) == canonical(join(a, join(b, c)))
    assert canonical(join(a, a)) == canonical(a)


@moderate
@given(st.lists(observations, min_size=1, max_size=5), st.data())
def test_order_and_repetition_do_not_matter(tellings: list[Facts], data: st.DataObject) -> None:
    again = data.draw(st.lists(st.sampled_from(tellings), max_size=4))
    shuffled = data.draw(st.permutations([*tellings, *again]))
    assert canonical(together(shuffled)) == canonical(together(tellings))


@moderate
@given(several, observations)
def test_no_telling_is_lost(tellings: list[Facts], news: Facts) -> None:
    facts = together([*tellings, news])
    assert join(facts, news) is facts
    for key, fields in news.items():
        assert facts[key].keys() >= fields.keys()


@moderate
@given(several, several)
def test_facts_that_add_nothing_leave_the_very_same_object(
    these: list[Facts], those: list[Facts]
) -> None:
    facts = together([*these, *those])
    for telling in itertools.chain(these, those, [facts, {}, copy.deepcopy(facts)]):
        assert join(facts, telling) is facts


@moderate
@given(several, observations)
def test_news_gives_another_object_and_leaves_the_old_as_it_was(
    tellings: list[Facts], news: Facts
) -> None:
    facts = together(tellings)
    before, told = canonical(facts), canonical(news)
    after = join(facts, news)
    assert (after is facts) == (canonical(after) == before)
    assert (canonical(facts), canonical(news)) == (before, told)


@moderate
@given(several, observations)
def test_what_is_not_spoken_of_is_kept_as_it_is(tellings: list[Facts], news: Facts) -> None:
    facts = together(tellings)
    after = join(facts, news)
    assert after.keys() == facts.keys() | news.keys()
    for key in facts.keys() - news.keys():
        assert after[key] is facts[key]


@moderate
@given(several, observations)
def test_facts_survive_a_store(tellings: list[Facts], news: Facts) -> None:
    facts = together(tellings)
    loaded: Facts = json.loads(json.dumps(facts))
    assert canonical(join(loaded, news)) == canonical(join(facts, news))
    assert join(facts, loaded) is facts
    assert join(loaded, facts) is loaded


EARLIEST = ("paid_at", "created", "refused_at", "completed_at")
STEPS = {
    "intent": [OPEN, CANCELED, SUCCEEDED],
    "refund": REFUND_STEPS,
    "radar": [OPEN, CLOSED],
    "checkout": [OPEN, EXPIRED, COMPLETE],
}


@moderate
@given(several)
def test_terminal_facts_never_regress(tellings: list[Facts]) -> None:
    for length in range(len(tellings)):
        before, after = together(tellings[:length]), together(tellings[: length + 1])
        for key in after:
            was, now = before.get(key, {}), after[key]
            order = [None, *STEPS.get(key.partition(":")[0], ())]
            assert order.index(now.get("status")) >= order.index(was.get("status"))
            for field in ("amount_received", "lost", "failed"):
                assert now.get(field, 0) >= was.get(field, 0)
            for field in (*EARLIEST, "settled_at", "abandoned_at"):
                if field in was:
                    assert now[field] <= was[field]
            for field in ("funds", "attempts"):
                assert now.get(field, {}).keys() >= was.get(field, {}).keys()


# --- Finding one's way ---------------------------------------------------------------------------


def test_intents_are_found_in_order() -> None:
    facts: Facts = {
        intent_key("pi_2"): {"status": OPEN},
        order_key("pay_1"): {"settled_at": 1},
        intent_key("pi_10"): {"status": CANCELED},
        "intention:pi_3": {"status": OPEN},
    }
    found: Sequence[tuple[str, Mapping[str, Any]]] = intents(facts)
    assert list(found) == [("pi_10", {"status": CANCELED}), ("pi_2", {"status": OPEN})]


def test_objects_of_a_kind_are_found_in_order() -> None:
    facts: Facts = {
        fact_key("refund", "re_2"): {"status": "failed"},
        fact_key("request", "rfd_1"): {"at": 1},
        fact_key("refund", "re_1"): {"status": "pending"},
    }
    assert known(facts, "refund") == [
        ("re_1", {"status": "pending"}),
        ("re_2", {"status": "failed"}),
    ]
    assert known(facts, "dispute") == []


def test_an_id_with_a_colon_is_found_whole() -> None:
    assert [id for id, _ in intents({intent_key("a:b"): {}})] == ["a:b"]


def test_keys_say_what_they_are_of() -> None:
    assert intent_key("pi_1") == fact_key("intent", "pi_1") == "intent:pi_1"
    assert order_key("pay_1") == fact_key("order", "pay_1") == "order:pay_1"


@pytest.mark.parametrize("kind", list(TABLE))
def test_no_kind_is_taken_for_another(kind: str) -> None:
    facts: Facts = {fact_key(each, "x"): {} for each in TABLE}
    assert known(facts, kind) == [("x", {})]
