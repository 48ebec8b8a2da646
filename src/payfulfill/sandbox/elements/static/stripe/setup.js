// --- Where this script came from, and how misuse is told ----------------------------------------

// While a classic script runs the browser says which one it is; later it no longer does.
const SCRIPT = new URL(document.currentScript.src);
const ORIGIN = SCRIPT.origin;

// The release in `/clover/stripe.js`, or the number of `/v3/`. Stripe's npm loader compares it.
const RELEASE = SCRIPT.pathname.split("/")[1];
const VERSION = /^[a-z]{3,}$/.test(RELEASE) ? RELEASE : 3;

/** The page uses Stripe.js wrongly. Its author must change the page; no buyer can help it. */
class IntegrationError extends Error {
  constructor(message) {
    super(message);
    this.name = "IntegrationError";
  }
}

/** An error that the shop's page shows to the buyer, in the shape of the API's errors. */
function failure(type, message, details = {}) {
  return { error: { type, message, ...details } };
}

/** A copy that can go to a frame: what is no plain data, such as a function, stays here. */
function plain(value) {
  return JSON.parse(JSON.stringify(value ?? {}));
}

function randomToken() {
  const numbers = crypto.getRandomValues(new Uint32Array(4));
  return Array.from(numbers, (number) => number.toString(36)).join("");
}

const SECRET = /^(pi_[A-Za-z0-9]+)_secret_[A-Za-z0-9]+$/;

/** The id in a payment intent's client secret. Throws an IntegrationError if it isn't one. */
function intentIdOf(clientSecret, where) {
  const match = typeof clientSecret === "string" ? SECRET.exec(clientSecret) : null;
  if (match) return match[1];
  // Not a word of the value itself: it may be some other secret, and this ends up in logs.
  throw new IntegrationError(
    `${where}: the client secret of a PaymentIntent looks like pi_..._secret_...; this is ` +
      (typeof clientSecret === "string" ? "another text." : `${typeof clientSecret}.`),
  );
}
