import { call, el, tell } from "./page.js";

const message = document.getElementById("message");

/** Where to go then: to a page of this shop, whatever the address says. */
function next() {
  const wanted = new URLSearchParams(location.search).get("next") ?? "/";
  const url = new URL(wanted, location.origin);
  return url.origin === location.origin ? url.href : "/";
}

function choice({ id, name, isAdmin }) {
  const initials = name.split(" ").map((word) => word[0]).join("");
  const face = el("span", { className: "face", ariaHidden: "true" }, initials);
  const words = `Sign in as ${name}${isAdmin ? ", the shop's admin" : ""}`;
  const button = el("button", { type: "button" }, face, words);
  button.addEventListener("click", () => signIn(id));
  return el("li", {}, button);
}

async function signIn(id) {
  try {
    await call("/shop/sign-in", { person: id });
    location.replace(next());
  } catch (problem) {
    tell(message, problem.message);
  }
}

try {
  const { people } = await call("/shop/me");
  document.getElementById("people").append(...people.map(choice));
} catch (problem) {
  tell(message, problem.message);
}
