// --- A frame of the sandbox's, and the private line into it --------------------------------------

let framesMade = 0;

/**
 * An iframe whose page talks to this script, and to nobody else.
 *
 * Once it is loaded it gets one end of a MessageChannel. The browser hands that to a page of the
 * sandbox's origin only, and the page takes it only from its parent, of the origin and with the
 * nonce in the frame's address. All further messages go through the channel, where no other page
 * can read or write.
 */
class Frame {
  #nonce = randomToken();
  #greeting;
  #receive;
  #port = null;
  #waiting = []; // messages for a page that isn't there yet
  #requests = new Map();
  #requestsMade = 0;
  #closed = false;

  /** `greeting()` is what the page is told first; `receive` gets what it says, by type. */
  constructor({ path, title, greeting, receive }) {
    this.#greeting = greeting;
    this.#receive = receive;
    const address = new URLSearchParams({ origin: location.origin, nonce: this.#nonce });
    this.iframe = document.createElement("iframe");
    this.iframe.name = `__privateStripeFrame${(framesMade += 1)}`;
    this.iframe.title = title;
    this.iframe.src = `${ORIGIN}${path}#${address}`;
    // A browser loads a frame anew when its page moves it: then there is a new page to greet.
    this.iframe.addEventListener("load", () => this.#connect());
  }

  send(type, data = {}) {
    const message = { ...data, type };
    if (this.#port) this.#port.postMessage(message);
    else if (!this.#closed) this.#waiting.push(message);
  }

  /** Sends what is answered. Resolves to the answer; to an error if the frame goes away. */
  request(type, data = {}) {
    const number = (this.#requestsMade += 1);
    return new Promise((resolve) => {
      this.#requests.set(number, resolve);
      this.send(type, { ...data, request: number });
      if (this.#closed) this.#abandonRequests();
    });
  }

  close() {
    this.#closed = true;
    this.iframe.remove();
    this.#disconnect();
  }

  #connect() {
    if (this.#port) this.#disconnect();
    const channel = new MessageChannel();
    this.#port = channel.port1;
    this.#port.onmessage = (event) => this.#take(event.data);
    const greeting = { ...this.#greeting(), nonce: this.#nonce };
    this.iframe.contentWindow.postMessage(greeting, ORIGIN, [channel.port2]);
    for (const message of this.#waiting.splice(0)) this.#port.postMessage(message);
  }

  #disconnect() {
    this.#port?.close();
    this.#port = null;
    this.#abandonRequests();
  }

  #abandonRequests() {
    const gone = failure(
      "invalid_request_error",
      "The payment form was taken off the page before it was done.",
    );
    for (const resolve of this.#requests.values()) resolve(gone);
    this.#requests.clear();
  }

  #take(message) {
    if (message.type === "answer") {
      this.#requests.get(message.request)?.(message.result);
      this.#requests.delete(message.request);
    } else {
      this.#receive[message.type]?.(message);
    }
  }
}
