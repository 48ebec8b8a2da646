// What every page has: who is signed in, calls of the shop, and small things for showing.

/** A refusal, or an answer that never came. `message` is for whoever looks at the page. */
export class Problem extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status; // 0: there was no answer
    this.code = code;
  }
}

/** Calls the shop: a POST if there is something to send. Whoever isn't signed in goes to do that. */
export async function call(path, sent) {
  const response = await reach(path, sent === undefined ? {} : posted(sent));
  if (!response.ok) throw await problemOf(response);
  return response.json();
}

export async function reach(path, options) {
  try {
    return await fetch(path, options);
  } catch {
    throw new Problem(0, "unreachable", "The shop can't be reached. Check your connection.");
  }
}

function posted(sent) {
  const headers = { "Content-Type": "application/json" };
  return { method: "POST", headers, body: JSON.stringify(sent) };
}

/** payfulfill says in `detail` why it refuses, in words for the buyer. */
export async function problemOf(response) {
  const { code, detail } = await response.json().catch(() => ({}));
  if (response.status === 401) {
    const here = location.pathname + location.search;
    location.assign(`/sign-in?next=${encodeURIComponent(here)}`);
  }
  const words = typeof detail === "string" ? detail : "Something went wrong here. Try again.";
  return new Problem(response.status, code ?? "unknown", words);
}

/** Shows a message in a place that is read out (`role="alert"`); nothing hides it. */
export function tell(place, ...words) {
  place.replaceChildren(...words);
  place.hidden = words.length === 0;
}

/** An element: `el("a", { href: "/" }, "Shop")`. Texts are texts, never HTML. */
export function el(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

/** A link that looks like a button. */
export function button(href, text, look = "") {
  return el("a", { className: `button ${look}`, href }, text);
}

/** "39.99 USD" as people write it. */
export function money(text) {
  const [amount, currency] = text.split(" ");
  return new Intl.NumberFormat("en", { style: "currency", currency }).format(amount);
}

/** How an amount is written: its decimals, and what the last of them is worth in minor units. That is
 *  1 of most currencies, and 100 of those that have no decimals but are charged as if they had. */
function measure({ amount, amountText }) {
  const [number, currency] = amountText.split(" ");
  const decimals = number.split(".")[1]?.length ?? 0;
  return { currency, decimals, worth: amount / Number(number.replace(".", "")) };
}

/** Minor units of a payment's currency, 1050 cents, in the form of its `amountText`: "10.50 USD". */
export function inText(minor, payment) {
  const { currency, decimals, worth } = measure(payment);
  const digits = String(minor / worth).padStart(decimals + 1, "0");
  const point = digits.length - decimals;
  return `${digits.slice(0, point)}${decimals ? `.${digits.slice(point)}` : ""} ${currency}`;
}

/** "10.5", as somebody types it, in minor units of a payment's currency: 1050. Null: no amount. */
export function inMinor(typed, payment) {
  const { decimals, worth } = measure(payment);
  const [, whole, part = ""] = /^(\d{1,9})(?:[.,](\d*))?$/.exec(typed.trim()) ?? [];
  if (whole === undefined || part.length > decimals) return null;
  return Number(whole + part.padEnd(decimals, "0")) * worth;
}

/** What of a payment went back to the buyer, or is on its way; "" for nothing. */
export function wentBack(payment) {
  if (!payment?.refunded) return "";
  const { refunded, charged, chargedText } = payment;
  const of = refunded < charged ? ` of ${money(chargedText)}` : "";
  return `${money(inText(refunded, payment))}${of} was refunded.`;
}

/** Where a payment goes on, in the way in which it was begun. */
export function payPage({ productType, productId, ui }) {
  return `/pay/${productType}/${productId}${ui === "checkout" ? "?ui=checkout" : ""}`;
}

/** A time of the shop's as a day: "24 December 2026", the same day as in payfulfill's words. */
export function day(time) {
  const form = { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" };
  return new Intl.DateTimeFormat("en-GB", form).format(new Date(time));
}

export function picture({ id }) {
  return `/static/art/${id}.svg`;
}

// --- The head of each page -----------------------------------------------------------------------

function mark(link) {
  if (link.pathname === location.pathname) link.setAttribute("aria-current", "page");
}

document.querySelectorAll("nav a").forEach(mark);

/** Who is signed in, or null. */
export const person = call("/shop/me").then(
  (me) => me.person,
  () => null,
);

person.then((someone) => {
  const account = document.getElementById("account");
  if (!someone) {
    if (location.pathname !== "/sign-in") account.append(button("/sign-in", "Sign in", "small"));
    return;
  }
  if (someone.isAdmin) {
    const payments = el("a", { href: "/admin" }, "Payments");
    document.querySelector("nav").append(payments);
    mark(payments);
  }
  const leave = el("button", { className: "plain", type: "button" }, "Sign out");
  leave.addEventListener("click", async () => {
    await call("/shop/sign-out", {});
    location.assign("/");
  });
  account.append(el("span", { className: "name" }, someone.name.split(" ")[0]), leave);
});
