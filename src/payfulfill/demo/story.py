"""The story, step by step. Each step asks the shop over HTTP, as its pages do, and Stripe's
stand-in, shows what they answered, and claims what must be so; how that looks it doesn't know.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any, Final

from payfulfill.demo.lines import Answered, Asked, Claim, Line, Step
from payfulfill.demo.visitor import Visitor
from payfulfill.demo.world import PROMOTION, WEBHOOKS, World
from payfulfill.sandbox import Disturbance
from payfulfill.stripe.signature import sign

if TYPE_CHECKING:
    import httpx

RIDGE: Final = "design/ridge"
TIDE: Final = "design/tide"
FROST: Final = "design/frost"
FERRY: Final = "design/ferry"
FREE: Final = "design/moon"
MONTH: Final = "plan/month"

GOOD_CARD: Final = "4242 4242 4242 4242"
EMPTY_CARD: Final = "4000 0000 0000 9995"  # Stripe's test card for insufficient funds
BANK_ACCOUNT: Final = "pm_usBankAccount_success"

Json = dict[str, Any]


def double_click(world: World) -> Iterator[Line]:
    """Ada clicks twice."""
    clicks = []
    for _ in range(2):
        clicks.append((yield from _buy(world.ada, RIDGE)))
    first, second = clicks
    yield Claim("it is one payment", first["paymentId"], second["paymentId"])
    # The secrets themselves are nothing to print, not even if the check fails.
    secrets = {click["clientSecret"] for click in clicks} - {None}
    yield Claim("both times her page got the same secret for Stripe's form", 1, len(secrets))
    yield Claim("Stripe was asked to create one payment", 1, _created(world))


def not_yet(world: World) -> Iterator[Line]:
    """Ada has not paid."""
    reply = yield from _download(world.ada, RIDGE)
    yield Claim("without money there is no access", (403, "payment_pending"), _refusal(reply))


def declined(world: World) -> Iterator[Line]:
    """Ada's card is declined."""
    sent = len(world.sandbox.deliveries)
    payment = _latest(world.ada)
    said = yield from _pay(world.ada, RIDGE, EMPTY_CARD)
    yield from _webhooks(world, sent)
    payment = yield from _status(world.ada, payment["paymentId"])
    yield Claim("the payment can still be paid", "pending", payment["status"])
    yield Claim("the shop can tell her what the bank said", said, payment["lastError"])


def paid(world: World) -> Iterator[Line]:
    """Ada pays."""
    sent = len(world.sandbox.deliveries)
    payment = _latest(world.ada)
    yield from _pay(world.ada, RIDGE, GOOD_CARD)
    yield from _webhooks(world, sent)
    payment = yield from _status(world.ada, payment["paymentId"])
    purchases = _purchases(world.ada)
    outcomes = {each.event_type: said.get("kind") for each, said in world.delivered(sent)}
    yield Claim("Stripe's event was taken", "done", outcomes.get("payment_intent.succeeded"))
    yield Claim("the payment is paid", "succeeded", payment["status"])
    found = [(each["purchaseId"], each["usable"]) for each in purchases]
    yield Claim("there is one purchase, and it is hers", [(payment["purchaseId"], True)], found)


def downloaded(world: World) -> Iterator[Line]:
    """Ada downloads what she bought."""
    reply = yield from _download(world.ada, RIDGE)
    original = (world.folder / "goods" / f"{RIDGE}.zip").read_bytes()
    found = _sha256(reply.content)
    yield Answered(f"SHA-256 of the file as it came: {found}")
    yield Claim("it is the shop's file, byte for byte", _sha256(original), found)
    recorded = [_ref(each) for each in _downloads(world.ada)]
    yield Claim("the download is on record", [RIDGE], recorded)


def sent_again(world: World) -> Iterator[Line]:
    """Stripe sends its event a second time."""
    before, sent = _purchases(world.ada), len(world.sandbox.deliveries)
    world.sandbox.resend(world.event_of(_intent(world, world.ada))["id"])
    yield from _webhooks(world, sent)
    attempt, said = world.delivered(sent)[-1]
    yield Claim("it is answered 200, so that Stripe stops sending", 200, attempt.status)
    yield Claim("it was recognised", "duplicate", said.get("kind"))
    yield Claim("nothing has changed", before, _purchases(world.ada))


def forged(world: World) -> Iterator[Line]:
    """Bob opens a payment, and tells the shop himself that it was paid."""
    event = world.event_of(_intent(world, world.ada))
    payment = yield from _buy(world.bob, RIDGE)
    event["id"] = "evt_made_up_by_bob"
    event["data"]["object"]["id"] = payment["clientSecret"].partition("_secret_")[0]
    event["data"]["object"]["metadata"]["payfulfill_payment"] = payment["paymentId"]
    body = json.dumps(event).encode()
    yield Asked("Bob", f"POST {WEBHOOKS}  {event['type']}, signed with a guessed secret")
    reply = world.post_event(body, sign(body, "whsec_guessed", int(time.time())))
    yield Answered(f"HTTP {reply.status_code}  {reply.json().get('reason')}")
    yield Claim("the forgery is refused", 400, reply.status_code)
    payment = yield from _status(world.bob, payment["paymentId"])
    yield Claim("Bob's payment is as unpaid as before", "pending", payment["status"])


def turned_away(world: World) -> Iterator[Line]:
    """Bob asks for what is Ada's."""
    reply = yield from _download(world.bob, RIDGE)
    yield Claim(
        "he is turned away: the poster is not paid for", (403, "payment_pending"), _refusal(reply)
    )
    path = f"/api/payments/status/{_latest(world.ada)['paymentId']}"
    yield Asked("Bob", f"GET {path}")
    reply = world.bob.get(path)
    yield Answered(_words(reply))
    yield Claim(
        "he is turned away: her payment is not his to see", (403, "forbidden"), _refusal(reply)
    )
    yield Claim("nothing of hers is in his library", [], _purchases(world.bob))


def lost_webhook(world: World) -> Iterator[Line]:
    """Bob pays, and Stripe's webhooks get lost."""
    for event in ("payment_intent.succeeded", "charge.succeeded"):
        world.sandbox.disturb_next(Disturbance.DROP, event)
    sent = len(world.sandbox.deliveries)
    payment = yield from _buy(world.bob, TIDE)
    yield from _pay(world.bob, TIDE, GOOD_CARD)
    yield from _webhooks(world, sent)
    yield Answered("nothing more arrives: the news is lost")
    payment = yield from _status(world.bob, payment["paymentId"])
    purchases = _purchases(world.bob)
    yield Claim("his page asks, the shop asks Stripe: it is paid", "succeeded", payment["status"])
    yield Claim("the poster is his", [TIDE], [_ref(each) for each in purchases if each["usable"]])
    sent = len(world.sandbox.deliveries)
    world.sandbox.resend(world.event_of(_intent(world, world.bob))["id"])
    yield from _webhooks(world, sent)
    yield Claim("the webhook, late, is taken", [200], _statuses(world, sent))
    yield Claim("nothing is bought twice", purchases, _purchases(world.bob))


def refunded(world: World) -> Iterator[Line]:
    """Ines gives Bob his money back, in two parts."""
    payment = _latest(world.bob)
    reply = yield from _refund(world.bob, payment)
    yield Claim("Bob can't do that himself", (403, "forbidden"), _refusal(reply))
    sent = len(world.sandbox.deliveries)
    yield from _refund(world.ines, payment, 1000)
    yield from _webhooks(world, sent)
    payment = yield from _status(world.bob, payment["paymentId"])
    yield Claim("a part went back", ("partially_refunded", 1000), _status_and_refunded(payment))
    reply = yield from _download(world.bob, TIDE)
    yield Claim("the poster is still his", 200, reply.status_code)
    reply = yield from _refund(world.ines, payment, payment["amount"])
    yield Claim("no more goes back than came in", (409, "refund_too_large"), _refusal(reply))
    sent = len(world.sandbox.deliveries)
    yield from _refund(world.ines, payment)
    yield from _webhooks(world, sent)
    payment = yield from _status(world.bob, payment["paymentId"])
    yield Claim("all went back", ("refunded", payment["amount"]), _status_and_refunded(payment))
    reply = yield from _download(world.bob, TIDE)
    yield Claim("access went with it", (403, "revoked"), _refusal(reply))


def disputed(world: World) -> Iterator[Line]:
    """Ada's bank takes the money back, and has to return it."""
    sent = len(world.sandbox.deliveries)
    yield Asked("Bank", "takes the money back from the shop, for Ada questions the payment")
    dispute = world.sandbox.disputes.open(_intent(world, world.ada))
    yield from _webhooks(world, sent)
    payment = yield from _status(world.ada, _latest(world.ada)["paymentId"])
    yield Claim("the payment is disputed", "disputed", payment["status"])
    reply = yield from _download(world.ada, RIDGE)
    yield Claim("access is on hold", (403, "suspended"), _refusal(reply))
    found = yield from _to_look_at(world, payment)
    yield Claim("somebody at the shop is told", ["disputed"], found)
    sent = len(world.sandbox.deliveries)
    yield Asked("Bank", "decides for the shop, and gives it the money again")
    world.sandbox.disputes.win(dispute["id"])
    yield from _webhooks(world, sent)
    reply = yield from _download(world.ada, RIDGE)
    yield Claim("access is back", 200, reply.status_code)
    found = yield from _to_look_at(world, payment)
    yield Claim("there is nothing left to look at", [], found)


def used_up(world: World) -> Iterator[Line]:
    """Ada's pass opens every poster, three times."""
    sent = len(world.sandbox.deliveries)
    yield from _buy(world.ada, MONTH)
    yield from _pay(world.ada, MONTH, GOOD_CARD)
    yield from _webhooks(world, sent)
    limit = next(each["downloadLimit"] for each in _products(world) if _named(each) == MONTH)
    replies, left = [], []
    for _ in range(limit + 1):
        replies.append((yield from _download(world.ada, FROST)))
        mine = _purchases(world.ada)
        left += [each["downloadsRemaining"] for each in mine if _ref(each) == MONTH]
    statuses = [reply.status_code for reply in replies]
    yield Claim(f"{limit} downloads pass, and no more", [200] * limit + [403], statuses)
    yield Claim("her library counts down", [*reversed(range(limit)), 0], left)
    ends = "until" in replies[-1].json().get("detail", "") if statuses[-1] == 403 else None
    yield Claim("she is told until when", expected=True, found=ends)


def bounced(world: World) -> Iterator[Line]:
    """Bob pays on Stripe's page, from a bank account that has not enough."""
    sent = len(world.sandbox.deliveries)
    payment = yield from _buy(world.bob, FERRY, "checkout")
    session = _session(payment)
    yield Asked("Bob", "pays on Stripe's page, from his bank account")
    world.sandbox.checkout.pay(session, BANK_ACCOUNT)
    yield from _webhooks(world, sent)
    found = yield from _status(world.bob, payment["paymentId"])
    yield Claim("the money is on its way", ("pending", "processing"), _status_and_step(found))
    reply = yield from _download(world.bob, FERRY)
    yield Claim("there is no access yet", (403, "payment_processing"), _refusal(reply))
    sent = len(world.sandbox.deliveries)
    yield Asked("Bank", "says, days later, that Bob's account has not enough")
    world.sandbox.checkout.settle(session, succeed=False)
    yield from _webhooks(world, sent)
    found = yield from _status(world.bob, payment["paymentId"])
    told = found["status"], bool(found["lastError"])
    yield Claim("it can be paid again, and he is told why", ("pending", True), told)


def with_a_code(world: World) -> Iterator[Line]:
    """Bob pays on Stripe's page with a card, and with a promotion code."""
    sent = len(world.sandbox.deliveries)
    before = _latest(world.bob)
    payment = yield from _buy(world.bob, FERRY, "checkout")
    session = _session(payment)
    yield Claim("it is the same payment", before["paymentId"], payment["paymentId"])
    yield Asked("Bob", f"types {PROMOTION} on Stripe's page, and pays with card {GOOD_CARD}")
    world.sandbox.checkout.apply_code(session, PROMOTION)
    world.sandbox.checkout.pay(session, GOOD_CARD)
    yield from _webhooks(world, sent)
    found = yield from _status(world.bob, session)
    quarter = found["amount"] // 4
    told = found["status"], found["charged"], found["discount"]
    yield Claim(
        "it is paid, less a quarter", ("succeeded", found["amount"] - quarter, quarter), told
    )
    reply = yield from _download(world.bob, FERRY)
    yield Claim("the poster is his", 200, reply.status_code)


def free(world: World) -> Iterator[Line]:
    """The postcard is free."""
    calls = len(world.sandbox.calls)
    payment = yield from _buy(world.bob, FREE)
    yield Claim("there is nothing to pay", (None, "succeeded"), _secret_and_status(payment))
    reply = yield from _download(world.bob, FREE)
    yield Claim("Bob has it", 200, reply.status_code)
    yield Claim("Stripe was not asked for anything", calls, len(world.sandbox.calls))


STORY: Final = (
    Step(
        'Ada clicks "buy", twice',
        "Opening a payment is safe to repeat: she cannot be charged twice.",
        double_click,
    ),
    Step("She tries to download before she pays", "Access is worked out at each request.", not_yet),
    Step("Her first card is declined", "A declined card ends nothing.", declined),
    Step(
        "She pays with another card",
        "Access comes from Stripe's signed event, not from what a browser says.",
        paid,
    ),
    Step("She downloads the poster", "Each download is checked and recorded.", downloaded),
    Step(
        "Stripe sends the same event again",
        "It does so whenever it is not sure that it was heard.",
        sent_again,
    ),
    Step(
        "Bob forges an event that says he has paid",
        "The shop's webhook address is public: anyone can post to it.",
        forged,
    ),
    Step("Bob asks for what is Ada's", "A refusal has a code and a reason.", turned_away),
    Step(
        "Bob pays, and the webhooks get lost",
        "Whoever waits for a payment makes the shop ask Stripe itself.",
        lost_webhook,
    ),
    Step(
        "The shop gives Bob his money back, in two parts",
        "Access ends when all of it went back; a shop may choose otherwise.",
        refunded,
    ),
    Step(
        "Ada's bank disputes her payment, and the shop wins",
        "Access follows the money: on hold while the bank has it, and back when it is won.",
        disputed,
    ),
    Step(
        "Ada buys the monthly pass, and uses it up",
        "The pass opens every poster for a month, and allows three downloads.",
        used_up,
    ),
    Step(
        "Bob pays on Stripe's page, and the money does not come",
        "Some ways to pay take days, and may fail in the end: access waits for the money.",
        bounced,
    ),
    Step(
        "He pays it another way, with a promotion code",
        "A code that the shop allows is no surprise: what was charged is on record.",
        with_a_code,
    ),
    Step("Bob takes the free postcard", "What costs nothing needs no payment form.", free),
)


# --- what the steps have in common -----------------------------------------------------------


def _buy(visitor: Visitor, ref: str, ui: str = "elements") -> Generator[Line, None, Json]:
    """The payment page opens, or sends its visitor to Stripe's; returns what it needs."""
    where = ", on Stripe's page" if ui == "checkout" else ""
    yield Asked(visitor.name.title(), f"POST /api/payments/create  {ref}{where}")
    reply = visitor.post("/api/payments/create", {**_product(ref), "ui": ui})
    payment: Json = reply.raise_for_status().json()
    told = f"{payment['paymentId']}  {payment['amountText']}  {payment['status']}"
    yield Answered(f"HTTP {reply.status_code}  {told}")
    return payment


def _pay(visitor: Visitor, ref: str, card: str) -> Generator[Line, None, str]:
    """The payment page sends a card to Stripe; returns what Stripe says to it."""
    opened: Json = visitor.post("/api/payments/create", _product(ref)).raise_for_status().json()
    yield Asked(visitor.name.title(), f"pays on the shop's page with card {card}")
    answer = visitor.confirm(opened["clientSecret"], opened["publishableKey"], card)
    said = str(answer["error"]["message"] if "error" in answer else answer["status"])
    yield Answered(said)
    return said


def _webhooks(world: World, since: int) -> Iterator[Line]:
    """What Stripe sent to the shop after the first `since` deliveries, and got for it."""
    for attempt, said in world.delivered(since):
        yield Asked("Stripe", f"sends {attempt.event_type} {attempt.event_id}")
        kind = said.get("kind", "")
        yield Answered(f"HTTP {attempt.status}  {kind}" if attempt.status else str(attempt.error))


def _statuses(world: World, since: int) -> list[int | None]:
    return [attempt.status for attempt, _ in world.delivered(since)]


def _status(visitor: Visitor, payment_id: str) -> Generator[Line, None, Json]:
    """The page after paying asks how it stands."""
    yield Asked(visitor.name.title(), f"GET /api/payments/status/{payment_id}")
    payment: Json = visitor.get(f"/api/payments/status/{payment_id}").raise_for_status().json()
    error = f"; last error: {payment['lastError']}" if payment["lastError"] else ""
    yield Answered(f"{payment['status']}{error}")
    return payment


def _download(visitor: Visitor, ref: str) -> Generator[Line, None, httpx.Response]:
    """Somebody's browser asks the shop for a product's file; returns the answer."""
    yield Asked(visitor.name.title(), f"GET /api/downloads/{ref}")
    reply = visitor.get(f"/api/downloads/{ref}")
    ok = reply.status_code == 200
    yield Answered(f"HTTP 200  {len(reply.content):,} bytes" if ok else _words(reply))
    return reply


def _refund(
    visitor: Visitor, payment: Json, amount: int | None = None
) -> Generator[Line, None, httpx.Response]:
    """Somebody asks for a payment's money to be given back: a part, or all that is left."""
    much = "all that is left" if amount is None else f"{amount} cents"
    yield Asked(visitor.name.title(), f"POST /api/payments/refund  {much}")
    sent = {"paymentId": payment["paymentId"], "amount": amount}
    reply = visitor.post("/api/payments/refund", sent)
    made = reply.json()
    told = f"{made['amountText']}  {made['status']}" if reply.is_success else ""
    yield Answered(f"HTTP {reply.status_code}  {told}" if told else _words(reply))
    return reply


def _to_look_at(world: World, payment: Json) -> Generator[Line, None, list[str]]:
    """What the admin's page says that a person must look at."""
    yield Asked("Ines", "GET /shop/admin/payments")
    payments = _listed(world.ines, "/shop/admin/payments", "payments")
    mine = next(each for each in payments if each["paymentId"] == payment["paymentId"])
    found = [str(each["code"]) for each in mine["reviews"]]
    yield Answered(f"to look at: {', '.join(found) or 'nothing'}")
    return found


def _words(reply: httpx.Response) -> str:
    if reply.is_success:
        return f"HTTP {reply.status_code}"
    problem = reply.json()
    return f"HTTP {reply.status_code}  {problem.get('code')}: {problem.get('detail')}"


def _refusal(reply: httpx.Response) -> tuple[int, str | None]:
    return reply.status_code, None if reply.is_success else reply.json().get("code")


def _created(world: World) -> int:
    return sum(call.operation == "payment_intents.create" for call in world.sandbox.calls)


def _intent(world: World, visitor: Visitor) -> str:
    """The payment intent of somebody's latest payment."""
    payment_id = _latest(visitor)["paymentId"]
    intents = world.sandbox.objects("payment_intent")
    return next(
        str(each["id"])
        for each in intents
        if each["metadata"].get("payfulfill_payment") == payment_id
    )


def _latest(visitor: Visitor) -> Json:
    return _listed(visitor, "/api/payments/my-payments?limit=1", "payments")[0]


def _purchases(visitor: Visitor) -> list[Json]:
    return _listed(visitor, "/api/purchases/mine", "purchases")


def _downloads(visitor: Visitor) -> list[Json]:
    return _listed(visitor, "/api/downloads/my-downloads", "downloads")


def _products(world: World) -> list[Json]:
    found: list[Json] = world.ada.get("/shop/products").raise_for_status().json()
    return found


def _listed(visitor: Visitor, path: str, name: str) -> list[Json]:
    found: list[Json] = visitor.get(path).raise_for_status().json()[name]
    return found


def _product(ref: str) -> dict[str, str]:
    product_type, _, product_id = ref.partition("/")
    return {"productType": product_type, "productId": product_id}


def _session(payment: Json) -> str:
    """Of Stripe's page that a payment is to be paid on."""
    return str(payment["url"]).rpartition("/")[2]


def _ref(thing: Json) -> str:
    return f"{thing['productType']}/{thing['productId']}"


def _named(product: Json) -> str:
    return f"{product['type']}/{product['id']}"


def _secret_and_status(payment: Json) -> tuple[str | None, str]:
    secret = payment["clientSecret"]
    return "a secret" if secret else None, payment["status"]


def _status_and_step(payment: Json) -> tuple[str, str | None]:
    return payment["status"], payment["step"]


def _status_and_refunded(payment: Json) -> tuple[str, int]:
    return payment["status"], payment["refunded"]


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
