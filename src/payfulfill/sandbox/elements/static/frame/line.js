// The line to the script on the host page, for a page in one of that script's frames.

/**
 * Takes the port that comes with the first message, and hands on what arrives by it.
 *
 * Anybody who has this window may post to it. Only the parent counts, of the origin and with the
 * nonce that are in this page's own address, and only once.
 *
 * @param {object} receive What to do, by type of message; `greeting` is the first. What is
 *   returned, or the promise of it, is the answer if one is asked for.
 * @returns {function(string, object=)} Sends a message; before the first has come, it is lost.
 */
export function openLine(receive) {
  const expected = new URLSearchParams(location.hash.slice(1));
  let port = null;

  window.addEventListener("message", function greet(event) {
    if (event.source !== window.parent || event.origin !== expected.get("origin")) return;
    if (event.data?.nonce !== expected.get("nonce") || event.ports.length !== 1) return;
    window.removeEventListener("message", greet);
    [port] = event.ports;
    receive.greeting(event.data);
    port.onmessage = ({ data }) => take(data);
  });

  async function take({ type, request, ...data }) {
    const result = await receive[type]?.(data);
    if (request !== undefined) port.postMessage({ type: "answer", request, result });
  }

  return (type, data = {}) => port?.postMessage({ ...data, type });
}
