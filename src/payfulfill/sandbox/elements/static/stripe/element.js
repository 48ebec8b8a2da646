// --- The Payment Element -------------------------------------------------------------------------

const EVENTS = ["ready", "change", "focus", "blur", "escape", "loaderstart", "loaderror"];

/** Handlers by event, as on Stripe's elements. */
class Emitter {
  #handlers = new Map(EVENTS.map((name) => [name, []]));

  on(name, handler) {
    return this.#add(name, handler, { once: false });
  }

  once(name, handler) {
    return this.#add(name, handler, { once: true });
  }

  /** Without a handler: all of them. */
  off(name, handler) {
    const kept = this.#of(name).filter((each) => handler && each.handler !== handler);
    this.#handlers.set(name, kept);
    return this;
  }

  emit(name, event) {
    const called = this.#of(name);
    this.#handlers.set(name, called.filter((each) => !each.once));
    for (const { handler } of called) {
      try {
        handler(event);
      } catch (error) {
        reportError(error); // the page's own fault: it is told, and the payment goes on
      }
    }
  }

  #add(name, handler, { once }) {
    const before = this.#of(name);
    if (typeof handler !== "function") {
      throw new IntegrationError(`The handler of an element's "${name}" is no function.`);
    }
    this.#handlers.set(name, [...before, { handler, once }]);
    return this;
  }

  #of(name) {
    const handlers = this.#handlers.get(name);
    if (handlers) return handlers;
    const known = EVENTS.join(", ");
    throw new IntegrationError(`Elements have no event "${name}". They have ${known}.`);
  }
}

/** What the shop's page holds of the element. The fields themselves are in the frame. */
class PaymentElement extends Emitter {
  #elements;
  #options;
  #frame = null;
  #box = null;
  #destroyed = false;

  constructor(elements, options) {
    super();
    this.#elements = elements;
    this.#options = plain(options);
  }

  mount(target) {
    if (this.#destroyed) {
      throw new IntegrationError(
        "element.mount(): this element was destroyed. Make a new one with elements.create().",
      );
    }
    const place = findPlace(target);
    if (this.#box?.parentNode === place) return this;
    this.unmount();
    this.#frame = this.#makeFrame();
    this.#box = wrap(this.#frame.iframe);
    place.replaceChildren(this.#box);
    this.emit("loaderstart", { elementType: "payment" });
    return this;
  }

  unmount() {
    this.#frame?.close();
    this.#box?.remove();
    this.#frame = this.#box = null;
    return this;
  }

  destroy() {
    this.unmount();
    this.#destroyed = true;
    this.#elements._forget(this);
    return this;
  }

  update(options) {
    this.#options = { ...this.#options, ...plain(options) };
    this.#frame?.send("options", { options: this.#options });
    return this;
  }

  focus() {
    this.#frame?.iframe.focus();
    this.#frame?.send("focus");
  }

  blur() {
    this.#frame?.iframe.blur();
    this.#frame?.send("blur");
  }

  clear() {
    this.#frame?.send("clear");
  }

  collapse() {
    this.#frame?.send("collapse");
  }

  // What follows is for the rest of this script, not for pages.

  get _mounted() {
    return Boolean(this.#box?.isConnected);
  }

  /** Resolves to `{}` when the fields are there, to `{error}` when they can't be. */
  _ready() {
    return this.#frame.request("ready");
  }

  /** Shows what is missing. Resolves to `{selectedPaymentMethod}` or `{error}`. */
  _validate() {
    return this.#frame.request("validate");
  }

  /** Makes a payment method of what was typed. Resolves to `{paymentMethod}` or `{error}`. */
  _collect(billingDetails) {
    const fields = encode({ billing_details: plain(billingDetails) });
    return this.#frame.request("collect", { details: Object.fromEntries(fields) });
  }

  /** While a payment is under way nothing may be typed. */
  _setBusy(busy) {
    this.#frame?.send("busy", { busy });
  }

  _setAppearance(appearance) {
    this.#frame?.send("appearance", { appearance });
  }

  /** Tells the frame what can be paid with, or why nothing can. */
  _setIntent(loaded) {
    if (!loaded.error) {
      this.#frame?.send("methods", { methods: loaded.paymentIntent.payment_method_types });
      return;
    }
    this.#frame?.send("refuse", { error: loaded.error });
    this.emit("loaderror", { elementType: "payment", error: loaded.error });
  }

  #makeFrame() {
    const frame = new Frame({
      path: "/_sandbox/elements/payment",
      title: "Secure payment input frame",
      greeting: () => this.#greet(frame),
      receive: this.#receivers(),
    });
    style(frame.iframe, FRAME_STYLE);
    return frame;
  }

  #greet(frame) {
    // Once greeted, and unless it is another frame by then, it learns of the intent.
    this.#elements._load().then((loaded) => frame === this.#frame && this._setIntent(loaded));
    return { ...this.#elements._settings, options: this.#options };
  }

  #receivers() {
    const pass = (name) => (message) => this.emit(name, { ...message.event, elementType: "payment" });
    return {
      blur: pass("blur"),
      change: pass("change"),
      escape: pass("escape"),
      focus: pass("focus"),
      ready: pass("ready"),
      resize: (message) => this.#resize(message.height),
      submit: () => this.#submitForm(),
    };
  }

  #resize(height) {
    if (Number.isFinite(height)) style(this.#frame.iframe, { height: `${Math.ceil(height)}px` });
  }

  /** Enter in a field does what it does in any form: it presses the form's first button. */
  #submitForm() {
    const form = this.#box?.closest("form");
    const button = form && [...form.elements].find((each) => each.type === "submit");
    if (button) button.click(); // a disabled one ignores it, as it should
  }
}

/** The room that focus rings need inside of the frame, which would cut them off. */
const FRAME_EDGE = 4;

const FRAME_STYLE = {
  border: "0",
  "box-sizing": "content-box",
  "color-scheme": "light", // that of the page in it: were they not the same, it would be opaque
  display: "block",
  height: "230px", // about what the fields take, until their page says exactly
  margin: `-${FRAME_EDGE}px`,
  "max-width": "none",
  "min-width": "0",
  overflow: "hidden",
  padding: "0",
  "user-select": "none",
  width: `calc(100% + ${2 * FRAME_EDGE}px)`,
};

/** Sets styles that the shop's own, such as `iframe { height: 100% }`, don't override. */
function style(node, styles) {
  for (const [name, value] of Object.entries(styles)) {
    node.style.setProperty(name, value, "important");
  }
}

function wrap(iframe) {
  const box = document.createElement("div");
  box.className = "__PrivateStripeElement";
  style(box, { border: "0", display: "block", margin: "0", padding: "0", position: "relative" });
  box.append(iframe);
  return box;
}

/** The node to mount to. */
function findPlace(target) {
  if (target?.nodeType === Node.ELEMENT_NODE) return target;
  if (typeof target !== "string") {
    throw new IntegrationError("element.mount() takes a CSS selector or a DOM element.");
  }
  const place = document.querySelector(target);
  if (place) return place;
  throw new IntegrationError(
    `element.mount(): nothing on the page matches "${target}". Mount when it is there.`,
  );
}
