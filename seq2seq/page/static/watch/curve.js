// How good the result is while it is made: PSNR on hidden pixels over time, beside the interpolation's.

import { fill, h } from "../dom.js";
import { number } from "../format.js";
import { token } from "../shell.js";
import { text } from "../jobs/text.js";
import { loadCharts } from "../viewer/chart.js";

const words = text.watch;
const HEIGHT = 220;

export class Curve {
  #points = [];
  #chart = null;

  constructor(signal) {
    this.place = h("div", { class: "curve" });
    this.caption = h("p", { class: "soft small" });
    this.element = h("section", { class: "card", hidden: true, "aria-labelledby": "curve-title" }, h("h2", { id: "curve-title" }, words.curve), this.caption, this.place);
    this.linear = null;
    this.resize = new ResizeObserver(() => this.#chart?.setSize({ width: this.place.clientWidth, height: HEIGHT }));
    this.resize.observe(this.place);
    document.addEventListener("theme", () => this.#anew(), { signal });
    signal.addEventListener("abort", () => { this.resize.disconnect(); this.#chart?.destroy(); });
  }

  /** Adds points [seconds since 1970, dB]. */
  add(points) {
    const known = points.filter(([, value]) => Number.isFinite(value));
    if (known.length === 0) return;
    this.#points.push(...known);
    this.#draw();
  }

  /** The interpolation's PSNR on the same pixels, known with the result. */
  compare(linear) {
    this.linear = Number.isFinite(linear) ? linear : null;
    this.#anew();
  }

  #anew() {
    this.#chart?.destroy();
    this.#chart = null;
    this.#draw();
  }

  async #draw() {
    if (this.#points.length < 2) return;
    this.element.hidden = false;
    await loadCharts();
    const [start] = this.#points[0];
    const xs = this.#points.map(([when]) => when - start);
    const data = [xs, this.#points.map(([, value]) => value), xs.map(() => this.linear)];
    const last = data[1].at(-1);
    this.caption.textContent = this.linear === null ? words.quality(number(last, 1)) : words.qualityBoth(number(last, 1), number(this.linear, 1));
    if (this.#chart) this.#chart.setData(data);
    else if (this.place.clientWidth > 0) this.#chart = new globalThis.uPlot(this.#options(), data, fill(this.place));
  }

  #options() {
    const axis = { stroke: token("soft"), grid: { stroke: token("line"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
    const time = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.round(seconds % 60)).padStart(2, "0")}`;
    return {
      width: this.place.clientWidth, height: HEIGHT, legend: { show: false }, cursor: { show: false }, scales: { x: { time: false }, y: { range: (_, low, high) => [low - Math.max(0.5, (high - low) / 10), high + Math.max(0.5, (high - low) / 10)] } },
      axes: [{ ...axis, size: 32, values: (_, ticks) => ticks.map(time) }, { ...axis, values: (_, ticks) => ticks.map((each) => `${+each.toFixed(2)} dB`), size: 68 }],
      series: [{}, { stroke: token("result"), width: 2.5, points: { show: false } }, { stroke: token("linear"), width: 2, dash: [6, 5], points: { show: false } }],
    };
  }
}
