// Checkout's page: what is bought, and the form to pay it. The card's fields are those of the
// sandbox's own Stripe.js, in their frame.

import { money } from "./money.js";
import { Refused, ask } from "./server.js";

const sessionId = decodeURIComponent(location.pathname.split("/").pop());
const root = `/_sandbox/checkout/${encodeURIComponent(sessionId)}`;
const at = (id) => document.getElementById(id);

let session = null;
let stripe = null;
let elements = null;
let leaving = false;

// --- What is bought ------------------------------------------------------------------------

function row(label, amount, note) {
  const line = document.createElement("tr");
  const head = document.createElement("th");
  const cell = document.createElement("td");
  head.scope = "row";
  head.append(label);
  if (note) head.append(Object.assign(document.createElement("small"), { textContent: note }));
  cell.append(amount);
  line.append(head, cell);
  return line;
}

function itemRow({ name, description, quantity, each, amount }) {
  const shown = money(amount, session.currency);
  const unit = each === null ? "" : ` × ${money(each, session.currency)}`;
  const notes = [description, quantity > 1 && `${quantity}${unit}`].filter(Boolean);
  return row(name, shown, notes.join(" · "));
}

function showOrder() {
  const sum = (amount) => money(amount, session.currency);
  const { code, discount, reckons_tax: reckonsTax, subtotal, tax, total } = session;
  at("seller").textContent = `Pay ${session.seller}`;
  at("total").textContent = sum(total);
  at("items").replaceChildren(...session.items.map(itemRow));
  at("sums").replaceChildren(
    ...(discount || reckonsTax ? [row("Subtotal", sum(subtotal))] : []),
    ...(discount ? [row("Discount", `−${sum(discount)}`, code)] : []),
    ...(reckonsTax ? [row("Tax", sum(tax))] : []),
    row("Total due", sum(total)),
  );
  at("code-form").hidden = !session.takes_codes || code !== null;
  at("applied").hidden = !session.takes_codes || code === null;
  at("applied-code").textContent = code ?? "";
  at("order").hidden = false;
  link("back", session.back);
}

function link(id, address, text) {
  at(id).hidden = !address;
  if (!address) return;
  at(id).href = address;
  if (text) at(id).textContent = text;
}

// --- The form ------------------------------------------------------------------------------

function showForm() {
  const { email, knows_email: known, keeps, total } = session;
  if (email && !at("email").value) at("email").value = email;
  at("email").readOnly = known;
  at("keeps").hidden = !keeps;
  at("pay").textContent = total ? `Pay ${money(total, session.currency)}` : "Complete order";
  showFields();
  at("payment").hidden = false;
}

/** The fields of the card or the account, where there is something to pay. */
function showFields() {
  const { currency, key, methods, total: amount } = session;
  at("element").hidden = amount === 0;
  if (amount === 0) return;
  if (elements) {
    elements.update({ amount });
    return;
  }
  stripe = window.Stripe(key);
  elements = stripe.elements({ mode: "payment", amount, currency, paymentMethodTypes: methods });
  const fields = elements.create("payment");
  // Until they are there the button moves, and who presses it hits something else.
  at("pay").disabled = true;
  for (const end of ["ready", "loaderror"]) fields.on(end, () => (at("pay").disabled = false));
  fields.mount("#element");
}

async function pay() {
  tell("trouble", "");
  if (!at("email").checkValidity() || !at("email").value) {
    at("email").setAttribute("aria-invalid", "true");
    tell("email-error", "Enter your email address, such as ada@example.com.");
    at("email").focus();
    return;
  }
  at("email").removeAttribute("aria-invalid");
  tell("email-error", "");
  const email = at("email").value;
  const name = at("name").value.trim();
  const method = session.total ? await collect({ email, ...(name && { name }) }) : "";
  if (method === null) return;
  show(await ask(`${root}/pay`, { payment_method: method, email, name }));
}

/** The id of a payment method of what was typed; null, if it isn't complete. */
async function collect(details) {
  const checked = await elements.submit();
  if (checked.error) return null; // the fields say it themselves
  const { paymentMethod, error } = await stripe.createPaymentMethod({
    elements,
    params: { billing_details: details },
  });
  if (error) throw new Refused(error.message);
  return paymentMethod.id;
}

function tell(id, message) {
  at(id).textContent = message;
}

/** Runs the task with the buttons out of use, and shows what is refused at `place`. */
async function busily(place, task) {
  const buttons = [...document.querySelectorAll("button")];
  for (const button of buttons) button.disabled = true;
  at("page").setAttribute("aria-busy", "true");
  try {
    await task();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    await refresh(error);
    tell(place, error.message);
    if (place === "trouble") at("trouble").focus();
  } finally {
    for (const button of buttons) button.disabled = leaving;
    at("page").setAttribute("aria-busy", "false");
  }
}

/** What was refused may have happened because the session has ended meanwhile. */
async function refresh(refusal) {
  try {
    show(await ask(`${root}/come`));
  } catch {
    throw refusal;
  }
}

// --- The end -------------------------------------------------------------------------------

const ENDS = {
  complete: ["Done", "This order is complete.", "Go on to the shop"],
  expired: ["This page has expired", "Nothing was paid. Start again in the shop.", "Back to the shop"],
};

function showEnd(title, text, address, label) {
  at("order").hidden = at("payment").hidden = true;
  at("end-title").textContent = title;
  at("end-text").textContent = text;
  link("end-link", address, label);
  at("end").hidden = false;
}

/** Goes to another page, and lets nothing more be done on this one. */
function leave(address) {
  leaving = true;
  location.assign(address);
}

// Back from there the browser may show this page as it was when it was left.
window.addEventListener("pageshow", (event) => event.persisted && location.reload());

// --- All of it -----------------------------------------------------------------------------

function show(found) {
  session = found;
  if (session.status === "complete" && session.forward) {
    leave(session.forward);
  } else if (session.status !== "open") {
    const [title, text, label] = ENDS[session.status];
    showEnd(title, text, session.back, label);
  } else {
    showOrder();
    showForm();
  }
}

at("pay-form").addEventListener("submit", (event) => {
  event.preventDefault();
  busily("trouble", async () => {
    await pay();
    if (session.status === "open" && session.bank) leave(session.bank);
  });
});
at("code-form").addEventListener("submit", (event) => {
  event.preventDefault();
  tell("code-error", "");
  busily("code-error", async () => {
    show(await ask(`${root}/code`, { code: at("code").value }));
    at("remove").focus();
  });
});
at("remove").addEventListener("click", () => busily("code-error", async () => {
  show(await ask(`${root}/code`));
  at("code").value = "";
  at("code").focus();
}));

try {
  show(await ask(`${root}/come`));
  tell("trouble", session.trouble ?? "");
} catch (error) {
  showEnd("There is no such page", error.message);
}
at("page").setAttribute("aria-busy", "false");
