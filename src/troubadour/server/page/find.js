// Search for pieces: by words, by typed notes or keys, by humming.
import { call, path, send } from "./api.js";
import { $, button, element, guarded, many } from "./dom.js";
import { fill, pieceRow } from "./rows.js";
import { go, shown } from "./state.js";

const KEYS = ["C", "^C", "D", "^D", "E", "F", "^F", "G", "^G", "A", "^A", "B"];
const LONGEST_SECONDS = 20;
const MIDDLE_C_HZ = 261.626;
let last = ""; // latest query, to avoid repeating it
let sound = null; // AudioContext; browsers allow its creation only after a click

export function setUpFind() {
  $("by-words").addEventListener("submit", (event) => { event.preventDefault(); go({ words: event.target.elements.words.value, notes: "" }); });
  $("by-notes").addEventListener("submit", (event) => { event.preventDefault(); go({ notes: event.target.elements.notes.value, words: "" }); });
  const field = $("by-notes").elements.notes;
  $("keyboard").append(...[...Array(25).keys()].map((step) => {
    const note = step >= 12 ? KEYS[step % 12].toLowerCase() + (step >= 24 ? "'" : "") : KEYS[step];
    const spoken = `${note.replace(/[\^']/g, "").toUpperCase()}${note.startsWith("^") ? " sharp" : ""}, octave ${4 + Math.floor(step / 12)}`;
    const key = button("", () => { field.value = `${field.value} ${note}`.trim(); play(step); }, spoken);
    key.className = note.startsWith("^") ? "black" : "white";
    return key;
  }));
  $("undo-note").addEventListener("click", () => { field.value = field.value.trim().split(/\s+/).slice(0, -1).join(" "); });
  $("by-sound").elements.recording.addEventListener("change", (event) => { if (event.target.files[0]) hear(event.target.files[0]); });
  if (navigator.mediaDevices && window.MediaRecorder) $("hum").addEventListener("click", hum);
  else $("hum").hidden = true; // browsers allow the microphone only for localhost and https
  $("map").addEventListener("toggle", () => {
    if ($("map").open && !$("map").querySelector("img")) $("map").append(element("img", "", { src: "/api/map.svg", alt: "Map of all pieces, similar ones close together, coloured by style" }));
  });
}

export function showFind() {
  const { words = "", notes = "" } = shown();
  const wanted = JSON.stringify([words, notes]);
  if (wanted === last) return;
  last = wanted;
  if (words) $("by-words").elements.words.value = words;
  if (notes) $("by-notes").elements.notes.value = notes;
  if (words) look(async () => told(`Pieces with "${words}"`, (await call(path`/api/pieces?n=50&words=${words}`)).items, (i) => [i.style]));
  else if (notes) look(async () => {
    const { query, items } = await call(path`/api/search?notes=${notes}`);
    return told(`Pieces with these ${query.notes} notes`, items, where);
  });
}

async function look(find) {
  $("found").replaceChildren();
  $("found-what").textContent = "Looking...";
  if (await guarded($("find"), find) === undefined) $("found-what").textContent = "";
}

function told(heading, items, why) {
  $("found-what").textContent = `${heading}: ${many(items.length, "piece")}`;
  fill($("found"), items.map((item) => pieceRow(item, { why: why(item) })), "No piece matches.");
  return true;
}

function where(hit) {
  const [from, to] = hit.their_bars;
  const moved = hit.semitones % 12 === 0 ? "in this key" : `moved by ${many(Math.abs(hit.semitones), "semitone")}`;
  return [`${from === to ? `bar ${from}` : `bars ${from}-${to}`}, ${moved}, ${Math.round(hit.score * 100)}% alike`];
}

function play(step) {
  sound ??= new AudioContext();
  const tone = new OscillatorNode(sound, { type: "triangle", frequency: MIDDLE_C_HZ * 2 ** (step / 12) });
  const loud = new GainNode(sound, { gain: 0.2 });
  loud.gain.setTargetAtTime(0, sound.currentTime + 0.15, 0.08);
  tone.connect(loud).connect(sound.destination);
  tone.start();
  tone.stop(sound.currentTime + 0.6);
}

function hear(file) {
  last = "";
  return look(async () => {
    const { query, items } = await send("/api/search/recording", file);
    return told(query.notes ? `Pieces with the ${Array.isArray(query.notes) ? query.notes.length : query.notes} notes heard` : "Heard", items, where);
  });
}

async function hum() {
  await guarded($("find"), async () => {
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    } catch (error) {
      throw new Error(`The microphone cannot be used: ${error.message}`);
    }
    const recorder = new MediaRecorder(stream);
    const parts = [];
    recorder.addEventListener("dataavailable", (event) => parts.push(event.data));
    const ended = new Promise((resolve) => { recorder.addEventListener("stop", resolve); });
    const stop = () => { if (recorder.state === "recording") recorder.stop(); };
    const limit = setTimeout(stop, LONGEST_SECONDS * 1000);
    $("hum").textContent = "Stop listening";
    $("hum").addEventListener("click", stop, { once: true });
    $("hum").removeEventListener("click", hum);
    recorder.start();
    await ended;
    clearTimeout(limit);
    for (const track of stream.getTracks()) track.stop();
    $("hum").removeEventListener("click", stop);
    $("hum").addEventListener("click", hum);
    $("hum").textContent = "Hum or whistle it";
    sound ??= new AudioContext();
    await hear(wav(await sound.decodeAudioData(await new Blob(parts).arrayBuffer())));
  });
}

/** First channel as a 16-bit WAV file; the server may not support the browser's recording format. */
function wav(heard) {
  const samples = heard.getChannelData(0);
  const view = new DataView(new ArrayBuffer(44 + 2 * samples.length));
  const write = (at, words) => [...words].forEach((c, i) => view.setUint8(at + i, c.charCodeAt(0)));
  write(0, "RIFF"); view.setUint32(4, 36 + 2 * samples.length, true); write(8, "WAVEfmt ");
  view.setUint32(16, 16, true); view.setUint16(20, 1, true); view.setUint16(22, 1, true);
  view.setUint32(24, heard.sampleRate, true); view.setUint32(28, 2 * heard.sampleRate, true);
  view.setUint16(32, 2, true); view.setUint16(34, 16, true);
  write(36, "data"); view.setUint32(40, 2 * samples.length, true);
  samples.forEach((s, i) => view.setInt16(44 + 2 * i, Math.max(-1, Math.min(1, s)) * 32767, true));
  return new Blob([view], { type: "audio/wav" });
}
