// What card fields may hold: how it is written, and what is wrong with it. No page in here.

const BRANDS = [
  { name: "visa", title: "Visa", starts: /^4/ },
  { name: "mastercard", title: "Mastercard", starts: /^(5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720)/ },
  { name: "amex", title: "American Express", starts: /^3[47]/, groups: [4, 6, 5], code: 4 },
  { name: "diners", title: "Diners Club", starts: /^36/, groups: [4, 6, 4] },
  { name: "diners", title: "Diners Club", starts: /^3(0[0-5]|095|[89])/ },
  { name: "jcb", title: "JCB", starts: /^35(2[89]|[3-8])/ },
  { name: "discover", title: "Discover", starts: /^6(011|4[4-9]|5)/ },
  { name: "unionpay", title: "UnionPay", starts: /^(62|81)/, most: 19 },
];
const UNKNOWN = { name: "unknown", title: "" };

/** The brand by a number's first digits, with how its cards are numbered. */
export function brandOf(digits) {
  const brand = BRANDS.find(({ starts }) => starts.test(digits)) ?? UNKNOWN;
  const groups = brand.groups ?? [4, 4, 4, 4];
  const least = groups.reduce((sum, group) => sum + group);
  return { code: 3, least, most: least, ...brand, groups };
}

/** The digits in a text, in whatever script they were typed. */
export function digitsOf(text) {
  return text.normalize("NFKC").replace(/\D/g, "");
}

export function formatNumber(digits) {
  const groups = [];
  let rest = digits;
  for (const size of brandOf(digits).groups) {
    groups.push(rest.slice(0, size));
    rest = rest.slice(size);
  }
  return [...groups, rest].filter(Boolean).join(" ");
}

/** "1226" to "12 / 26", and "12" to "12 / ": the year is what comes next. */
export function formatExpiry(digits) {
  return digits.length < 2 ? digits : `${digits.slice(0, 2)} / ${digits.slice(2)}`;
}

/** The digits MMYY of a date as people and browsers write it: 1/26, 12/2026, 2026-12. */
export function expiryDigits(text) {
  const plain = text.normalize("NFKC").trim();
  const yearFirst = /^20(\d\d)\D(\d\d)$/.exec(plain);
  if (yearFirst) return yearFirst[2] + yearFirst[1];
  const [, month, rest] = /^(\d{0,2})(.*)$/s.exec(plain.replace(/^\D+/, ""));
  const alone = month.length === 1 && (month > "1" || /^\s*[/-]/.test(rest));
  // A month over 12 is its first digit, and the year's beginning: 13 is 01 / 3.
  const digits = alone || Number(month) > 12 ? `0${month}` : month;
  const later = digitsOf(rest);
  return (digits + (/^20\d\d$/.test(later) ? later.slice(2) : later)).slice(0, 4);
}

function problem(code, message) {
  return { type: "validation_error", code, message };
}

export function checkNumber(digits) {
  const { least, name } = brandOf(digits);
  if (digits.length < least) {
    return problem("incomplete_number", "Your card number is incomplete.");
  }
  const fits = name !== "unknown" && luhn(digits);
  return fits ? null : problem("invalid_number", "Your card number is invalid.");
}

/** Whether the check digit is right. ISO/IEC 7812-1, annex B. */
function luhn(digits) {
  const values = [...digits].reverse().map((digit, place) => {
    const value = Number(digit) * (place % 2 ? 2 : 1);
    return value > 9 ? value - 9 : value;
  });
  return values.reduce((sum, value) => sum + value) % 10 === 0;
}

/** A card is good until its month ends. */
export function checkExpiry(digits, today = new Date()) {
  if (digits.length < 4) {
    return problem("incomplete_expiry", "Your card's expiration date is incomplete.");
  }
  const { month, year } = expiryOf(digits);
  const thisYear = today.getFullYear();
  if (month < 1 || month > 12) {
    return problem("invalid_expiry_month", "Your card's expiration date is invalid.");
  }
  if (year < thisYear) {
    return problem("invalid_expiry_year_past", "Your card's expiration year is in the past.");
  }
  if (year === thisYear && month < today.getMonth() + 1) {
    return problem("invalid_expiry_month_past", "Your card's expiration date is in the past.");
  }
  if (year > thisYear + 50) {
    return problem("invalid_expiry_year", "Your card's expiration year is invalid.");
  }
  return null;
}

export function expiryOf(digits) {
  return { month: Number(digits.slice(0, 2)), year: 2000 + Number(digits.slice(2)) };
}

export function checkCode(digits, length) {
  if (digits.length === length) return null;
  return problem("incomplete_cvc", "Your card's security code is incomplete.");
}

/** Where a postal code is asked for: the countries in which Stripe checks it. */
export const POSTAL = {
  US: { label: "ZIP code", whole: /^\d{5}(-?\d{4})?$/, example: "12345", inputMode: "numeric" },
  CA: { label: "Postal code", whole: /^[a-z]\d[a-z] ?\d[a-z]\d$/i, example: "M5T 1T4" },
  GB: { label: "Postal code", whole: /^[a-z]{1,2}\d[a-z\d]? ?\d[a-z]{2}$/i, example: "WS11 1DB" },
};

export function checkPostal(text, country) {
  const rule = POSTAL[country];
  if (!rule || rule.whole.test(text.trim())) return null;
  const name = country === "US" ? "ZIP" : "postal code";
  return problem("incomplete_zip", `Your ${name} is incomplete.`);
}
