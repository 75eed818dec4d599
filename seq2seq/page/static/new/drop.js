// Where files are dropped or chosen.

import { h, icon } from "../dom.js";
import { text } from "../jobs/text.js";
import { fromDrop, fromInput } from "./files.js";

const words = text.new;

/** Takes what is dropped anywhere on the page, until the signal or the controller that it returns is aborted. */
export function dropping(take, signal, mark = () => {}) {
  const own = new AbortController();
  signal.addEventListener("abort", () => own.abort());
  const options = { signal: own.signal };
  addEventListener("dragover", (event) => { if (event.dataTransfer?.types.includes("Files")) { event.preventDefault(); mark(true); } }, options);
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) mark(false); }, options);
  addEventListener("drop", async (event) => {
    event.preventDefault();
    mark(false);
    const found = await fromDrop(event.dataTransfer);
    if (found.length) take(found);
  }, options);
  return own;
}

/** A zone for files. take(files): [{path, file}] of one drop or choice. Dropping works on the whole page. */
export function dropZone(take, signal) {
  const picker = (name, more) => h("input", { type: "file", class: "unseen", tabindex: "-1", "aria-label": words[name], "data-pick": name, multiple: true, onchange: (event) => { const found = fromInput(event.target.files); event.target.value = ""; if (found.length) take(found); }, ...more });
  const files = picker("chooseFiles", {});
  const folder = picker("chooseFolder", { webkitdirectory: true });
  const element = h("div", { class: "drop" }, icon("M12 16V5", "M7 10l5-5 5 5", "M4 16v3h16v-3"), h("p", { class: "drop-title" }, words.drop), h("p", { class: "soft" }, words.dropAbout),
    h("div", { class: "drop-buttons" }, h("button", { type: "button", class: "primary", onclick: () => files.click() }, words.chooseFiles),
      h("button", { type: "button", onclick: () => folder.click() }, words.chooseFolder)), files, folder);
  dropping(take, signal, (over) => element.classList.toggle("over", over));
  return element;
}
