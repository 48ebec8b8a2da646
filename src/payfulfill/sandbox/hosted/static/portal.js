// The portal's page: what a customer keeps, which they can have forgotten, and what they paid.

import { money } from "./money.js";
import { Refused, ask } from "./server.js";

const root = `/_sandbox/portal/${encodeURIComponent(location.pathname.split("/").pop())}`;
const at = (id) => document.getElementById(id);
const DAY = new Intl.DateTimeFormat("en", { dateStyle: "medium" });

function element(name, text) {
  return Object.assign(document.createElement(name), { textContent: text });
}

function nameOf({ brand, last4 }) {
  return `${brand.charAt(0).toUpperCase()}${brand.slice(1)} •••• ${last4}`;
}

function methodItem(method) {
  const { until, is_default: isDefault } = method;
  const item = document.createElement("li");
  const about = element("span", `${nameOf(method)} `);
  const notes = [
    until && `until ${String(until[0]).padStart(2, "0")}/${until[1]}`,
    isDefault && "default",
  ].filter(Boolean);
  about.append(element("small", notes.join(" · ")));
  const button = element("button", "Remove");
  button.type = "button";
  button.setAttribute("aria-label", `Remove ${nameOf(method)}`);
  button.addEventListener("click", () => remove(method));
  item.append(about, button);
  return item;
}

const WORDS = { succeeded: "Paid", pending: "On its way" };

function paymentRow({ time, description, amount, refunded, currency, status }) {
  const line = document.createElement("tr");
  const given = refunded === amount ? "Refunded" : `${money(refunded, currency)} refunded`;
  line.append(
    element("td", DAY.format(new Date(time * 1000))),
    element("td", description ?? ""),
    element("td", money(amount, currency)),
    element("td", refunded ? given : WORDS[status]),
  );
  return line;
}

function show({ seller, customer, back, methods, payments }) {
  at("title").textContent = `${customer} at ${seller}`;
  at("back").hidden = !back;
  if (back) at("back").href = back;
  at("methods").replaceChildren(...methods.map(methodItem));
  at("no-methods").hidden = methods.length > 0;
  at("rows").replaceChildren(...payments.map(paymentRow));
  at("payments").hidden = payments.length === 0;
  at("no-payments").hidden = payments.length > 0;
  at("content").hidden = false;
}

async function remove(method) {
  at("trouble").textContent = at("news").textContent = "";
  for (const button of document.querySelectorAll("button")) button.disabled = true;
  try {
    show(await ask(`${root}/remove`, { payment_method: method.id }));
    at("news").textContent = `${nameOf(method)} was removed.`;
    at("title").focus(); // its button, which had the focus, is gone
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    at("trouble").textContent = error.message;
    for (const button of document.querySelectorAll("button")) button.disabled = false;
  }
}

try {
  show(await ask(`${root}/come`));
} catch (error) {
  at("end-text").textContent = error.message;
  at("end").hidden = false;
}
at("page").setAttribute("aria-busy", "false");
