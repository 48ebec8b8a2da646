// The column beside the list: how to reach the sandbox, its clock, and where webhooks go.

import { checkoutNote, checkoutPanel } from "./checkout.js";
import { h } from "./dom.js";
import { clockTime, dateAndTime, duration, place } from "./format.js";

/** `name` is told apart from others by assistive technology: "Copy the API address". */
export function copyButton(text, name) {
  return h("button", { type: "button", class: "small quiet", "data-do": "copy", "data-text": text,
    "data-name": name, "aria-label": `Copy ${name}` }, "Copy");
}

/** The panels. `shown` has the ids of endpoints whose secret is shown. */
export function sidePanels({ about, state, clock, shown, wide }) {
  return [
    panel("connect", "Address and keys", about.url.replace("http://", ""), wide, connect(about)),
    panel("clock", "Clock", clockNote(clock), wide, clockPanel(clock)),
    panel("endpoints", "Webhook endpoints", String(state.endpoints.length), wide,
      endpoints(state.endpoints, shown)),
    panel("checkout", "Checkout and banks", checkoutNote(state), wide, checkoutPanel(state)),
  ];
}

function panel(key, title, note, open, content) {
  return h("details", { class: "panel", "data-key": key, id: `panel-${key}`, open },
    h("summary", null, h("h2", null, title), h("span", { class: "note" }, note)),
    h("div", { class: "panel-body" }, content));
}

function connect(about) {
  const row = (label, value, name) => h("div", { class: "pair" },
    h("dt", null, label),
    h("dd", null, h("code", { class: "mono" }, value), copyButton(value, name)));
  return h("dl", { class: "pairs" },
    row("API address", about.url, "the API address"),
    row("Publishable key", about.keys.publishable, "the publishable key"),
    row("Secret key", about.keys.secret, "the secret key"));
}

function clockNote(clock) {
  if (clock.manual) return "stands still";
  return clock.ahead > 1 ? `${duration(clock.ahead)} ahead` : "real time";
}

const STEPS = [["+1 hour", 3600], ["+1 day", 86400], ["+31 days", 31 * 86400]];

function clockPanel(clock) {
  const kind = clock.manual
    ? "This clock moves only when told to."
    : clock.ahead > 1
      ? `Runs ${duration(clock.ahead)} ahead of real time.`
      : "Runs with real time.";
  return [
    h("p", { class: "time", id: "clock-time" }, dateAndTime(clock.now)),
    h("p", { class: "note" }, kind),
    h("div", { class: "buttons", role: "group", "aria-label": "Move the clock on" },
      STEPS.map(([label, seconds]) =>
        h("button", { type: "button", "data-do": "advance", "data-seconds": seconds }, label))),
    nextDelivery(clock),
    h("form", { class: "inline", "data-do": "advanceBy" },
      h("label", { for: "amount" }, "By"),
      h("input", { id: "amount", name: "amount", type: "number", min: "1", step: "any", value: "10",
        required: true }),
      h("select", { name: "unit", "aria-label": "Unit" },
        h("option", { value: "1" }, "seconds"),
        h("option", { value: "60", selected: true }, "minutes"),
        h("option", { value: "3600" }, "hours"),
        h("option", { value: "86400" }, "days")),
      h("button", { type: "submit" }, "Advance")),
  ];
}

/** When something is retried, and a way to have it at once; not of what is due any moment. */
function nextDelivery({ now, next_delivery: due }) {
  if (due === null || due - now < 5) return null;
  return h("p", { class: "next", "data-key": "next" },
    h("span", { class: "note" }, "Next delivery ", clockTime(due)),
    h("button", { type: "button", class: "small quiet", "data-do": "advance",
      "data-seconds": due - now }, "Go there"));
}

function endpoints(known, shown) {
  return [
    known.length === 0
      ? h("p", { class: "note" }, "None yet: events are kept, and sent nowhere.")
      : h("ul", { class: "endpoints" }, known.map((each) => endpoint(each, shown.has(each.id)))),
    h("form", { class: "stack", "data-do": "addEndpoint" },
      h("label", { for: "endpoint-url" }, "Send events to"),
      h("input", { id: "endpoint-url", name: "url", type: "url", required: true, class: "mono",
        placeholder: "http://127.0.0.1:8000/webhook", autocomplete: "off", spellcheck: "false" }),
      h("label", { for: "endpoint-events" }, "Types, or nothing for all"),
      h("input", { id: "endpoint-events", name: "events", class: "mono", autocomplete: "off",
        placeholder: "payment_intent.* charge.refunded", spellcheck: "false" }),
      h("button", { type: "submit" }, "Add endpoint")),
  ];
}

function endpoint({ id, url, events, secret, status }, isShown) {
  const all = events.length === 1 && events[0] === "*";
  return h("li", { "data-key": id, class: "endpoint" },
    h("p", { class: "mono url" }, place(url)),
    h("p", { class: "note" }, all ? "all events" : events.join(", "),
      status === "disabled" && " (disabled)"),
    h("div", { class: "secret" },
      h("code", { class: "mono" }, isShown ? secret : "whsec_••••••"),
      h("button", { type: "button", class: "small quiet", "data-do": "showSecret", "data-id": id,
        "aria-pressed": String(isShown), "aria-label": `Show the secret of ${url}` },
      isShown ? "Hide" : "Show"),
      copyButton(secret, `the secret of ${url}`)),
    h("div", { class: "buttons" },
      h("button", { type: "button", class: "small quiet", "data-do": "rollEndpoint", "data-id": id,
        "aria-label": `Roll the secret of ${url}` }, "Roll secret"),
      h("button", { type: "button", class: "small quiet", "data-do": "removeEndpoint",
        "data-id": id, "aria-label": `Remove ${url}` }, "Remove")));
}
