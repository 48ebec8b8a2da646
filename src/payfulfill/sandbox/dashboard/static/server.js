// Talks with the control API.

/** The sandbox said no, and why. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Asks for something: `get("events/evt_1")`. Throws Refused, or TypeError if nobody is there. */
export function get(path, query = {}) {
  const parameters = new URLSearchParams(query).toString();
  return call(`${path}${parameters && "?"}${parameters}`, { method: "GET" });
}

/** Does something, such as `post("pay", { intent, card })`. Throws as `get` does. */
export function post(path, fields = {}) {
  return call(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(fields),
  });
}

async function call(path, options) {
  const response = await fetch(`/_sandbox/api/${path}`, { cache: "no-store", ...options });
  let answer;
  try {
    answer = await response.json();
  } catch {
    throw new TypeError("The answer was cut off.");
  }
  if (!response.ok) {
    throw new Refused(response.status, answer.error?.message ?? response.statusText);
  }
  return answer;
}
