// The panel that shows one thing in full: an event, a call, a delivery or an object.

import { afterwards } from "./afterwards.js";
import { h } from "./dom.js";
import { clockTime, dateAndTime, json, jsonText, money, place, words } from "./format.js";
import { copyButton } from "./side.js";
import { attemptStatus, callStatus, callTags, deliveryStatus, deliveryTags, objectStatus }
  from "./views.js";

/** `base` is where the links of the panel lead from, so that the list beside it stays as it is. */
export function detailPanel(detail, { about, base }) {
  if (detail === null) {
    return h("p", { class: "empty", id: "detail-title" }, "Choose a row to see it here.");
  }
  if (detail.missing) {
    return [head("Not here", detail.id), h("p", { class: "empty" }, detail.missing)];
  }
  const known = new Set(detail.known ?? []);
  const address = (id) => (known.has(id) && id !== detail.id ? `${base}/${id}` : null);
  const panel = PANELS[detail.kind](detail, { about, base, address });
  return h("article", { "data-key": detail.id }, panel);
}

const PANELS = { event: eventPanel, call: callPanel, delivery: deliveryPanel, object: objectPanel };

function head(title, id, ...facts) {
  return h("header", { class: "detail-head" },
    h("div", { class: "title" },
      h("h2", { id: "detail-title", tabindex: "-1" }, title),
      h("button", { type: "button", class: "quiet close", "data-do": "close" }, "Close")),
    h("p", { class: "id" }, h("code", { class: "mono" }, id), copyButton(id, "the id")),
    facts.length > 0 && h("p", { class: "facts" }, facts));
}

function eventPanel({ event, summary, deliveries }, { base, address }) {
  const subject = event.data.object.id;
  const request = event.request?.id;
  return [
    head(event.type, event.id, deliveryStatus(summary), dateAndTime(event.created)),
    h("dl", { class: "pairs wide" },
      subject && fact("Object", link(subject, address(subject))),
      request && fact("Caused by", link(request, address(request))),
      event.request?.idempotency_key && fact("Idempotency key",
        h("code", { class: "mono" }, event.request.idempotency_key))),
    h("section", { "aria-labelledby": "deliveries-title" },
      h("div", { class: "title" },
        h("h3", { id: "deliveries-title" }, "Deliveries"),
        h("button", { type: "button", "data-do": "resend", "data-id": event.id }, "Resend")),
      deliveries.length === 0
        ? h("p", { class: "note" }, summary.delivery === "waiting"
          ? "On its way."
          : "Sent nowhere: no endpoint wanted it.")
        : attempts(deliveries, base)),
    payload("Payload", event, address),
  ];
}

function attempts(deliveries, base) {
  return h("table", { class: "rows small" },
    h("caption", { class: "unseen" }, "Attempts to deliver, oldest first"),
    h("thead", null, h("tr", null,
      ["Time", "Attempt", "Endpoint", "Answer"].map((each) => h("th", { scope: "col" }, each)))),
    h("tbody", null, deliveries.map((each) => attempt(each, base))));
}

function attempt({ id, time, attempt: nth, url, answer, ...rest }, base) {
  return [
    h("tr", { "data-key": id },
      h("td", { class: "when" }, clockTime(time)),
      h("td", { class: "nth" }, String(nth)),
      h("td", { class: "mono url" }, h("a", { href: `${base}/${id}` }, place(url))),
      h("td", { class: "outcome" }, attemptStatus(rest))),
    answer && h("tr", { "data-key": `${id} answer`, class: "excerpt" },
      h("td", { colspan: "4" }, h("code", { class: "mono" }, answer))),
  ];
}

function callPanel({ call, events }, { base, address }) {
  return [
    head(call.operation, call.id, callStatus(call), callTags(call), dateAndTime(call.time)),
    h("dl", { class: "pairs wide" },
      fact("Request", h("code", { class: "mono" }, `${call.method} ${call.path}`)),
      call.idempotency_key && fact("Idempotency key",
        h("code", { class: "mono" }, call.idempotency_key)),
      call.error && fact("Error", call.error),
      call.ignored.length > 0 && fact("Without effect here",
        call.ignored.map((each) => [h("code", { class: "mono" }, each), " "]))),
    eventList("Events it caused", events, base),
    payload("As logged", call, address),
  ];
}

function deliveryPanel({ delivery }, { address }) {
  const event = address(delivery.event_id);
  return [
    head(delivery.event_type || "Made up", delivery.id, attemptStatus(delivery),
      deliveryTags(delivery), dateAndTime(delivery.time)),
    h("dl", { class: "pairs wide" },
      fact("Event", event === null
        ? "None: this was made up, and the API knows nothing of it."
        : link(delivery.event_id, event)),
      fact("Endpoint", link(place(delivery.url), address(delivery.endpoint_id))),
      fact("Attempt", String(delivery.attempt)),
      fact("Took", `${Math.round(delivery.duration * 1000)} ms`),
      delivery.disturbance && fact("Disturbed", words(delivery.disturbance))),
    event !== null && h("div", { class: "buttons" },
      h("button", { type: "button", "data-do": "resend", "data-id": delivery.event_id },
        "Resend the event")),
    h("section", { "aria-labelledby": "answer-title" },
      h("h3", { id: "answer-title" }, "The answer"),
      delivery.answer
        ? h("pre", { tabindex: "0", role: "region", "aria-labelledby": "answer-title" },
            h("code", null, delivery.answer))
        : h("p", { class: "note" }, delivery.error ?? "It had no body.")),
  ];
}

function objectPanel({ object, events, actions }, { about, base, address }) {
  const amount = object.amount ?? object.amount_total;
  const name = words(object.object);
  const title = Number.isInteger(amount) && typeof object.currency === "string"
    ? `${name}: ${money(amount, object.currency)}` : name;
  return [
    head(title, object.id, object.status && objectStatus(object.status),
      object.created && dateAndTime(object.created)),
    object.last_payment_error && h("p", { class: "trouble" }, object.last_payment_error.message),
    object.payment_status && h("p", { class: "facts" }, "Payment: ",
      objectStatus(object.payment_status)),
    PAGES.includes(object.object) && object.url && h("p", null,
      h("a", { href: object.url, target: "_blank", rel: "noopener" }, "Open its page")),
    SUBJECTS[object.object] && BUYERS.some((verb) => actions.includes(verb))
      && actionBar(SUBJECTS[object.object], object.id, actions, about.cards),
    afterwards(object, actions, about),
    eventList("Events", events, base),
    payload("As the API shows it", object, address),
  ];
}

const BUYERS = ["confirm", "authenticate", "settle", "cancel", "expire"];
const SUBJECTS = { "payment_intent": "intent", "checkout.session": "session" };
const PAGES = ["checkout.session", "billing_portal.session"];

function actionBar(subject, id, actions, cards) {
  const can = (verb) => actions.includes(verb);
  const button = (label, path, fields) => h("button", { type: "button", "data-do": "act",
    "data-path": path, "data-subject": subject, "data-id": id,
    "data-fields": JSON.stringify(fields) }, label);
  return h("section", { class: "card actions", "aria-labelledby": "actions-title" },
    h("h3", { id: "actions-title" }, "What the buyer or the bank does"),
    can("confirm") && [
      payForm(subject, id, "Pay", PAYING, cards),
      payForm(subject, id, "Decline", DECLINING, cards),
    ],
    h("div", { class: "buttons" },
      can("authenticate") && [
        button("Authenticate", "authenticate", { succeed: true }),
        button("Refuse", "authenticate", { succeed: false })],
      can("settle") && [
        button("Settle", "settle", { succeed: true }),
        button("Bounce", "settle", { succeed: false })],
      can("cancel") && button("Cancel", "cancel", {}),
      can("expire") && button("Expire", "expire", {})));
}

// The cards of each select, by what comes of paying with one.
const PAYING = [
  ["Succeeds", ({ reply, country }) => reply === "yes" && country === "US"],
  ["Asks the buyer to authenticate", ({ reply }) => reply === "who_are_you"],
  ["Takes its time, until it is settled", ({ reply }) => reply === "wait"],
  ["Succeeds, from abroad", ({ reply, country }) => reply === "yes" && country !== "US"],
];
const DECLINING = [["Declines", ({ reply }) => reply === "no"]];

function payForm(subject, id, verb, groups, cards) {
  return h("form", { class: "inline pay", "data-do": "pay", "data-subject": subject,
    "data-id": id },
    h("select", { name: "card", "aria-label": `Card to ${verb.toLowerCase()} with` },
      groups.map(([label, belongs]) => h("optgroup", { label },
        cards.filter(belongs).map((each) => h("option", { value: each.card }, cardLabel(each)))))),
    h("button", { type: "submit" }, verb));
}

/** "Insufficient funds (•••• 9995)", "Mastercard debit (•••• 8210)", "BR (•••• 0002)". */
function cardLabel({ name, last4, reply, country, decline_code: code }) {
  const own = name.replace(/^pm_(card_)?/, "").replace(/([a-z])([A-Z0-9])/g, "$1 $2");
  const abroad = reply === "yes" && country !== "US";
  const what = reply === "no" ? code : abroad ? country : own.toLowerCase();
  return `${words(what)} (•••• ${last4})`;
}

function eventList(title, events, base) {
  return h("section", { "aria-labelledby": "events-title" },
    h("h3", { id: "events-title" }, title),
    events.length === 0
      ? h("p", { class: "note" }, "None.")
      : h("table", { class: "rows small" },
          h("caption", { class: "unseen" }, `${title}, newest first`),
          h("thead", null, h("tr", null,
            ["Time", "Event", "Delivery"].map((each) => h("th", { scope: "col" }, each)))),
          h("tbody", null, events.map((each) => h("tr", { "data-key": each.id },
            h("td", { class: "when" }, clockTime(each.time)),
            h("td", { class: "what" }, h("a", { href: `${base}/${each.id}` }, each.type)),
            h("td", { class: "outcome" }, deliveryStatus(each)))))));
}

function fact(label, ...value) {
  return h("div", { class: "pair" }, h("dt", null, label), h("dd", null, value));
}

function link(id, to) {
  return to === null ? h("code", { class: "mono" }, id) : h("a", { href: to, class: "mono" }, id);
}

function payload(title, value, address) {
  return h("section", { "aria-labelledby": "payload-title" },
    h("div", { class: "title" },
      h("h3", { id: "payload-title" }, title),
      copyButton(jsonText(value), "the JSON")),
    h("pre", { tabindex: "0", role: "region", "aria-labelledby": "payload-title" },
      json(value, address)));
}
