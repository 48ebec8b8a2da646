// The payment page. What it needs of payfulfill is one call: POST /api/payments/create gives the
// client secret and the publishable key for Stripe's Payment Element, or the address of Stripe's own
// page. https://docs.stripe.com/payments/accept-a-payment?ui=elements

import { Problem, button, call, day, el, money, payPage, picture, tell, wentBack } from "./page.js";

const [, , productType, productId] = location.pathname.split("/");
const onStripe = new URLSearchParams(location.search).get("ui") === "checkout";
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
  const payment = await create(onStripe ? "checkout" : "elements");
  const { paymentId, clientSecret, url, amountText } = payment;
  if (clientSecret === null && url === null) return thanks(paymentId); // free: it is paid already
  at("amount").textContent = money(amountText);
  at("pay").textContent = `Pay ${money(amountText)}`;
  at("elsewhere").hidden = false;
  if (onStripe) offerBoth();
  else showForm(payment);
}

function create(ui) {
  const wanted = { productType, productId, ui };
  const cancelUrl = location.origin + payPage(wanted); // where Stripe's link back leads
  return call("/api/payments/create", ui === "checkout" ? { ...wanted, cancelUrl } : wanted);
}

// --- On Stripe's page ----------------------------------------------------------------------------

/** Back from Stripe's page without having paid there: its payment stays open until the buyer wants to
 *  pay here, which closes it. There is never more than one. */
function offerBoth() {
  at("waiting").hidden = true;
  at("leave").classList.remove("quiet");
  at("here").href = location.pathname;
  at("here").hidden = false;
}

async function leave() {
  if (at("leave").ariaDisabled === "true") return;
  busy(true);
  try {
    const { url, paymentId } = await create("checkout");
    if (url === null) thanks(paymentId);
    else location.assign(url);
  } catch (problem) {
    refuse(problem);
    busy(false);
  }
}

function busy(is) {
  at("leave").ariaDisabled = String(is);
  at("pay").disabled = is;
}

// --- On this page --------------------------------------------------------------------------------

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
  busy(true);
  at("pay").textContent = "Paying …";
  tell(at("message"));
  // On success the browser leaves for the return address: whatever comes back is an error.
  const { error } = await stripe.confirmPayment({
    elements,
    confirmParams: { return_url: address(paymentId) },
  });
  // Paid in another tab meanwhile: not an error to the buyer.
  if (["processing", "succeeded"].includes(error.payment_intent?.status)) return thanks(paymentId);
  busy(false);
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
  at("elsewhere").hidden = code !== "no_script"; // for that the form is needed, for Stripe's page not
  at("message").classList.toggle("calm", code in places); // the buyer did nothing wrong
  const link = places[code] ?? button(location.href, "Try again");
  fail(message, el("p", { className: "actions" }, link));
}

// Back from the thank-you page, the browser may show this page as it was left: look anew.
addEventListener("pageshow", (event) => event.persisted && location.reload());

const { code } = at("promotion").dataset;
if (code) at("promotion").textContent = `The promotion code ${code} is taken there.`;
at("leave").addEventListener("click", leave);
showOrder().catch(() => {}); // the payment says what is wrong
open().catch(refuse);
