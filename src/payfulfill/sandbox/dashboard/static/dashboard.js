// The page: what it knows, when it asks for more, and who may draw what.

import { actionsOf } from "./actions.js";
import { detailPanel } from "./detail.js";
import { fill, h } from "./dom.js";
import { failuresView } from "./failures.js";
import { knowCurrencies, plural } from "./format.js";
import { get, Refused } from "./server.js";
import { sidePanels } from "./side.js";
import { activityView, objectsView, setupView, VIEWS } from "./views.js";

const EVERY = 1000; // milliseconds between two looks at the revision
const STEP = 100; // entries

const $ = (id) => document.getElementById(id);
const wide = matchMedia("(min-width: 1000px)");

const page = {
  about: null,
  state: null,
  clock: null,
  list: null, // null: of another view, so what is shown stays until the new one has come
  detail: null,
  gone: false,
  filter: { search: "", kind: "all" },
  step: STEP,
  limit: STEP,
  shown: new Set(),
  draft: {
    "fault": "rate_limited", "fault-by": "times", "fault-times": "1", "fault-percent": "10",
    "disturbance": "duplicate", "disturbance-by": "times", "disturbance-times": "1",
    "disturbance-percent": "10",
  },
  ...routeOf(location.hash),
};

// --- Where we are --------------------------------------------------------------------------

/** `#/activity/evt_1`, `#/objects/charge/ch_1`, `#/failures`: the view, and what is beside it. */
function routeOf(hash) {
  const [view, ...rest] = hash.replace(/^#\/?/, "").split("/");
  const known = VIEWS.some(([name]) => name === view) ? view : "activity";
  const kind = known === "objects" ? rest.shift() || "payment_intent" : null;
  const base = `#/${known}${kind ? `/${kind}` : ""}`;
  return { view: known, objectKind: kind, selected: rest[0] || null, base };
}

/** Fills the part of `page` that the address says. */
async function follow() {
  const before = { view: page.view, base: page.base, selected: page.selected };
  // Anchors within the page, such as the skip link's, are none of ours.
  if (location.hash !== "" && !location.hash.startsWith("#/")) return;
  Object.assign(page, routeOf(location.hash));
  if (page.base !== before.base) {
    Object.assign(page, { list: null, limit: STEP, filter: { search: "", kind: "all" } });
  }
  if (page.selected !== before.selected) page.detail = null;
  if (before.selected === null && page.selected !== null) page.scrolled = scrollY;
  await reload();
  if (page.selected !== null && page.selected !== before.selected) {
    $("detail").scrollTop = 0;
    if (!wide.matches) scrollTo(0, 0);
    $("detail-title")?.focus({ preventScroll: true });
  } else if (page.selected === null && before.selected !== null) {
    if (!wide.matches) scrollTo(0, page.scrolled ?? 0);
    rowOf(before.selected)?.focus({ preventScroll: true });
  } else if (page.view !== before.view) {
    scrollTo(0, 0);
    $("main").scrollTop = 0;
  }
}

function rowOf(id) {
  return $("main").querySelector(`tr[data-key="${CSS.escape(id)}"] a`);
}

// --- What the server knows -----------------------------------------------------------------

let asking = 0;

/** Fetches what this view shows, and draws it. Late answers to old questions are dropped. */
async function reload() {
  const mine = ++asking;
  try {
    const [state, list, detail] = await Promise.all([get("state"), fetchList(), fetchDetail()]);
    if (mine !== asking) return;
    announce(state);
    Object.assign(page, { state, list, detail, clock: state.clock, gone: false });
  } catch (error) {
    if (mine !== asking) return;
    lost(error);
  }
  draw();
}

async function fetchList() {
  const { filter, limit } = page;
  const query = { search: filter.search, limit };
  if (page.view === "activity") {
    return (await get("activity", { ...query, kind: filter.kind })).entries;
  }
  if (page.view === "objects") {
    return (await get("objects", { ...query, kind: page.objectKind })).objects;
  }
  return [];
}

async function fetchDetail() {
  const id = page.selected;
  if (id === null) return null;
  const [kind, path] = id.startsWith("evt_") ? ["event", "events"]
    : id.startsWith("req_") ? ["call", "calls"]
      : id.startsWith("delivery_") ? ["delivery", "deliveries"] : ["object", "objects"];
  try {
    return { id, kind, ...(await get(`${path}/${encodeURIComponent(id)}`)) };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { id, missing: error.message };
  }
}

/** Tells those who don't see the list that it grew. */
function announce(state) {
  const more = (state.counts.event ?? 0) - (page.state?.counts.event ?? Infinity);
  if (more > 0) $("arrivals").textContent = `${plural(more, "new event")}.`;
}

function lost(error) {
  if (error instanceof Refused) {
    say(error.message, "bad");
  } else if (error instanceof TypeError) {
    page.gone = true;
  } else {
    throw error;
  }
}

let timer;

/** Looks whether anything has changed, and again in a second; not while nobody sees the page. */
async function watch() {
  clearTimeout(timer);
  if (document.hidden) return;
  try {
    const { run, revision, clock } = await get("revision");
    page.clock = clock;
    if (run !== page.about?.run) await begin();
    if (page.gone || revision !== page.state?.revision) await reload();
    else draw();
  } catch (error) {
    lost(error);
    draw();
  }
  clearTimeout(timer);
  timer = setTimeout(watch, EVERY);
}

async function begin() {
  page.about = await get("about");
  knowCurrencies(page.about.currencies);
}

// --- What is seen --------------------------------------------------------------------------

function draw() {
  drawPulse();
  if (page.about === null || page.state === null) return;
  const { about, state, clock, selected } = page;
  document.body.classList.toggle("has-detail", selected !== null);
  document.body.classList.toggle("no-detail", !["activity", "objects"].includes(page.view));
  const planned = state.planned_faults.length + state.planned_disturbances.length;
  fill($("views"), VIEWS.map(([view, name]) =>
    h("a", { href: `#/${view}`, "aria-current": view === page.view && "page" }, name,
      view === "failures" && planned > 0 && [" ", h("span", { class: "badge" },
        String(planned), h("span", { class: "unseen" }, " planned"))])));
  fill($("side"), sidePanels({ about, state, clock, shown: page.shown, wide: wide.matches }));
  if (page.list !== null) fill($("main"), view());
  if (page.detail !== null || selected === null) {
    fill($("detail"), detailPanel(page.detail, { about, base: page.base }));
  }
}

function view() {
  const { about, state, list, filter, selected } = page;
  const more = list.length >= page.limit && page.limit < 1000;
  const started = state.calls + state.counts.event > 0;
  const shown = { about, state, filter, selected, more, draft: page.draft, counts: state.counts };
  switch (page.view) {
    case "objects": return objectsView({ ...shown, objects: list, kind: page.objectKind });
    case "failures": return failuresView(shown);
    case "setup": return setupView({ about, nothingYet: false });
    default: return activityView({ ...shown, entries: list, started,
      setup: () => setupView({ about, nothingYet: true }) });
  }
}

function drawPulse() {
  const text = page.gone ? "The sandbox is gone. Looking for it…"
    : page.state === null ? "Connecting…" : "Running";
  document.body.classList.toggle("gone", page.gone);
  fill($("pulse"), text);
}

let silence;

/** Tells the reader something, for as long as it takes to read. */
function say(text, mood = "") {
  clearTimeout(silence);
  $("news").textContent = text;
  $("news").className = `news shown ${mood}`;
  silence = setTimeout(() => {
    $("news").className = "news";
  }, 4000 + 50 * text.length);
}

// --- What the reader does ------------------------------------------------------------------

const actions = actionsOf({ page, say, reload, draw });

async function perform(element, form, source) {
  const fields = form ? Object.fromEntries(new FormData(form)) : {};
  try {
    await actions[element.dataset.do](element.dataset, fields, form, source);
  } catch (error) {
    lost(error);
    draw();
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-do]");
  if (button !== null) perform(button, null, button);
});

document.addEventListener("submit", (event) => {
  event.preventDefault();
  perform(event.target, event.target, event.submitter);
});

document.addEventListener("input", (event) => {
  const { target } = event;
  if (target.dataset.do) perform(target, target.form, target);
});

document.addEventListener("keydown", (event) => {
  const typing = /^(input|select|textarea)$/i.test(event.target.nodeName);
  if (event.key === "Escape" && page.selected !== null && !typing) {
    actions.close();
  } else if (event.key === "/" && !typing && $("search") !== null) {
    event.preventDefault();
    $("search").focus();
  } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    step(event, event.key === "ArrowDown" ? 1 : -1);
  }
});

/** From row to row, and from the search box into the rows. */
function step(event, by) {
  const rows = [...$("main").querySelectorAll("tr[data-key] a")];
  const at = rows.indexOf(event.target);
  if (at === -1 && event.target.id !== "search") return;
  const next = rows[at + by];
  if (next === undefined) return;
  event.preventDefault();
  next.focus();
}

addEventListener("hashchange", follow);
document.addEventListener("visibilitychange", watch);
watch();
