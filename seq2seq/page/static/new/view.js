// A new job: files, name, settings, start. Settings can be chosen while files are on their way.

import { fill, h } from "../dom.js";
import { oneLine } from "../failures.js";
import { bytes, percent } from "../format.js";
import { askJson, jobUrl, nameOf, send } from "../jobs/api.js";
import { askKey } from "../jobs/key.js";
import { styles } from "../jobs/styles.js";
import { go } from "../router.js";
import { announce } from "../shell.js";
import { text } from "../jobs/text.js";
import { dropZone, dropping } from "./drop.js";
import { lookInto } from "./found.js";
import { taken } from "./handed.js";
import { sampleLine } from "./sample.js";
import { Sending } from "./sending.js";
import { Settings } from "./settings.js";
import { note, unfinished } from "./upload.js";

const words = text.new;
const UPLOAD = /^\/uploads\/[\w-]+$/;
const OUTLINE = /\.(geo)?json$/i;
/** The schema of an area in the process's description; none where no catalogue is allowed. */
const areaSchema = (process) => process.inputs.sequence?.schema.oneOf?.find(({ required }) => required?.includes("area"));
const outlineIn = (files) => (files.length === 1 && OUTLINE.test(files[0].path) ? files[0].file : null);

class NewJob {
  sequence = null;
  wanted = false;

  /** makeArea(schema, options): the form for an area, where the service fetches any. */
  constructor(main, { process, before, makeArea }, signal) {
    Object.assign(this, { main, before, makeArea, signal });
    // The same request sent twice, because its answer was lost, makes one job.
    this.once = crypto.randomUUID?.() ?? String(Math.random());
    this.settings = new Settings(process, before?.inputs);
    this.place = h("div");
    this.found = h("div");
    this.name = h("input", { id: "name", type: "text", maxlength: 200, autocomplete: "off", value: before ? nameOf(before) : "" });
    this.problem = h("p", { class: "problem", role: "alert" });
    this.start = h("button", { type: "submit", class: "primary large" }, words.start);
    this.hint = h("p", { class: "soft small" });
    this.form = h("form", { class: "new-form card", novalidate: true, onsubmit: (event) => { event.preventDefault(); this.submit(); } },
      h("div", { class: "field" }, h("label", { for: "name" }, words.name), this.name), this.settings.element, this.problem, h("div", { class: "line start-row" }, this.start, this.hint));
    this.#areas(areaSchema(process), before?.inputs.sequence);
    if (this.fetched) this.#askForArea();
    else if (before) this.#take(before.inputs.sequence);
    else this.#askForFiles();
    const dropped = before ? null : taken();
    if (dropped) this.#send(dropped);
  }

  /** The form for an area, where the service fetches any; in use at once for the area of an earlier job. */
  #areas(schema, given) {
    if (!schema) return;
    this.fetched = Boolean(given?.area);
    this.area = this.makeArea(schema, {
      given: this.fetched ? given : null, settings: () => this.settings.values, signal: this.signal,
      named: (name) => { this.name.value ||= name; }, changed: () => this.#ready(),
    });
  }

  #ways() {
    if (!this.area || this.before) return null;
    const way = (name, fetched, choose) => h("label", {}, h("input", { type: "radio", name: "way", checked: this.fetched === fetched, onchange: choose }), h("span", {}, text.area[name]));
    return h("div", { class: "segments new-way", role: "radiogroup", "aria-label": text.area.ways },
      way("files", false, () => { this.#askForFiles(); this.#focusWay(); }), way("fetched", true, () => { this.#askForArea(); this.#focusWay(); }));
  }

  #focusWay() {
    this.place.querySelector("input:checked").focus();
  }

  #askForArea() {
    this.fetched = true;
    this.zone?.abort();
    this.zone = dropping((files) => { const file = outlineIn(files); if (file) this.area.readFile(file); }, this.signal);
    fill(this.found);
    fill(this.place, this.#ways(), this.area.element);
    this.#ready();
  }

  get element() {
    return h("div", { class: "page narrow" }, h("h1", {}, this.before ? words.titleAgain : words.title), this.before && h("p", { class: "soft" }, words.againAbout(nameOf(this.before))), this.place, !this.before && sampleLine(this.main), this.found, this.form);
  }

  #askForFiles() {
    this.sequence = null;
    this.fetched = false;
    const open = unfinished();
    const forget = h("button", { type: "button", class: "quiet", onclick: () => { note(null); this.#askForFiles(); } }, words.forgetUpload);
    const notice = open && h("div", { class: "notice line spread", "data-part": "unfinished" }, h("p", {}, words.unfinished(String(open.name), open.files, percent(open.bytes ? open.sent / open.bytes : 0), bytes(open.bytes))), forget);
    this.zone?.abort();
    this.zone = new AbortController();
    this.signal.addEventListener("abort", () => this.zone.abort());
    fill(this.place, this.#ways(), notice, dropZone((files) => this.#send(files), this.zone.signal));
    this.#ready();
  }

  #send(files) {
    const outline = this.area && outlineIn(files);
    if (outline) { this.#askForArea(); this.area.readFile(outline); return; }
    this.zone.abort();
    const sending = new Sending(files, {
      signal: this.signal, done: (href) => this.#take({ href }),
      over: () => { this.wanted = false; fill(this.found); this.#askForFiles(); this.place.querySelector("button").focus(); },
    });
    if (!this.name.value) this.name.value = sending.name.replace(/\.(zip|nc4?|tiff?)$/i, "");
    fill(this.place, sending.element);
    this.sending = true;
    this.#ready();
    sending.start();
  }

  /** The upload is there, or what an earlier job was told to fetch. */
  #take(sequence) {
    this.sequence = sequence;
    this.sending = false;
    this.#ready();
    if (UPLOAD.test(sequence.href)) lookInto(sequence.href, this.found, { signal: this.signal });
    if (this.wanted) this.submit();
  }

  #ready() {
    this.start.textContent = this.wanted ? words.starting : words.start;
    if (this.fetched) {
      this.start.disabled = false;
      this.hint.textContent = this.area?.sequence ? "" : text.area.fillIn;
      return;
    }
    this.start.disabled = !this.sequence && !this.sending;
    this.hint.textContent = this.sequence ? "" : (this.wanted && words.startsAfter) || (this.sending ? words.mayStart : words.filesFirst);
  }

  async submit() {
    if (this.fetched) {
      if (!this.area.check({ all: true })) return;
      this.sequence = this.area.sequence;
    }
    if (!this.sequence) { this.wanted = true; this.#ready(); announce(words.startsAfter); return; }
    this.wanted = true;
    this.#ready();
    this.start.disabled = true;
    this.problem.textContent = "";
    const name = this.name.value.trim();
    try {
      const job = await send("POST", "processes/decloud/execution", { inputs: { sequence: this.sequence, ...this.settings.values }, ...(name && { name }) }, { headers: { "Idempotency-Key": this.once }, signal: this.signal });
      go(`/jobs/${encodeURIComponent(job.id)}`);
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error.status === 401) { await askKey(this.main); return; }
      this.wanted = false;
      this.once = crypto.randomUUID?.() ?? String(Math.random());
      this.#ready();
      const places = error.places ?? [];
      const others = this.fetched ? this.area.complain(places) : places;
      const shown = this.settings.complain(others) || (places.length > 0 && others.length === 0);
      this.problem.textContent = shown ? words.fieldsWrong : oneLine(error);
    }
  }
}

/** Shows the form; with `from` in the address, for the files and settings of that job. */
export async function show(main, { query, signal }) {
  const [process, before] = await Promise.all([
    askJson("processes/decloud", { signal }), query.from ? askJson(jobUrl(query.from), { signal }) : null,
    // The description needs no key, sending does: it is asked for before files are chosen.
    askJson("jobs?limit=1", { signal }), styles(),
  ]);
  if (before && !before.inputs?.sequence) delete before.inputs;
  const { AreaForm } = areaSchema(process) ? await import("./area.js") : {};
  const makeArea = (schema, options) => new AreaForm(schema, options);
  const form = new NewJob(main, { process, before: before?.inputs ? before : null, makeArea }, signal);
  fill(main, form.element);
  const stop = (event) => { if (form.sending) event.preventDefault(); };
  addEventListener("beforeunload", stop, { signal });
  return { title: words.title };
}
