// Listeners, what they heard, and the lists that are made for them.
import { call, path } from "./api.js";
import { $, button, element, guarded, many, say } from "./dom.js";
import { fill, pieceRow } from "./rows.js";
import { address, go, name, named, shown } from "./state.js";

const AT_ONCE = 200;
const MEANING = {
  "for-you": "By all that they heard, liked and skipped, and what goes with it. The last place is kept for a piece that hardly anybody knows.",
  because: "A list for each of the pieces that they liked last.",
  discover: "Only artists that they have not met, and nothing that everybody hears.",
};
let everybody = 0; // how many there are
let listed = { key: "", ids: new Set() }; // the list that is shown, to tell what is new in the next

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
    }), words ? `Nobody is called ${words}.` : "Nobody yet. Add a listener, or import plays: troubadour import-plays.");
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
    // What all of a list rests on is said once.
    const shared = items.every((item) => item.fallback && item.fallback === items[0].fallback) ? items[0]?.fallback : "";
    fill(list, items.map((item, i) => pieceRow(item, {
      why: [item.reasons.join("; "), item.fallback === shared ? "" : item.fallback], origin: { release, rank: i + 1 },
      fresh: before !== null && !before.has(item.id), feedback: true,
    })), "Nothing is left to recommend.");
    return [heading && element("h3", heading), shared && element("p", sentence(shared), { className: "small" }), list].filter(Boolean);
  });
  $("lists").replaceChildren(...(parts.length ? parts : [element("p", "Nothing yet: it needs something that they liked.", { className: "empty" })]));
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
    // Nothing of somebody else stands under their name while theirs is on its way.
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
    $("taste").textContent = `${person.simulated ? "Simulated listener. " : ""}${styles ? `Played by style: ${styles}` : "Played nothing yet."}`;
    fill($("last"), person.last.map((e) => {
      const share = e.kind === "play" && e.value !== null ? `, ${Math.round(e.value * 100)}% heard` : "";
      return pieceRow({ ...e, id: e.piece }, { why: [`${e.kind}${share}, ${new Date(e.time * 1000).toLocaleDateString("en-GB")}`] });
    }), "Nothing yet.");
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
  // Lists are made anew at once: what a listener did counts in the next.
  document.addEventListener("told", ({ detail }) => { if (shown().view === "listeners" && detail.listener === shown().listener) showPerson(); });
}
