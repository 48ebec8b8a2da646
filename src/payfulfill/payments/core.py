"""What the payment services do, written once for both colours.

The core of `create` is a loop: look at the store and decide on one step (`_plan`), take it
(`payments.steps`), look again. Whatever crashed or was lost before is healed by the same loop, for
what was begun stands in the store.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Final, TypeVar

from payfulfill.colour import settle
from payfulfill.errors import (
    AlreadyOwned,
    CannotJoin,
    CurrencyNotOffered,
    Forbidden,
    GatewayRefused,
    InvalidRequest,
    NotCancelable,
    NotFound,
    PayfulfillError,
    PaymentInReview,
    PaymentProcessing,
    ProductUnavailable,
    UnknownProduct,
)
from payfulfill.facts import SUCCEEDED, intents, order_key
from payfulfill.ids import new_id
from payfulfill.joined import gateway_beside
from payfulfill.ledger import Ledger
from payfulfill.models import (
    Attempt,
    Buyer,
    Checkout,
    Origin,
    Payment,
    PaymentStatus,
    Product,
    ProductRef,
    PurchaseState,
    Quote,
    Refund,
    require_limit,
)
from payfulfill.models.reversal import REQUEST_ID
from payfulfill.money import Money
from payfulfill.payments.customers import CustomerCore
from payfulfill.payments.means import Answer
from payfulfill.payments.plan import (
    Abandon,
    Action,
    Cancel,
    Finished,
    Introduce,
    Order,
    Reuse,
    Search,
    Send,
    Step,
    next_step,
    payable,
)
from payfulfill.payments.retrying import until_settled
from payfulfill.payments.steps import Steps
from payfulfill.payments.ways import Way, check_origins, check_return
from payfulfill.ports import (
    Catalog,
    Clock,
    Gateway,
    PurchaseHook,
    Store,
    Target,
    UnitOfWork,
)
from payfulfill.refunding import Request
from payfulfill.refunds import RefundCore
from payfulfill.rules import Policy, is_open, spans, suspicions

T = TypeVar("T")

log = logging.getLogger("payfulfill.payments")

SYSTEM: Final = Buyer("payfulfill", is_admin=True)
"""Who acts when nobody asked."""

_NOTHING: Final = Money(0, "USD")  # of nothing, any currency will do


class PaymentCore:
    """See `PaymentService`, which this does the work for."""

    def __init__(
        self,
        store: Store,
        gateway: Gateway,
        catalog: Catalog,
        clock: Clock,
        hook: PurchaseHook | None,
        policy: Policy,
        return_origins: Collection[str] | None,
        *,
        customers: bool,
    ) -> None:
        check_origins(return_origins)
        self._ledger = Ledger(store, clock, hook, policy)
        self._gateway = gateway_beside(store, gateway)
        self._steps = Steps(self._ledger, self._gateway, clock)
        self._return_origins = return_origins
        self._as_customers = customers
        self._customers = CustomerCore(store, gateway, clock)
        self._catalog = catalog
        self._clock = clock
        self._refunds = RefundCore(self._ledger, gateway, clock)

    # --- create: look, decide, act, look again ------------------------------------------------

    async def create(
        self, buyer: Buyer, ref: ProductRef, currency: str | None, way: Way
    ) -> Checkout:
        """See `PaymentService.create`."""
        way.check(self._return_origins)
        if self._as_customers or way.setup_future_usage is not None:
            way = replace(way, as_customer=True)
        product = await self._for_sale(buyer, ref)

        forgot = False

        async def round_() -> Checkout | None:
            nonlocal way, forgot
            order = self._order(buyer, product, currency, way)
            step = await self._ledger.run(partial(self._plan, order=order))
            if isinstance(step, Introduce):
                way = replace(way, customer=await self._customers.ensure(buyer))
                return None
            try:
                return await self._steps.take(step)
            except GatewayRefused as error:
                known = _unknown_customer(step, error)
                if known is None or forgot:
                    raise  # once is enough: another thing may be missing
                forgot = True
                await self._customers.forget(buyer, known)
                way = replace(way, customer=None)
                return None

        return await until_settled(self._clock, round_)

    async def portal(self, buyer: Buyer, return_url: str) -> str:
        """See `PaymentService.portal`."""
        check_return(return_url, self._return_origins)
        return await self._customers.portal(buyer, return_url)

    async def quote(self, buyer: Buyer, ref: ProductRef, currency: str | None) -> Quote:
        """See `PaymentService.quote`."""
        product = await settle(self._catalog.get(ref))
        if product is None:
            raise UnknownProduct(f"There is no product {ref}.")
        if not product.available:
            raise ProductUnavailable(f"{product.title} is not for sale.")
        return self._order(buyer, product, currency, Way()).quote

    async def _for_sale(self, buyer: Buyer, ref: ProductRef) -> Product:
        """The product. One that is off sale takes the buyer's open payment for it along."""
        product = await settle(self._catalog.get(ref))
        if product is None or not product.available:
            opened = await self._ledger.run(partial(self._opened, buyer_id=buyer.id, ref=ref))
            if opened is not None:
                await self._withdraw(opened)
        if product is None:
            raise UnknownProduct(f"There is no product {ref}.")
        return product

    async def _opened(self, uow: UnitOfWork, buyer_id: str, ref: ProductRef) -> Payment | None:
        slot = await uow.slots.lock(buyer_id, ref)
        return await uow.payments.get(buyer_id, slot) if slot else None

    def _order(self, buyer: Buyer, product: Product, currency: str | None, way: Way) -> Order:
        quote = product.pricing.quote(product, buyer, currency, self._clock.now())
        if currency is not None and quote.amount.currency != currency.upper():
            raise CurrencyNotOffered(f"{product.ref} was priced in {quote.amount.currency}.")
        if not quote.amount.is_zero:
            quote.amount.check_chargeable()
        return Order(buyer, product, quote, way)

    async def _plan(self, uow: UnitOfWork, order: Order) -> Step:
        """Decides on the next step for what the slot of (buyer, product) holds."""
        buyer_id, ref, now = order.buyer.id, order.product.ref, self._clock.now()
        slot = await uow.slots.lock(buyer_id, ref)
        payment = await uow.payments.lock(buyer_id, slot) if slot else None
        owned = await self._owned(uow, order, now)
        wanted = order.product.available and not owned
        if payment is not None and is_open(payment):
            self._require_stripe()
            fits = wanted and order.same_offer(payment)
            step = next_step(payment, now, wanted=fits, livemode=self._gateway.livemode)
            if not isinstance(step, Abandon):
                return await self._begin(uow, step, order)
            if fits and payment.livemode == self._gateway.livemode:
                if order.way.lacks_customer:
                    return Introduce()
                return await self._begin(uow, self._send_anew(payment, order), order)
            await self._give_up(uow, payment, slot)
        if owned:
            raise AlreadyOwned
        if not order.product.available:
            raise ProductUnavailable(f"{order.product.title} is not for sale.")
        return await self._open(uow, order)

    async def _owned(self, uow: UnitOfWork, order: Order, now: datetime) -> bool:
        every = await uow.purchases.of_product(order.buyer.id, order.product.ref)
        purchases = [one for one in every if one.livemode == self._gateway.livemode]
        if not order.product.terms.repeatable:
            held = (PurchaseState.ACTIVE, PurchaseState.SUSPENDED)
            return any(purchase.state in held for purchase in purchases)
        if not order.quote.amount.is_zero:
            return False
        # A free pass that runs is not to be piled up.
        when = spans(purchases)
        active = (one for one in purchases if one.state is PurchaseState.ACTIVE)
        return any((end := when[one.id].end) is None or now < end for one in active)

    async def _open(self, uow: UnitOfWork, order: Order) -> Step:
        """A new payment, into the free slot."""
        last = await uow.payments.latest(order.buyer.id, order.product.ref)
        if last is not None and last.status is PaymentStatus.REVIEW and last.purchase_id is None:
            raise PaymentInReview  # money came in that a person is looking at
        if order.quote.amount.is_zero:
            return Finished(await self._settle(uow, self._payment(order, Origin.FREE), None))
        self._require_stripe()
        if order.way.lacks_customer:
            return Introduce()
        payment = self._payment(order, Origin.STRIPE)
        attempt = self._attempt(1, payment, order.way)
        payment = replace(payment, attempt=attempt, reads=1)
        await self._add(uow, payment)
        await uow.slots.put(payment.buyer_id, payment.product, payment.id)
        return Send(payment, attempt, repeated=False)

    async def _begin(self, uow: UnitOfWork, step: Action, order: Order) -> Action:
        """Takes the number under which the answer to a step is recorded."""
        payment = replace(step.payment, reads=step.payment.reads + 1)
        if isinstance(step, Send):
            payment = replace(payment, attempt=step.attempt)
        if isinstance(step, (Send, Reuse)) and order.same_offer(payment):
            payment = replace(payment, quote_expires_at=order.quote.expires_at)
        await uow.payments.save(payment)
        return replace(step, payment=payment)

    def _send_anew(self, payment: Payment, order: Order) -> Send:
        """Another try for a payment whose first one Stripe refused, perhaps for a reason that
        is mended by now: the parameters are made afresh."""
        number = payment.attempt.number + 1 if payment.attempt else 1
        offered = replace(payment, quote_expires_at=order.quote.expires_at)
        return Send(payment, self._attempt(number, offered, order.way), repeated=True)

    def _payment(self, order: Order, origin: Origin) -> Payment:
        now = self._clock.now()
        return Payment(
            id=new_id("pay", now),
            buyer_id=order.buyer.id,
            product=order.product.ref,
            title=order.product.title,
            amount=order.quote.amount,
            terms=order.product.terms,
            quote_expires_at=order.quote.expires_at,
            origin=origin,
            livemode=self._gateway.livemode,
            created_at=now,
        )

    def _attempt(self, number: int, payment: Payment, way: Way) -> Attempt:
        now = self._clock.now()
        parameters = way.parameters(payment, number, now)
        return Attempt(number=number, parameters=parameters, started_at=now, ui=way.ui)

    async def _add(self, uow: UnitOfWork, payment: Payment) -> None:
        await uow.payments.add(payment)
        await uow.refs.add(payment.id, Target.of(payment))

    async def _settle(self, uow: UnitOfWork, payment: Payment, slot: str | None) -> Payment:
        """Fulfils a payment that asks for no money."""
        await self._add(uow, payment)
        paid = {order_key(payment.id): {"settled_at": int(payment.created_at.timestamp())}}
        return (await self._ledger.fulfilment().record(uow, payment, slot, paid)).payment

    # --- looking -----------------------------------------------------------------------------

    async def get(self, payment_id: str, actor: Buyer) -> Payment:
        """See `PaymentService.get`."""
        find = partial(self._find, payment_id=payment_id, actor=actor)
        return await self._ledger.run(find, read_only=True)

    async def _find(self, uow: UnitOfWork, payment_id: str, actor: Buyer) -> Payment:
        # Ids of ours and of Stripe's are ASCII; anything else no store need be asked for.
        target = await uow.refs.get(payment_id) if payment_id.isascii() else None
        if target is not None and target.buyer_id != actor.id and not actor.is_admin:
            raise Forbidden
        payment = await uow.payments.get(target.buyer_id, target.payment_id) if target else None
        if payment is None:
            raise NotFound(f"There is no payment {payment_id!a}.")
        return payment

    async def history(self, buyer: Buyer, limit: int, before: str | None) -> list[Payment]:
        """See `PaymentService.history`."""
        require_limit(limit)
        return await self._ledger.run(
            lambda uow: uow.payments.of_buyer(buyer.id, limit, before), read_only=True
        )

    async def sync(self, payment_id: str, actor: Buyer) -> Payment:
        """See `PaymentService.sync`."""
        payment = await self.get(payment_id, actor)
        if payment.livemode != self._gateway.livemode:
            return payment
        if not is_open(payment):
            paid = any(intent["status"] == SUCCEEDED for _, intent in intents(payment.facts))
            return await self._refunds.refresh(Target.of(payment)) if paid else payment
        payment = await self._read_again(payment)
        product = await settle(self._catalog.get(payment.product))
        off_sale = product is None or not product.available
        return await self._withdraw(payment) if off_sale and is_open(payment) else payment

    async def _read_again(self, payment: Payment) -> Payment:
        """Asks Stripe how an open payment stands."""
        payment = await self._ledger.numbered(Target.of(payment))
        answers: list[Answer | None] = []
        if known := payable(payment):
            answers += [await self._steps.read(payment, subject) for subject in known]
        elif payment.attempt is not None:
            answers += await self._steps.listed(payment, payment.attempt)
        for answer in answers:
            if answer is not None:
                payment = await self._steps.join(payment, answer)
        return await self.get(payment.id, SYSTEM)

    # --- ending ------------------------------------------------------------------------------

    async def cancel(self, payment_id: str, actor: Buyer) -> Payment:
        """See `PaymentService.cancel`."""

        async def round_() -> Payment | None:
            payment = await self.get(payment_id, actor)
            if payment.status is PaymentStatus.CANCELED:
                return payment
            if not is_open(payment):
                raise NotCancelable
            await self._undo(payment)
            return None

        return await until_settled(self._clock, round_)

    async def _undo(self, payment: Payment) -> None:
        """One step towards a payment that can no longer be paid."""
        step = await self._ledger.run(partial(self._unwanted, payment=payment))
        match step:
            case Send(payment):
                answer = await self._steps.send(step)
                if answer is not None:
                    await self._steps.join(payment, answer)
            case Search(payment, attempt):
                await self._steps.search(payment, attempt)
            case Cancel(payment, subject):
                await self._steps.end(payment, subject)

    async def _unwanted(self, uow: UnitOfWork, payment: Payment) -> Action | None:
        """The next step, for a payment that nobody wants; None when it has ended. It is given up
        while it is locked, for a create may be about to send it once more."""
        slot = await uow.slots.lock(payment.buyer_id, payment.product)
        numbered = await self._ledger.next_number(uow, Target.of(payment))
        if not is_open(numbered):
            return None
        step = next_step(numbered, self._clock.now(), wanted=False, livemode=self._gateway.livemode)
        if not isinstance(step, Abandon):
            return step
        await self._give_up(uow, numbered, slot)
        return None

    async def _give_up(self, uow: UnitOfWork, payment: Payment, slot: str | None) -> None:
        """Ends a locked payment that nothing at Stripe can pay."""
        gone = {order_key(payment.id): {"abandoned_at": int(self._clock.now().timestamp())}}
        await self._ledger.fulfilment().record(uow, payment, slot, gone)

    async def _withdraw(self, payment: Payment) -> Payment:
        """Takes back an offer: the payment must not be paid any more. If it is paid all the
        same, it is fulfilled and a person is told."""
        await self._steps.note(payment, "withdrawn_at")
        try:
            return await self.cancel(payment.id, SYSTEM)
        except (NotCancelable, PaymentProcessing):
            return await self.get(payment.id, SYSTEM)

    # --- giving back -------------------------------------------------------------------------

    async def refund(
        self,
        payment_id: str,
        actor: Buyer,
        amount: Money | None,
        reason: str | None,
        request_id: str | None,
    ) -> Refund:
        """See `PaymentService.refund`."""
        if not actor.is_admin:
            raise Forbidden("Only admins may refund.")
        if request_id is not None and not REQUEST_ID.fullmatch(request_id):
            raise InvalidRequest("a request id is 1 to 100 letters, digits, - and _")
        payment = await self.get(payment_id, actor)
        target = Target.of(payment)
        id = self._refunds.request_id(request_id)
        return await self._refunds.make(target, Request(id, amount, actor.id, reason))

    async def trust(self, payment_id: str, actor: Buyer, reason: str) -> Payment:
        """See `PaymentService.trust`."""
        if not actor.is_admin:
            raise Forbidden("Only admins may lay a suspicion to rest.")
        if not reason.strip():
            raise InvalidRequest("a suspicion that is laid to rest needs a reason, for later")
        payment = await self.get(payment_id, actor)
        told = {"by": actor.id, "why": reason, "at": int(self._clock.now().timestamp())}
        trusted = {suspicion.id: told for suspicion in suspicions(payment)}
        if not trusted:
            return payment
        return await self._ledger.observe(
            Target.of(payment), {order_key(payment.id): {"trusted": trusted}}
        )

    # --- without money -----------------------------------------------------------------------

    async def grant(self, buyer: Buyer, ref: ProductRef, actor: Buyer, reason: str) -> Payment:
        """See `PaymentService.grant`."""
        if not actor.is_admin:
            raise Forbidden("Only admins may grant a purchase.")
        if not reason.strip():
            raise InvalidRequest("a granted purchase needs a reason, for whoever asks later")
        product = await settle(self._catalog.get(ref))
        if product is None:
            raise UnknownProduct(f"There is no product {ref}.")

        async def body(uow: UnitOfWork) -> tuple[Payment, Payment | None]:
            return await self._grant(uow, buyer, product, actor, reason)

        granted, opened = await self._ledger.run(body)
        if opened is not None and not product.terms.repeatable:
            await self._spare(opened)
        return granted

    async def _grant(
        self, uow: UnitOfWork, buyer: Buyer, product: Product, actor: Buyer, reason: str
    ) -> tuple[Payment, Payment | None]:
        """The granted payment, and the one that was open for the same thing."""
        order = self._gift(buyer, product)
        opened = await self._opened(uow, buyer.id, product.ref)
        if not product.terms.repeatable and await self._owned(uow, order, self._clock.now()):
            raise AlreadyOwned(f"{buyer.id} already owns {product.ref}.")
        payment = replace(
            self._payment(order, Origin.GRANTED), granted_by=actor.id, grant_reason=reason
        )
        return await self._settle(uow, payment, None), opened

    def _gift(self, buyer: Buyer, product: Product) -> Order:
        now = self._clock.now()
        try:
            quote = product.pricing.quote(product, buyer, None, now)
        except PayfulfillError:  # not sold any more; it can be given all the same
            return Order(
                buyer, product, Quote(amount=_NOTHING, base_amount=_NOTHING, expires_at=now)
            )
        return Order(buyer, product, replace(quote, amount=quote.amount - quote.amount))

    async def _spare(self, opened: Payment) -> None:
        """Keeps a buyer from paying for what they were given meanwhile."""
        try:
            await self.cancel(opened.id, SYSTEM)
        except PayfulfillError as error:
            log.warning(
                "An open payment for a granted product could not be canceled: %s",
                error,
                extra={"payment_id": opened.id, "alert": "grant_beside_open_payment"},
            )

    # --- ports -------------------------------------------------------------------------------

    def _require_stripe(self) -> None:
        """Refuses a step that leads to Stripe before anything of it is written, where it cannot
        be taken."""
        if self._ledger.is_joined:
            raise CannotJoin


def _unknown_customer(step: Action | Finished, error: GatewayRefused) -> str | None:
    """The customer of whom Stripe may have refused to know; None if it was something else."""
    if error.reason != "resource_missing" or not isinstance(step, Send):
        return None
    known: str | None = step.attempt.parameters.get("customer")
    return known
