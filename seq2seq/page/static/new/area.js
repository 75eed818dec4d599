// An area in place of files, where the operator allows a catalogue: place, dates, catalogue. What is sent is what anyone
// sends who uses the API: {area: [west, south, east, north], dates: "FIRST/LAST", catalog}.

import { fill, h, later, svg } from "../dom.js";
import { oneLine } from "../failures.js";
import { metres } from "../format.js";
import { send } from "../jobs/api.js";
import { duration, sentence } from "../jobs/phrases.js";
import { text } from "../jobs/text.js";
import { readArea, sizeOf } from "./outline.js";

const words = text.area;
const SIDES = ["west", "south", "east", "north"];
const GSD_M = 10;
const MOST_BYTES = 16e6;
const DRAWN_PX = 150;
const ASK_AFTER_MS = 500;
const SEQUENCE = "inputs.sequence";

/** Inputs under one heading, with the line for what is wrong with them. */
class Group {
  constructor(name, legend) {
    this.problem = h("p", { class: "problem", id: `area-${name}-problem`, role: "alert" });
    this.inputs = [];
    this.fields = h("div", { class: `fields ${name}` });
    this.element = h("fieldset", {}, h("legend", {}, legend), this.fields, this.problem);
  }

  add(name, label, input) {
    input.id = `area-${name}`;
    input.setAttribute("aria-describedby", this.problem.id);
    this.inputs.push(input);
    this.fields.append(h("div", { class: "field" }, h("label", { for: input.id }, label), input));
    return input;
  }

  /** Says what is wrong, and marks the input it is wrong with, all of them unless told; nothing: all is well. */
  complain(line = "", input = null) {
    this.problem.textContent = line;
    for (const each of this.inputs) {
      if (line && (!input || each === input)) each.setAttribute("aria-invalid", "true");
      else each.removeAttribute("aria-invalid");
    }
    return line === "";
  }

  focus() {
    (this.inputs.find((each) => each.hasAttribute("aria-invalid")) ?? this.inputs[0]).focus();
  }
}

/** The outline and the box around it, as wide and high as on the ground. */
function preview(box, lines) {
  const { width, height } = sizeOf(box);
  const scale = DRAWN_PX / Math.max(width, height);
  const at = ([x, y]) => `${(((x - box[0]) / (box[2] - box[0])) * width * scale).toFixed(1)} ${(((box[3] - y) / (box[3] - box[1])) * height * scale).toFixed(1)}`;
  const [wide, high] = [Math.max(2, width * scale), Math.max(2, height * scale)];
  const drawn = lines.filter((line) => line.length > 1).map((line) => svg("path", { d: `M${line.map(at).join("L")}` }));
  return svg("svg", { class: "outline", viewBox: `-3 -3 ${wide + 6} ${high + 6}`, width: wide + 6, height: high + 6, "aria-hidden": "true", focusable: "false" },
    svg("rect", { width: wide, height: high }), drawn);
}

export class AreaForm {
  /** schema: of an area, as in the process's description. given: the area of an earlier job. settings(): those chosen, for the estimate.
   *  named(name): an outline came in a file of that name. changed(): place, dates or catalogue are others now. */
  constructor(schema, { given = null, settings, named, changed, signal }) {
    Object.assign(this, { settings, named, changed, signal, lines: [] });
    this.place = new Group("place", words.place);
    this.days = new Group("days", words.days);
    this.source = new Group("source", words.source);
    this.sides = SIDES.map((side) => this.place.add(side, words.sides[side], h("input", { type: "number", step: "any", placeholder: words.examples[side] })));
    this.dates = ["first", "last"].map((name) => this.days.add(name, words[name], h("input", { type: "date" })));
    const { enum: names, default: usual } = schema.properties.catalog;
    this.catalog = this.source.add("catalog", words.catalog, h("select", {}, names.map((value) => h("option", { value, selected: value === usual }, words.catalogs[value] ?? value))));
    this.size = h("div", { class: "area-size", role: "status" });
    this.cost = h("p", { class: "soft", role: "status" });
    this.element = h("section", { class: "area card", "aria-label": words.title }, h("p", { class: "soft" }, words.about),
      this.place.element, this.#geoJson(), this.size, this.days.element, this.source.element, this.cost);
    this.element.addEventListener("input", ({ target }) => this.#changed(target));
    this.element.addEventListener("change", () => this.check());
    this.estimate = later(() => this.#estimate(), ASK_AFTER_MS);
    signal.addEventListener("abort", () => this.estimate.stop());
    if (given) this.#take(given);
  }

  #geoJson() {
    this.pasted = h("textarea", { id: "area-geojson", rows: 3, spellcheck: "false", autocomplete: "off", "aria-describedby": "area-geojson-problem" });
    this.unread = h("p", { class: "problem", id: "area-geojson-problem", role: "alert" });
    const file = h("input", { type: "file", class: "unseen", tabindex: "-1", accept: ".json,.geojson,application/geo+json", "aria-label": words.chooseOutline, "data-pick": "outline", onchange: () => { this.readFile(file.files[0]); file.value = ""; } });
    return h("details", { class: "fold" }, h("summary", {}, words.geoJson),
      h("div", { class: "field" }, h("label", { for: "area-geojson" }, words.paste), this.pasted, this.unread),
      h("p", {}, h("button", { type: "button", onclick: () => file.click() }, words.chooseOutline), file));
  }

  /** An outline from a file that was chosen or dropped. */
  async readFile(file) {
    if (file.size > MOST_BYTES) { this.#cannotRead(words.outlineTooLarge); return; }
    if (this.#read(await file.text())) this.named(file.name.replace(/\.[^.]*$/, ""));
  }

  #cannotRead(line) {
    this.unread.textContent = line;
    if (line) this.element.querySelector("details").open = true;
  }

  /** Whether an area could be read from text. */
  #read(typed) {
    this.#cannotRead("");
    if (!typed.trim()) return false;
    try {
      const { box, lines } = readArea(typed);
      this.#fill(box, lines);
      return true;
    } catch (error) {
      this.#cannotRead(error.message);
      return false;
    }
  }

  #fill(box, lines = []) {
    this.sides.forEach((input, at) => { input.value = box[at]; });
    this.lines = lines;
    this.check();
    this.#show();
  }

  #take({ area, dates, catalog }) {
    [this.dates[0].value, this.dates[1].value = this.dates[0].value] = String(dates).split("/");
    if ([...this.catalog.options].some(({ value }) => value === catalog)) this.catalog.value = catalog;
    this.#fill(area);
  }

  #changed(target) {
    if (target === this.pasted) { this.#read(target.value); return; }
    const group = [this.place, this.days, this.source].find(({ inputs }) => inputs.includes(target));
    group?.complain();
    if (group === this.place) this.lines = [];
    this.#show();
  }

  get #box() {
    return this.sides.map(({ value, valueAsNumber }) => (value === "" ? NaN : valueAsNumber));
  }

  /** What is wrong with the place: [line, input]. all: what is still empty is wrong, too. */
  #placeProblem(all) {
    const box = this.#box;
    const [west, south, east, north] = box;
    const wrong = this.sides.findIndex(({ value, validity }, at) => validity.badInput || (value === "" ? all : Math.abs(box[at]) > (at % 2 ? 90 : 180)));
    if (wrong >= 0) return [wrong % 2 ? words.latitude(words.sides[SIDES[wrong]]) : words.longitude(words.sides[SIDES[wrong]]), this.sides[wrong]];
    if (west >= east) return [words.westOfEast, this.sides[0]];
    if (south >= north) return [words.southOfNorth, this.sides[1]];
    return [];
  }

  #daysProblem(all) {
    const [first, last] = this.dates;
    const missing = this.dates.find(({ value, validity }) => validity.badInput || (all && value === ""));
    if (missing) return [words.dayMissing, missing];
    return first.value && last.value && first.value > last.value ? [words.firstAfterLast, last] : [];
  }

  /** Says beside the fields what is wrong; with `all` also what is missing, and the first such field is focused. */
  check({ all = false } = {}) {
    const fine = [this.place.complain(...this.#placeProblem(all)), this.days.complain(...this.#daysProblem(all))];
    const first = [this.place, this.days].find((_, at) => !fine[at]);
    if (all) first?.focus();
    return !first;
  }

  /** As `inputs.sequence` wants it; nothing while something is missing or wrong. */
  get sequence() {
    if (this.#placeProblem(true).length || this.#daysProblem(true).length) return null;
    return { area: this.#box, dates: this.dates.map(({ value }) => value).join("/"), catalog: this.catalog.value };
  }

  #show() {
    const box = this.#box;
    const there = box.every(Number.isFinite) && this.#placeProblem(true).length === 0;
    const { width, height } = there ? sizeOf(box) : {};
    const pixels = (length) => Math.max(1, Math.round(length / GSD_M)).toLocaleString(text.locale);
    fill(this.size, there && [preview(box, this.lines), h("p", {}, words.size(metres(width), metres(height), pixels(width), pixels(height), GSD_M))]);
    fill(this.cost);
    this.changed();
    this.estimate();
  }

  /** What a job of it would take, and whether the service would fetch it at all. */
  async #estimate() {
    const { sequence } = this;
    if (!sequence) return;
    const told = (line) => { if (JSON.stringify(this.sequence) === JSON.stringify(sequence)) this.cost.textContent = line; };
    try {
      const { estimate } = await send("POST", "processes/decloud/execution?validate_only=true", { inputs: { ...this.settings(), sequence } }, { signal: this.signal });
      told(text.new.estimate(duration(estimate.seconds)));
    } catch (error) {
      if (error.name === "AbortError" || error.status === 401) return;
      const places = error.places ?? [];
      if (places.length === 0) told(oneLine(error));
      else if (JSON.stringify(this.sequence) === JSON.stringify(sequence)) this.complain(places);
    }
  }

  /** Shows what a refusal says of the area beside its fields. Returns the places that are others'. */
  complain(places) {
    const groups = { area: this.place, dates: this.days, catalog: this.source };
    const own = places.filter(({ field = "" }) => field.startsWith(SEQUENCE));
    for (const { field, detail } of own) (groups[field.split(".")[2]] ?? this.place).complain(sentence(detail));
    return places.filter((place) => !own.includes(place));
  }
}
