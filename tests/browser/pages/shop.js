// A shop's payment page: what it does is in its address, so that each test can have its own.
//
//   ?stripe=<address of stripe.js>&client_secret=<of the intent>
//   &redirect=if_required   stays on the page
//   &elements=<JSON>        further options of stripe.elements(), such as appearance
//   &options=<JSON>         options of the element

const query = new URLSearchParams(location.search);
const message = document.getElementById("message");
const redirect = query.get("redirect") ?? "always";

window.events = []; // what the element told, in order
window.results = []; // what confirming came to, each time

function load(address) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = address;
    script.onload = resolve;
    script.onerror = reject;
    document.head.append(script);
  });
}

function listen(element) {
  for (const name of ["ready", "change", "focus", "blur", "escape", "loaderstart", "loaderror"]) {
    element.on(name, (event) => window.events.push({ name, ...event }));
  }
}

async function start() {
  await load(query.get("stripe"));
  window.stripe = Stripe("pk_test_sandbox");
  window.elements = stripe.elements({
    ...(query.has("client_secret") && { clientSecret: query.get("client_secret") }),
    ...JSON.parse(query.get("elements") ?? "{}"),
  });
  window.element = elements.create("payment", JSON.parse(query.get("options") ?? "{}"));
  listen(element);
  element.mount("#payment-element");
}

async function pay() {
  const result = await stripe.confirmPayment({
    elements,
    confirmParams: { return_url: `${location.origin}/thanks?order=7&note=a%20b#top` },
    redirect,
  });
  window.results.push(result);
  message.textContent = result.error ? result.error.message : `Thank you: ${result.paymentIntent.status}.`;
}

// As careless as a page can be: the button stays enabled while a payment is under way.
document.getElementById("payment-form").addEventListener("submit", (event) => {
  event.preventDefault();
  pay();
});
window.started = start();
