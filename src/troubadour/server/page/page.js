// Views of the page and navigation. No framework; the address is the state.
import { call } from "./api.js";
import { $, away, many } from "./dom.js";
import { offerCharts, setUpCharts, showCharts, showTrends } from "./charts.js";
import { offerToCompose, setUpCompose, showCompose } from "./compose.js";
import { setUpFind, showFind } from "./find.js";
import { setEverybody, setUpPeople, showPeople, showPerson } from "./people.js";
import { setUpPiece, showFeedback, showPiece } from "./piece.js";
import { setUpRadio, showRadio } from "./radio.js";
import { markCurrent } from "./rows.js";
import { address, name, named, shown } from "./state.js";

let before = {}; // the state currently rendered
let styles = [];

const VIEWS = {
  listeners: async (changed) => {
    if (changed("view")) await showPeople();
    if (changed("view", "listener", "list")) await showPerson();
  },
  radio: (changed) => { if (changed("view", "listener", "from")) showRadio(styles); },
  compose: (changed) => { if (changed("view", "listener")) showCompose(); },
  find: () => showFind(),
  charts: (changed) => { if (changed("view")) showCharts(); },
  trends: (changed) => { if (changed("view")) showTrends(); },
};

async function show() {
  const now = shown();
  const old = before;
  before = now;
  const changed = (...keys) => keys.some((key) => now[key] !== old[key]);
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.view === now.view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
    link.href = address({ view: link.dataset.view });
  }
  for (const view of document.querySelectorAll(".view")) view.hidden = view.id !== now.view;
  if (changed("listener") && now.listener && named(now.listener) === now.listener) await knowName(now.listener);
  if (changed("view", "piece")) {
    const heading = $(`${now.view}-title`).textContent;
    document.title = `${heading} - Troubadour`;
  }
  markCurrent(now.piece);
  if (changed("listener", "piece")) showFeedback();
  if (changed("piece")) showPiece(Boolean(old.view));
  await VIEWS[now.view](changed);
}

/** Load the name of the listener in the address, if it is not cached. */
async function knowName(id) {
  try {
    const person = await call(`/api/listeners/${encodeURIComponent(id)}`);
    name(id, person.name);
    showFeedback();
  } catch { /* the listener view reports the error */ }
}

async function showStatus() {
  const s = await call("/api/status");
  setEverybody(s.listeners);
  $("status").textContent = `${many(s.pieces, "piece")}, ${s.generated} composed here, ${many(s.listeners, "listener")}, ` +
    `${many(s.interactions, "event")}, release ${s.release ?? "none"}`;
}

async function start() {
  away("");
  try {
    const [options, described] = await Promise.all([call("/api/options"), call("/api/controls"), showStatus()]);
    if (!styles.length) {
      styles = options.styles;
      offerToCompose(described.controls);
      offerCharts(options);
    }
    before = {};
    await show();
  } catch (error) {
    away(error.message);
  }
}

window.addEventListener("hashchange", show);
document.addEventListener("told", () => showStatus().catch((error) => away(error.message)));
document.addEventListener("counted", () => showStatus().then(() => { if (shown().view === "listeners") showPeople(); }, (error) => away(error.message)));
$("away").querySelector("button").addEventListener("click", start);
$("to-main").addEventListener("click", (event) => { event.preventDefault(); $("main").focus(); });
$("keys-button").addEventListener("click", () => $("keys-help").showModal());
document.addEventListener("keydown", (event) => {
  if (event.key === "?" && $("keys-on").checked && !event.target.matches("input, select, textarea") && !$("keys-help").open) $("keys-help").showModal();
});
for (const setUp of [setUpPeople, setUpRadio, setUpCompose, setUpFind, setUpCharts, setUpPiece]) setUp();
await start();
