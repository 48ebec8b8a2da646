// What buttons and forms do. Each is called with the element's data and, for a form, its fields.

import { afterwardsActions } from "./afterwards.js";
import { checkoutActions } from "./checkout.js";
import { duration, plural, words } from "./format.js";
import { post, Refused } from "./server.js";

/**
 * The actions by the name in `data-do`. `page` is what the page knows; `say` tells the reader
 * something; `reload` fetches what has changed; `draw` shows what the page knows.
 */
export function actionsOf({ page, say, reload, draw }) {
  /** Does something on the server, and shows what came of it. */
  async function act(path, fields, told) {
    try {
      const answer = await post(path, fields);
      say(typeof told === "function" ? told(answer) : told);
      return answer;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      // A declined card is what was asked for; anything else is news of another kind.
      say(error.status === 402 ? `Declined: ${error.message}` : error.message,
        error.status === 402 ? "" : "bad");
      return null;
    } finally {
      await reload();
    }
  }

  return {
    copy: async ({ text, name }) => {
      try {
        await navigator.clipboard.writeText(text);
        say(`Copied ${name}.`);
      } catch {
        say(`The browser doesn't let this page copy. Select ${name} and copy it by hand.`, "bad");
      }
    },

    // --- Time
    advance: ({ seconds }) => act("clock/advance", { seconds: Number(seconds) },
      `The clock is ${duration(Number(seconds))} further.`),
    advanceBy: (_, { amount, unit }) => {
      const seconds = Number(amount) * Number(unit);
      return act("clock/advance", { seconds }, `The clock is ${duration(seconds)} further.`);
    },

    // --- Endpoints
    addEndpoint: async (_, { url, events }, form) => {
      const types = events.split(/[\s,]+/).filter(Boolean);
      const added = await act("endpoints/add", { url, events: types }, `Events go to ${url} too.`);
      if (added !== null) form.reset();
    },
    showSecret: ({ id }) => {
      if (!page.shown.delete(id)) page.shown.add(id);
      draw();
    },
    rollEndpoint: ({ id }) => act("endpoints/roll", { endpoint: id },
      "The secret is new. What is sent from now on is signed with it."),
    removeEndpoint: ({ id }) => act("endpoints/remove", { endpoint: id },
      "Nothing is sent there any more."),

    // --- Buyer and bank
    pay: ({ subject, id }, { card }) => act(of(subject, "pay"), { [subject]: id, card }, outcome),
    act: ({ path, subject, id, fields }) =>
      act(of(subject, path), { [subject]: id, ...JSON.parse(fields) }, outcome),
    resend: ({ id }) => act("resend", { event: id }, "Sent again."),

    ...afterwardsActions(act),
    ...checkoutActions(act),

    // --- Bad days
    fail: (_, { operation, fault, seconds, ...fields }) => {
      const amount = amountOf("fault", fields);
      return act("fail", { operation, fault, ...amount, ...lasting(seconds) },
        `${many(amount, "call")} will fail.`);
    },
    disturb: (_, { disturbance, event_type, seconds, ...fields }) => {
      const amount = amountOf("disturbance", fields);
      return act("disturb", { disturbance, event_type, ...amount, ...lasting(seconds) },
        `${many(amount, "event")} will be disturbed.`);
    },
    heal: () => act("heal", {}, "All goes well again."),
    draft: (_, fields, form, source) => {
      // Whoever fills in a number means it.
      const [, name, implied] = /^(.*)-(times|percent)$/.exec(source.name) ?? [];
      if (implied) {
        const by = implied === "times" ? "times" : "share";
        form.querySelector(`[name="${name}-by"][value=${by}]`).checked = true;
        fields[`${name}-by`] = by;
      }
      Object.assign(page.draft, fields);
      draw();
    },

    // --- The list
    search: (_, __, ___, source) => {
      page.filter.search = source.value;
      page.limit = page.step;
      return reload();
    },
    choose: (_, __, ___, source) => {
      page.filter.kind = source.value;
      page.limit = page.step;
      return reload();
    },
    more: () => {
      page.limit = Math.min(1000, page.limit + page.step);
      return reload();
    },
    close: () => {
      location.hash = page.base;
    },
  };
}

/** What is done to an intent, or to a checkout session. */
function of(subject, path) {
  return subject === "session" ? `checkout/${path}` : path;
}

function outcome({ status, amount_received: received, payment_status: paid }) {
  if ((status === "succeeded" && received) || paid === "paid") return "Paid.";
  if (paid && status === "complete") return `Now it is: complete, ${words(paid).toLowerCase()}.`;
  return `Now it is: ${words(status).toLowerCase()}.`;
}

/** How many calls or events a form means: `{times}` or `{share}`. */
function amountOf(name, fields) {
  return fields[`${name}-by`] === "share"
    ? { share: Number(fields[`${name}-percent`]) / 100 }
    : { times: Number(fields[`${name}-times`]) };
}

function lasting(seconds) {
  return seconds === undefined ? {} : { seconds: Number(seconds) };
}

function many({ times, share }, noun) {
  if (share !== undefined) return `${Math.round(share * 1000) / 10} % of ${noun}s`;
  return times === 1 ? `The next ${noun}` : `The next ${plural(times, noun)}`;
}
