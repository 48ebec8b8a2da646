// Builds the page and keeps it up to date. Data only ever becomes text or an attribute: nothing
// here parses markup, so what a shop writes into its metadata stays what it is.

/** An element. Attributes that are false, null or undefined are left out, as are such children. */
export function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (isThere(value)) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter(isThere));
  return element;
}

function isThere(value) {
  return value !== false && value !== null && value !== undefined;
}

/**
 * Gives `parent` these children, and touches only what differs: scroll positions, focus, selected
 * text and what was typed survive. Children with a `data-key` are recognised by it.
 */
export function fill(parent, ...children) {
  patchChildren(parent, h("div", null, ...children));
}

function patchChildren(current, next) {
  const wanted = [...next.childNodes];
  const keys = new Set(wanted.map(keyOf).filter(isThere));
  const hadKeys = [...current.childNodes].some((node) => isThere(keyOf(node)));
  // Those that go leave first, so that those that stay need not move: moving costs them the focus.
  for (const node of [...current.childNodes]) {
    if (isThere(keyOf(node)) && !keys.has(keyOf(node))) node.remove();
  }
  let place = current.firstChild;
  for (const node of wanted) {
    const match = matching(current, place, node);
    if (match === null) {
      if (hadKeys && isThere(keyOf(node))) node.classList.add("fresh");
      current.insertBefore(node, place);
      continue;
    }
    if (match !== place) current.insertBefore(match, place);
    patch(match, node);
    place = match.nextSibling;
  }
  while (place !== null) {
    const after = place.nextSibling;
    place.remove();
    place = after;
  }
}

/** The child of `current`, from `place` on, that `node` is the new version of. */
function matching(current, place, node) {
  const key = keyOf(node);
  if (isThere(key)) {
    for (let each = place; each !== null; each = each.nextSibling) {
      if (keyOf(each) === key && each.nodeName === node.nodeName) return each;
    }
    return null;
  }
  const same = place !== null && place.nodeName === node.nodeName && !isThere(keyOf(place));
  return same ? place : null;
}

function keyOf(node) {
  return node.dataset?.key;
}

// What the reader changes, and a new version must not change back.
const READERS = new Set(["open"]);

function patch(current, next) {
  if (current.nodeType === Node.TEXT_NODE) {
    if (current.data !== next.data) current.data = next.data;
    return;
  }
  for (const { name } of [...current.attributes]) {
    if (!next.hasAttribute(name) && !READERS.has(name)) current.removeAttribute(name);
  }
  for (const { name, value } of next.attributes) {
    if (READERS.has(name)) continue;
    if (current.getAttribute(name) !== value) current.setAttribute(name, value);
  }
  patchChildren(current, next);
}
