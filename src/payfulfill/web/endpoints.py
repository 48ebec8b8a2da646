"""What the endpoints do. No framework in sight.

They are coroutines that await nothing but the services and the host's functions: with sync ones
they are driven, with async ones awaited. `routes` is the table of them.
"""

from __future__ import annotations

import inspect
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError

from payfulfill.access import AccessService, AsyncAccessService
from payfulfill.colour import MaybeAwaitable, settle
from payfulfill.errors import (
    AccessDenied,
    ConfigurationError,
    Forbidden,
    GatewayRefused,
    PayfulfillError,
    Unavailable,
)
from payfulfill.models import Buyer, Download, Payment, ProductRef
from payfulfill.money import Money
from payfulfill.payments import AsyncPaymentService, PaymentService
from payfulfill.ports import Clock, SystemClock
from payfulfill.rules import is_open
from payfulfill.web.checkout import CheckoutPages, chosen
from payfulfill.web.files import File, Files, Redirect
from payfulfill.web.http import PRIVATE, Request, Response, json_response
from payfulfill.web.problems import (
    FileMissing,
    InvalidFields,
    MalformedJson,
    NotJson,
    Unauthenticated,
    problem,
    unexpected,
)
from payfulfill.web.ranges import Span, asked_for, begins_later, is_unchanged
from payfulfill.web.sending import described, redirected, sent
from payfulfill.web.wire import (
    CreatedPayment,
    CreatePayment,
    DownloadBody,
    DownloadList,
    DownloadQuery,
    FieldError,
    Page,
    PaymentBody,
    PaymentList,
    PurchaseBody,
    PurchaseList,
    RefundBody,
    RefundPayment,
    WebhookAnswer,
)
from payfulfill.webhooks import AsyncWebhookHandler, WebhookHandler

if TYPE_CHECKING:
    from payfulfill.web.routes import Endpoint

log = logging.getLogger("payfulfill.web")

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)

Aside: TypeAlias = Callable[[Callable[[], Any]], MaybeAwaitable[Any]]
"""Calls a function that may block, where that does no harm."""

ASK_STRIPE_EVERY: Final = 2.0
"""Seconds between two questions to Stripe about one payment, however often its buyer asks us."""
_REMEMBERED: Final = 10_000  # payments whose last question is remembered

_LIMIT_REACHED: Final = "download_limit_reached"


class _Count(Protocol):
    """Counts a download, or finds that it was counted."""

    async def __call__(self, *, resume: bool) -> None: ...


# --- What comes in ---------------------------------------------------------------------------


def _body(model: type[M], request: Request) -> M:
    """The JSON of a request.

    Raises:
        NotJson, MalformedJson, InvalidFields: it isn't what the model takes.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    # Besides being wrong, anything else is what a form on a foreign page could send along with
    # the buyer's cookies, without asking first.
    if media_type != "application/json":
        raise NotJson
    try:
        return model.model_validate_json(request.body)
    except ValidationError as error:
        if any(each["type"] == "json_invalid" for each in error.errors()):
            raise MalformedJson from None
        raise _invalid(error) from None


def _query(model: type[M], request: Request) -> M:
    """The query of a request; what the endpoint doesn't know is let pass, as the web does.

    Raises:
        InvalidFields: it isn't what the model takes.
    """
    try:
        return model.model_validate(dict(request.query))
    except ValidationError as error:
        raise _invalid(error) from None


def _invalid(error: ValidationError) -> InvalidFields:
    # Without the values: they are what somebody sent, and end up in logs.
    return InvalidFields(
        FieldError(field=".".join(map(str, each["loc"])) or "body", message=each["msg"])
        for each in error.errors(include_url=False, include_context=False, include_input=False)
    )


# --- The endpoints ---------------------------------------------------------------------------


class Endpoints:
    """What the routes do. One for each mount; threads may share it."""

    def __init__(  # noqa: PLR0913  # by name, and each is a part of the shop
        self,
        *,
        payments: PaymentService | AsyncPaymentService,
        webhooks: WebhookHandler | AsyncWebhookHandler,
        access: AccessService | AsyncAccessService,
        files: Files,
        publishable_key: str,
        default_type: str = "design",
        checkout: CheckoutPages | None = None,
        clock: Clock | None = None,
        aside: Aside | None = None,
    ) -> None:
        """Puts them together.

        Args:
            payments: Opens payments and knows them.
            webhooks: Takes Stripe's events.
            access: Says who may download what.
            files: Where the files are.
            publishable_key: Stripe's, `pk_...`, for the browser.
            default_type: The type of product that `/downloads/{id}` is about.
            checkout: How buyers may pay on Stripe's own page; None: they may not.
            clock: The time; the machine's by default.
            aside: Calls the host's functions, which may block, for async services; sync ones
                let them block.

        Raises:
            ConfigurationError: the services are of different colours, or `files` is async and
                they are not; or the key is none of Stripe's publishable ones.
        """
        colours = {
            isinstance(payments, AsyncPaymentService),
            isinstance(webhooks, AsyncWebhookHandler),
            isinstance(access, AsyncAccessService),
        }
        if len(colours) > 1:
            raise ConfigurationError("the services must all be sync, or all async")
        if not publishable_key.startswith(("pk_test_", "pk_live_")):
            raise ConfigurationError("publishable_key is the key that begins with pk_")
        self.is_async = colours.pop()
        if inspect.iscoroutinefunction(files.find) and not self.is_async:
            raise ConfigurationError("async files need async services")
        self._payments = payments
        self._webhooks = webhooks
        self._access = access
        self._files = files
        self._publishable_key = publishable_key
        self._default_type = default_type
        self._checkout = checkout
        self._questions = _Questions(clock or SystemClock())
        self._aside = aside if aside is not None and self.is_async else _in_place

    async def answer(self, endpoint: Endpoint, request: Request) -> Response:
        """The response to a request. It never raises."""
        try:
            if endpoint.signed_in:
                _buyer(request)
            _require_whole(request)
            return await endpoint.handler(self, request)
        except PayfulfillError as error:
            return problem(error)
        except Exception as error:  # whatever it is, it must not reach the buyer
            return unexpected(error)

    # --- Payments ------------------------------------------------------------------------

    async def create_payment(self, request: Request) -> Response:
        """Opens a payment, or finds the one that is open."""
        wanted = _body(CreatePayment, request)
        way = chosen(wanted, self._checkout)
        ref = ProductRef(wanted.product_type, wanted.product_id)
        checkout = await settle(
            self._payments.create(_buyer(request), ref, currency=wanted.currency, **way)
        )
        payment = checkout.payment
        created = CreatedPayment(
            payment_id=payment.id,
            client_secret=checkout.client_secret,
            url=checkout.url,
            publishable_key=self._publishable_key,
            amount=payment.amount.amount,
            amount_text=str(payment.amount),
            currency=payment.amount.currency,
            status=payment.status,
        )
        return _ok(created, 200 if checkout.repeated else 201)

    async def webhook(self, request: Request) -> Response:
        """Takes an event of Stripe's."""
        signature = request.headers.get("stripe-signature")
        outcome = await settle(self._webhooks.handle(request.body, signature))
        return _ok(WebhookAnswer.of(outcome), outcome.status_code)

    async def payment_status(self, request: Request) -> Response:
        """How a payment stands; while it is open, Stripe is asked too."""
        buyer, payment_id = _buyer(request), request.path["paymentId"]
        payment = await settle(self._payments.get(payment_id, actor=buyer))
        if is_open(payment) and self._questions.may_ask(payment.id):
            payment = await self._ask(payment, buyer)
        return _ok(PaymentBody.of(payment))

    async def _ask(self, payment: Payment, buyer: Buyer) -> Payment:
        """The payment as Stripe knows it; as we know it, when Stripe can't tell."""
        try:
            return await settle(self._payments.sync(payment.id, actor=buyer))
        except (Unavailable, GatewayRefused) as error:
            log.warning("Stripe could not be asked about %s: %s", payment.id, error)
            return payment

    async def refund_payment(self, request: Request) -> Response:
        """Gives money back."""
        wanted, actor = _body(RefundPayment, request), _buyer(request)
        if not actor.is_admin:  # before anything is told of the payment
            raise Forbidden("Only admins may refund.")
        amount = None
        if wanted.amount is not None:
            payment = await settle(self._payments.get(wanted.payment_id, actor=actor))
            amount = Money(wanted.amount, payment.amount.currency)
        refund = await settle(
            self._payments.refund(
                wanted.payment_id,
                actor=actor,
                amount=amount,
                reason=wanted.reason,
                request_id=wanted.request_id,
            )
        )
        return _ok(RefundBody.of(refund))

    async def my_payments(self, request: Request) -> Response:
        """A buyer's payments, the newest first."""
        page = _query(Page, request)
        found = await settle(
            self._payments.history(_buyer(request), limit=page.limit, before=page.before)
        )
        return _ok(
            PaymentList(payments=[PaymentBody.of(each) for each in found], next=_next(page, found))
        )

    # --- Purchases and downloads ---------------------------------------------------------

    async def my_purchases(self, request: Request) -> Response:
        """All that a buyer bought."""
        library = await settle(self._access.library(_buyer(request)))
        return _ok(PurchaseList(purchases=[PurchaseBody.of(each) for each in library]))

    async def my_downloads(self, request: Request) -> Response:
        """A buyer's downloads, the newest first."""
        page = _query(Page, request)
        found = await settle(
            self._access.downloads(_buyer(request), limit=page.limit, before=page.before)
        )
        return _ok(
            DownloadList(
                downloads=[DownloadBody.of(each) for each in found], next=_next(page, found)
            )
        )

    async def download(self, request: Request) -> Response:
        """A product's file, or why not."""
        kind = request.path.get("productType", self._default_type)
        ref = ProductRef(kind, request.path["productId"])
        download_id = _query(DownloadQuery, request).download_id
        buyer = _buyer(request)
        await self._require_right(buyer, ref, request)
        found = await self._ask_host(self._files.find, ref, buyer)

        async def count(*, resume: bool) -> None:
            await settle(
                self._access.download(
                    buyer,
                    ref,
                    download_id=download_id,
                    resume=resume,
                    address=request.address,
                    agent=request.agent,
                )
            )

        if found is None:
            raise FileMissing(f"there is no file of {ref}")
        if isinstance(found, Redirect):
            return await self._redirect(request, found, count)
        return await self._send(request, found, count)

    async def _require_right(self, buyer: Buyer, ref: ProductRef, request: Request) -> None:
        """Lets those through who may get the file; whether by a new download, counting decides.

        Raises:
            AccessDenied: they have no right to it.
        """
        decision = await settle(self._access.check(buyer, ref))
        # A download that was counted before may go on though the limit is reached.
        may_go_on = decision.code == _LIMIT_REACHED and request.method != "HEAD"
        if not decision.allowed and not may_go_on:
            raise AccessDenied(decision.code, decision.reason)

    async def _redirect(self, request: Request, found: Redirect, count: _Count) -> Response:
        if request.method == "HEAD":  # looks, and takes nothing
            return Response(status=204, headers=PRIVATE)
        await count(resume=begins_later(request.headers))
        return redirected(await self._ask_host(found.url))

    async def _send(self, request: Request, file: File, count: _Count) -> Response:
        """What a caller has already, has no such part of, or only looks at, is not counted."""
        if is_unchanged(request.headers, file.etag):
            return Response(status=304, headers={**PRIVATE, "ETag": file.etag})
        if request.method == "HEAD":
            return Response(status=200, headers=described(file))
        span = asked_for(request.headers, file.size, file.etag)
        try:  # a download that cannot begin is not to be counted
            pieces = await self._ask_host(_begun, file, span)
        except OSError as error:
            raise FileMissing(f"{file.name} cannot be read: {error}") from error
        await count(resume=span.start > 0)
        return sent(file, span, pieces)

    async def _ask_host(self, function: Callable[..., MaybeAwaitable[T]], *arguments: Any) -> T:
        """What a function of the host's answers; it may block, or be async."""
        answer: MaybeAwaitable[T] = await settle(self._aside(partial(function, *arguments)))
        return await settle(answer)


def _buyer(request: Request) -> Buyer:
    """Who asks.

    Raises:
        Unauthenticated: nobody.
        TypeError: the host answered with something else, which might pass for anybody.
    """
    if request.buyer is None:
        raise Unauthenticated
    if not isinstance(request.buyer, Buyer):
        raise TypeError(f"current_buyer returned a {type(request.buyer).__name__}, not a Buyer")
    return request.buyer


def _in_place(function: Callable[[], T]) -> T:
    return function()


def _require_whole(request: Request) -> None:
    """Refuses a request whose body could not be read."""
    if request.unread is not None:
        raise request.unread


def _begun(file: File, span: Span) -> Iterator[bytes]:
    """The bytes of a part of a file, the first of which are read already."""
    pieces = iter(file.read(span.start, span.end))
    return chain([next(pieces, b"")], pieces)


def _next(page: Page, found: Sequence[Payment | Download]) -> str | None:
    """Where the page after this one begins; None if this one isn't full."""
    return found[-1].id if len(found) == page.limit else None


def _ok(body: BaseModel, status: int = 200) -> Response:
    return json_response(status, body.model_dump(mode="json", by_alias=True))


class _Questions:
    """When Stripe was last asked about each payment."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._asked: OrderedDict[str, float] = OrderedDict()

    def may_ask(self, payment_id: str) -> bool:
        """Whether it is time to ask again; if so, it counts as asked."""
        now = self._clock.now().timestamp()
        with self._lock:
            # A clock that was set back must not keep anybody from asking.
            if 0 <= now - self._asked.get(payment_id, float("-inf")) < ASK_STRIPE_EVERY:
                return False
            self._asked[payment_id] = now
            self._asked.move_to_end(payment_id)
            if len(self._asked) > _REMEMBERED:
                self._asked.popitem(last=False)
            return True
