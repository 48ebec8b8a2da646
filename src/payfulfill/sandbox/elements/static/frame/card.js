// The card form: its fields, and the payment method that becomes of them.

import { countries } from "./countries.js";
import { Field, formatWhileTyping, isShown, setHidden } from "./fields.js";
import {
  POSTAL,
  brandOf,
  checkCode,
  checkExpiry,
  checkNumber,
  checkPostal,
  digitsOf,
  expiryDigits,
  expiryOf,
  formatExpiry,
  formatNumber,
} from "./formats.js";

const SHOWN_BRANDS = ["visa", "mastercard", "amex", "discover"];
const ADDRESS = "billing_details[address]";
const SVG = "http://www.w3.org/2000/svg";

export class CardForm {
  #number;
  #expiry;
  #code;
  #postal;
  #country = document.getElementById("payment-countryInput");
  #brands = document.getElementById("brands");
  #asksPostal = true;
  #changed;

  /** `changed()` is called when anything was typed or chosen. */
  constructor(changed) {
    this.#changed = changed;
    this.#makeFields();
    this.#makeCountries();
    this.#makeSamples();
    this.#showBrand();
  }

  get empty() {
    return [this.#number, this.#expiry, this.#code].every(({ input }) => input.value === "");
  }

  get complete() {
    return this.#fields.every((field) => field.problem === null);
  }

  /** Shows all that is wrong, goes to the first of it, and returns that. */
  validate() {
    const wrong = this.#fields.filter((field) => field.problem !== null);
    for (const field of wrong) field.tell();
    wrong[0]?.input.focus();
    return wrong[0]?.problem ?? null;
  }

  focus() {
    this.#number.input.focus();
  }

  clear() {
    for (const field of this.#fields) field.set("");
    this.#afterChange();
  }

  setReadOnly(readOnly) {
    for (const field of this.#fields) field.input.readOnly = readOnly;
  }

  /** Leaves out what the shop asks for itself. */
  configure({ fields }) {
    const address = fields?.billingDetails?.address ?? fields?.billingDetails;
    const never = (name) => address === "never" || address?.[name] === "never";
    setHidden(this.#country, never("country"));
    this.#asksPostal = !never("postalCode");
    this.#showPostal();
  }

  /** Fills in what the shop knows. */
  prefill({ country, postal_code: postalCode } = {}) {
    if (country) this.#country.value = country;
    this.#showPostal();
    if (postalCode) this.#postal.set(postalCode);
  }

  /** The parameters that the API makes a payment method of. */
  params() {
    const { month, year } = expiryOf(digitsOf(this.#expiry.input.value));
    const params = {
      type: "card",
      "card[number]": digitsOf(this.#number.input.value),
      "card[exp_month]": month,
      "card[exp_year]": year,
      "card[cvc]": digitsOf(this.#code.input.value),
    };
    if (isShown(this.#country)) params[`${ADDRESS}[country]`] = this.#country.value;
    if (this.#postal.shown) params[`${ADDRESS}[postal_code]`] = this.#postal.input.value.trim();
    return params;
  }

  get #fields() {
    return [this.#number, this.#expiry, this.#code, this.#postal];
  }

  get #brand() {
    return brandOf(digitsOf(this.#number.input.value));
  }

  #makeFields() {
    const input = (name) => document.getElementById(`payment-${name}Input`);
    const numberDigits = (text) => digitsOf(text).slice(0, brandOf(digitsOf(text)).most);
    const codeDigits = (text) => digitsOf(text).slice(0, this.#brand.code);
    formatWhileTyping(input("number"), numberDigits, formatNumber);
    formatWhileTyping(input("expiry"), expiryDigits, formatExpiry);
    formatWhileTyping(input("cvc"), codeDigits, (digits) => digits);
    this.#number = new Field("number", (text) => checkNumber(digitsOf(text)));
    this.#expiry = new Field("expiry", (text) => checkExpiry(digitsOf(text)));
    this.#code = new Field("cvc", (text) => checkCode(digitsOf(text), this.#brand.code));
    this.#postal = new Field("postalCode", (text) => checkPostal(text, this.#country.value));
    for (const field of this.#fields) {
      field.input.addEventListener("input", () => this.#afterChange());
    }
  }

  #makeCountries() {
    const options = countries().map(({ code, name }) => new Option(name, code));
    this.#country.append(...options);
    this.#country.value = "US"; // the same for everyone: tests come out the same everywhere
    this.#country.addEventListener("change", () => {
      this.#postal.set("");
      this.#showPostal();
      this.#changed();
    });
    this.#showPostal();
  }

  #showPostal() {
    const rule = this.#asksPostal ? POSTAL[this.#country.value] : undefined;
    setHidden(this.#postal.input, !rule);
    if (!rule) return;
    const { input } = this.#postal;
    document.querySelector(`label[for="${input.id}"]`).textContent = rule.label;
    input.placeholder = rule.example;
    input.inputMode = rule.inputMode ?? "text";
  }

  /** The buttons that fill in a test card. They are one stop of the Tab key, as toolbars are. */
  #makeSamples() {
    const buttons = [...document.querySelectorAll("#samples button")];
    buttons.forEach((button, place) => {
      button.tabIndex = place === 0 ? 0 : -1;
      button.addEventListener("click", () => this.#fill(button.value));
      button.addEventListener("keydown", ({ key }) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
        if (!step) return;
        const next = buttons[(place + step + buttons.length) % buttons.length];
        for (const each of buttons) each.tabIndex = each === next ? 0 : -1;
        next.focus();
      });
    });
  }

  #fill(number) {
    if (this.#number.input.readOnly) return;
    const year = String((new Date().getFullYear() + 3) % 100);
    this.#number.set(formatNumber(number));
    this.#expiry.set(formatExpiry(`12${year.padStart(2, "0")}`));
    this.#code.set("123");
    if (this.#postal.shown) this.#postal.set(this.#postal.input.placeholder);
    this.#afterChange();
  }

  #afterChange() {
    this.#showBrand();
    this.#changed();
  }

  #showBrand() {
    const { name, title, code } = this.#brand;
    this.#code.input.placeholder = code === 4 ? "4-digit code" : "CVC";
    if (this.#brands.dataset.brand === name) return;
    this.#brands.dataset.brand = name;
    this.#brands.replaceChildren(...(title ? [name] : SHOWN_BRANDS).map(picture));
    if (title) {
      this.#brands.setAttribute("role", "img");
      this.#brands.setAttribute("aria-label", title);
    } else {
      this.#brands.removeAttribute("role");
      this.#brands.removeAttribute("aria-label");
    }
  }
}

function picture(brand) {
  const svg = document.createElementNS(SVG, "svg");
  const use = document.createElementNS(SVG, "use");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#brand-${brand}`);
  svg.append(use);
  return svg;
}
