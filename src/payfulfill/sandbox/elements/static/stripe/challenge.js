// --- 3-D Secure: the bank's question, over the shop's page ---------------------------------------

// In a shadow root, so that the shop's styles for `dialog` or `button` don't apply.
const DIALOG_CSS = `
  dialog {
    background: #fff; border: 0; border-radius: 12px; box-sizing: border-box; color: #1f2430;
    box-shadow: 0 24px 64px rgb(15 20 40 / 35%); font: 15px/1.4 system-ui, sans-serif;
    max-height: calc(100dvh - 32px); overflow: hidden; padding: 0;
    width: min(440px, calc(100vw - 32px));
  }
  dialog::backdrop { background: rgb(15 20 40 / 55%); }
  header { align-items: center; display: flex; gap: 8px; padding: 10px 10px 0 24px; }
  h2 { flex: 1; font-size: 14px; font-weight: 500; color: #596073; margin: 0; }
  button {
    background: none; border: 0; border-radius: 8px; color: #414858; cursor: pointer;
    font: 24px/1 system-ui, sans-serif; height: 40px; padding: 0; width: 40px;
  }
  button:hover { background: #eef0f4; }
  button:focus-visible { outline: 3px solid #4b4acf; outline-offset: -3px; }
  iframe { border: 0; display: block; height: 360px; max-height: calc(100dvh - 90px); width: 100%; }
  @media (prefers-reduced-motion: no-preference) {
    dialog[open] { animation: arrive 160ms ease-out; }
    @keyframes arrive { from { opacity: 0; transform: translateY(8px); } }
  }
`;

/** Asks, and resolves when the buyer answered, or dismissed the question, which is a no. */
async function challenge(api, clientSecret) {
  const dialog = new ChallengeDialog(clientSecret);
  const answered = await dialog.ask();
  // If the answer was on its way all the same this is refused, and the answer counts.
  if (!answered) await api.giveUp(clientSecret);
  dialog.close();
}

/** The dialog. The browser keeps the focus in it, and gives it back to where it was. */
class ChallengeDialog {
  #host = document.createElement("div");
  #dialog = document.createElement("dialog");
  #frame;
  #resolve;

  constructor(clientSecret) {
    this.#frame = this.#makeFrame(clientSecret);
    this.#dialog.setAttribute("role", "dialog");
    this.#dialog.setAttribute("aria-modal", "true");
    this.#dialog.setAttribute("aria-label", "Authenticate this payment");
    this.#dialog.append(this.#makeHeader(), this.#frame.iframe);
    this.#dialog.addEventListener("cancel", (event) => {
      event.preventDefault(); // it closes when the bank knows
      this.#resolve(false);
    });
    // Escape a second time closes it all the same.
    this.#dialog.addEventListener("close", () => this.#resolve(false));
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(DIALOG_CSS);
    const root = this.#host.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [sheet];
    root.append(this.#dialog);
  }

  /** Resolves to whether the buyer answered. */
  ask() {
    return new Promise((resolve) => {
      this.#resolve = resolve;
      document.body.append(this.#host);
      this.#dialog.showModal();
    });
  }

  close() {
    this.#dialog.close();
    this.#frame.close();
    this.#host.remove();
  }

  #makeFrame(clientSecret) {
    const id = intentIdOf(clientSecret, "3-D Secure");
    return new Frame({
      path: `/_sandbox/challenge/${id}?${encode({ client_secret: clientSecret })}`,
      title: "Authentication by your bank",
      greeting: () => ({}),
      receive: {
        answered: () => this.#resolve(true),
        dismissed: () => this.#resolve(false),
        resize: ({ height }) => style(this.#frame.iframe, { height: `${Math.ceil(height)}px` }),
        connected: () => this.#frame.iframe.focus(),
      },
    });
  }

  #makeHeader() {
    const header = document.createElement("header");
    const title = document.createElement("h2");
    title.textContent = "Test bank";
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "×";
    button.setAttribute("aria-label", "Cancel authentication");
    button.addEventListener("click", () => this.#resolve(false));
    header.append(title, button);
    return header;
  }
}
