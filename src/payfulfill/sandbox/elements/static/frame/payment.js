// The page in the Payment Element's frame. What is typed here goes to the sandbox and nowhere
// else: the shop's page learns whether it is complete, and the id of the payment method.

import { applyAppearance } from "./appearance.js";
import { CardForm } from "./card.js";
import { openLine } from "./line.js";
import { Tabs } from "./tabs.js";

const loader = document.getElementById("loader");
const refusal = document.getElementById("refusal");
const element = document.getElementById("element");

const tabs = new Tabs(changed);
const card = new CardForm(changed);
const accounts = [...document.querySelectorAll("[name=account]")];

let key = "";
let readOnly = false;
let lastChange = "";

/** Resolves to `{}` when the element can be used, or to `{error}`. */
let settle;
let settled = new Promise((resolve) => {
  settle = resolve;
});

const send = openLine({
  greeting: begin,
  options: ({ options }) => configure(options),
  appearance: ({ appearance }) => applyAppearance(appearance),
  methods: ({ methods }) => offer(methods),
  refuse: ({ error }) => refuse(error),
  ready: () => settled,
  validate,
  collect,
  busy: (message) => setBusy(message.busy),
  focus: () => (tabs.chosen === "card" ? card.focus() : tabs.focus()),
  blur: () => document.activeElement?.blur(),
  clear: () => card.clear(),
  collapse: () => tabs.choose(null),
});

function begin({ appearance, key: publishable, loader: wanted, options }) {
  key = publishable;
  loader.hidden = wanted === "never";
  applyAppearance(appearance);
  configure(options);
  card.prefill(options.defaultValues?.billingDetails?.address);
  new ResizeObserver(resized).observe(document.body);
  for (const name of ["focus", "blur"]) window.addEventListener(name, () => send(name));
  document.addEventListener("keydown", onKey);
  window.addEventListener("pageshow", ({ persisted }) => persisted && setBusy(false));
}

function configure(options) {
  card.configure(options);
  readOnly = options.readOnly === true;
  setBusy(false);
  changed();
}

function resized() {
  send("resize", { height: document.body.getBoundingClientRect().height });
}

function onKey(event) {
  if (event.key === "Escape") send("escape");
  if (event.key === "Enter" && event.target.matches("input")) send("submit");
}

function offer(methods) {
  if (!tabs.offer(methods)) {
    refuse({ message: `The sandbox has no form for ${methods.join(", ")}.` });
    return;
  }
  const first = element.hidden;
  refusal.textContent = "";
  show({ whether: true });
  resized(); // so that the frame has its size when the shop is told
  answer({});
  if (first) send("ready");
  changed();
}

/** Nothing can be paid. The shop is told too; who only looks at the page sees why. */
function refuse(error) {
  refusal.textContent = error.message;
  show({ whether: false });
  answer({ error });
}

function show({ whether }) {
  loader.hidden = true;
  element.hidden = !whether;
}

/** Answers who waits for the element, and who asks from now on. */
function answer(result) {
  settle(result);
  settled = result;
}

/** Tells the shop how far the buyer is, when that is no longer what it was told last. */
function changed() {
  const event = {
    collapsed: tabs.chosen === null,
    complete: tabs.chosen === "card" ? card.complete : tabs.chosen !== null,
    empty: tabs.chosen === "card" ? card.empty : tabs.chosen === null,
    value: { type: tabs.chosen ?? "" },
  };
  const text = JSON.stringify(event);
  if (element.hidden || text === lastChange) return;
  lastChange = text;
  send("change", { event });
}

function validate() {
  if (tabs.chosen === null) {
    const message = "Please choose how to pay.";
    tabs.tell(message);
    tabs.focus();
    return { error: { type: "validation_error", code: "incomplete_payment_details", message } };
  }
  const error = tabs.chosen === "card" ? card.validate() : null;
  return error ? { error } : { selectedPaymentMethod: tabs.chosen };
}

/** Makes a payment method. `details` are the shop's fields of it, which go before the typed ones. */
async function collect({ details }) {
  const { error } = validate();
  if (error) return { error };
  if (tabs.chosen === "us_bank_account") {
    return { paymentMethod: { id: accounts.find(({ checked }) => checked).value } };
  }
  const made = await create(new URLSearchParams({ ...card.params(), ...details, key }));
  return made.error ? made : { paymentMethod: made };
}

async function create(body) {
  try {
    const response = await fetch("/v1/payment_methods", { method: "POST", body });
    return await response.json();
  } catch {
    const message = "We could not reach the payment service. Check your connection, then try again.";
    return { error: { type: "api_connection_error", message } };
  }
}

/** Nothing can be changed now, but the focus stays where it is: disabled inputs would lose it. */
function setBusy(busy) {
  element.classList.toggle("busy", busy);
  element.classList.toggle("read-only", readOnly);
  card.setReadOnly(busy || readOnly);
}
