// The page: pick a listener, see what suits them and why, compose for them, see and hear the score.
const $ = (id) => document.getElementById(id);
let listener = null;
let piece = null;
let release = null;
let context = "for-you";

async function call(path, body) {
  const response = await fetch(path, body && {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.detail ?? response.statusText);
  return answer;
}

function element(tag, text, properties = {}) {
  const made = Object.assign(document.createElement(tag), properties);
  if (text) made.textContent = text;
  return made;
}

function row(title, small, generated, action) {
  const item = element("li");
  const button = element("button", title, { type: "button", className: "row" });
  if (generated) button.append(element("span", "generated", { className: "tag" }));
  if (small) button.append(element("span", small, { className: "small" }));
  button.addEventListener("click", action);
  item.append(button);
  return item;
}

async function showStatus() {
  const s = await call("/api/status");
  release = s.release;
  $("status").textContent = `${s.pieces.toLocaleString()} pieces, ${s.generated} composed here, ` +
    `${s.listeners} listeners, ${s.interactions.toLocaleString()} plays, likes, skips and ratings, release ${s.release}`;
}

async function showListeners() {
  const found = await call(`/api/listeners?limit=200&words=${encodeURIComponent($("find").value)}`);
  $("listeners").replaceChildren(...found.map((p) => {
    const item = row(p.name || p.id, `${p.name ? p.id : ""}${p.simulated ? ", simulated" : ""}`, false, () => showPerson(p.id));
    item.firstChild.dataset.id = p.id;
    item.firstChild.setAttribute("aria-current", String(p.id === listener));
    return item;
  }));
}

// Each list as [entry, what the context says of it].
const CONTEXTS = {
  "for-you": async (id) => (await call(`/api/listeners/${id}/recommendations`)).items.map((r) => [r, ""]),
  because: async (id) => (await call(`/api/listeners/${id}/because`)).lists.flatMap(
    (one) => one.items.map((r) => [r, `because they played ${one.because.title}`])),
  discover: async (id) => (await call(`/api/listeners/${id}/discover`)).items.map((r) => [r, ""]),
  radio: async (id) => (await call("/api/radio", { listener: id, seed: Math.floor(Math.random() * 2 ** 31) }))
    .items.map((r) => [r, ""]),
};

async function showList() {
  const [id, wanted] = [listener, context];
  for (const b of $("contexts").querySelectorAll("button")) b.setAttribute("aria-pressed", String(b.dataset.context === wanted));
  const list = await CONTEXTS[wanted](id);
  if (listener !== id || context !== wanted) return;
  const rows = list.map(([r, why], i) => row(
    r.artist && !r.generated ? `${r.title} - ${r.artist}` : r.title,
    [why, ...r.reasons].filter(Boolean).join("; ") + (r.fallback ? ` (${r.fallback})` : ""),
    r.generated, () => showPiece(r.id, i + 1)));
  $("recommendations").replaceChildren(...(rows.length ? rows : [element("li", "Nothing here yet.")]));
}

async function showPerson(id) {
  listener = id;
  for (const b of $("listeners").querySelectorAll("button")) b.setAttribute("aria-current", String(b.dataset.id === id));
  const [person] = await Promise.all([call(`/api/listeners/${id}`), showList()]);
  if (listener !== id) return;
  $("name").textContent = person.name || person.id;
  const styles = person.styles.map(([style, n]) => `${style} ${n}`).join(", ");
  $("taste").textContent = `${person.simulated ? "Simulated listener. " : ""}Played: ${styles || "nothing yet"}`;
  $("last").replaceChildren(...person.last.map((e) => {
    const share = e.kind === "play" && e.value !== null ? `, ${Math.round(e.value * 100)}% heard` : "";
    return row(e.title, `${e.kind}${share}, ${new Date(e.time * 1000).toLocaleDateString()}`, e.generated, () => showPiece(e.piece));
  }));
  $("brief").hidden = $("contexts").hidden = false;
  for (const h of $("person").querySelectorAll("h3")) h.hidden = false;
}

async function showPiece(id, rank = null) {
  const facts = await call(`/api/pieces/${id}`);
  piece = { id, rank };
  $("piece").hidden = false;
  $("title").textContent = facts.title;
  $("label").textContent = facts.generated ? `Generated: ${facts.composer}` : [facts.artist || facts.composer, facts.source].filter(Boolean).join(", ");
  $("player").src = `/api/pieces/${id}/sound.wav`;
  for (const [name, path] of [["midi", "score.mid"], ["musicxml", "score.musicxml"], ["wav", "sound.wav"]]) {
    $(name).href = `/api/pieces/${id}/${path}`;
    $(name).download = `${id}.${path.split(".")[1]}`;
  }
  const a = facts.attributes;
  const lines = [
    ["Style", facts.style || "not known"], ["Key", a.key], ["Metre", a.metre], ["Bars", a.bars],
    ["Licence", facts.licence || "not known"],
  ];
  const p = facts.provenance;
  if (facts.generated) {
    lines.push(["Seed", p.seed], ["Release", p.release],
      ["Longest match", `${p.longest_match.notes} notes with ${p.longest_match.title || "nothing"}`],
      ["Near to", p.influences.map((i) => i.title).join(", ") || "nobody's taste was asked"]);
  }
  if (facts.quality.length) lines.push(["Notes", facts.quality.join("; ")]);
  $("facts").replaceChildren(...lines.filter(([, v]) => v !== undefined).flatMap(([k, v]) => [element("dt", k), element("dd", String(v))]));
  $("score").setAttribute("aria-label", `Score of ${facts.title}`);
  $("score").textContent = "Engraving...";
  const [svg, near] = await Promise.all([
    fetch(`/api/pieces/${id}/score.svg`).then((r) => (r.ok ? r.text() : "")), call(`/api/pieces/${id}/similar?n=6`).catch(() => ({ items: [] })),
  ]);
  if (piece.id !== id) return;
  if (svg) {
    const drawn = new DOMParser().parseFromString(svg, "image/svg+xml").documentElement;
    $("score").replaceChildren(document.importNode(drawn, true));
  } else {
    $("score").textContent = "No notes of it are known.";
  }
  $("similar").replaceChildren(...near.items.map((s) => row(s.title, s.shared, s.generated, () => showPiece(s.id))));
}

async function told(kind, value = null) {
  if (!listener || !piece) return;
  await call(`/api/listeners/${listener}/events`, { piece: piece.id, kind, value, release, rank: piece.rank });
  await Promise.all([showStatus(), showPerson(listener)]);
}

$("brief").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  const wanted = { listener, temperature: Number(form.get("temperature")) };
  for (const name of ["style", "key", "metre"]) if (form.get(name)) wanted[name] = form.get(name);
  if (form.get("bars")) wanted.bars = Number(form.get("bars"));
  const button = event.target.querySelector("button");
  button.disabled = true;
  $("problem").textContent = "";
  try {
    const made = await call("/api/compose", wanted);
    await Promise.all([showPiece(made.id), showStatus(), showPerson(listener)]);
  } catch (error) {
    $("problem").textContent = error.message;
  } finally {
    button.disabled = false;
  }
});
$("find").addEventListener("input", showListeners);
for (const b of $("contexts").querySelectorAll("button")) {
  b.addEventListener("click", () => { context = b.dataset.context; showList(); });
}
$("like").addEventListener("click", () => told("like"));
$("skip").addEventListener("click", () => told("skip", 0));
$("player").addEventListener("ended", () => told("play", 1));
document.addEventListener("keydown", (event) => {
  if (event.target.matches("input, select") || event.ctrlKey || event.metaKey) return;
  if (event.key === "l" || event.key === "L") told("like");
  if (event.key === "s" || event.key === "S") told("skip", 0);
  if (event.key === " " && piece && !event.target.matches("button, audio")) {
    event.preventDefault();
    if ($("player").paused) $("player").play(); else $("player").pause();
  }
});

const options = await call("/api/options");
document.querySelector("select[name=style]").append(...options.styles.map((s) => element("option", s, { value: s })));
await Promise.all([showStatus(), showListeners()]);
