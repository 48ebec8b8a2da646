"""The story, step by step. Each step asks the shop, Stripe's stand-in and the library, shows what
they answered, and claims what must be so; it knows nothing of how that looks."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Generator, Iterator
from typing import Final

from payfulfill import Buyer, PayfulfillError, Payment, Product, WebhookOutcome
from payfulfill.demo.lines import Answered, Asked, Claim, Line, Step
from payfulfill.demo.shop import COURSE, POSTER, PRO, Reply
from payfulfill.demo.world import World
from payfulfill.sandbox import CardDeclined
from payfulfill.stripe.signature import sign

ADA: Final = Buyer("ada")
BOB: Final = Buyer("bob")
CAROL: Final = Buyer("carol")
ADMIN: Final = Buyer("grace", is_admin=True)

GOOD_CARD: Final = "4242 4242 4242 4242"
EMPTY_CARD: Final = "4000 0000 0000 9995"  # Stripe's test card for insufficient funds


def double_click(world: World) -> Iterator[Line]:
    """Ada clicks twice."""
    clicks = []
    for _ in range(2):
        yield Asked("shop", "payments.create(ada, poster)")
        clicks.append(world.shop.payments.create(ADA, POSTER.ref))
        yield Answered(_payment(clicks[-1].payment))
    first, second = clicks
    created = [call for call in world.sandbox.calls if call.operation == "payment_intents.create"]
    yield Claim("it is one payment", first.payment.id, second.payment.id)
    # The secrets themselves are nothing to print, not even if the check fails.
    secrets = {click.client_secret for click in clicks} - {None}
    yield Claim("both times her page got the same secret for Stripe's form", 1, len(secrets))
    yield Claim("Stripe was asked to create one payment", 1, len(created))


def not_yet(world: World) -> Iterator[Line]:
    """Ada has not paid."""
    reply = yield from _download(world, ADA, POSTER)
    yield Claim("without money there is no access", 403, reply.status)


def declined(world: World) -> Iterator[Line]:
    """Ada's card is declined."""
    payment, sent = _latest(world, ADA), len(world.sandbox.deliveries)
    words = yield from _pay(world, ADA, payment, EMPTY_CARD)
    yield from _webhooks(world, sent)
    yield Asked("shop", "payments.get(payment_id, actor=ada)")
    payment = world.shop.payments.get(payment.id, actor=ADA)
    yield Answered(f"{_payment(payment)}; last_error: {payment.last_error}")
    yield Claim("the payment can still be paid", "pending", payment.status)
    yield Claim("the shop can tell her what the bank said", words, payment.last_error)


def paid(world: World) -> Iterator[Line]:
    """Ada pays."""
    payment, sent = _latest(world, ADA), len(world.sandbox.deliveries)
    yield from _pay(world, ADA, payment, GOOD_CARD)
    yield from _webhooks(world, sent)
    yield Asked("shop", "payments.get(payment_id, actor=ada)")
    payment = world.shop.payments.get(payment.id, actor=ADA)
    yield Answered(_payment(payment))
    purchases = _purchases(world, ADA)
    yield Asked("shop", "access.check(ada, poster)")
    access = world.shop.access.check(ADA, POSTER.ref)
    yield Answered(f"{'allowed' if access.allowed else 'refused'}: {access.reason}")
    event = world.stored_event(world.event_of_success(payment.intent_id)["id"])
    yield Claim("Stripe's signed event was taken", "done", event and event.status)
    yield Claim("the payment is paid", "succeeded", payment.status)
    yield Claim("there is one purchase, and it is the payment's", [payment.purchase_id], purchases)
    yield Claim("Ada has access", (True, "owned"), (access.allowed, access.code))


def downloaded(world: World) -> Iterator[Line]:
    """Ada downloads what she bought."""
    reply = yield from _download(world, ADA, POSTER)
    original = world.shop.files[POSTER.ref].read_bytes()
    found = _sha256(reply.body)
    yield Answered(f"SHA-256 of the file as it came: {found}")
    recorded = [entry.product for entry in world.shop.access.downloads(ADA)]
    yield Claim("it is the shop's file, byte for byte", _sha256(original), found)
    yield Claim("the download is on record", [POSTER.ref], recorded)


def sent_again(world: World) -> Iterator[Line]:
    """Stripe sends its event a second time."""
    before, sent = _purchases(world, ADA), len(world.sandbox.deliveries)
    event = world.event_of_success(_latest(world, ADA).intent_id)
    world.sandbox.resend(event["id"])
    yield from _webhooks(world, sent)
    attempt, outcome = world.delivered(sent)[-1]
    yield Claim("it is answered 200, so that Stripe stops sending", 200, attempt.status)
    yield Claim("it was recognised", "duplicate", outcome and outcome.kind)
    yield Claim("there is still one purchase", (1, before), (len(before), _purchases(world, ADA)))


def forged(world: World) -> Iterator[Line]:
    """Bob opens a payment, and tells the shop himself that it was paid."""
    yield Asked("shop", "payments.create(bob, poster)")
    payment = world.shop.payments.create(BOB, POSTER.ref).payment
    yield Answered(_payment(payment))
    event = world.event_of_success(_latest(world, ADA).intent_id)
    event["id"] = "evt_made_up_by_bob"
    event["data"]["object"]["id"] = payment.intent_id
    event["data"]["object"]["metadata"]["payfulfill_payment"] = payment.id
    body = json.dumps(event).encode()
    yield Asked("Bob", f"POST /stripe  {event['type']}, signed with a guessed secret")
    reply = world.post_event(body, sign(body, "whsec_guessed", int(time.time())))
    yield Answered(f"HTTP {reply.status}  {_words(reply, 'outcome', 'reason')}")
    payment = world.shop.payments.get(payment.id, actor=BOB)
    yield Claim("the forgery is refused", 400, reply.status)
    yield Claim("nothing of it is stored", None, world.stored_event(event["id"]))
    yield Claim("Bob's payment is as unpaid as before", "pending", payment.status)


def turned_away(world: World) -> Iterator[Line]:
    """Bob asks for files that are not his."""
    for product, code, claim in (
        (POSTER, "payment_pending", "he is turned away: the poster is not paid for"),
        (COURSE, "not_owned", "he is turned away: the course he never bought"),
    ):
        reply = yield from _download(world, BOB, product)
        told = json.loads(reply.body).get("code") if reply.status != 200 else None
        yield Claim(claim, (403, code), (reply.status, told))


def used_up(world: World) -> Iterator[Line]:
    """Carol's plan covers designs, and three downloads."""
    sent = len(world.sandbox.deliveries)
    yield Asked("shop", "payments.create(carol, pro_plan)")
    payment = world.shop.payments.create(CAROL, PRO.ref).payment
    yield Answered(_payment(payment))
    yield from _pay(world, CAROL, payment, GOOD_CARD)
    yield from _webhooks(world, sent)
    limit = PRO.terms.download_limit or 0
    replies = []
    for _ in range(limit + 1):
        replies.append((yield from _download(world, CAROL, POSTER)))
    left = [reply.headers.get("Downloads-Left") for reply in replies[:-1]]
    statuses = [reply.status for reply in replies]
    recorded = world.shop.access.downloads(CAROL)
    yield Claim(f"{limit} downloads pass, and no more", [200] * limit + [403], statuses)
    yield Claim("each was told how many are left", [str(n) for n in range(limit)][::-1], left)
    yield Claim("what passed is on record", limit, len(recorded))


def granted(world: World) -> Iterator[Line]:
    """The course is given to Bob."""
    calls = len(world.sandbox.calls)
    for actor in (BOB, ADMIN):
        yield Asked("shop", f'payments.grant(bob, course, actor={actor.id}, reason="prize draw")')
        try:
            gift = world.shop.payments.grant(BOB, COURSE.ref, actor=actor, reason="prize draw")
        except PayfulfillError as error:
            yield Answered(f"{type(error).__name__}: {error.message}")
            yield Claim("only an admin may", ("forbidden", BOB), (error.code, actor))
        else:
            yield Answered(f"{_payment(gift)}, {gift.origin} by {gift.granted_by}")
            yield Claim("it is on record who gave it", ADMIN.id, gift.granted_by)
    reply = yield from _download(world, BOB, COURSE)
    yield Claim("now Bob may have it", 200, reply.status)
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
    Step("Bob asks for files all the same", "A refusal has a code and a reason.", turned_away),
    Step(
        "Carol buys the Pro plan, and uses it up",
        "The plan opens every design for a month, and allows three downloads.",
        used_up,
    ),
    Step("An admin gives Bob the course", "Access without money, with a name to it.", granted),
)


# --- what the steps have in common -----------------------------------------------------------


def _pay(world: World, buyer: Buyer, payment: Payment, card: str) -> Generator[Line, None, str]:
    """A buyer pays in the browser; returns what Stripe says to it."""
    yield Asked(buyer.id.title(), f"pays on the shop's page with card {card}")
    try:
        said = str(world.sandbox.pay(payment.intent_id or "", card)["status"])
    except CardDeclined as refusal:
        said = refusal.message
    yield Answered(said)
    return said


def _webhooks(world: World, since: int) -> Iterator[Line]:
    """What Stripe sent to the shop after the first `since` deliveries, and got for it."""
    for attempt, outcome in world.delivered(since):
        yield Asked("Stripe", f"sends {attempt.event_type} {attempt.event_id}")
        made = f"  {_made(outcome)}" if outcome else ""
        yield Answered(f"HTTP {attempt.status}{made}" if attempt.status else str(attempt.error))


def _download(world: World, buyer: Buyer, product: Product) -> Generator[Line, None, Reply]:
    """A buyer's browser asks the shop for a product's file; returns the answer."""
    yield Asked(buyer.id.title(), f"GET /files/{product.ref}")
    reply = world.get_file(buyer.id, product.ref)
    if reply.status == 200:
        size, left = len(reply.body), reply.headers.get("Downloads-Left")
        yield Answered(f"HTTP 200  {size:,} bytes; downloads left: {left}")
    else:
        yield Answered(f"HTTP {reply.status}  {_words(reply, 'code', 'message')}")
    return reply


def _made(outcome: WebhookOutcome) -> str:
    return f"{outcome.kind}{f', purchase {outcome.purchase_id}' if outcome.purchase_id else ''}"


def _latest(world: World, buyer: Buyer) -> Payment:
    return world.shop.payments.history(buyer, limit=1)[0]


def _purchases(world: World, buyer: Buyer) -> list[str]:
    return [entry.purchase.id for entry in world.shop.access.library(buyer)]


def _payment(payment: Payment) -> str:
    return _join(payment.id, f"{payment.amount}", payment.status)


def _words(reply: Reply, *names: str) -> str:
    content = json.loads(reply.body or b"{}")
    return ": ".join(str(content[name]) for name in names if content.get(name))


def _join(*words: str | None) -> str:
    return "  ".join(word for word in words if word)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
