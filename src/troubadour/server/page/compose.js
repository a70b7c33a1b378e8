// Composing, at once or bar by bar, with all controls; what cannot be met is refused with its reason.
import { call, events } from "./api.js";
import { $, element, guarded, many, say } from "./dom.js";
import { fill, pieceRow } from "./rows.js";
import { go, named, shown } from "./state.js";

const WHOLE = ["bars", "voices", "density", "max_common", "seed"];
const BROKEN = ["tempo_bpm", "guidance", "temperature"];
const WORDS = ["listener", "style", "key", "metre", "chords"];
const EITHER = ["upbeat", "cadence", "parallels"];
const STEPS = { C: 0, D: 2, E: 4, F: 5, G: 7, A: 9, B: 11 };
let running = null; // an AbortController

export function offerToCompose({ styles, modes }) {
  $("brief").elements.style.append(...styles.map((s) => element("option", s)));
  $("keys").append(...["C", "G", "D", "A", "F", "Bb"].flatMap((tonic) => modes.slice(0, 4).map((mode) => element("option", `${tonic} ${mode}`))));
}

export function setUpCompose() {
  $("brief").addEventListener("submit", (event) => { event.preventDefault(); compose(); });
  $("stop").addEventListener("click", () => running?.abort());
}

export async function showCompose() {
  const { listener } = shown();
  const choices = [element("option", "nobody in particular", { value: "" })];
  if (listener) choices.push(element("option", named(listener), { value: listener, selected: true }));
  $("brief").elements.listener.replaceChildren(...choices);
  await guarded($("compose"), async () => {
    const { items } = await call("/api/composed?n=12");
    fill($("composed"), items.map((item) => pieceRow(item, { why: [item.style] })), "Nothing yet.");
  });
}

/** `G3` as a MIDI pitch; whatever else is left for the server to judge. */
function pitch(words) {
  const found = /^([A-Ga-g])([#b]?)(-?\d)$/.exec(words.trim());
  if (!found) return /^\d+$/.test(words.trim()) ? Number(words) : words;
  return STEPS[found[1].toUpperCase()] + { "#": 1, b: -1, "": 0 }[found[2]] + 12 * (Number(found[3]) + 1);
}

function asked() {
  const form = new FormData($("brief"));
  const wanted = {};
  for (const [name, value] of form) {
    if (typeof value !== "string" || !value.trim()) continue;
    if (WHOLE.includes(name) || BROKEN.includes(name)) wanted[name] = Number(value);
    else if (WORDS.includes(name)) wanted[name] = value;
    else if (EITHER.includes(name)) wanted[name] = value === "yes";
    else if (name === "lowest" || name === "highest") wanted[name] = pitch(value);
    else if (name === "instruments") wanted[name] = value.split(",").map((word) => word.trim()).filter(Boolean);
  }
  if (form.get("strict")) wanted.strict = true;
  return wanted;
}

async function compose() {
  const form = $("brief");
  const stream = form.elements.stream.checked;
  const submit = form.querySelector("[type=submit]");
  for (const field of form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
  running = new AbortController();
  submit.disabled = true;
  $("stop").hidden = !stream;
  try {
    await guarded(form, async () => {
      const made = stream ? await grow(asked(), running.signal) : await call("/api/compose", asked());
      if (!made) return;
      $("grown").textContent = `${made.title}: ${made.seconds.toFixed(1)} seconds.`;
      say(`Composed ${made.title}.`);
      document.dispatchEvent(new CustomEvent("counted"));
      go({ piece: made.id });
      await showCompose();
    });
  } finally {
    running = null;
    submit.disabled = false;
    $("stop").hidden = true;
  }
  // A refusal begins with the name of the control.
  const field = form.elements[/^\w+/.exec(form.querySelector(".problem").textContent)?.[0].replace(/^tempo$/, "tempo_bpm")];
  if (field instanceof HTMLElement) {
    field.setAttribute("aria-invalid", "true");
    field.closest("details")?.setAttribute("open", "");
    field.focus();
  }
}

/** Compose bar by bar; nothing where it was stopped. */
async function grow(wanted, signal) {
  const sheet = $("growing").querySelector("svg");
  const notes = [];
  let bars = 0;
  $("growing").hidden = false;
  $("grown").textContent = "Composing...";
  sheet.replaceChildren();
  try {
    for await (const [kind, data] of events("/api/compose/stream", wanted, signal)) {
      if (kind === "piece") return data;
      if (kind === "problem") throw new Error(data.detail);
      notes.push(...data.notes);
      bars = data.number;
      draw(sheet, notes);
      $("grown").textContent = `${many(bars, "bar")}${wanted.bars ? ` of ${wanted.bars}` : ""}`;
    }
    throw new Error("the server ended before the piece did; try again");
  } catch (error) {
    if (error.name !== "AbortError") {
      $("growing").hidden = true;
      throw error;
    }
    $("grown").textContent = `Stopped after ${many(bars, "bar")}; nothing was stored.`;
    return null;
  }
}

/** The notes so far as a piano roll, a colour a voice. Notes are [onset, ticks, pitch, voice]. */
function draw(sheet, notes) {
  const pitches = notes.map((n) => n[2]);
  const low = Math.min(...pitches) - 2;
  const high = Math.max(...pitches) + 2;
  const start = Math.min(...notes.map((n) => n[0]));
  const end = Math.max(...notes.map((n) => n[0] + n[1]));
  const [across, up] = [960 / Math.max(end - start, 24 * 16), 200 / (high - low)];
  sheet.replaceChildren(...notes.map(([onset, ticks, p, voice]) => {
    const rect = document.createElementNS(sheet.namespaceURI, "rect");
    const box = { x: (onset - start) * across, y: (high - p - 1) * up, width: Math.max(ticks * across - 1, 1.5), height: up - 0.5 };
    for (const [name, value] of Object.entries(box)) rect.setAttribute(name, value.toFixed(2));
    rect.setAttribute("class", `voice-${(voice - 1) % 4}`);
    return rect;
  }));
}
