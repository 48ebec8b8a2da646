// The views in the middle: what happened, what there is, how to begin. (failures.js has another.)

import { h } from "./dom.js";
import { clockTime, dateAndTime, day, money, place, words } from "./format.js";
import { copyButton } from "./side.js";

export const VIEWS = [
  ["activity", "Activity"],
  ["objects", "Objects"],
  ["failures", "Failures"],
  ["setup", "Set up"],
];

/** A word with a mark and a colour of its own. */
export function status(mood, text) {
  return h("span", { class: `status ${mood}` }, text);
}

const MOODS = {
  complete: "good", open: "wait", unpaid: "wait", expired: "flat", no_payment_required: "good",
  succeeded: "good", available: "good", paid: "good", won: "good", active: "good",
  canceled: "flat", failed: "bad", lost: "bad",
  needs_response: "bad", appeal_needs_response: "bad", warning_needs_response: "wait",
  under_review: "wait", warning_under_review: "wait", appeal_under_review: "wait",
  processing: "wait", pending: "wait", requires_action: "wait", requires_confirmation: "wait",
  requires_capture: "wait", requires_payment_method: "wait",
};

/** The status of an object. */
export function objectStatus(name) {
  return status(MOODS[name] ?? "flat", words(name).toLowerCase());
}

// --- Activity ------------------------------------------------------------------------------

const KINDS = [
  ["all", "All"],
  ["event", "Events"],
  ["call", "API calls"],
  ["delivery", "Deliveries"],
];

export function activityView({ entries, filter, more, selected, started, setup }) {
  if (!started) return setup();
  return [
    h("div", { class: "tools", "data-key": "activity tools" },
      h("h2", { class: "unseen" }, "Activity"),
      searchBox(filter.search, "Find by id, type or object id"),
      choices("kind", "Show", KINDS, filter.kind)),
    entries.length === 0
      ? h("p", { class: "empty" }, "Nothing matches.")
      : table("What happened, newest first", ["Time", "What", "About", "Outcome"], "activity",
          days(entries, selected)),
    more && h("p", { class: "more" },
      h("button", { type: "button", "data-do": "more" }, "Show older ones")),
  ];
}

function searchBox(value, label) {
  return h("div", { class: "search", role: "search" },
    h("label", { for: "search", class: "unseen" }, label),
    h("input", { id: "search", type: "search", value, placeholder: label, autocomplete: "off",
      spellcheck: "false", "data-do": "search", "aria-keyshortcuts": "/" }));
}

function choices(name, legend, options, chosen) {
  return h("fieldset", { class: "choices" },
    h("legend", { class: "unseen" }, legend),
    options.map(([value, label]) => h("label", null,
      h("input", { type: "radio", name, value, checked: value === chosen, "data-do": "choose" }),
      h("span", null, label))));
}

function table(caption, headings, name, bodies) {
  return h("table", { class: `rows ${name}`, "data-key": name },
    h("caption", { class: "unseen" }, caption),
    h("thead", null, h("tr", null, headings.map((each) => h("th", { scope: "col" }, each)))),
    bodies);
}

function days(entries, selected) {
  const groups = new Map();
  for (const entry of entries) {
    const name = day(entry.time);
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(entry);
  }
  return [...groups].map(([name, group]) => h("tbody", { "data-key": name },
    h("tr", { class: "day", "data-key": `day ${name}` },
      h("th", { colspan: "4", scope: "rowgroup" }, name)),
    group.map((entry) => row(entry, entry.id === selected))));
}

function row(entry, isSelected) {
  const { what, about, outcome } = ROWS[entry.kind](entry);
  return h("tr", { "data-key": entry.id, class: `${entry.kind} ${isSelected ? "selected" : ""}` },
    h("td", { class: "when" }, clockTime(entry.time)),
    h("td", { class: "what" },
      h("span", { class: "kind" }, KIND_NAMES[entry.kind]),
      h("a", { href: `#/activity/${entry.id}`, "aria-current": isSelected && "true" }, what)),
    h("td", { class: "about mono" }, about),
    h("td", { class: "outcome" }, outcome));
}

const KIND_NAMES = { event: "event", call: "call", delivery: "sent" };

const ROWS = {
  event: (entry) => ({
    what: entry.type,
    about: [isAmount(entry) && h("span", { class: "amount" }, money(entry.amount, entry.currency)),
      h("span", { class: "whole" }, entry.object_id ?? "")],
    outcome: deliveryStatus(entry),
  }),
  call: (entry) => ({
    what: entry.operation,
    about: [callTags(entry), h("span", { class: "whole" }, entry.path)],
    outcome: callStatus(entry),
  }),
  delivery: (entry) => ({
    what: entry.event_type || "made up",
    about: [deliveryTags(entry), h("span", { class: "whole" }, place(entry.url))],
    outcome: attemptStatus(entry),
  }),
};

function isAmount({ amount, currency }) {
  return Number.isInteger(amount) && typeof currency === "string";
}

function tag(text) {
  return h("span", { class: "tag" }, text);
}

/** How the delivery of an event stands. */
export function deliveryStatus({ delivery, taken, failed, waiting }) {
  const of = taken + failed + waiting;
  switch (delivery) {
    case "delivered": return status("good", of > 1 ? `delivered ×${of}` : "delivered");
    case "failing": return status("bad", of > 1 ? `${failed} of ${of} failed` : "not taken");
    case "waiting": return status("wait", "on its way");
    default: return status("flat", "nobody listens");
  }
}

/** How a call ended. */
export function callStatus({ status: code }) {
  if (code === null) return status("bad", "cut off");
  return status(code < 400 ? "good" : code === 402 ? "wait" : "bad", String(code));
}

export function callTags({ replayed, fault, ignored }) {
  return [
    fault && tag(words(fault).toLowerCase()),
    replayed && tag("replayed"),
    ignored?.length > 0 && tag(`${ignored.length} ignored`),
  ];
}

export function deliveryTags({ attempt, disturbance }) {
  return [
    attempt > 1 && tag(`attempt ${attempt}`),
    disturbance && tag(words(disturbance).toLowerCase()),
  ];
}

/** How an attempt to deliver ended. */
export function attemptStatus({ succeeded, status: code, error }) {
  const why = (error || "no answer").replace(/^\[Errno \d+\] /, "").toLowerCase();
  return status(succeeded ? "good" : "bad", code === null ? why : String(code));
}

// --- Objects -------------------------------------------------------------------------------

// In the order in which people look for them; kinds that come later are added behind.
const FIRST = ["payment_intent", "checkout.session", "charge", "refund", "dispute", "review",
  "radar.early_fraud_warning", "customer", "payment_method", "balance_transaction"];

/** The kinds of objects to offer: those of which there are some, and the one that is shown. */
function objectKinds(counts, shown) {
  const others = Object.keys(counts).filter((kind) => !FIRST.includes(kind) && kind !== "event");
  return [...FIRST, ...others].filter((kind) => counts[kind] > 0 || kind === shown);
}

export function objectsView({ objects, kind, counts, filter, more, selected }) {
  const noun = `${words(kind).toLowerCase()}s`;
  return [
    h("div", { class: "tools", "data-key": `${kind} tools` },
      h("h2", { class: "unseen" }, "Objects"),
      searchBox(filter.search, "Find by id, metadata or any other text"),
      h("nav", { class: "choices", "aria-label": "Kinds of objects" },
        objectKinds(counts, kind).map((each) =>
          h("a", { href: `#/objects/${each}`, "aria-current": each === kind && "page" },
            `${words(each)}s `, h("span", { class: "count" }, String(counts[each])))))),
    objects.length === 0
      ? h("p", { class: "empty" }, filter.search ? "Nothing matches." : `There are no ${noun} yet.`)
      : table(`${words(kind)}s, newest first`, ["Id", "Amount", "About", "Made", "Status"],
          "objects", h("tbody", { "data-key": kind }, objects.map((each) =>
            objectRow(each, kind, each.id === selected)))),
    more && h("p", { class: "more" },
      h("button", { type: "button", "data-do": "more" }, "Show older ones")),
  ];
}

function objectRow(object, kind, isSelected) {
  const name = object.email || object.customer_details?.email || object.description
    || object.code || object.name || object.url || methodName(object);
  const amount = object.amount ?? object.amount_total;
  return h("tr", { "data-key": object.id, class: isSelected ? "selected" : "" },
    h("td", { class: "what" },
      h("a", { href: `#/objects/${kind}/${object.id}`, class: "mono",
        "aria-current": isSelected && "true" }, object.id)),
    h("td", { class: "amount" }, isAmount({ ...object, amount }) && money(amount, object.currency)),
    h("td", { class: "metadata" }, name && h("span", { class: "datum" }, name),
      metadata(object.metadata)),
    h("td", { class: "when" }, object.created && dateAndTime(object.created)),
    h("td", { class: "outcome" }, object.status && objectStatus(object.status)));
}

function methodName({ card, us_bank_account: bank }) {
  if (card?.brand) return `${words(card.brand)} •••• ${card.last4}`;
  return bank ? `Bank account •••• ${bank.last4}` : null;
}

function metadata(pairs) {
  return Object.entries(pairs ?? {}).map(([key, value]) =>
    h("span", { class: "datum" }, h("span", { class: "datum-key" }, key), " ", value));
}

// --- How to begin --------------------------------------------------------------------------

export function setupView({ about, nothingYet }) {
  const { url, keys } = about;
  const python = [
    "import stripe",
    "",
    "client = stripe.StripeClient(",
    `    "${keys.secret}",`,
    `    base_addresses={"api": "${url}"},`,
    ")",
  ].join("\n");
  const script = `<script src="${url}${"/v3/stripe.js"}"></script>`;
  const forward = "payfulfill sandbox --forward-to http://127.0.0.1:8000/webhook";
  return h("div", { class: "page setup", "data-key": "setup" },
    h("h2", null, nothingYet ? "Nothing has happened yet" : "Set up"),
    h("p", { class: "lead" }, nothingYet
      ? "Three lines in your shop, and it talks to this sandbox instead of Stripe."
      : "Three lines point a shop at this sandbox instead of Stripe."),
    h("ol", { class: "steps" },
      step("Point your server's client at this address", python, "the Python lines", [
        "Any ", h("code", null, "sk_test_"), " key will do. Live keys are refused."]),
      step("Load Stripe.js from here in your page", script, "the script tag", [
        "With ", h("code", null, keys.publishable), " as publishable key."]),
      step("Say where webhooks go", forward, "the command", [
        "Or add an endpoint on this page, under Webhook endpoints, and give its secret to your ",
        "shop."])));
}

function step(title, code, name, note) {
  return h("li", null,
    h("div", { class: "title" }, h("h3", null, title), copyButton(code, name)),
    h("pre", { tabindex: "0", "aria-label": title, role: "region" }, h("code", null, code)),
    h("p", { class: "note" }, note));
}
