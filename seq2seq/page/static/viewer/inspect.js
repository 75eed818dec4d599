// The panel of a place: reads the values under a pixel or a box, charts them, tells them as a table and as CSV.

import { fill, h, icon, later } from "../dom.js";
import { oneLine } from "../failures.js";
import { longDay, number } from "../format.js";
import { announce } from "../shell.js";
import { text } from "../text.js";
import { loadCharts, radarChart, seriesChart, spectrumChart } from "./chart.js";
import { gridPoint, lonLat } from "./ground.js";
import { segments } from "./layers.js";
import { BOX_LIMIT, csv, firstQuantity, Place, quantities } from "./place.js";
import { save } from "./saving.js";

const words = text.viewer;
const HEIGHTS = { series: 190, radar: 110, spectrum: 160 };

const windowTitle = ({ top, left, bottom, right }) => (bottom - top === 1 && right - left === 1
  ? words.pixel(top, left) : words.box(bottom - top, right - left));

const isBox = ({ top, left, bottom, right }) => bottom - top > 1 || right - left > 1;

const key = (name) => h("span", {}, h("i", { class: `sign ${name}` }), words.seriesOf[name]);

export class Inspector {
  #charts = [];
  #place = null;
  #asked = 0;

  constructor(viewer) {
    this.viewer = viewer;
    this.build();
    const resized = later(() => this.drawCharts(), 120);
    this.resizer = new ResizeObserver(() => { if (this.body.clientWidth !== this.width) resized(); });
    this.resizer.observe(this.body);
    document.addEventListener("theme", () => this.drawCharts(), { signal: viewer.signal });
    viewer.signal.addEventListener("abort", () => { resized.stop(); this.resizer.disconnect(); this.#drop(); });
  }

  build() {
    const { viewer } = this;
    this.tool = segments("tool", words.tools, [["pixel", words.toolPixel], ["box", words.toolBox]], (tool) => { viewer.tool = tool; });
    this.tool.set(viewer.tool);
    this.body = h("div", { class: "place" });
    const tools = viewer.bundle.cube && this.tool.element;
    this.element = h("section", { class: "card inspect", "aria-labelledby": "inspect-title" },
      h("div", { class: "row" }, h("h2", { id: "inspect-title" }, words.inspect), tools), this.body);
    this.#showHint();
  }

  #showHint(line = null) {
    this.#drop();
    const hint = this.viewer.bundle.cube ? words.inspectHow : words.noCube;
    fill(this.body, line && h("p", { class: "notice", role: "alert" }, line), h("p", { class: "soft" }, hint));
  }

  #drop() {
    this.#charts.forEach((chart) => chart.destroy());
    this.#charts = [];
  }

  /** Reads and charts a window; `null` clears. Newer calls win over older ones that still read. */
  async show(window) {
    this.#asked += 1;
    const asked = this.#asked;
    const { bundle } = this.viewer;
    this.#place = null;
    if (!window || !bundle.cube) { this.#showHint(); return; }
    if (window.bottom - window.top > BOX_LIMIT || window.right - window.left > BOX_LIMIT) {
      this.#showHint(words.boxTooLarge(BOX_LIMIT));
      return;
    }
    // Only where it takes long: a line that flashes by tells nobody anything.
    const waiting = setTimeout(() => { if (asked === this.#asked) fill(this.body, h("p", { class: "soft" }, words.reading)); }, 150);
    try {
      const [place] = await Promise.all([Place.read(bundle, window), loadCharts()]);
      if (asked !== this.#asked) return;
      this.#place = place;
      this.#layOut();
      announce(windowTitle(window));
    } catch (error) {
      if (asked === this.#asked) this.#showHint(`${words.chartFailed} ${oneLine(error)}`);
    } finally {
      clearTimeout(waiting);
    }
  }

  /** The quantity on show: what was chosen, where this bundle has it. */
  get quantity() {
    const all = quantities(this.viewer.bundle).map(([each]) => each);
    return all.includes(this.viewer.state.quantity) ? this.viewer.state.quantity : firstQuantity(this.viewer.bundle);
  }

  #layOut() {
    const { viewer } = this;
    const { window } = this.#place;
    const select = h("select", { "aria-label": words.quantity, onchange: () => viewer.change({ quantity: select.value }) },
      quantities(viewer.bundle).map(([name, title]) => h("option", { value: name }, title)));
    select.value = this.quantity;
    this.formula = h("p", { class: "soft small" });
    this.seriesBox = h("figure", { class: "chart" });
    this.radarBox = h("figure", { class: "chart" });
    this.spectrumBox = h("figure", { class: "chart" });
    this.rows = h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": words.table });
    this.details = h("details", { ontoggle: () => this.#tabulate() }, h("summary", {}, words.table), this.rows);
    this.values = h("p", { class: "values small" });
    fill(this.body,
      h("div", { class: "row" }, h("h3", {}, windowTitle(window)), h("button", { class: "quiet round", type: "button", "aria-label": words.clear, title: words.clear, onclick: () => viewer.change({ window: null }) }, icon("M6 6l12 12M18 6L6 18"))),
      this.#where(window), this.#sampled(window), h("div", { class: "row" }, select, this.formula), this.seriesBox, h("p", { class: "key" }, ["observed", "masked", "linear", "after", "range"].map(key)), this.values,
      this.radarBox, this.spectrumBox,
      h("p", { class: "soft small" }, isBox(window) ? words.boxRange : words.rangeAbout), this.details,
      h("button", { type: "button", class: "wide", onclick: () => this.save() }, icon("M12 4v11M7 11l5 5 5-5M5 20h14"), words.csv));
    // A place that was asked for comes first: its charts are seen without scrolling.
    const panel = this.element.parentElement;
    if (panel && panel.firstElementChild !== this.element) panel.prepend(this.element);
    this.drawCharts();
  }

  /** Where the middle of a window lies on the ground. */
  #where({ top, left, bottom, right }) {
    const { lonlat, affine, crs } = this.viewer.bundle.manifest;
    const [row, column] = [(top + bottom) / 2, (left + right) / 2];
    const parts = [lonlat && words.position(...lonLat(lonlat, row, column)),
      affine && words.grid(...gridPoint(affine, row, column).map((each) => each.toFixed(1)), crs ?? "?")];
    return h("p", { class: "where soft small" }, parts.filter(Boolean).map((part) => h("span", {}, part)));
  }

  /** Where only some pixels have values: which are shown. */
  #sampled({ top, left, bottom, right }) {
    const { cube: { step }, height, width } = this.viewer.bundle;
    if (step === 1) return null;
    const nearest = (at, length) => Math.min(Math.floor(at / step) * step + Math.floor(step / 2), length - 1);
    const line = isBox({ top, left, bottom, right }) ? words.sampledBox(step) : words.sampled(step, nearest(top, height), nearest(left, width));
    return h("p", { class: "notice small" }, line);
  }

  /** Draws all charts anew: another place, quantity, size or theme. */
  drawCharts() {
    this.width = this.body.clientWidth;
    const place = this.#place;
    if (!place || !this.seriesBox?.isConnected || this.width < 40) return;
    this.#drop();
    const { viewer } = this;
    this.found = place.over(this.quantity);
    this.formula.textContent = this.quantity === "ndvi" ? words.ndviAbout : words.reflectance;
    const common = {
      width: this.width, current: () => place.times[viewer.bundle.at.get(viewer.state.date)],
      pick: (t) => viewer.change({ date: viewer.bundle.dates[t].date }),
    };
    fill(this.seriesBox, h("figcaption", { class: "unseen" }, words.series(this.quantity)));
    this.#charts.push(seriesChart(this.seriesBox, this.found, { ...common, height: HEIGHTS.series }));
    this.lines = place.radar();
    fill(this.radarBox, this.lines.length > 0 && h("figcaption", {}, `${words.radar}, ${words.decibel}`,
      h("span", { class: "key" }, this.lines.map(({ name }, at) => h("span", {}, h("i", { class: `sign radar-${at}` }), name)))));
    if (this.lines.length > 0) this.#charts.push(radarChart(this.radarBox, place.times, this.lines, { ...common, height: HEIGHTS.radar }));
    this.seriesCharts = [...this.#charts];
    this.#drawSpectrum();
    this.#tabulate();
  }

  #drawSpectrum() {
    const place = this.#place;
    const { viewer } = this;
    const found = place.spectrum(viewer.bundle.at.get(viewer.state.date));
    fill(this.spectrumBox);
    if (found.wavelengths.length < 2) return;
    fill(this.spectrumBox, h("figcaption", {}, `${words.spectrum(longDay(viewer.state.date))}, ${words.wavelength}`));
    if (this.spectrumOf) this.#charts = this.#charts.filter((chart) => chart !== this.spectrumOf);
    this.spectrumOf = spectrumChart(this.spectrumBox, found, { width: this.width, height: HEIGHTS.spectrum, observed: found.observed });
    this.#charts.push(this.spectrumOf);
    this.#sayValues();
  }

  #sayValues() {
    const t = this.viewer.bundle.at.get(this.viewer.state.date);
    const digits = this.#place.decimals(this.quantity);
    const { observed, masked, after, low, high } = this.found;
    const parts = [[words.seriesOf.observed, observed[t]], [words.seriesOf.masked, masked[t]], [words.seriesOf.after, after[t]]]
      .filter(([, value]) => Number.isFinite(value)).map(([name, value]) => [name, number(value, digits)]);
    if (Number.isFinite(low[t])) parts.push([words.seriesOf.range, `${number(low[t], digits)} – ${number(high[t], digits)}`]);
    fill(this.values, parts.map(([name, value]) => h("span", {}, `${name} `, h("b", {}, value))));
  }

  #tabulate() {
    if (!this.details?.open || !this.#place) return;
    const { columns, states } = words;
    const digits = this.#place.decimals(this.quantity);
    const names = ["observed", "masked", "linear", "after", "low", "high"];
    const head = [columns.date, columns.state, ...names.map((name) => columns[name]), ...this.lines.map(({ name }) => name)];
    const lines = this.#place.dates.map((date, t) => h("tr", {}, h("th", { scope: "row" }, longDay(date)),
      h("td", {}, states[this.#place.state(this.found, t)]), names.map((name) => h("td", {}, number(this.found[name][t], digits))),
      this.lines.map(({ values }) => h("td", {}, number(values[t], 2)))));
    fill(this.rows, h("table", {}, h("caption", { class: "unseen" }, words.series(this.quantity)),
      h("thead", {}, h("tr", {}, head.map((each) => h("th", { scope: "col" }, each)))), h("tbody", {}, lines)));
  }

  /** Saves the series as a CSV file. */
  save() {
    const { top, left } = this.#place.window;
    const name = `${this.viewer.bundle.title || "series"}-${top}-${left}-${this.quantity}.csv`.replace(/[^\w.-]+/g, "_");
    save(new Blob([csv(this.#place, this.quantity)], { type: "text/csv" }), name);
  }

  /** Takes up a changed state: what changed decides how much is done. */
  update(changed) {
    if (changed.has("window")) this.show(this.viewer.state.window);
    else if (changed.has("quantity")) this.drawCharts();
    else if (changed.has("date") && this.#place && this.seriesBox?.isConnected) {
      this.seriesCharts.forEach((chart) => chart.redraw(false, false));
      this.#drawSpectrum();
    }
  }
}
