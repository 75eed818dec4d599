// Files that were dropped on another view, on their way to the form of a new job.

import { go } from "../router.js";
import { fromDrop } from "./files.js";

let waiting = null;

/** The files that wait, once; nothing where none do. */
export function taken() {
  const files = waiting;
  waiting = null;
  return files;
}

/** Takes what is dropped anywhere on a view to a new job. */
export function takeDrops(element, signal) {
  const mark = (on) => element.classList.toggle("dropping", on);
  addEventListener("dragover", (event) => { if (event.dataTransfer?.types.includes("Files")) { event.preventDefault(); mark(true); } }, { signal });
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) mark(false); }, { signal });
  addEventListener("drop", async (event) => {
    event.preventDefault();
    mark(false);
    const files = await fromDrop(event.dataTransfer);
    if (files.length === 0) return;
    waiting = files;
    go("/new");
  }, { signal });
}
