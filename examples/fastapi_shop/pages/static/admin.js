// Every payment, for the shop's admins. What they see comes from the shop (admin.py); a refund is one
// call of payfulfill: POST /api/payments/refund.

import { button, call, day, el, inMinor, inText, money, person, tell } from "./page.js";

const place = document.getElementById("payments");
const message = document.getElementById("message");
const address = `/shop/admin/payments${location.search}`; // the page that is asked for, if not the first

// --- Words ---------------------------------------------------------------------------------------

const STATUS = {
  created: "Opened",
  pending: "Not paid yet",
  succeeded: "Paid",
  partially_refunded: "Refunded in part",
  refunded: "Refunded",
  disputed: "Disputed",
  canceled: "Called off",
  review: "To be looked at",
};

const REFUND = {
  requested: "it is being found out whether Stripe made it",
  refused: "Stripe refused, and nothing went back",
  pending: "it is on its way",
  requires_action: "it waits for the buyer to say where to",
  succeeded: "it went back",
  failed: "it failed, and the shop has the money again",
  canceled: "it was called off",
};

const plain = (word) => word.replaceAll("_", " ");

function refundWords({ amountText, status, createdAt, by, reason, failure }) {
  const why = failure ? ` (${plain(failure)})` : "";
  const who = by ? `by ${by}` : "at Stripe";
  const said = reason ? `, \u201c${reason}\u201d` : "";
  return `${money(amountText)} on ${day(createdAt)}, ${who}${said}: ${REFUND[status]}${why}`;
}

function disputeWords({ status, fundsWithdrawn, createdAt }) {
  const where = fundsWithdrawn ? "the bank has the money" : "the shop has the money";
  return `Opened on ${day(createdAt)}: ${plain(status ?? "not read yet")}; ${where}`;
}

const reviewWords = ({ detail, openedAt }) => `Since ${day(openedAt)}: ${detail}`;

/** Free and granted ones have no money that could come or go. */
function standing({ origin, status, step }) {
  if (status === "pending" && step === "processing") return "The bank has it";
  return { free: "Free", granted: "Granted" }[origin] ?? STATUS[status];
}

/** How it was to be paid, and what Stripe's page made of the price. */
function wayWords({ origin, ui, lastError, status, amountText, discountText, taxText }) {
  if (origin !== "stripe") return [];
  const words = [ui === "checkout" ? "On Stripe's page" : "On the shop's page"];
  if (discountText) words.push(`${money(discountText)} off ${money(amountText)} by a promotion code`);
  if (taxText) words.push(`${money(taxText)} of it tax`);
  if (status === "pending" && lastError) words.push(`last refused: ${lastError}`);
  return words;
}

function when({ origin, createdAt, succeededAt }) {
  if (origin !== "stripe") return day(createdAt);
  return succeededAt ? `paid on ${day(succeededAt)}` : `opened on ${day(createdAt)}`;
}

// --- One payment ---------------------------------------------------------------------------------

function card(payment) {
  const { paymentId, buyer, title, amountText, chargedText, refunded, status } = payment;
  const back = refunded ? el("p", {}, `${money(inText(refunded, payment))} refunded`) : "";
  const heading = el("h2", { id: paymentId }, title);
  const made = el(
    "article",
    { className: "paid" },
    el(
      "div",
      { className: "head" },
      el("div", {}, heading, el("p", {}, `${buyer}, ${when(payment)}`)),
      el("p", { className: "price" }, el("strong", {}, money(chargedText ?? amountText))),
      el("p", { className: `status ${status}` }, standing(payment)),
      back,
    ),
    el("p", { className: "way" }, wayWords(payment).join("; ")),
    ...list("To look at", payment.reviews.map(reviewWords)),
    ...list("Disputes", payment.disputes.map(disputeWords)),
    ...list("Refunds", payment.refunds.map(refundWords)),
    ...form(payment),
  );
  made.setAttribute("aria-labelledby", paymentId);
  return made;
}

function list(title, items) {
  if (items.length === 0) return [];
  const lines = items.map((words) => el("li", {}, words));
  return [el("div", { className: "facts" }, el("h3", {}, title), el("ul", {}, ...lines))];
}

// --- Giving money back ---------------------------------------------------------------------------

function form(payment) {
  const { origin, succeededAt, status, paymentId, title } = payment;
  if (origin !== "stripe" || !succeededAt || status === "refunded") return [];
  const amount = el("input", { id: `amount-${paymentId}`, inputMode: "decimal", autocomplete: "off" });
  const reason = el("input", { id: `reason-${paymentId}`, maxLength: 500, autocomplete: "off" });
  const send = el("button", { className: "button small" });
  const alert = el("p", { className: "note", hidden: true });
  alert.setAttribute("role", "alert");
  const made = el(
    "form",
    { noValidate: true },
    field("Amount", "Empty: all that is left", amount),
    field("Reason", "For the shop's books; the buyer doesn't see it", reason),
    send,
    alert,
  );
  // Sent twice with the same id, it is one refund; another amount or reason is another request.
  let requestId;
  const renew = () => {
    requestId = crypto.randomUUID();
    const minor = inMinor(amount.value, payment);
    const known = minor === null ? "" : ` ${money(inText(minor, payment))}`;
    send.textContent = amount.value.trim() ? `Refund${known}` : "Refund all that is left";
  };
  made.addEventListener("input", renew);
  renew();
  made.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (send.ariaDisabled === "true") return;
    send.ariaDisabled = "true";
    tell(alert);
    try {
      await refund(payment, { amount: amount.value, reason: reason.value, requestId });
    } catch (problem) {
      tell(alert, problem.message, isUnsure(problem) ? UNSURE : "");
    }
    send.ariaDisabled = "false";
  });
  const unseen = el("span", { className: "unseen" }, ` ${title}, ${payment.buyer}`);
  return [el("details", {}, el("summary", {}, "Give money back", unseen), made)];
}

const UNSURE = " Whether it was made is being found out. Sent again as it is, it stays one refund.";
const isUnsure = ({ status }) => status === 0 || status >= 500;

function field(name, hint, input) {
  const words = el("span", { className: "hint-line", id: `${input.id}-hint` }, hint);
  input.setAttribute("aria-describedby", words.id);
  return el("div", { className: "field" }, el("label", { htmlFor: input.id }, name), input, words);
}

/** Gives money back, and shows what that makes of the payment. Throws a Problem that says why not. */
async function refund(payment, { amount, reason, requestId }) {
  const minor = amount.trim() === "" ? null : inMinor(amount, payment);
  if (amount.trim() !== "" && minor === null) {
    throw new Error(`Write an amount such as ${payment.amountText.split(" ")[0]}.`);
  }
  const { paymentId, buyer, title } = payment;
  const sent = { paymentId, amount: minor, reason: reason.trim() || null, requestId };
  const made = await call("/api/payments/refund", sent);
  await load();
  const words = `${money(made.amountText)} for ${title}, to ${buyer}: ${REFUND[made.status]}.`;
  const news = el("p", { className: "note good", tabIndex: -1 }, words); // read out by its focus
  document.getElementById(paymentId)?.closest("article").append(news);
  news.focus();
}

// --- The page ------------------------------------------------------------------------------------

async function load() {
  const { payments, next, reviews } = await call(address);
  const older = `/admin?before=${encodeURIComponent(next)}`;
  place.replaceChildren(
    ...list("To look at, of no payment here", reviews.map(reviewWords)),
    ...(payments.length ? payments.map(card) : [el("p", {}, "There are no payments here.")]),
    el(
      "p",
      { className: "actions" },
      ...(location.search ? [button("/admin", "The newest", "quiet")] : []),
      ...(next ? [button(older, "Older payments", "quiet")] : []),
    ),
  );
}

if (!(await person)) location.replace("/sign-in?next=/admin");
else {
  try {
    await load();
  } catch (problem) {
    tell(message, problem.message);
  }
  place.ariaBusy = "false";
}
