// The viewer: one state, changed in one place; the parts take up what changed.

import { fill, h, icon, idle, later } from "../dom.js";
import { PageError } from "../failures.js";
import { keep } from "../router.js";
import { announce, copy, toast } from "../shell.js";
import { longDay } from "../format.js";
import { text } from "../text.js";
import { loadBundle } from "./bundle.js";
import { loadCharts } from "./chart.js";
import { showHelp } from "./help.js";
import { Inspector } from "./inspect.js";
import { listenKeys } from "./keys.js";
import { exchangeSign, Layers, styleTitle } from "./layers.js";
import { Pictures } from "./pictures.js";
import { download } from "./saving.js";
import { Stage } from "./stage.js";
import { read, write } from "./state.js";
import { Timeline } from "./timeline.js";

const words = text.viewer;
const SOON_MS = 100;

/** What the parts share. `change` is the only way to another state. */
class Viewer {
  tool = "pixel";
  parts = [];

  constructor(bundle, other, query, signal) {
    Object.assign(this, { bundle, other, signal, state: read(query, bundle, other), pictures: new Pictures(signal) });
    this.change = this.change.bind(this);
    this.remember = later(() => keep(write(this.state, bundle, other)), 250);
    this.say = later(() => announce(longDay(this.state.date)), 400);
    this.prefetch = later(() => this.pictures.prefetch(this.#ahead()), 60);
  }

  /** The bundle and the style of a layer; those of the second bundle begin with "2.". */
  layer(id) {
    return id.startsWith("2.") ? { bundle: this.other, style: id.slice(2) } : { bundle: this.bundle, style: id };
  }

  /** A layer's name in plain words: "Before · Natural colour". */
  title(id) {
    const { bundle, style: name } = this.layer(id);
    const style = bundle.styles.get(name);
    const twin = bundle.styles.has(`${name}-before`) || name.endsWith("-before");
    const side = twin && words.sides[style.of ?? (name.endsWith("-before") ? "input" : "result")];
    return [this.other && bundle.title, side, styleTitle(style)].filter(Boolean).join(" · ");
  }

  /** Whether all pictures of a date are there, or known to be missing. */
  ready(date) {
    const known = this.urls(date).map((url) => { this.pictures.want(url); return this.pictures.peek(url) ?? this.pictures.failure(url); });
    return known.every(Boolean);
  }

  /** The addresses of what is on view at a date. */
  urls(date) {
    const { left, right, way, mask } = this.state;
    const found = (way === "one" ? [right] : [right, left]).map((id) => this.layer(id)).filter(({ bundle }) => bundle.at.has(date))
      .map(({ bundle, style }) => bundle.picture(style, date));
    if (mask && this.bundle.styles.has("mask")) found.push(this.bundle.picture("mask", date));
    return found;
  }

  /** All dates, nearest first: of the layers on view, then the thumbnails. */
  #ahead() {
    const at = this.bundle.at.get(this.state.date);
    const near = this.bundle.dates.map(({ date }, index) => ({ date, apart: Math.abs(index - at) })).sort((one, two) => one.apart - two.apart);
    const strip = near.map(({ date }) => this.bundle.picture(this.thumbStyle, date));
    return [...new Set([...near.flatMap(({ date }) => this.urls(date)), ...strip])];
  }

  change(patch) {
    const changed = new Set(Object.keys(patch).filter((name) => this.state[name] !== patch[name]));
    if (changed.size === 0) return;
    Object.assign(this.state, patch);
    this.spread(changed);
    this.remember();
    if (changed.has("date")) this.say();
  }

  spread(changed) {
    this.parts.forEach((part) => part(changed));
    if (["left", "right", "mask", "way"].some((name) => changed.has(name))) this.prefetch();
  }
}

function baseOf({ id }) {
  return id ? `jobs/${encodeURIComponent(id)}/pictures/` : "pictures/";
}

/** The address of the bundle to compare with: a job's id, or a path of its own beside this page. */
function otherBase(name) {
  if (/^[\w-]+$/.test(name)) return `jobs/${name}/pictures/`;
  const url = new URL(name.endsWith("/") ? name : `${name}/`, document.baseURI);
  if (url.origin !== location.origin) throw new PageError(text.failures.noView, { cause: name });
  return url.href;
}

async function loadOther(name, bundle, signal) {
  if (!name) return null;
  const other = await loadBundle(otherBase(name), { signal });
  const size = ({ width, height }) => `${width} × ${height}`;
  if (size(other) !== size(bundle)) throw new PageError(words.otherGrid(size(bundle), size(other)), { next: words.otherGridNext });
  return other;
}

function drawHeader(viewer, link) {
  const { bundle } = viewer;
  const title = viewer.other ? `${bundle.title} · ${words.with(viewer.other.title)}` : bundle.title;
  fill(document.getElementById("subject"), h("h1", { title: bundle.manifest.made ? String(bundle.manifest.made) : null }, title),
    bundle.manifest.simulated && h("span", { class: "badge", title: words.simulatedAbout }, words.simulated));
  const tool = (label, sign, run) => h("button", { class: "quiet round", type: "button", "aria-label": label, title: label, onclick: run }, sign);
  fill(document.getElementById("tools"),
    tool(words.link, icon("M10 14a4 4 0 0 0 5.700 0l3-3a4 4 0 0 0-5.700-5.700l-1 1", "M14 10a4 4 0 0 0-5.700 0l-3 3a4 4 0 0 0 5.700 5.700l1-1"), link),
    tool(words.help, icon("M9.200 9.200a2.800 2.800 0 1 1 4.200 2.400c-.9.5-1.400 1-1.400 2.100", "M12 17.300v.1", "M12 3a9 9 0 1 0 0 18a9 9 0 0 0 0-18z"), showHelp));
}

function downloadsPart(viewer) {
  const { bundle } = viewer;
  const links = h("div", { class: "links" });
  const element = h("section", { class: "card", "aria-labelledby": "downloads-title" }, h("h2", { id: "downloads-title" }, words.downloads), links);
  const draw = () => {
    const file = bundle.file(viewer.state.date);
    const found = [...(file ? [{ title: words.thisDate, url: file }] : []), ...bundle.downloads];
    fill(links, found.map(({ title, url }) => download(title, url)));
    element.hidden = found.length === 0;
  };
  // Not while dates run by.
  const update = later(draw, 120);
  viewer.signal.addEventListener("abort", update.stop);
  draw();
  return { element, update };
}

/** What a file that was made small does not hold, in the words of its manifest. */
function leftOut({ manifest }) {
  const lines = manifest.left_out ?? [];
  return lines.length > 0 && h("section", { class: "card left-out", "aria-labelledby": "left-out-title" },
    h("h2", { id: "left-out-title" }, words.leftOut), h("ul", {}, lines.map((line) => h("li", {}, String(line)))));
}

function assemble(main, viewer) {
  const stage = new Stage(viewer, {
    inspect: (window) => viewer.change({ window }), prefetch: (row, column) => viewer.bundle.cube?.prefetch(row, column),
  });
  const timeline = new Timeline(viewer);
  viewer.thumbStyle = timeline.style;
  const layers = new Layers(viewer, stage.corners);
  const inspector = new Inspector(viewer);
  const downloads = downloadsPart(viewer);
  const exchange = h("button", { type: "button", class: "exchange", "aria-label": words.exchange, title: words.exchange, onclick: () => layers.exchange() }, exchangeSign());
  stage.corners[0].append(exchange);
  const { made, credit, notes = [] } = viewer.bundle.manifest;
  const about = h("section", { class: "credit soft small", "aria-label": words.about }, [made && words.made(made), credit, ...notes].filter(Boolean).map((line) => h("p", {}, String(line))));
  fill(main, h("div", { class: "viewer" }, h("div", { class: "left-side" }, stage.element, timeline.element),
    h("div", { class: "panel" }, layers.element, inspector.element, downloads.element, leftOut(viewer.bundle), about)));
  const layerKeys = ["left", "right", "way", "mask"];
  const any = (changed, names) => names.some((name) => changed.has(name));
  viewer.parts = [
    (changed) => { if (any(changed, ["date", "camera", "swipe", ...layerKeys])) stage.draw(); else if (changed.has("window")) stage.mark(); },
    (changed) => { if (changed.has("date")) { timeline.update(); downloads.update(); } },
    (changed) => { if (any(changed, layerKeys)) layers.update(); },
    (changed) => inspector.update(changed),
  ];
  return { stage, timeline, layers };
}

/** Shows a bundle, or two on one grid where the address has `with`. */
export async function show(main, { params, query, signal }) {
  const waiting = setTimeout(() => fill(main, h("p", { class: "waiting", role: "status" }, words.loading)), 250);
  let viewer;
  try {
    const bundle = await loadBundle(baseOf(params), { signal });
    viewer = new Viewer(bundle, await loadOther(query.with, bundle, signal), query, signal);
  } finally {
    clearTimeout(waiting);
  }
  // The first frame has the pictures in it, where they come soon.
  const first = viewer.urls(viewer.state.date).map((url) => viewer.pictures.want(url));
  await Promise.race([Promise.all(first), new Promise((resolve) => setTimeout(resolve, SOON_MS))]);
  if (signal.aborted) return null;
  const link = () => { viewer.remember.now(); keep(write(viewer.state, viewer.bundle, viewer.other)); copy(location.href, words.linkCopied); };
  const parts = assemble(main, viewer);
  drawHeader(viewer, link);
  listenKeys({ viewer, ...parts, help: showHelp, link });
  parts.stage.paint();
  viewer.spread(new Set(["date", "left", "right", "mask", ...(viewer.state.window ? ["window"] : [])]));
  idle(() => loadCharts().catch(() => toast(words.chartFailed)));
  performance.mark("interactive");
  return {
    title: viewer.bundle.title,
    update: (next) => {
      if ((next.with ?? null) !== viewer.state.with) return false;
      const state = read(next, viewer.bundle, viewer.other);
      viewer.change({ ...state, camera: state.camera, window: sameWindow(state.window, viewer.state.window) });
      return true;
    },
    leave: () => { viewer.remember.stop(); viewer.prefetch.stop(); viewer.say.stop(); },
  };
}

/** The old window where the new one is the same, so that it is not read anew. */
function sameWindow(next, old) {
  return next && old && ["top", "left", "bottom", "right"].every((side) => next[side] === old[side]) ? old : next;
}
