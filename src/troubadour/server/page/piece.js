// One piece: score, audio, facts, and similar pieces.
import { call, path, text } from "./api.js";
import { $, button, element, guarded, say } from "./dom.js";
import { after } from "./radio.js";
import { fill, pieceRow, told } from "./rows.js";
import { address, go, name, named, shown } from "./state.js";

let facts = null; // of the current piece
let sounding = null; // id of the piece to play as soon as it is loaded

const FILES = { midi: "score.mid", musicxml: "score.musicxml", wav: "sound.wav" };
const PICTURES = {
  roll: "Piano roll: notes over bars, one colour per voice",
  timeline: "Keys, chords and phrases over bars",
  similarity: "Self-similarity of the bars, dark = equal",
};
const pictured = (id, what) => path`/api/pieces/${id}/pictures/${what}` + ".svg";
const percent = (share) => `${Math.round(share * 100)}%`;
const bars = ([from, to]) => (from === to ? `bar ${from}` : `bars ${from}-${to}`);

/** Show the piece in the address, or none. With `focus`, move the keyboard focus to it. */
export async function showPiece(focus) {
  const { piece: id } = shown();
  if (facts && facts.id === id) return;
  $("player").pause();
  facts = null;
  $("no-piece").hidden = Boolean(id);
  $("the-piece").hidden = !id;
  if (!id) return;
  $("title").textContent = named(id) === id ? "" : named(id);
  $("label").textContent = "";
  $("facts").replaceChildren();
  $("notes").hidden = true;
  for (const part of parts()) {
    part.open = false;
    part.hidden = true;
    part.lastElementChild.replaceChildren();
  }
  if (focus) {
    $("title").focus({ preventScroll: true });
    $("piece").scrollIntoView({ block: "start", behavior: "instant" });
  }
  await guarded($("piece"), async () => {
    const found = await call(path`/api/pieces/${id}`);
    if (shown().piece !== id) return;
    facts = found;
    describe();
    await engrave(id);
  });
}

const parts = () => [...document.querySelectorAll("#piece details[data-part]")];

function describe() {
  const { id, attributes: a, provenance: p, generated } = facts;
  const playable = facts.medium === "score";
  name(id, facts.title);
  document.title = `${facts.title} - Troubadour`;
  $("title").textContent = facts.title;
  $("label").replaceChildren(...(generated
    ? [element("span", "generated", { className: "tag" }), ` by ${facts.composer}${p.listener ? `, for ${named(p.listener)}` : ""}`]
    : [[facts.artist || facts.composer, facts.source].filter(Boolean).join("; ")]));
  $("notes").hidden = !playable;
  for (const part of parts()) part.hidden = !playable && part.dataset.part !== "similar" && part.dataset.part !== "more-like";
  $("player").src = path`/api/pieces/${id}/sound.wav`;
  if (sounding === id) $("player").play().catch(() => {}); // the browser may require a click first
  sounding = null;
  showFeedback();
  $("terms").hidden = !facts.terms;
  $("terms").querySelector("span").textContent = `I accept the terms: ${facts.terms}`;
  $("terms").querySelector("input").checked = false;
  showDownloads();
  const lines = [
    ["Style", facts.style || "not known"], ["Key", a.key], ["Metre", a.metre], ["Bars", a.bars],
    ["Length", a.seconds && `${Math.round(a.seconds)} seconds`], ["Licence", facts.licence || "not known"],
  ];
  if (generated) {
    const match = p.longest_match;
    lines.push(["Seed", p.seed], ["Controls", Object.entries(p.controls).map(([k, v]) => `${k.replace(/_/g, " ")} ${v}`).join(", ")],
      ["Longest match", match?.piece ? [`${match.notes} notes with `, open(match.piece, match.title)] : "none in the catalogue"],
      ["Near to", p.influences?.length ? p.influences.flatMap((i, n) => [n ? ", " : "", open(i.id, i.title)]) : "nobody's taste was asked"]);
  }
  if (facts.quality.length) lines.push(["Repairs and doubts", facts.quality.join("; ")]);
  $("facts").replaceChildren(...lines.filter(([, v]) => v !== undefined && v !== "").flatMap(([k, v]) => [
    element("dt", k), element("dd", "", {}, ...(Array.isArray(v) ? v : [String(v)]))]));
  if (navigator.mediaSession) navigator.mediaSession.metadata = new MediaMetadata({ title: facts.title, artist: facts.artist || facts.composer });
}

function open(id, title) {
  const made = button(title, () => go({ piece: id }));
  made.className = "link";
  return made;
}

/** Likes and skips need a chosen listener. */
export function showFeedback() {
  const { listener, piece } = shown();
  for (const id of ["like", "skip", "never"]) $(id).disabled = !listener;
  $("for-whom").textContent = listener ? `As ${named(listener)}. A piece heard to its end counts as played.` : "Choose a listener to like, skip or block it for.";
  $("from-here").href = address({ view: "radio", from: piece });
}

function showDownloads() {
  const accepted = $("terms").querySelector("input").checked;
  for (const [id, file] of Object.entries(FILES)) {
    const bound = facts.terms && !accepted;
    if (bound) $(id).removeAttribute("href");
    else $(id).href = path`/api/pieces/${facts.id}/` + file + (accepted ? "?accept_terms=true" : "");
    $(id).setAttribute("aria-disabled", String(Boolean(bound)));
    $(id).download = `${facts.id}.${file.split(".")[1]}`;
  }
}

async function engrave(id) {
  const score = $("score");
  if (facts.medium !== "score") return;
  score.setAttribute("aria-label", `Score of ${facts.title}`);
  score.textContent = "Engraving...";
  let svg;
  try {
    // Engraved for the current width, so that notes stay readable on small screens.
    svg = await text(path`/api/pieces/${id}/score.svg?width=${Math.max(900, Math.min(2100, Math.round(score.clientWidth * 2.6)))}`);
  } catch (error) {
    score.textContent = error.message;
    return;
  }
  if (shown().piece !== id) return;
  score.replaceChildren(document.importNode(new DOMParser().parseFromString(svg, "image/svg+xml").documentElement, true));
}

const FILL = {
  analysis: async (id) => {
    const found = await call(path`/api/pieces/${id}/analysis`);
    return [facts_of(found), ...Object.entries(PICTURES).map(([what, words]) => element("figure", "", {},
      element("a", "", { href: pictured(id, what), target: "_blank", title: "Open at full size" },
        element("img", "", { src: pictured(id, what), alt: words, loading: "lazy" })),
      element("figcaption", words)))];
  },
  originality: async (id) => {
    const { verdict, human, items } = await call(path`/api/pieces/${id}/originality`);
    const list = element("ol", "", { className: "rows" });
    fill(list, items.map((m) => pieceRow(m, { why: [`${m.notes} notes: ${bars(m.bars)} here, ${bars(m.their_bars)} there`] })), "No passage is shared.");
    return [element("p", `${verdict[0].toUpperCase()}${verdict.slice(1)}.`), element("p", `Longest passage shared with another work, for ${human.pieces} human pieces: median ${human.median_notes} notes, 95th percentile ${human.notes_of_95_in_100}.`, { className: "small" }), list];
  },
  similar: async (id) => [listOf((await call(path`/api/pieces/${id}/similar?n=8`)).items, (s) => [s.shared])],
  "more-like": async (id) => [listOf((await call(path`/api/pieces/${id}/more-like?n=8`)).items, (s) => [s.reasons.join("; "), s.fallback])],
};

function listOf(items, why) {
  const list = element("ol", "", { className: "rows" });
  fill(list, items.map((item) => pieceRow(item, { why: why(item) })), "No similar pieces.");
  return list;
}

/** Text for a feature such as `length_3`, or a rhythm such as `close 0 12 24` (ticks, 24 per quarter). */
function trait(name) {
  const [where, ...ticks] = name.split(" ");
  if (where !== "bar" && where !== "close") return name.replace(/_/g, " ");
  return `notes at quarters ${ticks.map((t) => Number((t / 24).toFixed(2))).join(" ")} of ${where === "bar" ? "a bar" : "a closing bar"}`;
}

function facts_of(found) {
  const { key, style, mood, difficulty: hard } = found;
  const signed = (v) => `${v >= 0 ? "+" : "\u2212"}${Math.abs(v).toFixed(2)}`;
  const lines = [
    ["Key", key && `${key.name} (${percent(key.probability)}; notated ${key.notated}): ${key.evidence.slice(0, 4).map((e) => e.what.replace(": ", " on degree ")).join(", ")}`],
    ["Keys", key && key.regions.length > 1 && key.regions.map((r) => `${r.key} in ${bars(r.bars)}`).join(", ")],
    ["Metre", found.metres.map((m, i) => (i ? `${m.metre} from bar ${m.bar}` : m.metre)).join(", ")],
    ["Form", found.form && `${found.form}: ${found.phrases.map((p) => `${p.letter} ${bars(p.bars)}${p.cadence ? `, ${p.cadence} cadence` : ""}`.replace(" cadence cadence", " cadence")).join("; ")}`],
    [found.chords_implied ? "Implied chords" : "Chords", found.chords.map((c) => c.numeral || "-").join(" ")],
    ["Style", style.name ? `${style.name} (${percent(style.probability)})${style.evidence.length ? `: ${style.evidence.slice(0, 4).map((e) => trait(e.what)).join(", ")}` : ""}` : style.why_not],
    ["Mood", mood && `${mood.word}: valence ${signed(found.valence)}, arousal ${signed(found.arousal)}, by ${mood.evidence.map((e) => `${e.what} ${e.level ?? ""}`.trim()).join(", ")}`],
    ["Difficulty", hard && `${hard.word} (${hard.level.toFixed(2)} of 1): ${hard.evidence.slice(0, 3).map((e) => `${e.what} ${Number(e.heard.toFixed(2))}`).join(", ")}`],
  ];
  return element("dl", "", {}, ...lines.filter(([, v]) => v).flatMap(([k, v]) => [element("dt", k), element("dd", v)]));
}

async function unfold(part) {
  const inside = part.lastElementChild;
  if (!part.open || inside.childElementCount || !facts) return;
  const { id } = facts;
  inside.textContent = "Looking...";
  try {
    const made = await FILL[part.dataset.part](id);
    if (facts?.id === id) inside.replaceChildren(...made);
  } catch (error) {
    inside.replaceChildren(element("p", error.message, { className: "problem" }));
  }
}

async function never() {
  const { listener } = shown();
  await guarded($("piece"), async () => {
    await call(path`/api/listeners/${listener}/blocks`, { what: "piece", value: facts.id });
    say(`${facts.title} is in no list of ${named(listener)} any more.`);
    document.dispatchEvent(new CustomEvent("told", { detail: { listener, piece: facts.id, kind: "block" } }));
  });
}

async function ended() {
  const { id } = facts;
  if (shown().listener) await told(id, "play", 1);
  await playNext(id);
}

/** In a radio session the next piece starts automatically. */
async function playNext(id) {
  const next = await after(id);
  if (!next || shown().piece !== id) return;
  sounding = next.id;
  go({ piece: next.id });
}

async function skip() {
  const { id } = facts;
  const heard = !$("player").paused;
  await told(id, "skip", 0);
  if (heard) await playNext(id);
}

export function setUpPiece() {
  $("close").addEventListener("click", () => {
    const row = document.querySelector(`.view:not([hidden]) button.open[data-piece="${CSS.escape(shown().piece)}"]`);
    go({ piece: "" });
    row?.focus();
  });
  $("like").addEventListener("click", () => told(facts.id, "like"));
  $("skip").addEventListener("click", skip);
  $("never").addEventListener("click", never);
  $("player").addEventListener("ended", ended);
  $("player").addEventListener("error", () => {
    if (facts) guarded($("piece"), async () => { await text($("player").src); throw new Error("The browser cannot play it."); });
  });
  $("terms").querySelector("input").addEventListener("change", showDownloads);
  for (const part of parts()) part.addEventListener("toggle", () => unfold(part));
  document.addEventListener("keydown", (event) => {
    if (!facts || facts.medium !== "score" || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (!$("keys-on").checked || $("keys-help").open || event.target.matches("input, select, textarea")) return;
    if (event.key.toLowerCase() === "l") told(facts.id, "like");
    if (event.key.toLowerCase() === "s") skip();
    if (event.key === " " && !event.target.matches("button, a, audio, summary")) {
      event.preventDefault();
      if ($("player").paused) $("player").play(); else $("player").pause();
    }
  });
}
