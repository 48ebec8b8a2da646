// The payment page. What it needs of payfulfill is one call: POST /api/payments/create gives the
// client secret and the publishable key for Stripe's Payment Element.
// https://docs.stripe.com/payments/accept-a-payment?ui=elements

import { Problem, button, call, day, el, money, picture, tell, wentBack } from "./page.js";

const [, , productType, productId] = location.pathname.split("/");
const at = (id) => document.getElementById(id);
const dark = matchMedia("(prefers-color-scheme: dark)");

// --- What is bought ------------------------------------------------------------------------------

async function showOrder() {
  const products = await call("/shop/products");
  const product = products.find((each) => each.type === productType && each.id === productId);
  if (!product) return;
  at("title").textContent = product.title;
  at("about").textContent = product.about;
  at("art").src = picture(product);
  at("art").hidden = false;
  at("terms").append(...terms(product).map((each) => el("li", {}, each)));
  if (["revoked", "suspended"].includes(product.access?.code)) await showWhatBecame(product);
  else if (product.covers.length) await showPassThatRuns();
}

function terms({ type, covers, downloadLimit }) {
  if (covers.length) {
    return [`${downloadLimit} downloads, of any poster`, "One month", "Ends by itself"];
  }
  const format = type === "course" ? "Texts to download (ZIP)" : "A4, A3 and A2 (SVG, in a ZIP)";
  return [format, "Yours to keep"];
}

/** Bought before, and gone or on hold: say why, and what of the money went back. */
async function showWhatBecame({ access }) {
  const [{ purchases }, { payments }] = await Promise.all([
    call("/api/purchases/mine"),
    call("/api/payments/my-payments"),
  ]);
  const bought = purchases.find((each) => each.purchaseId === access.purchaseId);
  const payment = payments.find((each) => each.paymentId === bought?.paymentId);
  tell(at("hint"), [access.reason, wentBack(payment)].join(" "));
}

/** A pass may be bought while another one runs: say what that buys. */
async function showPassThatRuns() {
  const { purchases } = await call("/api/purchases/mine");
  const ends = purchases
    .filter((each) => each.productId === productId && each.state === "active" && each.endsAt)
    .map((each) => each.endsAt)
    .sort();
  if (ends.length === 0 || new Date(ends.at(-1)) < new Date()) return;
  tell(at("hint"), `Your pass runs until ${day(ends.at(-1))}. This one begins when it ends.`);
}

// --- The payment ---------------------------------------------------------------------------------

/** Opens the payment. A reload, a second tab or a second click finds the same one again. */
async function open() {
  const payment = await call("/api/payments/create", { productType, productId });
  if (payment.clientSecret === null) return thanks(payment.paymentId); // free: it is paid already
  at("amount").textContent = money(payment.amountText);
  at("pay").textContent = `Pay ${money(payment.amountText)}`;
  showForm(payment);
}

function showForm({ paymentId, clientSecret, publishableKey }) {
  if (!window.Stripe) {
    throw new Problem(0, "no_script", "The payment form can't be loaded. Check your connection.");
  }
  const stripe = Stripe(publishableKey);
  const elements = stripe.elements({ clientSecret, appearance: appearance() });
  const element = elements.create("payment", { layout: "tabs" });
  element.on("ready", () => {
    at("waiting").hidden = true;
    at("pay").disabled = false;
  });
  element.on("loaderror", ({ error }) => fail(error.message));
  at("form").hidden = false;
  element.mount("#payment-element");
  dark.addEventListener("change", () => elements.update({ appearance: appearance() }));
  at("form").addEventListener("submit", (event) => {
    event.preventDefault();
    pay(stripe, elements, paymentId);
  });
}

/** The element is drawn by Stripe, in the shop's colours. */
function appearance() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  return {
    theme: dark.matches ? "night" : "stripe",
    variables: {
      borderRadius: "10px",
      colorBackground: colour("--field"),
      colorPrimary: colour("--accent"),
      colorText: colour("--ink"),
    },
  };
}

async function pay(stripe, elements, paymentId) {
  if (at("pay").disabled) return;
  const words = at("pay").textContent;
  at("pay").disabled = true;
  at("pay").textContent = "Paying …";
  tell(at("message"));
  // On success the browser leaves for the return address: whatever comes back is an error.
  const { error } = await stripe.confirmPayment({
    elements,
    confirmParams: { return_url: address(paymentId) },
  });
  // Paid in another tab meanwhile: not an error to the buyer.
  if (["processing", "succeeded"].includes(error.payment_intent?.status)) return thanks(paymentId);
  at("pay").disabled = false;
  at("pay").textContent = words;
  // What is wrong with a field, the element says beside it.
  if (error.type !== "validation_error") tell(at("message"), error.message);
}

function address(paymentId) {
  return `${location.origin}/thanks?payment=${paymentId}`;
}

function thanks(paymentId) {
  location.replace(address(paymentId));
}

function fail(words, ...more) {
  for (const id of ["waiting", "total", "form"]) at(id).hidden = true;
  tell(at("message"), el("p", {}, words), ...more);
}

/** Why there is nothing to pay, and where to go. */
function refuse({ status, code, message }) {
  const places = {
    already_owned: button("/library", "To your library"),
    payment_in_review: button("/library", "To your library"),
    payment_processing: button("/library", "To your library"),
    product_unavailable: button("/", "Back to the shop"),
    unknown_product: button("/", "Back to the shop"),
  };
  if (status === 401) return; // on the way to sign in
  at("message").classList.toggle("calm", code in places); // the buyer did nothing wrong
  const link = places[code] ?? button(location.href, "Try again");
  fail(message, el("p", { className: "actions" }, link));
}

// Back from the thank-you page, the browser may show this page as it was left: look anew.
addEventListener("pageshow", (event) => event.persisted && location.reload());

showOrder().catch(() => {}); // the payment says what is wrong
open().catch(refuse);
