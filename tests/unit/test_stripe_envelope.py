"""The envelope of an event, and what is kept of it: no bytes at all can upset us."""

from __future__ import annotations

import copy
import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.payloads import (
    CREATED,
    HIDDEN,
    MIXED,
    SOUND,
    THIN,
    Json,
    an_event,
    an_intent,
    body,
    deep,
    parsed,
    read,
)

from payfulfill.stripe.envelope import MAX_BODY, MAX_DEPTH, Event, parse, redacted, restored
from payfulfill.stripe.events import Reading, interpret
from payfulfill.stripe.intents import PAYMENT_KEY

# --- The envelope --------------------------------------------------------------------------------


def test_an_event_says_what_it_is() -> None:
    event = parsed("payment_intent.created", an_intent(), account="acct_1", livemode=True)
    assert (event.id, event.account, event.type) == ("evt_1", "acct_1", "payment_intent.created")
    assert (event.livemode, event.created, event.unusable) == (True, CREATED, None)
    assert event.content["data"]["object"]["id"] == "pi_1"
    assert "hidden" not in repr(event)


@pytest.mark.parametrize("account", [None, ""])
def test_no_account_is_our_own(account: str | None) -> None:
    assert parsed("x", {}, account=account).account == parsed("x", {}).account == ""


@pytest.mark.parametrize("around", [b" %b", b"%b\n", b"\r\n\t%b  "])
def test_white_space_around_it_is_fine(around: bytes) -> None:
    assert replace(parse(around % SOUND), content={}) == replace(parse(SOUND), content={})


# Why nothing can be done with it, and the bytes.
USELESS: dict[str, tuple[str, bytes]] = {
    "nothing": ("not JSON", b""),
    "not UTF-8": ("not JSON", b"\xff\xfe{}"),
    "Latin-1": ("not JSON", b'{"id":"evt_1","name":"M\xfcller"}'),
    "UTF-16": ("not JSON", SOUND.decode().encode("utf-16")),
    "a byte order mark": ("not JSON", b"\xef\xbb\xbf" + SOUND),
    "a surrogate in UTF-8": ("not JSON", b'{"id":"evt_1","name":"\xed\xa0\x80"}'),
    "half of it": ("not JSON", SOUND[:-1]),
    "more of it": ("not JSON", SOUND + b"}"),
    "a form": ("not JSON", b"id=evt_1&type=payment_intent.created"),
    "single quotes": ("not JSON", b"{'id':'evt_1'}"),
    "a huge number": ("not JSON", b'{"id":"evt_1","created":1' + b"0" * 5000 + b"}"),
    "a raw NUL": ("not JSON", b'{"id":"evt_1","name":"\0"}'),
    "a raw line feed": ("not JSON", b'{"id":"evt_1","name":"\n"}'),
    "a list": ("not a JSON object", b"[" + SOUND + b"]"),
    "null": ("not a JSON object", b"null"),
    "a number": ("not a JSON object", b"1"),
    "a string": ("not a JSON object", b'"evt_1"'),
    "NaN": ("NaN is not JSON", b'{"id":"evt_1","created":NaN}'),
    "infinity": ("Infinity is not JSON", b'{"id":"evt_1","created":Infinity}'),
    "minus infinity": ("-Infinity is not JSON", b'{"id":"evt_1","created":-Infinity}'),
    "as good as infinity": ("a number out of range", b'{"id":"evt_1","created":1e999}'),
    "as good as minus infinity": ("a number out of range", b'{"a":[-1E+999],' + SOUND[1:]),
    "a key twice": ("duplicate keys", b'{"id":"evt_2",' + SOUND[1:]),
    "a key twice inside": ("duplicate keys", b'{"a":[{"b":1,"b":1}],' + SOUND[1:]),
    "a key twice, once escaped": ("duplicate keys", b'{"\\u0069d":"evt_2",' + SOUND[1:]),
    "an escaped NUL": ("a NUL character", b'{"name":"a\\u0000b",' + SOUND[1:]),
    "an escaped NUL in a key": ("a NUL character", b'{"a":[{"\\u0000":1}],' + SOUND[1:]),
    "objects too deep": ("nested beyond 64", deep(MAX_DEPTH + 1)),
    "lists too deep": ("nested beyond 64", deep(MAX_DEPTH + 1, b"[", b"]")),
    "as deep as can be": ("nested beyond 64", deep(100_000, b"[", b"]")),
    "objects as deep as can be": ("nested beyond 64", deep(50_000)),
}


@pytest.mark.parametrize(("why", "content"), USELESS.values(), ids=USELESS.keys())
def test_what_is_no_usable_json_is_told_by_its_digest(why: str, content: bytes) -> None:
    event = parse(content)
    assert event == Event(id=f"sha256:{hashlib.sha256(content).hexdigest()}", unusable=why)
    assert parse(bytes(bytearray(content))) == event
    assert interpret(event) == Reading(unusable=why)
    assert json.loads(redacted(event)) == {}


@pytest.mark.parametrize(
    "id", [None, 5, "", "evt_ü", "\ud800", "e" * 501, ["evt_1"], {}], ids=ascii
)
def test_without_an_id_an_event_is_told_by_its_digest(id: Any) -> None:
    content = body(an_event("payment_intent.created", an_intent(), id=id))
    event = parse(content)
    assert event.id == f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert event.unusable == "no event id"
    assert interpret(event) == Reading(unusable="no event id")


def test_a_body_may_be_of_a_mebibyte() -> None:
    assert MAX_BODY == 1_048_576


@pytest.mark.parametrize("created", [0, 1, 253_402_300_799])
def test_any_second_up_to_the_year_9999_is_a_time(created: int) -> None:
    assert parsed("x", {}, created=created).created == created


@pytest.mark.parametrize("content", [{"id": "evt_1"}, THIN, an_event("x", {}, created=-1)])
def test_what_has_no_time_is_of_second_0(content: Json) -> None:
    assert parse(body(content)).created == 0


@pytest.mark.parametrize("amount", [0, 1, 2**53])
def test_any_amount_that_can_be_is_read(amount: int) -> None:
    told = read("payment_intent.created", an_intent(amount=amount)).facts
    assert told["intent:pi_1"]["amount"] == [amount]


MISSING = object()
MISSHAPEN: dict[str, list[Any]] = {
    "type": [MISSING, None, 5, "", "ü", "t" * 501, []],
    "livemode": [MISSING, None, 0, 1, "false", []],
    "created": [MISSING, None, -1, 1.0, True, "1", 253_402_300_800, 10**400],
    "data": [MISSING, None, [], "x", {}, {"object": None}, {"object": []}],
    "account": [5, "ü", "a" * 501, ["acct_1"], True],
}


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, found in MISSHAPEN.items() for value in found],
    ids=lambda part: "missing" if part is MISSING else ascii(part)[:20],
)
def test_what_is_not_the_shape_of_an_event_keeps_its_id(name: str, value: Any) -> None:
    content = {**an_event("payment_intent.created", an_intent()), name: value}
    if value is MISSING:
        del content[name]
    event = parse(body(content))
    assert (event.id, event.unusable) == ("evt_1", "not the shape of an event")
    assert interpret(event) == Reading(unusable="not the shape of an event")
    assert replace(restored(redacted(event)), content={}) == replace(event, content={})


@pytest.mark.parametrize(
    "content",
    [deep(MAX_DEPTH), deep(MAX_DEPTH, b"[", b"]"), deep(MAX_DEPTH - 1, b'{"a":', b"}")],
)
def test_what_is_just_deep_enough_is_read(content: bytes) -> None:
    event = parse(content)
    assert event.unusable is None
    assert interpret(event) == interpret(parse(SOUND))
    assert restored(redacted(event)).unusable is None


def test_depth_is_counted_in_all_mixtures() -> None:
    opened, closed = MIXED  # two levels at a time
    inner = opened * 31 + b"[1]" + closed * 31
    assert parse(b'{"deep":' + inner + b"," + SOUND[1:]).unusable is None
    inner = opened * 32 + b"1" + closed * 32
    assert parse(b'{"deep":' + inner + b"," + SOUND[1:]).unusable == "nested beyond 64"


@pytest.mark.parametrize(
    "value", ["{" * 1000, "[" * 1000, "\\u0000", "[{" * 100 + "\\u0000", [[]] * 500, [{}] * 500]
)
def test_what_only_looks_bad_is_read(value: Any) -> None:
    event = parsed("payment_intent.created", an_intent(description=value))
    assert event.content["data"]["object"]["description"] == value
    assert interpret(event) == interpret(parse(SOUND))


@pytest.mark.parametrize(
    "value", ["\ud800", "\udfff\ud800", "😀", "\u2028", "\x01", 10**4000, 1e300]
)
def test_odd_values_are_kept_as_they_are(value: Any) -> None:
    event = parsed("payment_intent.created", an_intent(description=value))
    assert event.content["data"]["object"]["description"] == value
    assert restored(redacted(event)) == replace(event, content=restored(redacted(event)).content)
    assert restored(redacted(event)).content["data"]["object"]["description"] == value


# --- Secrets -------------------------------------------------------------------------------------

REDIRECT = f"https://hooks.stripe.com/redirect/src_1?client_secret=src_client_secret_{HIDDEN}&x=1"

LEAKS: dict[str, Json] = {
    "its own": {"client_secret": f"pi_1_secret_{HIDDEN}"},
    "another's": {"client_secret": HIDDEN},
    "deep inside": {"next_action": {"a": [{"b": {"client_secret": HIDDEN}}]}},
    "an object of them": {"client_secrets": {"payments": [HIDDEN]}},
    "by another name": {"ephemeral_key": {"secret": HIDDEN}},
    "as the host writes it": {"metadata": {"clientSecret": HIDDEN, PAYMENT_KEY: "pay_1"}},
    "by a name that does not tell": {"metadata": {"x": f"pi_1_secret_{HIDDEN}"}},
    "in an address": {"next_action": {"redirect_to_url": {"url": REDIRECT}}},
    "in an address back": {
        "next_action": {
            "redirect_to_url": {
                "return_url": f"https://shop.example/?payment_intent_client_secret=pi_1_secret_{HIDDEN}"
            }
        }
    },
    "in a list": {"notes": [f"a pi_1_secret_{HIDDEN} b", [f"seti_1_secret_{HIDDEN}"]]},
    "of a checkout": {"client_secret_of": f"cs_test_a1_secret_fid%2F{HIDDEN}"},
    "written in a text": {"notes": f"see cs_test_a1_secret_fid%2F{HIDDEN}, please"},
}


@pytest.mark.parametrize("fields", LEAKS.values(), ids=LEAKS.keys())
def test_no_secret_is_kept(fields: Json) -> None:
    event = parsed(
        "payment_intent.requires_action",
        an_intent("requires_action", **fields),
        data={
            "object": an_intent("requires_action", **fields),
            "previous_attributes": fields,
        },
    )
    before = copy.deepcopy(event.content)
    kept = redacted(event)
    assert HIDDEN not in kept
    assert "hidden" not in kept
    assert event.content == before
    assert interpret(restored(kept)) == interpret(event)


def test_what_is_no_secret_is_kept() -> None:
    event = parsed("payment_intent.requires_action", an_intent(next_action={"url": REDIRECT}))
    thing = restored(redacted(event)).content["data"]["object"]
    assert thing["next_action"]["url"] == (
        "https://hooks.stripe.com/redirect/src_1?client_secret=[secret]&x=1"
    )
    original = event.content["data"]["object"]
    assert thing.keys() == original.keys() - {"client_secret"}
    same = thing.keys() - {"next_action"}
    assert {name: thing[name] for name in same} == {name: original[name] for name in same}
