// How things read: amounts, times, JSON.

import { h } from "./dom.js";

let currencies = {};

/** Takes the server's table of how many decimals each currency has. */
export function knowCurrencies(table) {
  currencies = table;
}

/** An amount as people write it: 2000 of usd is "20.00 USD", 500 of jpy "500 JPY". */
export function money(amount, currency) {
  const { decimals, exponent } = currencies[currency] ?? { decimals: 0, exponent: 0 };
  const digits = String(Math.abs(amount)).padStart(exponent + 1, "0");
  const whole = digits.slice(0, digits.length - exponent);
  let fraction = digits.slice(digits.length - exponent);
  // A króna has no decimals, though Stripe counts it in hundredths; half of one is still shown.
  if (/^0*$/.test(fraction.slice(decimals))) fraction = fraction.slice(0, decimals);
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, "\u202f"); // a narrow space: 12 000
  const number = `${amount < 0 ? "−" : ""}${grouped}${fraction && "."}${fraction}`;
  return `${number} ${currency.toUpperCase()}`;
}

/** What Stripe counts, of an amount as people write it: 2000 of "20.00" usd. Else the text. */
export function minorUnits(written, currency) {
  const { exponent } = currencies[currency] ?? { exponent: 0 };
  const amount = Math.round(Number(written.trim().replace(",", ".")) * 10 ** exponent);
  return Number.isFinite(amount) ? amount : written;
}

const TIME = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const DAY = new Intl.DateTimeFormat("en-GB", { dateStyle: "full" });
const SHORT_DAY = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium" });

/** "14:05:09", in the reader's time zone; the exact moment in UTC is its tooltip. */
export function clockTime(seconds) {
  const moment = new Date(seconds * 1000);
  return timeElement(moment, TIME.format(moment));
}

function timeElement(moment, shown) {
  const utc = moment.toISOString();
  return h("time", { datetime: utc, title: utc.replace("T", " ") }, shown);
}

/** "Friday 15 January 2027". */
export function day(seconds) {
  return DAY.format(new Date(seconds * 1000)).replace(",", "");
}

/** "15 Jan 2027 14:05:09". */
export function dateAndTime(seconds) {
  const moment = new Date(seconds * 1000);
  return timeElement(moment, `${SHORT_DAY.format(moment)} ${TIME.format(moment)}`);
}

const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

/** "1 day 2 hours": the two largest units. */
export function duration(seconds) {
  let left = Math.round(seconds);
  const parts = [];
  for (const [unit, size] of UNITS) {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count > 0) parts.push(plural(count, unit));
  }
  return parts.slice(0, 2).join(" ") || "0 seconds";
}

/** "1 event", "2 events". */
export function plural(count, noun) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** "payment_intent" as "Payment intent". */
export function words(name) {
  const spaced = name.replaceAll("_", " ").replaceAll(".", " ");
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}

/** An address without what goes without saying. */
export function place(url) {
  return url.replace(/^http:\/\//, "");
}

/** A payload as the text to copy. */
export function jsonText(value) {
  return JSON.stringify(value, null, 2);
}

/**
 * A payload, coloured; strings for which `address` knows one become links, and seconds since the
 * epoch tell their date.
 */
export function json(value, address) {
  return h("code", { class: "json" }, ...lines(value, address, "", ""));
}

function lines(value, address, indent, name) {
  if (value === null || typeof value !== "object") return [scalar(value, address, name)];
  const entries = Array.isArray(value) ? value.map((each) => [null, each]) : Object.entries(value);
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  if (entries.length === 0) return [open + close];
  const deeper = indent + "  ";
  const parts = entries.map(([key, each], position) => [
    deeper,
    key !== null && [h("span", { class: "j-key" }, JSON.stringify(key)), ": "],
    ...lines(each, address, deeper, key ?? name),
    position < entries.length - 1 ? ",\n" : "\n",
  ]);
  return [open + "\n", parts, indent + close];
}

function scalar(value, address, name) {
  const text = JSON.stringify(value);
  if (typeof value === "string") {
    const to = address(value);
    const shown = to === null ? text : ['"', h("a", { href: to }, value), '"'];
    return h("span", { class: "j-string" }, shown);
  }
  const moment = typeof value === "number" && /(created|_at|_on|date|available)$/.test(name ?? "");
  const title = moment && value > 1e8 && value < 1e11 && new Date(value * 1000).toISOString();
  return h("span", { class: value === null ? "j-null" : "j-number", title }, text);
}
