// Radio: an endless sequence of pieces that adapts to skips. The session is held here, not on the server.
import { call } from "./api.js";
import { $, element, guarded } from "./dom.js";
import { fill, pieceRow } from "./rows.js";
import { go, named, setOrigin, shown } from "./state.js";

let session = null; // { start, drift, seed, items, skipped, listener, coming }

export function showRadio(styles) {
  const { listener, piece, from } = shown();
  const select = $("tune").elements.from;
  const before = select.value;
  const choices = [];
  if (listener) choices.push(["listener", `what ${named(listener)} likes`]);
  if (piece || from) choices.push([`piece ${from || piece}`, named(from || piece)]);
  select.replaceChildren(...choices.map(([value, words]) => element("option", words, { value })),
    ...styles.map((s) => element("option", `the style ${s}`, { value: `style ${s}` })));
  $("tune").querySelector("button").disabled = false;
  if (from) select.value = `piece ${from}`;
  else if ([...select.options].some((o) => o.value === before)) select.value = before;
  if (from) {
    go({ from: "" });
    tune();
  }
}

/** Load ten more pieces; calls during a pending request share its result. */
function more() {
  const one = session;
  one.coming ??= ask(one).finally(() => { one.coming = null; });
  return one.coming;
}

async function ask(one) {
  await guarded($("radio"), async () => {
    const [kind, ...rest] = one.start.split(" ");
    const asked = { seed: one.seed, drift: one.drift, n: 10, played: one.items.map((i) => i.id), skipped: [...one.skipped] };
    if (kind !== "listener") asked[kind] = rest.join(" ");
    if (one.listener) asked.listener = one.listener;
    const { items, release } = await call("/api/radio", asked);
    if (session !== one) return;
    one.items.push(...items.map((item, i) => ({ ...item, origin: { release, rank: i + 1 } })));
    $("on").hidden = !items.length;
    draw();
  });
}

function draw() {
  fill($("programme"), session.items.map((item) => pieceRow(item, {
    why: [item.reasons.join("; ")], origin: item.origin, feedback: Boolean(session.listener),
  })), "No pieces are left to play.");
}

async function tune() {
  const form = $("tune").elements;
  session = {
    start: form.from.value, drift: Number(form.drift.value), seed: Math.floor(Math.random() * 2 ** 31),
    items: [], skipped: new Set(), listener: shown().listener,
  };
  await more();
}

/** Next piece of the programme after a given one; undefined if that one is not in it. */
export async function after(piece) {
  const one = session;
  const at = one ? one.items.findIndex((i) => i.id === piece) : -1;
  if (at < 0) return null;
  if (at + 1 >= one.items.length) await more();
  const next = one.items[at + 1] ?? null;
  if (next) setOrigin(next.id, next.origin);
  return next;
}

export function setUpRadio() {
  $("tune").addEventListener("submit", (event) => { event.preventDefault(); tune(); });
  $("on").addEventListener("click", more);
  document.addEventListener("told", async ({ detail }) => {
    const at = session?.items.findIndex((i) => i.id === detail.piece) ?? -1;
    if (at < 0 || detail.kind !== "skip") return;
    // The pieces announced after a skipped one are replaced.
    session.skipped.add(detail.piece);
    session.items.length = at + 1;
    await more();
  });
}
