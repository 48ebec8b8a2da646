// The view for bad days: what is to go wrong, with calls of the API and with webhooks.

import { h } from "./dom.js";
import { plural, words } from "./format.js";
import { status } from "./views.js";

export function failuresView({ about, state, draft }) {
  return h("div", { class: "page failures", "data-key": "failures" },
    h("h2", null, "Failures"),
    h("p", { class: "lead" },
      "Let Stripe have a bad day, and see whether your shop gets through it."),
    planned(state),
    h("section", { class: "card half", "aria-labelledby": "fail-title" },
      h("h3", { id: "fail-title" }, "API calls"),
      failForm(about, draft)),
    h("section", { class: "card half", "aria-labelledby": "disturb-title" },
      h("h3", { id: "disturb-title" }, "Webhooks"),
      disturbForm(about, draft)));
}

function planned({ planned_faults: faults, planned_disturbances: disturbances }) {
  const none = faults.length + disturbances.length === 0;
  return h("section", { class: "card planned", "aria-labelledby": "planned-title" },
    h("h3", { id: "planned-title" }, "Still to come"),
    none
      ? h("p", { class: "note" }, "Nothing: all goes well.")
      : h("ul", null,
          faults.map((each) => plannedRow(each, each.fault, each.operation, "call")),
          disturbances.map((each) => plannedRow(each, each.disturbance, each.event_type, "event"))),
    !none && h("button", { type: "button", "data-do": "heal" }, "Clear: let all go well"));
}

function plannedRow({ times, share }, what, of, noun) {
  const many = share !== null ? `${percent(share)} of ${noun}s`
    : times === 1 ? `the next ${noun}` : `the next ${plural(times, noun)}`;
  return h("li", null, status("bad", words(what).toLowerCase()),
    h("span", null, `${many}, `, of === "*" ? "whichever" : h("code", { class: "mono" }, of)));
}

function percent(share) {
  return `${Math.round(share * 1000) / 10} %`;
}

function failForm(about, draft) {
  return h("form", { "data-do": "fail", class: "stack" },
    h("label", { for: "operation" }, "Which calls"),
    h("select", { id: "operation", name: "operation" },
      h("option", { value: "*" }, "any call"),
      about.operations.map((each) => h("option", { value: each }, each))),
    options("fault", about.faults, draft.fault),
    seconds("fault", about.faults, draft.fault, "2"),
    howMany("fault", "call", draft),
    h("button", { type: "submit", class: "primary" },
      promise("fault", "call", draft, "Make", "fail")));
}

function disturbForm(about, draft) {
  return h("form", { "data-do": "disturb", class: "stack" },
    h("label", { for: "event-type" }, "Which events"),
    h("input", { id: "event-type", name: "event_type", class: "mono", value: "*", required: true,
      autocomplete: "off", spellcheck: "false", "aria-describedby": "event-type-note" }),
    h("p", { class: "note", id: "event-type-note" },
      "A type such as payment_intent.succeeded; * stands for anything, as in charge.*"),
    options("disturbance", about.disturbances, draft.disturbance),
    seconds("disturbance", about.disturbances, draft.disturbance, "10"),
    howMany("disturbance", "event", draft),
    h("button", { type: "submit", class: "primary" },
      promise("disturbance", "event", draft, "Disturb", "")));
}

function options(name, known, chosen) {
  return h("fieldset", { class: "options" },
    h("legend", null, "What happens"),
    known.map((each) => h("label", { class: "option" },
      h("input", { type: "radio", name, value: each[name], checked: each[name] === chosen,
        "data-do": "draft" }),
      h("span", null, h("strong", null, words(each[name])), " ",
        h("span", { class: "note" }, each.meaning)))));
}

function seconds(name, known, chosen, value) {
  if (!known.find((each) => each[name] === chosen)?.takes_seconds) return null;
  return h("div", { class: "inline", "data-key": "seconds" },
    h("label", { for: `${name}-seconds` }, "For"),
    h("input", { id: `${name}-seconds`, name: "seconds", type: "number", min: "0", max: "600",
      step: "any", value, required: true }), "seconds");
}

function howMany(name, noun, draft) {
  const by = draft[`${name}-by`];
  return h("fieldset", { class: "inline how-many" },
    h("legend", null, "How many"),
    h("label", null,
      h("input", { type: "radio", name: `${name}-by`, value: "times", checked: by === "times",
        "data-do": "draft" }), "the next"),
    h("input", { name: `${name}-times`, type: "number", min: "1", max: "1000", value: "1",
      "aria-label": `Number of ${noun}s`, "data-do": "draft" }),
    h("label", { class: "second" },
      h("input", { type: "radio", name: `${name}-by`, value: "share", checked: by === "share",
        "data-do": "draft" }), "or"),
    h("input", { name: `${name}-percent`, type: "number", min: "0", max: "100", value: "10",
      step: "any", "aria-label": `Percent of ${noun}s`, "data-do": "draft" }), "% of all");
}

/** What the button says: "Make the next 3 calls fail". */
function promise(name, noun, draft, verb, end) {
  const count = Number(draft[`${name}-times`]);
  const many = draft[`${name}-by`] === "share"
    ? `${draft[`${name}-percent`] || 0} % of ${noun}s`
    : count > 1 ? `the next ${count} ${noun}s` : `the next ${noun}`;
  return `${verb} ${many} ${end}`.trim();
}
