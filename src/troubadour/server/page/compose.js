// Composing, at once or bar by bar. The form is built from the description of the controls at /api/controls.
import { call, events } from "./api.js";
import { $, element, guarded, many, say } from "./dom.js";
import { fill, pieceRow } from "./rows.js";
import { go, named, shown } from "./state.js";

let running = null; // an AbortController

let controls = [];

export function offerToCompose(described) {
  controls = described;
  for (const control of controls) $(`controls-${control.group}`).append(field(control));
}

/** A labelled field for one control; its kind decides which. */
function field(control) {
  const { name, kind, group, label, help, default: preset } = control;
  const about = { name, title: help };
  if (kind === "boolean" && preset === false) {
    const box = element("input", "", { ...about, type: "checkbox" });
    return element("label", "", { className: "tick" }, box, ` ${label}`);
  }
  return element("label", "", { className: kind === "text" && group === "more" ? "wide" : "" }, `${label} `, entry(control, about));
}

function entry({ name, kind, min, max, step, example, suggestions, choices, labels, default: preset }, about) {
  if (kind === "boolean") choices = ["yes", "no"];
  if (choices) {
    const shownAs = (choice, i) => element("option", labels?.[i] ?? choice, { value: choice });
    return element("select", "", about, element("option", "open", { value: "" }), ...choices.map(shownAs));
  }
  if (kind === "integer" || kind === "number") {
    const bounds = Object.fromEntries(Object.entries({ min, max, step: step ?? (kind === "integer" ? 1 : "any") }).filter(([, value]) => value !== undefined));
    const placeholder = String(preset ?? (min === undefined ? "" : `${min}-${max}`));
    return element("input", "", { ...about, ...bounds, type: "number", placeholder });
  }
  const input = element("input", "", { ...about, autocomplete: "off", placeholder: example ? `such as ${example}` : "" });
  if (!suggestions) return input;
  const list = element("datalist", "", { id: `suggested-${name}` }, ...suggestions.map((value) => element("option", value)));
  input.setAttribute("list", list.id);
  const both = document.createDocumentFragment();
  both.append(input, list);
  return both;
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

/** The controls that are set, and listener and seed, as the server takes them. */
function asked() {
  const form = $("brief").elements;
  const wanted = {};
  for (const { name, kind, default: preset } of [...controls, { name: "listener", kind: "text" }, { name: "seed", kind: "integer" }]) {
    const { type, value, checked } = form[name];
    if (type === "checkbox") {
      if (checked !== preset) wanted[name] = checked;
    } else if (value.trim()) {
      if (kind === "integer" || kind === "number") wanted[name] = Number(value);
      else if (kind === "boolean") wanted[name] = value === "yes";
      else wanted[name] = value;
    }
  }
  return wanted;
}

/** The field of the control with whose name a refusal begins. */
function refusedField(form) {
  const word = /^\w+/.exec(form.querySelector(".problem").textContent)?.[0];
  const control = controls.find(({ name, option }) => word && [name, option].includes(word));
  return control && form.elements[control.name];
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
  const field = refusedField(form);
  if (field) {
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
