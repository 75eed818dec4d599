// Keys of the whole viewer. Controls keep their own: a slider's arrows move the slider.

import { themes, pair, WAYS } from "./state.js";

const TYPING = "input:not([type=checkbox]), select, textarea, [contenteditable], dialog[open]";

/** Moves the inspected pixel by rows and columns, the middle of the view where there is none. */
function movePixel(viewer, stage, [rows, columns]) {
  const { window } = viewer.state;
  const [row, column] = window ? [window.top + rows, window.left + columns] : stage.middle;
  const { width, height } = viewer.bundle;
  if (row < 0 || column < 0 || row >= height || column >= width) return;
  viewer.change({ window: { top: row, left: column, bottom: row + 1, right: column + 1 } });
}

const ARROWS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

function actions({ viewer, stage, timeline, layers, help, link }) {
  const { dates } = viewer.bundle;
  const swipe = (by) => viewer.change({ swipe: Math.min(Math.max(viewer.state.swipe + by, 0), 1) });
  const { state } = viewer;
  return {
    ArrowLeft: () => timeline.step(-1), ArrowRight: () => timeline.step(1), Home: () => timeline.go(0), End: () => timeline.go(dates.length - 1),
    " ": () => timeline.toggle(), "+": () => stage.zoom(1.6), "=": () => stage.zoom(1.6), "-": () => stage.zoom(1 / 1.6),
    0: () => viewer.change({ camera: null }), "[": () => swipe(-0.05), "]": () => swipe(0.05),
    s: () => viewer.change({ way: WAYS[(WAYS.indexOf(state.way) + 1) % WAYS.length] }), m: () => viewer.change({ mask: !state.mask }),
    x: () => layers.exchange(), p: () => movePixel(viewer, stage, [0, 0]), Escape: () => viewer.change({ window: null }),
    l: link, "?": help,
  };
}

/** Listens for keys until `viewer.signal` is aborted. */
export function listenKeys(parts) {
  const { viewer, stage } = parts;
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.(TYPING)) return;
    if (event.key === " " && event.target.closest?.("button, a, summary, [type=checkbox]")) return;
    const theme = themes(viewer.bundle)[Number(event.key) - 1];
    let run = actions(parts)[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (event.shiftKey && ARROWS[event.key]) run = () => movePixel(viewer, stage, ARROWS[event.key]);
    else if (theme) run = () => { const [left, right] = pair(viewer.bundle, theme, viewer.other); viewer.change({ left, right }); };
    if (!run) return;
    event.preventDefault();
    run();
  }, { signal: viewer.signal });
}
