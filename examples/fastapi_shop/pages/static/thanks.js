// The page after paying. It says what the shop's server knows, and nothing else: what Stripe puts
// into the address (redirect_status) anybody can type. The purchase itself is made by the webhook,
// or by the server's own question to Stripe, whichever comes first; this page only waits for it.

import { button, call, payPage, tell } from "./page.js";

const query = new URLSearchParams(location.search);
const paymentId = query.get("payment") ?? query.get("session") ?? query.get("payment_intent");
// From Stripe's own page, buyers come here only once they are done there.
const claimed =
  ["succeeded", "processing"].includes(query.get("redirect_status")) || query.has("session");
let wasUnderWay = false; // as our server said, in this very tab

const PATIENCE = 8; // seconds in which an answer may still contradict what the address claims
const GIVE_UP = 90; // seconds, then the buyer is asked to look again later
const began = performance.now();
const elapsed = () => (performance.now() - began) / 1000;

// The secret has done its work, and has no business in the browser's history.
query.delete("payment_intent_client_secret");
history.replaceState(null, "", `${location.pathname}?${query}`);

const library = (look) => button("/library", "To your library", look);
const shop = () => button("/", "Back to the shop", "quiet");
const again = (payment, words = "Back to the payment") => button(payPage(payment), words);

const AFTERWARDS = {
  partially_refunded: "A part of the money went back to you",
  refunded: "The money went back to you",
  disputed: "Your bank questions this payment",
};

/** What to show for a payment; `wait` says that it is not the last word. */
function verdict(payment) {
  const { title, status, step, lastError } = payment;
  if (status === "succeeded") {
    return {
      outcome: "yours",
      title: "It is yours",
      text: `${title} is paid for, and waits in your library.`,
      actions: [library(), shop()],
    };
  }
  if (status in AFTERWARDS) {
    return {
      outcome: "open",
      title: AFTERWARDS[status],
      text: `Your library says what that makes of ${title}.`,
      actions: [library(), shop()],
    };
  }
  if (status === "review") {
    return {
      outcome: "open",
      title: "We need to look at this payment",
      text:
        `Something about the payment for ${title} is not as it should be, so one of us will look ` +
        "at it. Please don't pay again: we will be in touch.",
      actions: [shop()],
    };
  }
  if (status === "canceled") {
    return {
      outcome: "no",
      title: "This payment was called off",
      text: `You were not charged for ${title}.`,
      actions: [again(payment), shop()],
    };
  }
  if (step === "processing") {
    wasUnderWay = true;
    return {
      wait: true,
      outcome: "open",
      title: "Your bank is working on it",
      text:
        `The payment for ${title} is on its way, and that can take some days. It will be in your ` +
        "library once the money has arrived. There is nothing more for you to do: you can leave " +
        "this page.",
      actions: [library(), shop()],
    };
  }
  return unpaid(payment, lastError);
}

/** Not paid, as far as we know. If the address says otherwise, we ask for a while before we say so:
 *  the news may not have reached us yet. */
function unpaid(payment, lastError) {
  const doubtful = claimed && !wasUnderWay;
  if (payment.step === null || (doubtful && elapsed() < PATIENCE)) return WAITING;
  if (doubtful && !lastError) {
    return {
      wait: true,
      outcome: "unknown",
      title: "No payment has reached us",
      text:
        `If you did pay for ${payment.title}, it will appear in your library as soon as we hear ` +
        "of it. You can go back to the payment safely: it can't be charged twice.",
      actions: [again(payment), library("quiet")],
    };
  }
  return {
    wait: true,
    outcome: "no",
    title: lastError ? "The payment did not go through" : "This is not paid yet",
    text: `${lastError ?? ""} You were not charged for ${payment.title}.`.trim(),
    actions: [again(payment, lastError ? "Pay another way" : "Pay now"), shop()],
  };
}

const WAITING = {
  wait: true,
  outcome: "waiting",
  title: "One moment …",
  text: "We are asking whether your payment has arrived.",
  actions: [],
};

const UNKNOWN = {
  outcome: "unknown",
  title: "We could not find out yet",
  text:
    "Whether your payment arrived, we don't know at the moment. If it did, it will appear in your " +
    "library by itself, so please don't pay again elsewhere.",
  actions: [button(location.href, "Look again"), library("quiet")],
};

/** A refusal to tell, and a server that is out of reach, are different things. */
function trouble({ status, message }) {
  if (status === 401) return { ...WAITING, text: "Please sign in again." };
  if (status >= 500 || status === 0) return { ...UNKNOWN, wait: true };
  return { outcome: "no", title: "We can't show this payment", text: message, actions: [shop()] };
}

let shown = "";

function show({ outcome, title, text, actions }) {
  const same = JSON.stringify([outcome, title, text]);
  if (same === shown) return; // else screen readers would say it again each second
  shown = same;
  document.querySelector(".outcome").dataset.outcome = outcome;
  document.getElementById("title").textContent = title;
  document.getElementById("text").textContent = text;
  tell(document.getElementById("actions"), ...actions);
  document.title = `${title} · Kittiwake Prints`;
}

async function follow() {
  for (let pause = 500; ; pause = Math.min(pause * 1.5, 4000)) {
    const found = await call(`/api/payments/status/${encodeURIComponent(paymentId)}`).then(
      verdict,
      trouble,
    );
    const late = elapsed() > GIVE_UP;
    show(late && found.outcome === "waiting" ? UNKNOWN : found);
    if (!found.wait || late) return;
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

if (paymentId) follow();
else location.replace("/library");
