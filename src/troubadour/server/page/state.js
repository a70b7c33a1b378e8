// What is shown stands in the address, so that it can be kept, sent, and gone back to: #view?listener=...&piece=...
const VIEWS = ["listeners", "radio", "compose", "find", "charts", "trends"];

export function shown() {
  const [view, rest] = location.hash.slice(1).split("?");
  return { ...Object.fromEntries(new URLSearchParams(rest)), view: VIEWS.includes(view) ? view : VIEWS[0] };
}

/** The address of what is shown but for some changes; an empty value takes one out. */
export function address(changes) {
  const { view, ...rest } = { ...shown(), ...changes };
  const kept = new URLSearchParams(Object.entries(rest).filter(([, value]) => value));
  return `#${view}${kept.size ? `?${kept}` : ""}`;
}

export function go(changes) {
  location.hash = address(changes);
}

// Names of listeners and titles of pieces that were met, to speak of them by name.
const names = new Map();
export const named = (id) => names.get(id) ?? id;
export function name(id, words) { if (words) names.set(id, words); }

// In which list, at which place and by which release a piece was shown last.
const origins = new Map();
export const originOf = (piece) => origins.get(piece) ?? {};
export function setOrigin(piece, origin) { origins.set(piece, origin); }
