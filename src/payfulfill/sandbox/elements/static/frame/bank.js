// The bank's question: one page, in a frame over the shop's page, or on its own after a redirect.

import { openLine } from "./line.js";

const framed = window.parent !== window;
const clientSecret = new URLSearchParams(location.search).get("client_secret");
const { amount, asks, currency, intent } = document.body.dataset;
const status = document.getElementById("status");
const buttons = [...document.querySelectorAll("#answers button")];

const send = openLine({ greeting: beginFramed });

/** Such as "$20.00". Stripe counts these currencies in hundredths, though they have none. */
function sum() {
  const digits = ["isk", "ugx"].includes(currency) ? 2 : undefined;
  const format = new Intl.NumberFormat("en", {
    style: "currency",
    currency,
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
  return format.format(amount / 10 ** format.resolvedOptions().maximumFractionDigits);
}

async function answer(outcome) {
  setDisabled(true);
  status.textContent = "One moment…";
  let result;
  try {
    const response = await fetch(`/_sandbox/authenticate/${intent}`, {
      method: "POST",
      body: new URLSearchParams({ client_secret: clientSecret, outcome }),
    });
    result = await response.json();
  } catch {
    status.textContent = "The sandbox can't be reached. Try again.";
    setDisabled(false);
    return;
  }
  goOn(result);
}

function goOn({ error, redirect }) {
  if (framed) {
    send("answered"); // the shop's page looks for itself how the payment stands now
  } else if (redirect && /^https?:/i.test(redirect)) {
    location.replace(redirect);
  } else {
    status.textContent = error?.message ?? "Done. You can close this page.";
  }
}

function setDisabled(disabled) {
  for (const button of buttons) button.disabled = disabled;
}

function beginFramed() {
  document.addEventListener("keydown", ({ key }) => key === "Escape" && send("dismissed"));
  const body = document.body;
  new ResizeObserver(() => send("resize", { height: body.scrollHeight })).observe(body);
  send("connected");
  if (asks !== "true") send("answered"); // elsewhere, meanwhile
}

if (asks === "true") {
  document.getElementById("sum").textContent = sum();
  document.getElementById("sum-line").hidden = false;
  document.getElementById("question").hidden = false;
  document.getElementById("answers").hidden = false;
  for (const button of buttons) button.addEventListener("click", () => answer(button.value));
}
document.documentElement.classList.toggle("framed", framed);
