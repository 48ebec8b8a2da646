// --- Payments: what the object that `Stripe()` returns can do ------------------------------------

const SETTLED = ["succeeded", "processing", "requires_capture"];

const NOT_AUTHENTICATED =
  "We are unable to authenticate your payment method. Please choose a different payment method " +
  "and try again.";

/** Never settles, nor does what waits for it: the browser is about to leave the page. */
const LEAVING = new Promise(() => {});

/** The intents that this page is confirming just now, whichever `Stripe()` does it. */
const underWay = new Set();
// Back from the return page the browser may show this page as it was when it was left.
window.addEventListener("pageshow", (event) => event.persisted && underWay.clear());

class Stripe {
  #api;
  #key;

  constructor(key) {
    this.#key = checkKey(key);
    this.#api = new Api(key);
  }

  elements(options) {
    return new Elements(this.#api, this.#key, options);
  }

  async confirmPayment(options) {
    const { elements, clientSecret, confirmParams, redirect } = confirmOptions(options);
    const { payment_method_data: data, ...params } = confirmParams;
    if (!elements) return this.#confirm({ clientSecret, params, redirect });
    const where = "stripe.confirmPayment()";
    const element = elements._requireMounted(where);
    const secret = elements._secretFor(clientSecret, where);
    const collect = () => collectFrom(elements, element, secret, data?.billing_details);
    return this.#confirm({ clientSecret: secret, params, redirect, collect, element });
  }

  async confirmCardPayment(clientSecret, data = {}, { handleActions = true } = {}) {
    if (typeof (data.payment_method ?? "") !== "string") {
      throw new IntegrationError(
        "stripe.confirmCardPayment(): the sandbox takes the id of a payment method here, such " +
          "as pm_card_visa, and no card element.",
      );
    }
    return this.#confirm({ clientSecret, params: data, redirect: "if_required", handleActions });
  }

  async handleNextAction({ clientSecret } = {}) {
    const id = intentIdOf(clientSecret, "stripe.handleNextAction()");
    return exclusively(id, async () => {
      const found = await this.#api.retrieve(clientSecret);
      if (found.error) return found;
      if (found.paymentIntent.status !== "requires_action") {
        throw new IntegrationError(
          "stripe.handleNextAction(): this PaymentIntent needs no action, its status is " +
            `${found.paymentIntent.status}.`,
        );
      }
      return this.#act(found, clientSecret);
    });
  }

  async retrievePaymentIntent(clientSecret) {
    intentIdOf(clientSecret, "stripe.retrievePaymentIntent()");
    return this.#api.retrieve(clientSecret);
  }

  /** For pages that confirm on their server. */
  async createPaymentMethod({ elements, params } = {}) {
    if (!(elements instanceof Elements)) {
      throw new IntegrationError("stripe.createPaymentMethod() takes {elements} in the sandbox.");
    }
    const element = elements._requireMounted("stripe.createPaymentMethod()");
    const made = await element._collect(params?.billing_details);
    return made.error ? { error: made.error } : { paymentMethod: made.paymentMethod };
  }

  // Others tell Stripe here which library they are; there is nobody to tell.
  registerAppInfo() {}
  _registerWrapper() {}

  async #confirm({ clientSecret, params, redirect, collect, element, handleActions = true }) {
    const id = intentIdOf(clientSecret, "stripe.confirmPayment()");
    return exclusively(id, async () => {
      element?._setBusy(true);
      const method = collect ? await collect() : {};
      const result = method.error
        ? { error: method.error }
        : await this.#send(clientSecret, { ...params, ...method }, handleActions);
      if (redirect === "always" && result.paymentIntent) return leave(params.return_url, result);
      element?._setBusy(false);
      return result;
    });
  }

  async #send(clientSecret, fields, handleActions) {
    const confirmed = await this.#api.confirm(clientSecret, fields);
    return handleActions ? this.#act(confirmed, clientSecret) : confirmed;
  }

  /** Does what the bank wants done, if it wants something. */
  async #act(confirmed, clientSecret) {
    const action = confirmed.paymentIntent?.next_action;
    if (action?.type === "redirect_to_url") {
      location.assign(action.redirect_to_url.url);
      return LEAVING;
    }
    if (action?.type !== "use_stripe_sdk") return confirmed;
    await challenge(this.#api, clientSecret);
    // Whatever the dialog saw: what counts is how the intent stands now.
    return outcome(await this.#api.retrieve(clientSecret));
  }
}

/** The key, if it is one that belongs here. */
function checkKey(key) {
  if (typeof key !== "string" || key === "") {
    throw new IntegrationError("Stripe() needs your publishable key: Stripe('pk_test_...').");
  }
  if (/^[sr]k_/.test(key)) {
    throw new IntegrationError(
      "Stripe() was given a secret key. Whoever visits the page can read it: take it out, " +
        "replace it in Stripe's dashboard if it is real, and use the publishable key.",
    );
  }
  if (key.startsWith("pk_live_")) {
    throw new IntegrationError(
      "Stripe() was given a live key, but this script is payfulfill's sandbox: nothing is paid " +
        "here. Use a pk_test_... key, or load the script from Stripe.",
    );
  }
  if (/^pk_test_\w+$/.test(key)) return key;
  throw new IntegrationError("Stripe(): a publishable test key looks like pk_test_...");
}

function confirmOptions(options = {}) {
  const { elements, clientSecret, confirmParams = {}, redirect = "always" } = options;
  const where = "stripe.confirmPayment()";
  if (elements !== undefined && !(elements instanceof Elements)) {
    throw new IntegrationError(`${where}: elements has to come from stripe.elements().`);
  }
  if (!elements && !clientSecret) {
    throw new IntegrationError(`${where} needs elements, or a clientSecret.`);
  }
  if (!["always", "if_required"].includes(redirect)) {
    throw new IntegrationError(`${where}: redirect is "always" or "if_required".`);
  }
  if (redirect === "always" || confirmParams.return_url !== undefined) {
    checkReturnUrl(confirmParams.return_url, where);
  }
  return { elements, clientSecret, confirmParams, redirect };
}

function checkReturnUrl(url, where) {
  const absolute = typeof url === "string" && /^https?:\/\//i.test(url) && URL.canParse(url);
  if (absolute) return;
  throw new IntegrationError(
    `${where} needs confirmParams.return_url: the full address, with http:// or https://, to ` +
      'which the buyer goes afterwards. Only {redirect: "if_required"} does without.',
  );
}

/** Makes the payment method that the intent is confirmed with. */
async function collectFrom(elements, element, clientSecret, billingDetails) {
  const ready = await element._ready();
  if (ready.error) return ready;
  const match = await elements._checkMatch(clientSecret);
  if (match.error) return match;
  const made = await element._collect(billingDetails);
  return made.error ? { error: made.error } : { payment_method: made.paymentMethod.id };
}

/** Runs the task, unless one for this intent is running: a double click must not pay twice. */
async function exclusively(intentId, task) {
  if (underWay.has(intentId)) {
    return failure(
      "invalid_request_error",
      "This payment is already being processed. Please wait.",
      { code: "payment_intent_confirmation_in_progress" },
    );
  }
  underWay.add(intentId);
  return task().finally(() => underWay.delete(intentId));
}

/** What the page is told of an intent after an action. */
function outcome(found) {
  const intent = found.paymentIntent;
  if (found.error || SETTLED.includes(intent.status)) return found;
  const error = intent.last_payment_error ?? {
    code: "payment_intent_authentication_failure",
    type: "invalid_request_error",
  };
  const message =
    error.code === "payment_intent_authentication_failure" ? NOT_AUTHENTICATED : error.message;
  return { error: { ...error, message, payment_intent: intent } };
}

/** Takes the buyer to the shop's page for after, which learns from its address what happened. */
function leave(returnUrl, { paymentIntent }) {
  const { status } = paymentIntent;
  const url = new URL(returnUrl);
  const added = new URLSearchParams({
    payment_intent: paymentIntent.id,
    payment_intent_client_secret: paymentIntent.client_secret,
    redirect_status: status === "requires_capture" ? "succeeded" : status,
  });
  // Joined by hand: `url.searchParams` would rewrite what the shop had in there.
  url.search = url.search ? `${url.search}&${added}` : `${added}`;
  location.assign(url);
  return LEAVING;
}
