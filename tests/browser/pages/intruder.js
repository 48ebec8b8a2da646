// In a frame of another origin beside the payment form's: tries to pass for the shop's page.

const nonce = new URLSearchParams(location.search).get("nonce");
const channel = new MessageChannel();
channel.port1.onmessage = ({ data }) => parent.postMessage({ overheard: data }, "*");

const greeting = { nonce, key: "pk_test_intruder", appearance: {}, options: {} };
parent.frames.victim.postMessage(greeting, "*", [channel.port2]);
parent.postMessage("tried", "*");
