// Pieces as rows of a list, with like and skip buttons.
import { call, path } from "./api.js";
import { button, element, say } from "./dom.js";
import { go, name, named, originOf, setOrigin, shown } from "./state.js";

const SAID = { like: "liked", skip: "skipped", play: "heard to the end" };

/**
 * One piece as a row.
 * why: reasons. origin: release and rank, for recommendation lists.
 * fresh: new in the list. feedback: show like and skip buttons.
 */
export function pieceRow(item, { why = [], origin = null, fresh = false, feedback = false } = {}) {
  name(item.id, item.title);
  const title = element("span", item.title, { className: "title" });
  const open = button("", () => { if (origin) setOrigin(item.id, origin); go({ piece: item.id }); });
  open.className = "open";
  open.dataset.piece = item.id;
  if (shown().piece === item.id) open.setAttribute("aria-current", "true");
  open.append(title);
  if (item.artist && !item.generated) open.append(element("span", item.artist, { className: "by" }));
  if (item.generated) open.append(element("span", "generated", { className: "tag" }));
  if (fresh) open.append(element("span", "new here", { className: "tag fresh" }));
  for (const words of why.filter(Boolean)) open.append(element("span", words, { className: "small" }));
  const row = element("li", "", {}, open);
  if (feedback) {
    const tell = (kind, value) => () => { if (origin) setOrigin(item.id, origin); told(item.id, kind, value); };
    row.append(element("span", "", { className: "feedback" },
      button("Like", tell("like", null), `Like ${item.title}`), button("Skip", tell("skip", 0), `Skip ${item.title}`)));
  }
  return row;
}

export function fill(list, rows, empty) {
  list.replaceChildren(...(rows.length ? rows : [element("li", empty, { className: "empty" })]));
}

export function markCurrent(piece) {
  for (const open of document.querySelectorAll("button.open[data-piece]")) {
    if (open.dataset.piece === piece) open.setAttribute("aria-current", "true");
    else open.removeAttribute("aria-current");
  }
}

/** Store an event of the chosen listener and dispatch it as the DOM event `told`, so that lists reload. */
export async function told(piece, kind, value = null) {
  const { listener } = shown();
  if (!listener) {
    say("Choose a listener first.");
    return;
  }
  try {
    await call(path`/api/listeners/${listener}/events`, { piece, kind, value, ...originOf(piece) });
  } catch (error) {
    say(error.message);
    return;
  }
  say(`${named(listener)} ${SAID[kind]} ${named(piece)}.`);
  document.dispatchEvent(new CustomEvent("told", { detail: { listener, piece, kind } }));
}
