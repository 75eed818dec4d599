// The overlay of keys and hints.

import { h, icon } from "../dom.js";
import { text } from "../text.js";

const words = text.help;

/** Shows the overlay; Esc and the cross close it, and the focus goes back to where it was. */
export function showHelp() {
  if (document.querySelector("dialog.help")) return;
  const close = h("button", { class: "quiet round", type: "button", "aria-label": text.shell.close, onclick: () => dialog.close() },
    icon("M6 6l12 12M18 6L6 18"));
  const group = ([title, keys]) => h("section", {}, h("h3", {}, title),
    h("dl", {}, keys.map(([pressed, does]) => h("div", {}, h("dt", {}, h("kbd", {}, pressed)), h("dd", {}, does)))));
  const dialog = h("dialog", { class: "help", "aria-labelledby": "help-title", onclose: () => dialog.remove(),
    onclick: (event) => { if (event.target === dialog) dialog.close(); } },
  h("div", { class: "inside" },
    h("div", { class: "row" }, h("h2", { id: "help-title" }, words.title), close),
    h("ul", { class: "hints" }, words.hints.map((hint) => h("li", {}, hint))),
    h("div", { class: "groups" }, words.groups.map(group))));
  document.body.append(dialog);
  dialog.showModal();
}
