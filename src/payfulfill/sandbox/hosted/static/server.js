// How the page asks the sandbox.

/** What the sandbox refused, in words for the buyer. */
export class Refused extends Error {}

/** Asks for something; throws what was refused, or that nobody answers. */
export async function ask(path, fields = {}) {
  let response;
  let answer;
  try {
    response = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(fields),
    });
    answer = await response.json();
  } catch {
    throw new Refused("The sandbox can't be reached. Check that it runs, then try again.");
  }
  if (!response.ok) throw new Refused(answer.error?.message ?? "That didn't work.");
  return answer;
}
