// Charts (most played pieces) and trends.
import { call, path } from "./api.js";
import { $, element, guarded, many, picture } from "./dom.js";
import { fill, pieceRow } from "./rows.js";
import { go, name, shown } from "./state.js";

export function offerCharts({ styles }) {
  $("charts").querySelector("form").elements.style.append(...styles.map((s) => element("option", s)));
}

export function setUpCharts() {
  const form = $("charts").querySelector("form");
  form.addEventListener("change", showCharts);
  form.addEventListener("submit", (event) => event.preventDefault());
  $("trends").querySelector("form").addEventListener("change", showTrends);
  $("trends").querySelector("form").addEventListener("submit", (event) => { event.preventDefault(); showTrends(); });
}

const day = (iso) => new Date(iso).toLocaleDateString("en-GB", { day: "numeric", month: "long", year: "numeric" });

export async function showCharts() {
  const form = $("charts").querySelector("form").elements;
  const [period, style, until] = [form.period.value, form.style.value, form.until.value];
  $("chart").hidden = true;
  await guarded($("charts"), async () => {
    // The period includes the whole chosen day. Default end: the last play.
    const end = until ? path`&end=${Math.floor(Date.parse(until) / 1000) + 86_400}` : "";
    const found = await call(path`/api/charts?period=${period}&style=${style}&n=40` + end);
    if (form.period.value !== period || form.style.value !== style || form.until.value !== until) return;
    $("charted").textContent = found.items.length
      ? `${day(found.from)} to ${day(found.to)}: ${many(found.plays, "play")} by ${many(found.listeners, "listener")}. A play counts by how much was heard, and one fan on repeat makes no hit.`
      : `Up to ${day(found.to)} there are no plays${style ? ` of the style ${style}` : ""} in the last ${period}. Choose an earlier day.`;
    $("chart").hidden = !found.items.length;
    $("chart").tBodies[0].replaceChildren(...found.items.map((item) => {
      name(item.id, item.title);
      const open = element("button", item.title, { type: "button", className: "open" });
      open.dataset.piece = item.id;
      if (shown().piece === item.id) open.setAttribute("aria-current", "true");
      open.addEventListener("click", () => go({ piece: item.id }));
      if (item.artist) open.append(element("span", item.artist, { className: "by" }));
      return element("tr", "", {}, element("td", String(item.rank)), element("td", moved(item), { className: "moved" }),
        element("td", "", {}, open), element("td", String(item.plays)), element("td", String(item.listeners)));
    }));
  });
}

function moved({ rank, rank_before: before }) {
  if (!before) return "new";
  return before === rank ? String(before) : `${before > rank ? "\u2191" : "\u2193"} ${before}`;
}

export async function showTrends() {
  const form = $("trends").querySelector("form");
  if (!form.reportValidity()) return;
  const [by, weeks] = [form.elements.by.value, form.elements.weeks.value];
  $("verdict").textContent = "Measuring...";
  $("risen").replaceChildren();
  const done = await guarded($("trends"), async () => {
    const found = await call(path`/api/trends?by=${by}&weeks=${weeks}&n=30`);
    if (form.elements.by.value !== by || form.elements.weeks.value !== weeks) return true;
    $("verdict").textContent = found.items.length ? `On ${many(found.weeks, "week")}: ${found.verdict}.` : "";
    fill($("risen"), found.items.map((item) => trend(item, by)), "There are too few plays for trends.");
    return true;
  });
  if (!done) $("verdict").textContent = "";
}

function trend(item, by) {
  const percent = Math.round(item.score * 100);
  const change = percent ? `${percent > 0 ? "+" : "\u2212"}${Math.abs(percent)}%` : "as now";
  const why = item.reasons.join("; ");
  const row = by === "piece" ? pieceRow(item, { why: [why] })
    : element("li", "", {}, element("div", "", { className: "open" }, element("span", item.title, { className: "title" }), element("span", why, { className: "small" })));
  row.append(element("span", change, { className: "change" }), spark(item));
  return row;
}

/** Weekly plays as a line, with the forecast as its dashed end. */
function spark({ title, weekly, forecast }) {
  const all = [...weekly, ...forecast];
  const top = Math.max(...all, 1);
  const at = (v, i) => `${(i * 180 / (all.length - 1)).toFixed(1)},${(38 - 36 * v / top).toFixed(1)}`;
  const ahead = all.map(at).slice(weekly.length - 1);
  return picture(`<svg class="spark" viewBox="0 0 180 40"><polyline points="${weekly.map(at).join(" ")}"/>` +
    `<polyline class="ahead" points="${ahead.join(" ")}"/></svg>`,
  `${title}: ${weekly.at(-1)} plays in the last week, ${forecast.at(-1)?.toFixed(1) ?? "none"} expected`);
}
