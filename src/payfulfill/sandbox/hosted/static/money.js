// Amounts as buyers read them.

/** Stripe counts these in hundredths, though they have none. */
const HUNDREDTHS = ["isk", "ugx"];

/** Such as "$20.00". */
export function money(amount, currency) {
  const digits = HUNDREDTHS.includes(currency) ? 2 : undefined;
  const format = new Intl.NumberFormat("en", {
    style: "currency",
    currency,
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
  return format.format(amount / 10 ** format.resolvedOptions().maximumFractionDigits);
}
