"""One tree of errors: each says who must act, and what happened."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from typing import Literal, get_args

import pytest

from payfulfill import errors
from payfulfill.errors import (
    AccessDenied,
    Audience,
    Conflict,
    Forbidden,
    GatewayFailed,
    GatewayRefused,
    GatewayUnavailable,
    MoneyError,
    NotFound,
    PayfulfillError,
    SignatureRejected,
    StoreUnavailable,
    Unavailable,
)


def tree(root: type[PayfulfillError] = PayfulfillError) -> Iterator[type[PayfulfillError]]:
    yield root
    for branch in root.__subclasses__():
        if branch.__module__ == errors.__name__:
            yield from tree(branch)


EVERY = list(tree())
PLAIN = [kind for kind in EVERY if kind is not AccessDenied]


def test_the_module_holds_the_tree_and_nothing_beside_it() -> None:
    found = {
        thing
        for thing in vars(errors).values()
        if isinstance(thing, type) and issubclass(thing, BaseException)
    }
    assert found == set(EVERY)
    assert len(EVERY) > 20


@pytest.mark.parametrize("kind", EVERY)
def test_each_says_who_must_act_and_how_to_answer(kind: type[PayfulfillError]) -> None:
    assert kind.audience in get_args(Audience)
    assert 400 <= kind.status < 600
    assert kind.code
    assert kind.code == kind.code.lower()
    assert kind.code.replace("_", "").isalpha()
    assert isinstance(kind.retryable, bool)


def test_codes_are_unique() -> None:
    codes = [kind.code for kind in PLAIN]
    assert sorted(codes) == sorted(set(codes))
    assert AccessDenied.code == Forbidden.code  # until there is a decision: then it is its code


@pytest.mark.parametrize("kind", PLAIN)
def test_the_first_line_of_the_docstring_is_the_message(kind: type[PayfulfillError]) -> None:
    assert kind.__doc__ is not None
    first = kind.__doc__.partition("\n")[0]
    assert kind().message == str(kind()) == first
    assert first[0] == first.strip()[0]
    assert first.endswith(".")  # a sentence that is whole on its one line


@pytest.mark.parametrize("kind", PLAIN)
def test_a_message_of_ones_own_takes_its_place(kind: type[PayfulfillError]) -> None:
    assert kind("What happened.").message == str(kind("What happened.")) == "What happened."


@pytest.mark.parametrize("kind", PLAIN)
def test_only_what_is_away_may_be_tried_again(kind: type[PayfulfillError]) -> None:
    assert kind.retryable == issubclass(kind, Unavailable)
    assert (kind.status == 503) == issubclass(kind, Unavailable)


@pytest.mark.parametrize(
    ("parent", "status"),
    [(MoneyError, 422), (NotFound, 404), (Forbidden, 403), (Conflict, 409), (Unavailable, 503)],
)
def test_a_branch_shares_its_status(parent: type[PayfulfillError], status: int) -> None:
    assert {kind.status for kind in tree(parent)} == {status}


def test_what_is_caught_as_what() -> None:
    assert issubclass(MoneyError, ValueError)
    assert issubclass(GatewayFailed, GatewayUnavailable)  # the caller may call again
    assert issubclass(StoreUnavailable, Unavailable)
    assert not issubclass(GatewayRefused, Unavailable)  # the same call is refused again
    assert not issubclass(PayfulfillError, (OSError, ValueError))


def test_a_denial_carries_the_code_of_its_decision() -> None:
    denied = AccessDenied("download_limit_reached", "The download limit of this (3) is reached.")
    assert denied.code == "download_limit_reached"
    assert denied.message == str(denied) == "The download limit of this (3) is reached."
    assert denied.status == 403
    assert denied.audience == "buyer"
    assert AccessDenied.code == "forbidden"  # the class itself is untouched


@pytest.mark.parametrize("reason", ["missing", "malformed", "mismatch", "clock_skew"])
def test_a_rejected_signature_says_why(
    reason: Literal["missing", "malformed", "mismatch", "clock_skew"],
) -> None:
    assert SignatureRejected(reason=reason).reason == reason
    assert SignatureRejected().reason == "mismatch"


# Errors cross processes: task queues and test runners pickle them.


def copies(error: PayfulfillError) -> list[PayfulfillError]:
    return [pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)]


@pytest.mark.parametrize("kind", PLAIN)
def test_each_can_be_pickled(kind: type[PayfulfillError]) -> None:
    for same in copies(kind("What happened.")):
        assert type(same) is kind
        assert same.message == "What happened."


def test_a_denial_keeps_its_code_when_pickled() -> None:
    denied = AccessDenied("ended", "Your subscription ended on 3 March 2026.")
    denied.add_note("for buyer 7")
    for same in copies(denied):
        assert isinstance(same, AccessDenied)
        assert (same.code, same.message) == (denied.code, denied.message)
        assert same.__notes__ == ["for buyer 7"]


def test_a_refusal_keeps_stripes_code_when_pickled() -> None:
    for same in copies(GatewayRefused("No such intent.", reason="resource_missing")):
        assert isinstance(same, GatewayRefused)
        assert (same.reason, same.message) == ("resource_missing", "No such intent.")


def test_a_rejection_keeps_its_reason_when_pickled() -> None:
    for same in copies(SignatureRejected("Too old.", reason="clock_skew")):
        assert isinstance(same, SignatureRejected)
        assert (same.reason, same.message) == ("clock_skew", "Too old.")
