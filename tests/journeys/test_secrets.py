"""No client secret, signing secret, API key or raw body in a log, a repr, an exception or the
store: across whole journeys, and on every road that faults take."""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tests.journeys.shop import (
    ADA,
    API_KEY,
    ASKING_CARD,
    BANK_DEBIT,
    BOB,
    BROKE_CARD,
    COURSE,
    DESIGN,
    FREEBIE,
    PRO,
    SECRET,
    WORLD,
    Shop,
    usd,
)

from payfulfill import AsyncWebhookHandler, Buyer, PayfulfillError, WebhookHandler
from payfulfill.errors import ConfigurationError
from payfulfill.models import OutcomeKind
from payfulfill.sandbox import CardDeclined, Fault
from payfulfill.stripe import AsyncStripeGateway, StripeGateway, envelope, events
from payfulfill.stripe.signature import sign

if TYPE_CHECKING:
    import pytest

CANARY = "canaryOfTheRawBody"
MISSPELT = "whsec_misspelt0123456789 "

CREATE = "payment_intents.create"
CANCEL = "payment_intents.cancel"
RETRIEVE = "payment_intents.retrieve"


class Witness:
    """Sees all that is shown while a shop goes about its business."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.seen: list[str] = []

    def attempt(self, call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """The result of a call, or its exception; either is looked at."""
        try:
            result = call(*arguments, **options)
        except Exception as error:
            self.seen += [str(error), repr(error), repr(vars(error))]
            self.seen += traceback.format_exception(error)
            return error
        self.seen += [repr(result), str(result)]
        return result


def hear_all(shop: Shop, witness: Witness) -> None:
    for event in shop.sandbox.events():
        body, header = shop.signed({**event, "canary": CANARY})
        witness.attempt(shop.handle, body, header)


def the_plain_roads(shop: Shop, see: Witness) -> None:
    for ref in (DESIGN, COURSE, PRO, FREEBIE, WORLD):
        see.attempt(shop.create, ref)
        see.attempt(shop.create, ref)
    design, course, pro, _, world = shop.checkouts[::2]
    for checkout, card in ((design, BROKE_CARD), (course, ASKING_CARD), (pro, BANK_DEBIT)):
        see.attempt(shop.sync, checkout)
        with suppress(CardDeclined):
            shop.pay(checkout, card)
        see.attempt(shop.sync, checkout)
        see.attempt(shop.cancel, checkout, actor=BOB)
    hear_all(shop, see)
    see.attempt(shop.cancel, pro)  # the bank has it
    shop.sandbox.settle(str(pro.payment.intent_id))
    see.attempt(shop.cancel, pro)  # paid: Stripe refuses, with the intent in its answer
    see.attempt(shop.cancel, course)
    see.attempt(shop.cancel, world)
    shop.pay(design)
    hear_all(shop, see)
    for ref in (DESIGN, PRO, COURSE):
        see.attempt(shop.check, ref)
        see.attempt(shop.download, ref)
        see.attempt(shop.create, ref)
    see.attempt(shop.library)
    see.attempt(shop.history)
    see.attempt(shop.grant, buyer=BOB)


def the_roads_of_faults(shop: Shop, see: Witness) -> None:
    cleo = Buyer("cleo")
    for fault in Fault:
        for operation in (CREATE, RETRIEVE, CANCEL):
            shop.shelf.reprice(DESIGN, usd(5000))
            see.attempt(shop.create, buyer=cleo)
            # After so many we give up. What takes time ends no other way when it takes none.
            shop.sandbox.fail_next(operation, fault, 5, seconds=0)
            shop.shelf.reprice(DESIGN, usd(6000))
            see.attempt(shop.create, buyer=cleo)
            for payment in shop.history(cleo)[:2]:
                see.attempt(shop.sync, payment)
                see.attempt(shop.cancel, payment)
            for _ in range(3):  # none of it is to strike later
                see.attempt(shop.create, buyer=cleo)
            shop.cancel(shop.history(cleo)[0])
    shop.shelf.reprice(DESIGN, usd(100_000_000))
    see.attempt(shop.create, buyer=cleo)  # refused by the sandbox
    shop.shelf.reprice(DESIGN, usd(3999))


def the_roads_of_bad_webhooks(shop: Shop, see: Witness) -> None:
    def choke(purchase: Any, uow: Any) -> None:
        raise LookupError("no shelf for it")

    dora = Buyer("dora")
    checkout = shop.create(buyer=dora)
    asked = shop.pay(checkout, ASKING_CARD)
    action = {
        "type": "redirect_to_url",
        "redirect_to_url": {
            "return_url": "https://shop.example/return",
            "url": "https://hooks.stripe.com/3d_secure_2/hosted?merchant=acct_1"
            f"&payment_intent={asked['id']}"
            f"&payment_intent_client_secret={asked['client_secret']}&publishable_key=pk_test_1",
        },
    }
    event = {**shop.said("payment_intent.requires_action"), "canary": CANARY}
    event = shop.made(event, next_action=action)
    shop.sandbox.fail_next(RETRIEVE, Fault.CUT_BEFORE)
    assert see.attempt(shop.hear, event).kind is OutcomeKind.PENDING
    see.attempt(shop.event, event)

    shop.sandbox.authenticate(asked["id"])
    shop.hook = choke
    poison = {**shop.said("payment_intent.succeeded"), "canary": CANARY}
    assert see.attempt(shop.hear, poison).kind is OutcomeKind.PENDING
    for _ in range(8):
        shop.clock.advance(3601)
        see.attempt(shop.process_pending)
    see.attempt(shop.event, poison)
    shop.hook = None

    wrong = shop.made(poison, amount_received=1, amount=1)
    see.attempt(shop.hear, wrong)
    missing = shop.made(poison, id="pi_x", metadata={"payfulfill_payment": "pay_x"})
    see.attempt(shop.hear, missing)
    odd = shop.made(poison, id=None, amount=None)
    see.attempt(shop.hear, odd)
    see.attempt(shop.hear, {**poison, "id": "evt_live", "livemode": True})
    see.attempt(shop.hear, {**poison, "id": "evt_acct", "account": "acct_2"})
    see.attempt(shop.hear, {**poison, "id": "evt_shape", "data": None})
    see.attempt(shop.hear, f'{{"canary": "{CANARY}", '.encode())
    see.attempt(shop.reviews)

    body, header = shop.signed(poison)
    now = int(shop.clock.now())
    for bad in (None, header + "0", header.upper(), SECRET, sign(body, SECRET, now - 999)):
        see.attempt(shop.handle, body, bad)
    see.attempt(shop.handle, body + b" " * 2**20, header)
    see.attempt(shop.handle, body.decode(), header)
    see.attempt(shop.handle, poison, header)
    shop.store.plan = ["away", "well", "away"]
    for _ in range(3):
        see.attempt(shop.hear, {**poison, "id": "evt_store"})


def the_roads_of_mistakes(shop: Shop, see: Witness) -> None:
    handler = AsyncWebhookHandler if shop.is_async else WebhookHandler
    parts: Any = {"store": shop.store, "gateway": shop.gateway}
    for secrets in (SECRET, [SECRET, ""], [MISSPELT], [API_KEY], [SECRET.encode()]):
        found = see.attempt(handler, **parts, secrets=secrets)
        assert isinstance(found, ConfigurationError)
    gateway = AsyncStripeGateway if shop.is_async else StripeGateway
    for key in (API_KEY.replace("sk_", "pk_"), API_KEY.replace("_test_", "_"), SECRET):
        found = see.attempt(gateway, key)
        assert isinstance(found, PayfulfillError)


def secrets_of(shop: Shop) -> re.Pattern[str]:
    """What is nowhere to be found: our keys, and whatever looks like a client secret."""
    client_secrets = [intent["client_secret"] for intent in shop.intents().values()]
    assert len(client_secrets) > 0
    looks_like_one = r"pi_\w+_secret_[0-9A-Za-z]"
    assert all(re.search(looks_like_one, one) for one in client_secrets)
    ours = [SECRET, MISSPELT.strip(), API_KEY.partition("_test_")[2]]
    return re.compile("|".join([looks_like_one, *ours]))


def shown(record: logging.LogRecord) -> str:
    """All that any handler could make of a record: its words, its extras, its traceback."""
    text = [record.getMessage(), repr(vars(record))]
    if record.exc_info:
        text += traceback.format_exception(record.exc_info[1])
    return "\n".join(text)


def leaks(secrets: re.Pattern[str], texts: list[str]) -> list[str]:
    return [text for text in texts if secrets.search(text)]


def go_everywhere(shop: Shop) -> Witness:
    witness = Witness(shop)
    the_plain_roads(shop, witness)
    the_roads_of_faults(shop, witness)
    the_roads_of_bad_webhooks(shop, witness)
    the_roads_of_mistakes(shop, witness)
    return witness


def test_no_secret_is_shown_or_stored(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    witness = go_everywhere(shop)
    secrets = secrets_of(shop)
    assert len(shop.intents()) > 20

    assert leaks(secrets, witness.seen) == []
    records = caplog.records
    names = {record.name.partition(".")[0] for record in records}
    assert {"payfulfill", "stripe"} <= names
    assert leaks(secrets, [shown(record) for record in records]) == []
    ours = [record for record in records if record.name.startswith("payfulfill")]
    assert leaks(re.compile(CANARY), [shown(record) for record in ours]) == []
    assert (
        leaks(re.compile(CANARY), [text for text in witness.seen if "StoredEvent(" in text]) == []
    )

    assert leaks(secrets, stored(shop)) == []


def stored(shop: Shop) -> list[str]:
    """All that the store holds: rows as values, and files as bytes."""

    async def rows(uow: Any) -> list[Any]:
        found: list[Any] = []
        for buyer_id in shop.buyers:
            found += await uow.payments.of_buyer(buyer_id, 10_000, None)
            found += await uow.purchases.of_buyer(buyer_id)
            found += await uow.downloads.of_buyer(buyer_id, 10_000, None)
        for account, event_id in shop.heard:
            found.append(await uow.events.lock(account, event_id))
        found += await uow.reviews.open(10_000)
        return [one for one in found if one is not None]

    texts = [repr(asdict(one)) for one in shop.rows(rows, read_only=False)]
    assert len(texts) > 30
    if "SQLite" in type(shop.store.inner).__name__:
        files = sorted(shop.path.parent.glob(f"{shop.path.name}*"))
        assert len(files) >= 2  # the write-ahead log is there too
        texts += [file.read_bytes().decode("latin-1") for file in files]
        assert sum("payfulfill_payment" in text for text in texts[-len(files) :]) >= 1
    return texts


def test_no_secret_in_the_repr_of_anything_we_hand_out(shop: Shop) -> None:
    checkout = shop.create()
    assert checkout.client_secret is not None
    answer = shop.at_stripe("retrieve", checkout.payment.intent_id)
    assert answer.client_secret == checkout.client_secret
    event = {**shop.said("payment_intent.created"), "canary": CANARY}
    body, _ = shop.signed(event)
    parsed = envelope.parse(body)
    things = [
        checkout,
        checkout.payment,
        checkout.payment.attempt,
        answer,
        parsed,
        events.interpret(parsed),
        shop.hear(event),
        shop.event(event),
        shop.gateway.inner,
        shop.store.inner,
        shop.payments,
        shop.webhooks,
        shop.access,
        vars(shop.payments),
        vars(shop.webhooks),
    ]
    texts = [text for thing in things for text in (repr(thing), str(thing), f"{thing}")]
    assert leaks(secrets_of(shop), texts) == []
    assert leaks(re.compile(CANARY), texts) == []


def test_no_secret_in_what_waits_in_the_store(shop: Shop) -> None:
    """An event that waits is kept with all that it told but that."""
    checkout = shop.create()
    shop.pay(checkout, BANK_DEBIT)
    event = shop.said("payment_intent.processing")
    assert event["data"]["object"]["client_secret"] == checkout.client_secret
    shop.sandbox.fail_next(RETRIEVE, Fault.CUT_BEFORE)
    assert shop.hear(event).kind is OutcomeKind.PENDING
    row = shop.event(event)
    assert row is not None
    assert row.payload is not None
    assert str(checkout.payment.intent_id) in row.payload
    assert "client_secret" not in row.payload
    assert str(checkout.client_secret) not in row.payload
    shop.clock.advance(10)
    assert [outcome.kind for outcome in shop.process_pending()] == [OutcomeKind.DONE]
    row = shop.event(event)
    assert row is not None
    assert row.payload is None


def test_client_secrets_are_read_again_and_not_kept(shop: Shop) -> None:
    first = shop.create(buyer=ADA)
    calls = len(shop.keys(RETRIEVE))
    assert shop.create(buyer=ADA).client_secret == first.client_secret
    assert len(shop.keys(RETRIEVE)) == calls + 1
