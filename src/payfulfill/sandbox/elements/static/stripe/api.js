// --- The API, as far as a publishable key reaches ------------------------------------------------

const UNREACHABLE =
  "We could not reach the payment service. Check your connection, then try again.";

/** Stripe's form encoding: `{a: {b: 1}}` to `a[b]=1`. */
function encode(value, name = "", form = new URLSearchParams()) {
  if (value === undefined || value === null) return form;
  if (typeof value !== "object") {
    form.append(name, String(value));
    return form;
  }
  for (const [key, entry] of Object.entries(value)) {
    encode(entry, name ? `${name}[${key}]` : key, form);
  }
  return form;
}

/** Calls the API for one publishable key. Nothing here ever rejects: what fails is an `error`. */
class Api {
  #key;

  constructor(key) {
    this.#key = key;
  }

  async retrieve(clientSecret) {
    const query = encode({ client_secret: clientSecret, key: this.#key });
    return this.#intent(`/v1/payment_intents/${intentIdOf(clientSecret, "retrieve")}?${query}`);
  }

  async confirm(clientSecret, params) {
    // What comes last wins: a page can't put another key or secret in its parameters.
    const fields = { ...params, use_stripe_sdk: true, client_secret: clientSecret };
    const path = `/v1/payment_intents/${intentIdOf(clientSecret, "confirm")}/confirm`;
    return this.#intent(path, encode({ ...fields, key: this.#key }));
  }

  /** The buyer would not answer their bank. */
  async giveUp(clientSecret) {
    const path = `/_sandbox/authenticate/${intentIdOf(clientSecret, "authenticate")}`;
    return this.#send(path, encode({ client_secret: clientSecret, outcome: "failed" }));
  }

  async #intent(path, form) {
    const answer = await this.#send(path, form);
    return answer.error ? answer : { paymentIntent: answer };
  }

  async #send(path, form) {
    try {
      // A form and no header of ours: so the browser sends it without asking first.
      const response = await fetch(ORIGIN + path, {
        method: form ? "POST" : "GET",
        body: form,
        cache: "no-store",
        credentials: "omit",
        referrerPolicy: "no-referrer",
      });
      return await response.json();
    } catch {
      return failure("api_connection_error", UNREACHABLE);
    }
  }
}
