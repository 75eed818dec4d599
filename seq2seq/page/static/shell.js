// What every view may ask of the page around it: where it runs, announcements, focus, notices, the colour theme.

import { h } from "./dom.js";
import { text } from "./text.js";

/** Where the page runs: "service" (the API serves it), "view" (`decloud view`) or "file" (one file, no server). */
export const place = document.querySelector('meta[name="decloud"]')?.content ?? "service";

/** Says something to screen readers, politely. The same words twice are said twice. */
export function announce(words) {
  const live = document.getElementById("live");
  live.textContent = live.textContent === words ? `${words}\u00a0` : words;
}

/** Names the page in the tab and in the history. */
export function entitle(title) {
  document.title = title ? `${title} · ${text.product}` : text.product;
}

/** Shows a line at the bottom for some seconds, and says it. */
export function toast(words) {
  document.querySelector(".toast")?.remove();
  const line = h("p", { class: "toast", "aria-hidden": "true" }, words);
  document.body.append(line);
  announce(words);
  setTimeout(() => line.remove(), 4000);
}

/** Copies to the clipboard, and says whether that worked. */
export async function copy(words, done) {
  try {
    await navigator.clipboard.writeText(words);
    toast(done);
  } catch {
    toast(text.shell.notCopied);
  }
}

const THEMES = ["auto", "light", "dark"];
let theme = "auto";

function applyTheme(name) {
  theme = THEMES.includes(name) ? name : "auto";
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  document.dispatchEvent(new Event("theme"));
}

/** Takes up the theme chosen earlier. Where the browser keeps nothing, the system's. */
export function startTheme() {
  try { applyTheme(localStorage.getItem("decloud-theme")); } catch { applyTheme("auto"); }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => document.dispatchEvent(new Event("theme")));
}

/** The next of auto, light, dark; kept for the next visit. Returns its name. */
export function nextTheme() {
  applyTheme(THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]);
  try { localStorage.setItem("decloud-theme", theme); } catch { /* private windows keep nothing */ }
  return theme;
}

/** The theme chosen: auto, light or dark. */
export const chosenTheme = () => theme;

/** The value of a colour token of app.css, for canvases. */
export const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** Whether the reader asked their system for less motion. */
export const lessMotion = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
