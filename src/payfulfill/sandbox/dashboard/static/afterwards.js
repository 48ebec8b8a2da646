// What comes after the sale: forms and buttons of refunds, disputes, warnings and reviews.

import { h } from "./dom.js";
import { minorUnits, words } from "./format.js";

/** The part of an object's panel in which something can be done about the money it brought. */
export function afterwards(object, actions, about) {
  const parts = PARTS[object.object]?.(object, actions, about) ?? [];
  if (parts.length === 0) return null;
  return h("section", { class: "card actions", "aria-labelledby": "afterwards-title" },
    h("h3", { id: "afterwards-title" }, "What happens afterwards"), parts);
}

const PARTS = {
  payment_intent: ofPayment,
  charge: ofPayment,
  refund: ({ id }, actions) => [buttons("refunds", "refund", id, actions, REFUND)],
  dispute: ({ id }, actions) => [buttons("disputes", "dispute", id, actions, DISPUTE)],
  review: ({ id }, actions) => [buttons("reviews", "review", id, actions, REVIEW)],
};

// What each verb does, as a button says it.
const REFUND = {
  succeed: "It arrives",
  ask: "Ask the buyer where to",
  answer: "The buyer answers",
  fail: "It fails",
  cancel: "Call it off",
};
const DISPUTE = {
  submit: "Submit evidence",
  escalate: "Escalate",
  drop: "Drop",
  win: "Win",
  lose: "Lose",
  appeal: "Appeal",
  accept: "Accept",
};
const REVIEW = { approve: "Approve" };

function buttons(desk, name, id, actions, labels) {
  const able = Object.keys(labels).filter((verb) => actions.includes(verb));
  return able.length === 0 ? null : h("div", { class: "buttons" },
    able.map((verb) => button(labels[verb], `${desk}/${verb}`, { [name]: id })));
}

function button(label, path, fields) {
  return h("button", { type: "button", "data-do": "afterwards", "data-path": path,
    "data-fields": JSON.stringify(fields) }, label);
}

function ofPayment({ id, currency, status }, actions, { refund_reasons: why, dispute_reasons: of }) {
  if (status !== "succeeded" || !actions.includes("refund")) return [];
  return [
    h("form", { class: "inline", "data-do": "refund", "data-payment": id,
      "data-currency": currency },
    amountField("Amount to refund", "All that is left"),
    select("reason", "Reason to refund", [["", "No reason"], ...why.map(named)]),
    h("button", { type: "submit" }, "Refund")),
    h("form", { class: "inline", "data-do": "dispute", "data-payment": id,
      "data-currency": currency },
    amountField("Amount to dispute", "All of it"),
    select("reason", "Reason to dispute", of.map(named)),
    select("kind", "Kind of dispute", KINDS),
    h("button", { type: "submit" }, "Dispute")),
    h("div", { class: "buttons" },
      button("Warn of a fraud", "early_fraud_warnings/open", { payment: id }),
      actions.includes("review") && button("Put under review", "reviews/open", { intent: id })),
  ];
}

const KINDS = [
  ["chargeback", "Chargeback"],
  ["inquiry", "Inquiry"],
  ["refunded", "Prevented, money back"],
  ["content", "Prevented, no money"],
];

const named = (each) => [each, words(each)];

function amountField(label, placeholder) {
  return h("input", { name: "amount", inputmode: "decimal", "aria-label": label, placeholder });
}

function select(name, label, choices) {
  return h("select", { name, "aria-label": label },
    choices.map(([value, text]) => h("option", { value }, text)));
}

/** What the forms and buttons do. `act` posts something, and says what came of it. */
export function afterwardsActions(act) {
  const about = ({ payment, currency }, { amount, reason }) => ({
    payment,
    ...(amount.trim() ? { amount: minorUnits(amount, currency) } : {}),
    ...(reason ? { reason } : {}),
  });
  return {
    afterwards: ({ path, fields }) => act(path, JSON.parse(fields), told),
    refund: (data, fields) => act("refunds/create", about(data, fields), told),
    dispute: (data, fields) => {
      const { kind } = fields;
      const prevented = kind === "refunded" || kind === "content";
      const how = prevented ? { refunded: kind === "refunded" } : { inquiry: kind === "inquiry" };
      return act(`disputes/${prevented ? "prevent" : "open"}`, { ...about(data, fields), ...how },
        told);
    },
  };
}

function told({ object, status, open }) {
  const now = status ?? (open === undefined ? "made" : open ? "open" : "closed");
  return `${words(object.split(".").pop())}: ${words(now).toLowerCase()}.`;
}
