// --- Elements: one intent, and the element that it is paid with ----------------------------------

const PAYABLE = ["requires_payment_method", "requires_confirmation", "requires_action"];

/** What `stripe.elements()` returns. */
class Elements {
  #api;
  #key;
  #options;
  #appearance;
  #element = null;
  #loading = null;
  #submitted = false;

  constructor(api, key, options = {}) {
    checkElementsOptions(options);
    this.#api = api;
    this.#key = key;
    this.#options = options;
    this.#appearance = plain(options.appearance);
    warnOfRules(this.#appearance);
  }

  create(type, options = {}) {
    if (type !== "payment") {
      throw new IntegrationError(
        `elements.create("${type}"): the sandbox has the "payment" element only.`,
      );
    }
    if (this.#element) {
      throw new IntegrationError(
        'elements.create("payment"): there is one already. Get it with ' +
          'elements.getElement("payment"), or destroy() it first.',
      );
    }
    this.#element = new PaymentElement(this, options);
    return this.#element;
  }

  getElement(type) {
    return type === "payment" ? this.#element : null;
  }

  update(options = {}) {
    if (options.clientSecret && options.clientSecret !== this.#options.clientSecret) {
      throw new IntegrationError(
        "elements.update(): the client secret can't change. Call stripe.elements() again.",
      );
    }
    const before = this.#options;
    this.#options = { ...before, ...options };
    if (options.appearance) this.#setAppearance(plain(options.appearance));
    if (this.#options.currency !== before.currency) this.#reload();
  }

  /** Reads the intent again, as its amount or its methods may have changed on the server. */
  async fetchUpdates() {
    const loaded = await this.#reload();
    return loaded.error ? { error: loaded.error } : {};
  }

  /** Checks what was typed, and shows what is wrong with it. */
  async submit() {
    this._requireMounted("elements.submit()");
    const ready = await this.#element._ready();
    const checked = ready.error ? ready : await this.#element._validate();
    this.#submitted = !checked.error;
    return checked;
  }

  // What follows is for the rest of this script, not for pages.

  get _settings() {
    const { loader = "auto" } = this.#options;
    return { appearance: this.#appearance, key: this.#key, loader };
  }

  /** The intent, or why it can't be paid. Asked for once, when the first frame wants to know. */
  _load() {
    this.#loading ??= this.#fetch();
    return this.#loading;
  }

  _forget(element) {
    if (this.#element === element) this.#element = null;
  }

  /** The element. Throws an IntegrationError where there is none on the page. */
  _requireMounted(where) {
    if (this.#element?._mounted) return this.#element;
    throw new IntegrationError(
      `${where} needs a Payment Element on the page: elements.create("payment"), then mount().`,
    );
  }

  /** Which intent is to be confirmed: its secret is given here or there, and the same in both. */
  _secretFor(clientSecret, where) {
    const own = this.#options.clientSecret;
    if (own && clientSecret && own !== clientSecret) {
      throw new IntegrationError(`${where}: elements was made with another client secret.`);
    }
    if (!own && !this.#submitted) {
      throw new IntegrationError(
        `${where}: elements was made without an intent, so call elements.submit() first.`,
      );
    }
    return own ?? clientSecret;
  }

  /** An intent that was made later has to be for what the buyer was shown. */
  async _checkMatch(clientSecret) {
    if (this.#options.clientSecret) return {};
    const { paymentIntent, error } = await this.#api.retrieve(clientSecret);
    if (error) return { error };
    const { amount, currency } = this.#options;
    if (paymentIntent.amount === amount && paymentIntent.currency === currency) return {};
    return failure(
      "invalid_request_error",
      `The PaymentIntent is for ${paymentIntent.amount} ${paymentIntent.currency}, but ` +
        `elements was made for ${amount} ${currency}. Keep them the same with elements.update().`,
    );
  }

  #setAppearance(appearance) {
    this.#appearance = appearance;
    warnOfRules(appearance);
    this.#element?._setAppearance(appearance);
  }

  async #reload() {
    this.#loading = this.#fetch();
    const loaded = await this.#loading;
    this.#element?._setIntent(loaded);
    return loaded;
  }

  async #fetch() {
    const { clientSecret, currency, paymentMethodTypes } = this.#options;
    if (!clientSecret) {
      const types = paymentMethodTypes ?? methodTypes(currency);
      return { paymentIntent: { payment_method_types: types } };
    }
    const loaded = await this.#api.retrieve(clientSecret);
    if (loaded.error || PAYABLE.includes(loaded.paymentIntent.status)) return loaded;
    return failure(
      "invalid_request_error",
      `This PaymentIntent is ${loaded.paymentIntent.status}, so it can't be paid any more.`,
      { code: "payment_intent_unexpected_state", payment_intent: loaded.paymentIntent },
    );
  }
}

/** What the sandbox's intents take by default. */
function methodTypes(currency) {
  return currency === "usd" ? ["card", "us_bank_account"] : ["card"];
}

function checkElementsOptions({ clientSecret, mode, amount, currency }) {
  if (clientSecret !== undefined) {
    intentIdOf(clientSecret, "stripe.elements()");
    if (mode !== undefined) {
      throw new IntegrationError("stripe.elements(): give a clientSecret or a mode, not both.");
    }
    return;
  }
  if (mode !== "payment") {
    throw new IntegrationError(
      'stripe.elements() needs {clientSecret}, or {mode: "payment", amount, currency}. ' +
        "Other modes are not in the sandbox.",
    );
  }
  if (!Number.isInteger(amount) || amount < 1 || !/^[a-z]{3}$/.test(currency)) {
    throw new IntegrationError(
      'stripe.elements({mode: "payment"}) needs an amount in whole minor units, and a currency ' +
        'in small letters such as "usd".',
    );
  }
}

function warnOfRules({ rules }) {
  if (rules && Object.keys(rules).length > 0) {
    console.warn("payfulfill's sandbox leaves appearance.rules aside; it heeds the variables.");
  }
}
