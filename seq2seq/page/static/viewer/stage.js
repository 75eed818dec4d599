// The stage: one or two panes with the same camera, the divider between them, the marks of what is inspected.

import { fill, h, icon, later, svg } from "../dom.js";
import { longDay, metres, percent } from "../format.js";
import { text } from "../text.js";
import { bounded, fitting, moved, toPane, toScene, zoomed } from "./camera.js";
import { listen } from "./gestures.js";
import { gridPoint, lonLat, scaleBar } from "./ground.js";
import { begin, coarser, drawStyle } from "./painter.js";

const words = text.viewer;
const DIVIDER_PX = 14;
// A pointer that stays this long is about to be clicked.
const REST_MS = 60;

export class Stage {
  #wanted = false;
  #box = null;
  #last = [null, null];
  #under = null;

  /** viewer: {state, change, bundle, other, pictures, layer(id), title(id), signal}; on: {inspect(window), prefetch(row, column)}. */
  constructor(viewer, on) {
    this.viewer = viewer;
    this.on = on;
    this.build();
    const { signal } = viewer;
    this.rests = later(() => this.on.prefetch(...this.#under), REST_MS);
    signal.addEventListener("abort", this.rests.stop);
    listen(this.element, this.#gestures(), signal);
    new ResizeObserver(() => this.draw()).observe(this.element);
    viewer.pictures.addEventListener("ready", () => this.draw());
    this.element.addEventListener("keydown", (event) => this.#key(event), { signal });
    document.addEventListener("theme", () => this.draw(), { signal });
  }

  build() {
    this.canvases = [h("canvas", { class: "pane left", role: "img" }), h("canvas", { class: "pane right", role: "img" })];
    this.marks = svg("svg", { class: "marks", "aria-hidden": "true" });
    this.divider = h("span", { class: "divider" });
    this.range = h("input", {
      class: "swipe", type: "range", min: 0, max: 1, step: 0.005, "aria-label": words.swipe,
      oninput: () => this.viewer.change({ swipe: Number(this.range.value) }),
    });
    this.position = h("p", { class: "position", "aria-label": words.coordinates });
    this.missing = h("p", { class: "missing", role: "status" });
    this.bar = h("span", { class: "bar" });
    this.north = h("span", { class: "north" }, icon("M12 3l5 16-5-4-5 4z"), h("b", { "aria-hidden": "true" }, "N"));
    const control = (label, sign, run) => h("button", { type: "button", "aria-label": label, title: label, onclick: run }, sign);
    const zoom = h("div", { class: "zoom", role: "group" },
      control(words.zoomIn, icon("M12 5v14M5 12h14"), () => this.zoom(1.6)),
      control(words.zoomOut, icon("M5 12h14"), () => this.zoom(1 / 1.6)),
      control(words.fit, icon("M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5"), () => this.viewer.change({ camera: null })));
    this.corners = [h("div", { class: "corner left" }), h("div", { class: "corner right" })];
    this.element = h("div", { class: "stage", tabindex: 0, role: "application", "aria-label": `${words.stage}. ${words.stageKeys}` },
      this.canvases, this.marks, this.divider, this.range, this.corners, this.missing, this.position,
      h("div", { class: "ground" }, this.north, this.bar), zoom);
  }

  /** The size of a pane in CSS pixels, and the left edge of the right one. */
  get pane() {
    const { clientWidth, clientHeight } = this.element;
    const side = this.viewer.state.way === "side";
    return { width: Math.max(side ? clientWidth / 2 : clientWidth, 1), height: Math.max(clientHeight, 1) };
  }

  get camera() {
    const { state, bundle } = this.viewer;
    return state.camera ? bounded(state.camera, bundle, this.pane) : fitting(bundle, this.pane);
  }

  /** The point inside its pane of a point on the stage. */
  inPane([x, y]) {
    const { width } = this.pane;
    return [this.viewer.state.way === "side" && x >= width ? x - width : x, y];
  }

  /** The pixel [row, column] under a point of the stage, or nothing outside the scene. */
  pixelAt(point) {
    const [x, y] = toScene(this.camera, this.pane, this.inPane(point));
    const { width, height } = this.viewer.bundle;
    return x >= 0 && y >= 0 && x < width && y < height ? [Math.floor(y), Math.floor(x)] : null;
  }

  /** The pixel in the middle of the view. */
  get middle() {
    const { width, height } = this.viewer.bundle;
    const { x, y } = this.camera;
    return [Math.min(Math.floor(y), height - 1), Math.min(Math.floor(x), width - 1)];
  }

  #window([from, to]) {
    const { width, height } = this.viewer.bundle;
    const points = [from, to].map((each) => toScene(this.camera, this.pane, this.inPane(each)));
    const side = (at, most) => {
      const [low, high] = points.map((each) => each[at]).sort((a, b) => a - b);
      return [Math.max(Math.floor(low), 0), Math.min(Math.ceil(high), most)];
    };
    const [[left, right], [top, bottom]] = [side(0, width), side(1, height)];
    return left < right && top < bottom ? { top, left, bottom, right } : null;
  }

  #gestures() {
    const { viewer } = this;
    const pixel = ([row, column]) => ({ top: row, left: column, bottom: row + 1, right: column + 1 });
    return {
      press: (at) => { const found = this.pixelAt(at); if (found) this.on.prefetch(...found); },
      pick: (at) => { const found = this.pixelAt(at); this.on.inspect(found && pixel(found)); },
      pan: (dx, dy) => viewer.change({ camera: bounded(moved(this.camera, dx, dy), viewer.bundle, this.pane) }),
      zoom: (factor, at) => this.zoom(factor, this.inPane(at)),
      box: (from, to, done) => {
        const window = this.#window([from, to]);
        this.#box = done ? null : window;
        if (done && window) this.on.inspect(window);
        else this.draw();
      },
      hover: (at) => this.#hover(at),
      boxes: (event) => viewer.tool === "box" || event.shiftKey,
      divides: ([x]) => viewer.state.way === "swipe" && Math.abs(x - viewer.state.swipe * this.pane.width) < DIVIDER_PX,
      divide: ([x]) => viewer.change({ swipe: Math.min(Math.max(x / this.pane.width, 0), 1) }),
    };
  }

  /** Zooms about a point of the pane, its middle where none is given. */
  zoom(factor, point = [this.pane.width / 2, this.pane.height / 2]) {
    const { bundle, change } = this.viewer;
    change({ camera: bounded(zoomed(this.camera, factor, point, this.pane, bundle), bundle, this.pane) });
  }

  #key(event) {
    if (event.target !== this.element || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const step = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    this.viewer.change({ camera: bounded(moved(this.camera, ...step), this.viewer.bundle, this.pane) });
  }

  #hover(at) {
    const { manifest } = this.viewer.bundle;
    this.#under = at && this.pixelAt(at);
    if (this.#under && !navigator.connection?.saveData) this.rests();
    else this.rests.stop();
    if (at === null) { this.position.hidden = true; return; }
    const [x, y] = toScene(this.camera, this.pane, this.inPane(at));
    const found = this.#under;
    this.position.hidden = !found;
    if (!found) return;
    const parts = [text.viewer.rowColumn(...found)];
    if (manifest.lonlat) parts.unshift(words.position(...lonLat(manifest.lonlat, y, x)));
    if (manifest.affine) parts.push(words.grid(...gridPoint(manifest.affine, y, x).map((each) => each.toFixed(1)), manifest.crs ?? "?"));
    fill(this.position, parts.map((part) => h("span", {}, part)));
  }

  /** Draws the mark of the place alone. */
  mark() {
    this.#paintMarks(this.camera);
  }

  /** Draws with the next frame; calls in between are one. */
  draw() {
    if (this.#wanted) return;
    this.#wanted = true;
    requestAnimationFrame(() => { this.#wanted = false; this.paint(); });
  }

  paint() {
    const { state } = this.viewer;
    if (!this.element.isConnected) return;
    const camera = this.camera;
    this.element.dataset.way = state.way;
    this.element.style.setProperty("--swipe", state.swipe);
    const shown = state.way === "one" ? [null, state.right] : [state.left, state.right];
    shown.forEach((id, at) => this.#paintPane(at, id, camera));
    this.#sayMissing(shown);
    this.#paintMarks(camera);
    this.#paintGround(camera);
    this.range.value = state.swipe;
    this.range.setAttribute("aria-valuetext", words.swipeValue(Math.round(state.swipe * 100)));
  }

  #paintPane(at, id, camera) {
    const canvas = this.canvases[at];
    canvas.hidden = id === null;
    if (id === null) return;
    const { state, pictures } = this.viewer;
    const ratio = Math.min(devicePixelRatio || 1, 3);
    const { bundle, style } = this.viewer.layer(id);
    const { width } = this.pane;
    const edge = state.way === "swipe" ? state.swipe * width : null;
    const visible = edge === null ? [0, width] : [[0, Math.ceil(edge)], [Math.floor(edge), width]][at];
    const context = begin(canvas, { pane: this.pane, camera, ratio, visible });
    const options = { pictures, camera, pane: this.pane, ratio };
    const wanted = { bundle, style, date: state.date };
    const waiting = !this.#settled(wanted);
    // Until the picture is there, the last one stays: an empty stage would flash.
    const shown = waiting ? this.#last[at] : wanted;
    const drawn = shown !== null && shown.bundle.at.has(shown.date) && drawStyle(context, { ...options, ...shown });
    if (state.mask && !waiting && bundle.styles.has("mask") && bundle.at.has(state.date)) drawStyle(context, { ...options, ...wanted, style: "mask" });
    if (!waiting) this.#last[at] = wanted;
    canvas.dataset.shown = drawn && !waiting ? `${id}/${state.date}` : "";
    const { cloud } = this.viewer.bundle.dates[this.viewer.bundle.at.get(state.date)];
    canvas.setAttribute("aria-label", `${this.viewer.title(id)}, ${longDay(state.date)}, ${cloud == null ? words.noCloud : words.cloud(percent(cloud))}`);
  }

  /** Whether a picture is there, or known never to be; asks for it otherwise. */
  #settled({ bundle, style, date }) {
    if (!bundle.at.has(date)) return true;
    const { pictures } = this.viewer;
    const url = bundle.picture(style, date);
    pictures.want(url);
    return Boolean(pictures.peek(url) ?? pictures.failure(url));
  }

  #sayMissing(shown) {
    const { state, pictures } = this.viewer;
    const lines = shown.filter(Boolean).flatMap((id) => {
      const { bundle, style } = this.viewer.layer(id);
      if (!bundle.at.has(state.date)) return [words.otherDate(bundle.title)];
      const failed = pictures.failure(bundle.picture(style, state.date));
      return failed ? [words.pictureMissing(this.viewer.title(id), longDay(state.date))] : [];
    });
    const one = coarser(this.viewer.bundle, this.camera.scale * (devicePixelRatio || 1));
    if (one > 1) lines.push(words.coarser(one));
    const line = lines.join(" ");
    if (this.missing.textContent !== line) this.missing.textContent = line;
  }

  #paintMarks(camera) {
    const window = this.#box ?? this.viewer.state.window;
    if (!window) { this.marks.replaceChildren(); return; }
    const { pane } = this;
    const [x, y] = toPane(camera, pane, [window.left, window.top]);
    const [x1, y1] = toPane(camera, pane, [window.right, window.bottom]);
    // A pixel smaller than the eye can find gets a ring.
    const grow = Math.max(0, 12 - (x1 - x)) / 2;
    const offsets = this.viewer.state.way === "side" ? [0, pane.width] : [0];
    const size = { y: y - grow, width: x1 - x + 2 * grow, height: y1 - y + 2 * grow, rx: grow > 0 ? 99 : 1 };
    fill(this.marks, offsets.flatMap((by) => ["halo", "line"].map((name) => svg("rect", { class: name, x: x - grow + by, ...size }))));
  }

  #paintGround(camera) {
    const { manifest } = this.viewer.bundle;
    const gsd = manifest.gsd_m?.[0];
    this.bar.hidden = !gsd;
    if (gsd) {
      const { metres: length, width } = scaleBar(gsd / camera.scale);
      this.bar.style.setProperty("--width", `${width}px`);
      this.bar.textContent = metres(length);
      this.bar.title = words.scale(metres(length));
    }
    const degrees = manifest.north_deg ?? 0;
    this.north.style.setProperty("--north", `${degrees}deg`);
    this.north.title = words.north(+degrees.toFixed(1));
  }
}
