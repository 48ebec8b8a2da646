"""A shop in one file: Flask, sync services, and no more HTML than it takes.

flask --app examples/flask_shop/app.py run
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask, Request, redirect, render_template_string, request, session, url_for

from payfulfill import (
    AccessService,
    Buyer,
    Money,
    PayfulfillError,
    PaymentService,
    Period,
    Product,
    ProductRef,
    StaticCatalog,
    Terms,
    WebhookHandler,
    stores,
)
from payfulfill.errors import Forbidden, GatewayRefused, Unavailable
from payfulfill.pricing import FixedPrice
from payfulfill.rules import charged, disputes, refunds
from payfulfill.stripe import StripeGateway
from payfulfill.web import LocalFiles
from payfulfill.web.flask import blueprint

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

    from payfulfill.stores import MongoStore, PostgresStore, SQLiteStore


def _price(amount: str) -> FixedPrice:
    return FixedPrice(Money.parse(amount, "USD"))


PRODUCTS = (
    Product(ref=ProductRef("design", "poster"), title="Mountain poster", pricing=_price("39.99")),
    Product(ref=ProductRef("design", "card"), title="Mountain postcard", pricing=_price("4.99")),
    Product(ref=ProductRef("course", "printing"), title="Printing course", pricing=_price("79.00")),
    Product(
        ref=ProductRef("plan", "month"),
        title="Monthly pass",
        pricing=_price("15.00"),
        terms=Terms(period=Period(months=1), download_limit=3, covers=["design"]),
    ),
)
CATALOG = StaticCatalog(PRODUCTS)
PEOPLE = ("ada", "bob", "ines")  # yours have passwords
ADMINS = ("ines",)


class SignInFirst(Exception):
    """Nobody is signed in."""


def current_buyer(request: Request) -> Buyer | None:  # what payfulfill asks on each request
    person = session.get("person")
    return Buyer(person, is_admin=person in ADMINS) if person in PEOPLE else None


def _buyer() -> Buyer:
    buyer = current_buyer(request)
    if buyer is None:
        raise SignInFirst
    return buyer


def _admin() -> Buyer:
    buyer = _buyer()
    if not buyer.is_admin:
        raise Forbidden("Only the shop's admins see this.")
    return buyer


def create_app(environment: Mapping[str, str] = os.environ) -> Flask:
    data = Path(environment.get("SHOP_DATA") or "shop-data")
    _put_files(data / "goods")
    closing = ExitStack()
    store = choose_store(environment.get("SHOP_STORE") or str(data / "shop.db"), closing)
    store.migrate()
    gateway = StripeGateway(
        environment["STRIPE_API_KEY"], api_base=environment.get("STRIPE_API_BASE")
    )
    payments = PaymentService(store=store, gateway=gateway, catalog=CATALOG)
    webhooks = WebhookHandler(
        store=store, gateway=gateway, secrets=[environment["STRIPE_WEBHOOK_SECRET"]]
    )
    access = AccessService(store=store, catalog=CATALOG)
    publishable_key = environment["STRIPE_PUBLISHABLE_KEY"]

    app = Flask(__name__)
    app.extensions["closing"] = closing  # for whoever doesn't leave it to the process's end
    app.secret_key = environment.get("SHOP_SESSION_SECRET") or secrets.token_hex(32)
    app.config["SESSION_COOKIE_SAMESITE"] = "Lax"  # no foreign page's form comes with the cookie
    app.register_blueprint(
        blueprint(
            payments=payments,
            webhooks=webhooks,
            access=access,
            current_buyer=current_buyer,
            files=LocalFiles(data / "goods"),
            publishable_key=publishable_key,
        ),
        url_prefix="/api",
    )

    _add_admin(app, payments)

    @app.cli.command("retry-webhooks")  # for cron, each minute
    def retry_webhooks() -> None:
        webhooks.process_pending()

    @app.get("/")
    def products() -> str:
        prices = [payments.quote(Buyer("visitor"), each.ref).amount for each in PRODUCTS]
        return _page(PRODUCTS_PAGE, products=zip(PRODUCTS, prices, strict=True), people=PEOPLE)

    @app.post("/sign-in")
    def sign_in() -> Response:
        session["person"] = request.form["person"]
        return redirect(url_for("products"))

    @app.get("/pay/<kind>/<id>")
    def pay(kind: str, id: str) -> Response | str:
        checkout = payments.create(_buyer(), ProductRef(kind, id))
        after = url_for("thanks", payment_id=checkout.payment.id, _external=True)
        if checkout.client_secret is None:  # it was free
            return redirect(after)
        return _page(
            PAYMENT_PAGE,
            payment=checkout.payment,
            stripe_js=environment.get("STRIPE_JS") or "https://js.stripe.com/v3/",
            stripe={
                "key": publishable_key,
                "clientSecret": checkout.client_secret,
                "returnUrl": after,
            },
        )

    @app.post("/pay/<kind>/<id>")
    def pay_at_stripe(kind: str, id: str) -> Response:
        after = url_for("thanks", payment_id="SESSION", _external=True)
        checkout = payments.create(
            _buyer(),
            ProductRef(kind, id),
            ui="checkout",
            success_url=after.replace("SESSION", "{CHECKOUT_SESSION_ID}"),
            cancel_url=url_for("pay", kind=kind, id=id, _external=True),
            allow_promotion_codes=True,
        )
        return redirect(checkout.url or url_for("thanks", payment_id=checkout.payment.id))

    @app.get("/thanks/<payment_id>")  # whatever else is in the address: anybody can type that
    def thanks(payment_id: str) -> str:
        buyer = _buyer()
        payment = payments.get(payment_id, actor=buyer)
        try:
            payment = payments.sync(payment_id, actor=buyer)
        except (Unavailable, GatewayRefused):
            return _page(THANKS_PAGE, payment=payment, known=payment.status == "succeeded")
        return _page(THANKS_PAGE, payment=payment, known=True)

    @app.get("/library")
    def library() -> str:
        buyer = _buyer()
        files = [each for each in PRODUCTS if each.ref.type != "plan"]
        decisions = [(each, access.check(buyer, each.ref)) for each in files]
        return _page(LIBRARY_PAGE, entries=access.library(buyer), decisions=decisions)

    @app.errorhandler(PayfulfillError)
    def refuse(error: PayfulfillError) -> tuple[str, int]:
        told = error.audience == "buyer" or error.status == 422  # else it is for us
        message = error.message if told else "Something went wrong here."
        return _page(REFUSAL_PAGE, message=message), error.status

    @app.errorhandler(SignInFirst)
    def sign_in_first(error: SignInFirst) -> Response:
        return redirect(url_for("products"))

    return app


def _add_admin(app: Flask, payments: PaymentService) -> None:
    @app.get("/admin")
    def admin() -> str:
        _admin()
        paid = [each for id in PEOPLE for each in payments.history(Buyer(id))]
        paid.sort(key=lambda payment: payment.id, reverse=True)  # ids sort by time
        return _page(
            ADMIN_PAGE,
            payments=[(each, charged(each), refunds(each), disputes(each)) for each in paid],
            new_id=secrets.token_hex,
        )

    @app.post("/admin/refund/<payment_id>")
    def refund(payment_id: str) -> Response:
        actor, form = _admin(), request.form
        amount = None  # all that is left
        if form["amount"]:
            currency = payments.get(payment_id, actor=actor).amount.currency
            amount = Money.parse(form["amount"], currency)
        payments.refund(
            payment_id,
            actor=actor,
            amount=amount,
            reason=form["reason"] or None,
            request_id=form["request_id"],  # a form that is sent twice is one refund
        )
        return redirect(url_for("admin"))


def choose_store(place: str, closing: ExitStack) -> SQLiteStore | PostgresStore | MongoStore:
    """The store at a path or at a URL. Yours will be one of these lines."""
    if place.startswith("postgresql://"):
        return closing.enter_context(stores.PostgresStore(place))
    if place.startswith("mongodb://"):
        from pymongo import MongoClient  # noqa: PLC0415  # the others do without

        client: MongoClient[Any] = closing.enter_context(MongoClient(place))
        return stores.MongoStore(client, database=client.get_default_database().name)
    return closing.enter_context(stores.SQLiteStore(place))


def _put_files(folder: Path) -> None:
    for ref in (each.ref for each in PRODUCTS if each.ref.type != "plan"):
        (folder / ref.type).mkdir(parents=True, exist_ok=True)
        (folder / ref.type / f"{ref.id}.txt").write_text(f"This is {ref}.\n", "utf-8")


def _page(content: str, **values: Any) -> str:
    return render_template_string(FRAME.replace("CONTENT", content), admins=ADMINS, **values)


# --- The pages -------------------------------------------------------------------------------

FRAME = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>A shop in one file</title>
<nav>
  <a href="{{ url_for('products') }}">Shop</a>
  <a href="{{ url_for('library') }}">Library</a>
  {% if session.person in admins %}<a href="{{ url_for('admin') }}">Payments</a>{% endif %}
</nav>
CONTENT
</html>
"""

PRODUCTS_PAGE = """
<h1>A shop in one file</h1>
<ul>
  {% for product, price in products %}
  <li>{{ product.title }}, {{ price }}:
    <a href="{{ url_for('pay', kind=product.ref.type, id=product.ref.id) }}">buy</a></li>
  {% endfor %}
</ul>
<form method="post" action="{{ url_for('sign_in') }}">
  {% if session.person %}You are {{ session.person }}.{% else %}Sign in to buy:{% endif %}
  {% for each in people %}<button name="person" value="{{ each }}">I am {{ each }}</button>
  {% endfor %}
</form>
"""

PAYMENT_PAGE = """
<h1>{{ payment.title }}: {{ payment.amount }}</h1>
<form method="post"><button>Pay on Stripe's page</button> or here:</form>
<form id="form">
  <div id="payment-element"></div>
  <button id="pay">Pay</button>
  <p id="message" role="alert"></p>
</form>
<script src="{{ stripe_js }}"></script>
<script>
  const { key, clientSecret, returnUrl } = {{ stripe | tojson }};
  const stripe = Stripe(key);
  const elements = stripe.elements({ clientSecret });
  elements.create("payment").mount("#payment-element");
  const pay = document.getElementById("pay");
  document.getElementById("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    pay.disabled = true;
    const confirmParams = { return_url: returnUrl };
    const { error } = await stripe.confirmPayment({ elements, confirmParams });
    document.getElementById("message").textContent = error.message;
    pay.disabled = false;
    // Paid in another tab meanwhile.
    if (error.payment_intent?.status === "succeeded") location.assign(returnUrl);
  });
</script>
"""

THANKS_PAGE = """
{% set open = payment.status in ("created", "pending") %}
{% if open %}<meta http-equiv="refresh" content="3">{% endif %}
<h1>{{ payment.title }}</h1>
<p role="status">
  {% if not known %}We could not find out yet whether you have paid. This page keeps asking.
  {% elif payment.status == "succeeded" %}It is paid, and yours: see your library.
  {% elif payment.status == "review" %}We need to look at this payment. Please don't pay again.
  {% elif payment.status in ("partially_refunded", "refunded", "disputed") %}It was paid, and is now
    {{ payment.status.replace("_", " ") }}: your library says what you have of it.
  {% elif payment.status == "canceled" %}This payment was called off. You were not charged.
  {% elif payment.intent_status == "processing" %}Your bank is still working on it. That can take
    some days, and you can leave this page.
  {% else %}{{ payment.last_error or "" }} This is not paid:
    <a href="{{ url_for('pay', kind=payment.product.type, id=payment.product.id) }}">try again</a>.
  {% endif %}
</p>
"""

LIBRARY_PAGE = """
<h1>Your library</h1>
<ul>
  {% for entry in entries %}
  <li>{{ entry.purchase.title }}
    {%- if entry.ends_at %}, until {{ entry.ends_at.date() }}{% endif %}
    {%- if entry.remaining is not none %}, {{ entry.remaining }} downloads left{% endif %}</li>
  {% else %}<li>You have bought nothing yet.</li>
  {% endfor %}
</ul>
<h2>Downloads</h2>
<ul>
  {% for product, decision in decisions %}
  <li>{{ product.title }}:
    {% if decision.allowed %}
    <a href="/api/downloads/{{ product.ref.type }}/{{ product.ref.id }}">download</a>
    {% else %}{{ decision.reason }}{% endif %}</li>
  {% endfor %}
</ul>
"""

ADMIN_PAGE = """
<h1>Payments</h1>
<ul>
  {% for payment, paid, refunds, disputes in payments %}
  <li>{{ payment.title }}, {{ paid.amount if paid else payment.amount }}, {{ payment.buyer_id }}:
    {{ payment.status.replace("_", " ") }}
    {% for each in refunds %}<br>refund of {{ each.amount }}: {{ each.status }}
    {%- if each.reason %}, {{ each.reason }}{% endif %}{% endfor %}
    {% for each in disputes %}<br>dispute: {{ (each.status or "unread").replace("_", " ") }}
    {%- if each.funds_withdrawn %}, the bank has the money{% endif %}{% endfor %}
    {% if payment.intent_id and payment.succeeded_at and payment.status != "refunded" %}
    <form method="post" action="{{ url_for('refund', payment_id=payment.id) }}">
      <input type="hidden" name="request_id" value="{{ new_id() }}">
      <label>Amount (empty: all that is left) <input name="amount" inputmode="decimal"></label>
      <label>Reason <input name="reason" maxlength="500"></label>
      <button>Refund {{ payment.title }}</button>
    </form>
    {% endif %}</li>
  {% else %}<li>Nothing was sold yet.</li>
  {% endfor %}
</ul>
"""

REFUSAL_PAGE = """<p role="alert">{{ message }}</p>"""
