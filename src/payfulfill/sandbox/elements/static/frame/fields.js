// One field: its input, and the message under it.

import { digitsOf } from "./formats.js";

/** An input with what is wrong with its value, told in time: neither too early nor too late. */
export class Field {
  #check;
  #error;

  /** `check(text)` gives what is wrong with it, or null. */
  constructor(name, check) {
    this.input = document.getElementById(`payment-${name}Input`);
    this.#error = document.getElementById(`payment-${name}Error`);
    this.#check = check;
    this.input.addEventListener("input", () => this.#whileTyping());
    this.input.addEventListener("blur", () => this.input.value && this.tell());
  }

  get shown() {
    return isShown(this.input);
  }

  get problem() {
    return this.shown ? this.#check(this.input.value) : null;
  }

  /** Shows what is wrong, or that nothing is. */
  tell(problem = this.problem) {
    const message = problem?.message ?? "";
    if (this.#error.textContent !== message) this.#error.textContent = message;
    if (problem) {
      this.input.setAttribute("aria-invalid", "true");
      this.input.setAttribute("aria-describedby", this.#error.id);
    } else {
      this.input.removeAttribute("aria-invalid");
      this.input.removeAttribute("aria-describedby");
    }
  }

  set(value) {
    this.input.value = value;
    this.tell(null);
  }

  /** Who is still typing is told only of what typing on won't mend. */
  #whileTyping() {
    const { problem } = this;
    this.tell(problem?.code.startsWith("incomplete") ? null : problem);
  }
}

/** Whether a field is asked for. */
export function isShown(input) {
  return !input.closest(".field").hidden;
}

export function setHidden(input, hidden) {
  input.closest(".field").hidden = hidden;
}

/**
 * Writes an input's text anew at every key, and leaves the caret where the typist has it: after
 * as many of their digits as before, whatever separators come or go.
 *
 * `read(text)` gives the digits that are meant, no more than fit; `write(digits)` the text. A
 * Field for the same input comes after this, to see what is written here.
 */
export function formatWhileTyping(input, read, write) {
  let before = "";
  input.addEventListener("beforeinput", () => {
    before = digitsOf(input.value);
  });

  function rewrite({ inputType = "", data, isComposing }) {
    if (isComposing) return;
    const { digits, place } = inputType.startsWith("delete")
      ? afterDeletion(input, before, inputType)
      : afterInsertion(input, before, read, data);
    input.value = write(digits);
    const skip = inputType !== "deleteContentBackward";
    const caret = caretAfter(input.value, place, { skip });
    if (document.activeElement === input) input.setSelectionRange(caret, caret);
  }
  input.addEventListener("input", rewrite);
  input.addEventListener("compositionend", () => rewrite({}));
}

function untilCaret({ value, selectionStart }) {
  return value.slice(0, selectionStart);
}

/** The digits that are left: no zero is put before a month that somebody is just changing. */
function afterDeletion(input, before, inputType) {
  const digits = digitsOf(input.value);
  let place = digitsOf(untilCaret(input)).length;
  if (digits !== before) return { digits, place };
  // Only a separator went, which comes back at once: what was meant is the digit beyond it.
  if (inputType === "deleteContentBackward") place = Math.max(0, place - 1);
  return { digits: digits.slice(0, place) + digits.slice(place + 1), place };
}

function afterInsertion(input, before, read, data) {
  const digits = read(input.value);
  const place = read(untilCaret(input)).length;
  const typed = data?.length === 1;
  // No room for one more digit: it goes, and not the last one, which was there before.
  const full = typed && before.length === digits.length && digitsOf(input.value).length > digits.length;
  return full ? { digits: before, place: place - 1 } : { digits, place };
}

/** The place in `text` after so many digits; with `skip`, after the separator that follows too. */
function caretAfter(text, digits, { skip }) {
  let place = 0;
  for (let seen = 0; seen < digits && place < text.length; place += 1) {
    if (/\d/.test(text[place])) seen += 1;
  }
  while (skip && digits > 0 && place < text.length && !/\d/.test(text[place])) place += 1;
  return place;
}
