// Listeners, their plays, and their recommendation lists.
import { call, path } from "./api.js";
import { $, button, element, guarded, many, say } from "./dom.js";
import { fill, pieceRow } from "./rows.js";
import { address, go, name, named, shown } from "./state.js";

const AT_ONCE = 200;
const MEANING = {
  "for-you": "Based on all plays, likes and skips. The last place is reserved for a rarely played piece.",
  because: "One list for each of the latest liked pieces.",
  discover: "Unfamiliar artists, without the most popular pieces.",
};
let everybody = 0; // number of listeners
let listed = { key: "", ids: new Set() }; // the current list, to mark new pieces in the next one

export async function showPeople() {
  await guarded($("person"), async () => {
    const words = $("find-listener").value;
    const found = await call(path`/api/listeners?limit=${AT_ONCE}&words=${words}`);
    if (words !== $("find-listener").value) return;
    const { listener } = shown();
    fill($("everybody"), found.map((p) => {
      name(p.id, p.name || p.id);
      const open = button("", () => go({ listener: p.id }));
      open.className = "open";
      open.dataset.listener = p.id;
      if (p.id === listener) open.setAttribute("aria-current", "true");
      open.append(element("span", p.name || p.id, { className: "title" }),
        element("span", [p.name && p.id, p.simulated && "simulated"].filter(Boolean).join(", "), { className: "small" }));
      return element("li", "", {}, open);
    }), words ? `No listener matches ${words}.` : "No listeners yet. Add one, or import plays: troubadour import-plays.");
    $("more-people").textContent = !words && everybody > found.length ? `${found.length} of ${everybody.toLocaleString("en")}; type to find others` : "";
  });
}

export function setEverybody(n) { everybody = n; }

const MADE = {
  "for-you": async (id) => [["", await call(path`/api/listeners/${id}/recommendations`)]],
  discover: async (id) => [["", await call(path`/api/listeners/${id}/discover`)]],
  because: async (id) => {
    const { release, lists } = await call(path`/api/listeners/${id}/because`);
    return lists.map((one) => [`Because they played ${one.because.title}`, { release, items: one.items }]);
  },
};

const sentence = (words) => `${words[0].toUpperCase()}${words.slice(1)}.`;

async function showLists(id, which) {
  const made = await MADE[which](id);
  const now = shown();
  if (now.listener !== id || (now.list || "for-you") !== which) return;
  const key = `${id} ${which}`;
  const before = listed.key === key ? listed.ids : null;
  listed = { key, ids: new Set(made.flatMap(([, list]) => list.items.map((i) => i.id))) };
  const parts = made.flatMap(([heading, { release, items }]) => {
    const list = element("ol", "", { className: "rows" });
    // A fallback common to the whole list is shown once.
    const shared = items.every((item) => item.fallback && item.fallback === items[0].fallback) ? items[0]?.fallback : "";
    fill(list, items.map((item, i) => pieceRow(item, {
      why: [item.reasons.join("; "), item.fallback === shared ? "" : item.fallback], origin: { release, rank: i + 1 },
      fresh: before !== null && !before.has(item.id), feedback: true,
    })), "No pieces are left to recommend.");
    return [heading && element("h3", heading), shared && element("p", sentence(shared), { className: "small" }), list].filter(Boolean);
  });
  $("lists").replaceChildren(...(parts.length ? parts : [element("p", "No lists yet: they need at least one liked piece.", { className: "empty" })]));
}

export async function showPerson() {
  const { listener: id, list = "for-you" } = shown();
  for (const open of $("everybody").querySelectorAll("button")) {
    if (open.dataset.listener === id) open.setAttribute("aria-current", "true");
    else open.removeAttribute("aria-current");
  }
  $("theirs").hidden = !id;
  if (!id) return;
  if ($("name").dataset.listener !== id) {
    // Clear the previous listener's data while the new data is loading.
    for (const part of ["lists", "last", "taste"]) $(part).replaceChildren();
    $("name").textContent = named(id);
    $("name").dataset.listener = id;
  }
  for (const b of $("contexts").querySelectorAll("button")) b.setAttribute("aria-pressed", String(b.dataset.list === list));
  $("meaning").textContent = MEANING[list];
  $("compose-for").href = address({ view: "compose" });
  const done = await guarded($("person"), async () => {
    const [person, blocks] = await Promise.all([
      call(path`/api/listeners/${id}`), call(path`/api/listeners/${id}/blocks`), showLists(id, list in MADE ? list : "for-you"),
    ]);
    if (shown().listener !== id) return true;
    name(id, person.name || id);
    $("name").textContent = named(id);
    const styles = person.styles.map(([style, n]) => `${style} ${n}`).join(", ");
    $("taste").textContent = `${person.simulated ? "Simulated listener. " : ""}${styles ? `Played by style: ${styles}` : "No plays yet."}`;
    fill($("last"), person.last.map((e) => {
      const share = e.kind === "play" && e.value !== null ? `, ${Math.round(e.value * 100)}% heard` : "";
      return pieceRow({ ...e, id: e.piece }, { why: [`${e.kind}${share}, ${new Date(e.time * 1000).toLocaleDateString("en-GB")}`] });
    }), "No plays yet.");
    $("blocked").hidden = !blocks.items.length;
    fill($("blocks"), blocks.items.map((b) => element("li", "", {}, element("span", `${b.what}: ${named(b.value)}`, { className: "open" }),
      element("span", "", { className: "feedback" }, button("Allow again", () => lift(id, b), `Allow ${named(b.value)} again`)))), "");
    return true;
  });
  if (!done && shown().listener === id) $("theirs").hidden = true;
}

async function lift(id, block) {
  await guarded($("person"), async () => {
    await call(path`/api/listeners/${id}/blocks/${block.what}/${block.value}`, undefined, "DELETE");
    say(`${named(block.value)} may be in the lists of ${named(id)} again.`);
    await showPerson();
  });
}

export function setUpPeople() {
  $("find-listener").addEventListener("input", showPeople);
  for (const b of $("contexts").querySelectorAll("button")) b.addEventListener("click", () => go({ list: b.dataset.list }));
  $("add").querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    const form = new FormData(event.target);
    guarded($("person"), async () => {
      await call(path`/api/listeners/${form.get("id")}`, { name: form.get("name") }, "PUT");
      event.target.reset();
      $("add").open = false;
      name(form.get("id"), form.get("name"));
      go({ listener: form.get("id"), list: "" });
      document.dispatchEvent(new CustomEvent("counted"));
    });
  });
  // Reload the list: it depends on the event.
  document.addEventListener("told", ({ detail }) => { if (shown().view === "listeners" && detail.listener === shown().listener) showPerson(); });
}
