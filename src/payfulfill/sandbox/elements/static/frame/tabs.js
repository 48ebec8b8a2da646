// The choice of how to pay: tabs, as https://www.w3.org/WAI/ARIA/apg/patterns/tabs/ has them.

export class Tabs {
  #list = document.getElementById("tabs");
  #error = document.getElementById("choice-error");
  #buttons = [...document.querySelectorAll("#tabs button")];
  #methods = [];
  #changed;

  /** The method that is chosen, such as `card`; null when the choice is collapsed. */
  chosen = null;

  constructor(changed) {
    this.#changed = changed;
    for (const button of this.#buttons) {
      button.addEventListener("click", () => this.choose(button.value));
    }
    this.#list.addEventListener("keydown", (event) => this.#walk(event));
  }

  /** Whether any of these can be paid with here. */
  offer(methods) {
    this.#methods = this.#buttons.map(({ value }) => value).filter((each) => methods.includes(each));
    const first = methods.find((each) => this.#methods.includes(each));
    const kept = this.#methods.includes(this.chosen);
    this.choose(kept ? this.chosen : first);
    return this.#methods.length > 0;
  }

  choose(method = null) {
    const before = this.chosen;
    this.chosen = method;
    this.tell("");
    this.#show();
    if (before !== method) this.#changed();
  }

  tell(message) {
    this.#error.textContent = message;
  }

  focus() {
    this.#buttons.find(({ tabIndex, hidden }) => !hidden && tabIndex === 0)?.focus();
  }

  #show() {
    const choosing = this.#methods.length > 1 || this.chosen === null;
    this.#list.hidden = !choosing;
    for (const button of this.#buttons) {
      const chosen = button.value === this.chosen;
      const stop = this.chosen === null ? button.value === this.#methods[0] : chosen;
      button.hidden = !this.#methods.includes(button.value);
      button.setAttribute("aria-selected", String(chosen));
      button.tabIndex = stop ? 0 : -1;
      this.#showPanel(button, { chosen, choosing });
    }
  }

  #showPanel(tab, { chosen, choosing }) {
    const panel = document.getElementById(tab.getAttribute("aria-controls"));
    panel.hidden = !chosen;
    // Where there is nothing to choose there is no tab either, and the panel is just a group.
    panel.setAttribute("role", choosing ? "tabpanel" : "group");
    panel.removeAttribute(choosing ? "aria-label" : "aria-labelledby");
    if (choosing) panel.setAttribute("aria-labelledby", tab.id);
    else panel.setAttribute("aria-label", tab.textContent.trim());
  }

  #walk(event) {
    const { length } = this.#methods;
    const here = Math.max(0, this.#methods.indexOf(event.target.value));
    const there = { ArrowRight: here + 1, ArrowLeft: here - 1, Home: 0, End: length - 1 }[event.key];
    if (there === undefined) return;
    event.preventDefault();
    this.choose(this.#methods[(there + length) % length]);
    this.focus();
  }
}
