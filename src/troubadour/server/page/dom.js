// Helpers for DOM elements.
import { Away } from "./api.js";

export const $ = (id) => document.getElementById(id);

export function element(tag, text, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  if (text) made.textContent = text;
  made.append(...children);
  return made;
}

export function button(text, action, label) {
  const made = element("button", text, { type: "button" });
  if (label) made.setAttribute("aria-label", label);
  made.addEventListener("click", action);
  return made;
}

/** Announce an event, also to screen readers. */
export function say(words) {
  $("news").textContent = words;
}

export function many(n, one, several = `${one}s`) {
  return `${n.toLocaleString("en")} ${n === 1 ? one : several}`;
}

/** Run an update of a part of the page; errors are shown there, or at the top if the server does not answer. */
export async function guarded(region, fill) {
  const problem = region.querySelector(".problem");
  region.setAttribute("aria-busy", "true");
  problem.textContent = "";
  try {
    return await fill();
  } catch (error) {
    if (error instanceof Away) away(error.message);
    else problem.textContent = error.message;
    return undefined;
  } finally {
    region.removeAttribute("aria-busy");
  }
}

export function away(words) {
  $("away").querySelector("span").textContent = words;
  $("away").hidden = !words;
}

/** SVG element from trusted markup. */
export function picture(markup, label) {
  const made = new DOMParser().parseFromString(markup, "text/html").querySelector("svg");
  made.setAttribute("role", "img");
  made.setAttribute("aria-label", label);
  return made;
}
