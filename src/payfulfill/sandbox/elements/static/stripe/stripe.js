// --- What the page gets --------------------------------------------------------------------------

/** `Stripe(key)` works with and without `new`. */
function makeStripe(key) {
  return new Stripe(key);
}
makeStripe.version = VERSION;

// Libraries and pages look for these names. Better told than "is not a function".
const ABSENT = [
  "collectBankAccountForPayment",
  "confirmSetup",
  "createConfirmationToken",
  "createEmbeddedCheckoutPage",
  "createSource",
  "createToken",
  "handleCardAction",
  "initCheckout",
  "paymentRequest",
  "redirectToCheckout",
  "retrieveSetupIntent",
  "verifyMicrodepositsForPayment",
];
for (const name of ABSENT) {
  Stripe.prototype[name] = () => {
    throw new IntegrationError(`stripe.${name}() is not in payfulfill's sandbox.`);
  };
}

window.Stripe = makeStripe;
