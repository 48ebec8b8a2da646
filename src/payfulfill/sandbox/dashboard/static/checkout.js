// What Checkout and banks reckon with: when debits settle, the tax, and promotion codes.

import { h } from "./dom.js";
import { duration } from "./format.js";

const WAITS = [["1 hour", 3600], ["4 days", 4 * 86400]];

/** What stands beside the panel's title. */
export function checkoutNote({ settle_after: seconds, tax_percent: tax }) {
  return [seconds !== null && "debits settle", tax > 0 && `tax ${tax} %`].filter(Boolean).join(", ");
}

export function checkoutPanel({ settle_after: seconds, tax_percent: tax }) {
  const choice = (label, value) => h("button", { type: "button", "data-do": "settleAfter",
    "data-seconds": value, "aria-pressed": String(String(seconds ?? "") === String(value)) }, label);
  return [
    h("p", { class: "note", id: "settle-note" }, seconds === null
      ? "Bank debits are processing until you settle them."
      : `Bank debits settle by themselves after ${duration(seconds)}.`),
    h("div", { class: "buttons", role: "group", "aria-label": "When bank debits settle" },
      choice("When told to", ""), WAITS.map((each) => choice(...each))),
    h("form", { class: "inline", "data-do": "tax" },
      h("label", { for: "tax" }, "Automatic tax, %"),
      h("input", { id: "tax", name: "percent", type: "number", min: "0", max: "100", step: "any",
        value: String(tax), required: true }),
      h("button", { type: "submit" }, "Set")),
    h("form", { class: "inline", "data-do": "addCode" },
      h("input", { name: "code", required: true, placeholder: "SPRING20", autocomplete: "off",
        spellcheck: "false", "aria-label": "Promotion code" }),
      h("input", { name: "percent", type: "number", min: "0.01", max: "100", step: "any",
        value: "20", required: true, "aria-label": "Percent off" }),
      h("button", { type: "submit" }, "Add code")),
  ];
}

/** What the forms and buttons do. `act` posts something, and says what came of it. */
export function checkoutActions(act) {
  return {
    settleAfter: ({ seconds }) =>
      act("settle_after", { seconds: seconds === "" ? null : Number(seconds) },
        seconds === "" ? "Debits wait until they are told to settle."
          : `Debits settle after ${duration(Number(seconds))}, from the next one on.`),
    tax: (_, { percent }) => act("checkout/tax", { percent: Number(percent) },
      "Sessions with automatic tax add this."),
    addCode: async (_, { code, percent }, form) => {
      const made = await act("checkout/add_code", { code, percent_off: Number(percent) },
        `Buyers may use ${code}, where sessions allow codes.`);
      if (made !== null) form.reset();
    },
  };
}
