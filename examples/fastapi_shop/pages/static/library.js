// What somebody bought, and what is left of it. Downloads go through payfulfill, which checks and
// counts each one; a refusal comes with the reason, which is shown as it is.

import {
  button, call, day, el, money, payPage, person, picture, problemOf, reach, tell, wentBack,
} from "./page.js";

const place = document.getElementById("library");
const refOf = ({ productType, productId }) => `${productType}/${productId}`;

// --- Downloads -----------------------------------------------------------------------------------

/** Fetches a file. Throws a Problem that says why not. */
async function download(ref) {
  const address = `/api/downloads/${ref}?downloadId=${crypto.randomUUID()}`;
  // This asks for the first byte, so that a refusal comes to this page, with its words.
  const first = await reach(address, { headers: { Range: "bytes=0-0" }, redirect: "manual" });
  if (first.status >= 400) throw await problemOf(first);
  // Then the browser takes the whole, however large it is. It counts once: the id is the same.
  const link = el("a", { href: address, download: "" });
  link.click();
}

function downloadButton(ref, title, message) {
  const name = el("span", { className: "unseen" }, ` ${title}`);
  const made = el("button", { type: "button", className: "button small" }, "Download", name);
  made.addEventListener("click", async () => {
    if (made.ariaDisabled === "true") return; // a double click is one download
    made.ariaDisabled = "true";
    tell(message);
    try {
      await download(ref);
    } catch (problem) {
      tell(message, ...words(problem));
    }
    await recount().catch(() => {}); // the number on the page is for information only
    made.ariaDisabled = "false";
  });
  return made;
}

function words({ code, message }) {
  if (code !== "download_limit_reached") return [message];
  const next = el("a", { href: "/pay/plan/month" }, "Buy the next month");
  return [`${message} A pass does not renew itself. `, next, ", and it begins when this one ends."];
}

// --- What is shown -------------------------------------------------------------------------------

function alertPlace() {
  const message = el("div", { className: "note", hidden: true });
  message.setAttribute("role", "alert");
  return message;
}

/** For a purchase beside which another one decides about the product. */
const STANDINGS = {
  suspended: "On hold, until the payment is settled.",
  revoked: "The payment was returned, and this with it.",
  duplicate: "Paid twice: we will be in touch.",
};

/** Why a purchase gives no access; where the shop's own words for it are needed, they are above. */
function whyNot({ purchaseId, state, product }) {
  const { access } = product ?? {};
  return access?.purchaseId === purchaseId ? access.reason : STANDINGS[state];
}

function thing(purchase) {
  const message = alertPlace();
  const { title, paidAt, amount, amountText, payment, usable, productId } = purchase;
  const paid = amount === 0 ? "Yours since" : `Bought for ${money(amountText)} on`;
  const words = [`${paid} ${day(paidAt)}.`, usable ? "" : whyNot(purchase), wentBack(payment)];
  return el(
    "li",
    { className: "row" },
    el("img", { src: picture({ id: productId }), alt: "" }),
    el("div", {}, el("h3", {}, title), el("p", {}, words.filter(Boolean).join(" "))),
    usable ? downloadButton(refOf(purchase), title, message) : "",
    message,
  );
}

function pass(purchase, products) {
  const { title, usable, payment } = purchase;
  const message = alertPlace();
  const words = [span(purchase), wentBack(payment)].filter(Boolean).join(" ");
  const head = el("div", { className: "head" }, el("h2", {}, title), el("p", {}, words));
  const card = el("section", { className: "pass" }, head);
  if (!usable) return card;
  const rows = products.map((each) =>
    el(
      "li",
      { className: "row" },
      el("img", { src: picture(each), alt: "" }),
      el("h3", {}, each.title),
      downloadButton(`${each.type}/${each.id}`, each.title, message),
    ),
  );
  card.append(meter(purchase), message, el("ul", { className: "rows" }, ...rows));
  return card;
}

function span(purchase) {
  const { startsAt, endsAt, usable, state } = purchase;
  if (state in STANDINGS) return whyNot(purchase);
  if (usable) return `Runs until ${day(endsAt)}, and ends by itself.`;
  return new Date(startsAt) > new Date() ? `Begins on ${day(startsAt)}.` : `Ended on ${day(endsAt)}.`;
}

function meter({ purchaseId, downloadsRemaining: left, downloadLimit: limit }) {
  const bar = el("meter", { max: limit, value: left, ariaHidden: "true" });
  const said = left === 0 ? `All ${limit} downloads are used` : `${left} of ${limit} downloads left`;
  return el("p", { className: "left", id: purchaseId }, bar, el("span", {}, said));
}

/** What is left now. The rest of the page stays as it is, with its messages and its focus. */
async function recount() {
  const { purchases } = await call("/api/purchases/mine");
  for (const each of purchases) document.getElementById(each.purchaseId)?.replaceWith(meter(each));
}

function onItsWay({ title, status, amountText }) {
  const said =
    status === "review"
      ? "One of us is looking at this payment. Please don't pay again."
      : "Your bank is still working on this payment.";
  return el(
    "li",
    { className: "row" },
    el("div", {}, el("h3", {}, title), el("p", {}, `${money(amountText)}. ${said}`)),
  );
}

/** What a bank refused, be it days later, can be paid another way. */
function failed({ title, amountText, lastError, ui, ...ref }) {
  const way = button(payPage({ ...ref, ui }), "Pay another way", "small");
  way.append(el("span", { className: "unseen" }, ` for ${title}`));
  return el(
    "li",
    { className: "row" },
    el("img", { src: picture({ id: ref.productId }), alt: "" }),
    el("div", {}, el("h3", {}, title), el("p", {}, `${money(amountText)}. ${lastError}`), way),
  );
}

function group(title, rows) {
  if (rows.length === 0) return [];
  return [el("section", {}, el("h2", {}, title), el("ul", { className: "rows" }, ...rows))];
}

function show({ purchases, payments, products }) {
  const passes = purchases.filter((each) => each.kind === "subscription");
  const things = purchases.filter((each) => each.kind !== "subscription");
  const kept = new Set(things.filter((each) => each.usable).map(refOf));
  const open = payments.filter((each) => each.step === "processing" || each.status === "review");
  const refused = payments.filter((each) => each.status === "pending" && each.lastError);
  const types = new Set(products.flatMap((each) => each.covers));
  const covered = products.filter(({ type, id }) => types.has(type) && !kept.has(`${type}/${id}`));
  const content = [
    ...group("On its way", open.map(onItsWay)),
    ...group("Did not go through", refused.filter((each) => !open.includes(each)).map(failed)),
    ...passes.map((each) => pass(each, covered)),
    ...group("Yours to keep", things.map(thing)),
  ];
  place.replaceChildren(...(content.length ? content : [empty()]));
}

function empty() {
  return el(
    "div",
    { className: "empty" },
    el("p", {}, "There is nothing here yet. What you buy comes here, to be downloaded."),
    button("/", "To the shop"),
  );
}

async function load() {
  const [{ purchases }, { payments }, products] = await Promise.all([
    call("/api/purchases/mine"),
    call("/api/payments/my-payments"),
    call("/shop/products"),
  ]);
  const whole = (each) => ({
    ...each,
    product: products.find(({ type, id }) => refOf(each) === `${type}/${id}`),
    payment: payments.find(({ paymentId }) => paymentId === each.paymentId),
  });
  return { purchases: purchases.map(whole), payments, products };
}

if (!(await person)) location.replace("/sign-in?next=/library");
else {
  try {
    show(await load());
  } catch (problem) {
    tell(document.getElementById("message"), problem.message);
  }
  place.ariaBusy = "false";
}
