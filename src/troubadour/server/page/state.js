// The address holds the state of the page, for bookmarks, links and the back button: #view?listener=...&piece=...
const VIEWS = ["listeners", "radio", "compose", "find", "charts", "trends"];

export function shown() {
  const [view, rest] = location.hash.slice(1).split("?");
  return { ...Object.fromEntries(new URLSearchParams(rest)), view: VIEWS.includes(view) ? view : VIEWS[0] };
}

/** Address of the current state with changes; an empty value removes a key. */
export function address(changes) {
  const { view, ...rest } = { ...shown(), ...changes };
  const kept = new URLSearchParams(Object.entries(rest).filter(([, value]) => value));
  return `#${view}${kept.size ? `?${kept}` : ""}`;
}

export function go(changes) {
  location.hash = address(changes);
}

// Cache of listener names and piece titles.
const names = new Map();
export const named = (id) => names.get(id) ?? id;
export function name(id, words) { if (words) names.set(id, words); }

// List, rank and release with which each piece was last shown.
const origins = new Map();
export const originOf = (piece) => origins.get(piece) ?? {};
export function setOrigin(piece, origin) { origins.set(piece, origin); }
