// One job: what it does while it runs, and its result.

import { fill, h } from "../dom.js";
import { oneLine } from "../failures.js";
import { moment } from "../format.js";
import { askJson, ended, jobUrl, nameOf, send, stateOf, whyFailed } from "../jobs/api.js";
import { progressBar, stateBadge } from "../jobs/card.js";
import { askKey } from "../jobs/key.js";
import { doing, duration, gainWords, left } from "../jobs/phrases.js";
import { follow } from "../jobs/stream.js";
import { styles } from "../jobs/styles.js";
import { announce, entitle, toast } from "../shell.js";
import { text } from "../jobs/text.js";
import { Curve } from "./curve.js";
import { downloads } from "./downloads.js";
import { Log } from "./log.js";
import { LivePictures } from "./pictures.js";

const words = text.watch;
// In the background the tab's title alone is kept right.
const BACKGROUND_MS = 20_000;
const path = (job, rest = "") => `#/jobs/${encodeURIComponent(job.id)}${rest}`;

class Watch {
  constructor(main, job, signal) {
    Object.assign(this, { main, signal, id: job.id });
    this.head = h("div", { class: "watch-head" });
    this.status = h("section", { class: "card status", "aria-label": words.status });
    this.line = h("p", { class: "notice", role: "status", hidden: true });
    this.result = h("div", { class: "stack" });
    this.curve = new Curve(signal);
    this.log = new Log();
    this.pictures = new LivePictures(job.id, signal);
    this.element = h("div", { class: "page" }, h("p", {}, h("a", { href: "#/" }, words.back)), this.head, this.line,
      h("div", { class: "watch" }, h("div", { class: "stack" }, this.result, this.status, this.pictures.element, this.curve.element), this.log.element));
    this.update(job);
  }

  /** Takes up a new document of the job. */
  update(job) {
    const state = stateOf(job);
    const before = this.job && stateOf(this.job);
    this.job = job;
    if (before === state) { this.#progress(); return; }
    fill(this.head, h("h1", {}, nameOf(job)), stateBadge(job));
    if (before) announce(text.jobs.states[state]);
    this.#drawStatus(state);
    if (!ended(job)) return;
    this.pictures.hide();
    if (state === "successful") this.#drawResult().catch((error) => this.#refused(error));
  }

  #buttons(state) {
    const again = this.job.processID === "decloud" && this.job.inputs?.sequence && h("a", { class: "button", href: `#/new?from=${encodeURIComponent(this.id)}` }, text.jobs.actions.again);
    const cancel = !ended(this.job) && state !== "cancelling" && h("button", { type: "button", onclick: () => this.#cancel() }, text.jobs.actions.cancel);
    return h("div", { class: "line" }, cancel, ended(this.job) && again);
  }

  #drawStatus(state) {
    const { job } = this;
    if (state === "failed") {
      const { message, reason, next } = whyFailed(job);
      fill(this.status, h("h2", { class: "loss" }, message), reason && h("p", {}, reason), next && h("p", { class: "soft" }, next), this.#buttons(state));
    } else if (ended(job)) {
      const took = job.started && job.finished ? words.took(duration((Date.parse(job.finished) - Date.parse(job.started)) / 1000)) : "";
      const about = { expired: words.expired, dismissed: words.dismissed }[state] ?? [took, job.expires && words.keptUntil(moment(job.expires))].filter(Boolean).join(" ");
      fill(this.status, state === "successful" ? null : h("h2", {}, text.jobs.states[state]), h("p", { class: state === "successful" ? "soft" : null }, about), this.#buttons(state));
    } else {
      this.phase = h("h2", { "data-part": "phase" });
      this.bar = h("div", {});
      this.left = h("p", { class: "soft" });
      fill(this.status, this.phase, this.bar, this.left, this.#buttons(state));
      this.#progress();
    }
  }

  #progress() {
    if (ended(this.job)) return;
    this.phase.textContent = doing(this.job);
    const bar = progressBar(this.job);
    const there = this.bar.firstChild;
    if (there && there.hasAttribute("value") === bar.hasAttribute("value")) { if (bar.hasAttribute("value")) there.value = bar.value; }
    else fill(this.bar, this.job.status === "running" && bar);
    this.left.textContent = left(this.job);
    entitle(this.job.progress ? `${this.job.progress} % · ${nameOf(this.job)}` : nameOf(this.job));
  }

  async #drawResult() {
    const results = await askJson(jobUrl(this.id, "/results"), { signal: this.signal });
    const whole = this.job.processID === "decloud";
    const read = whole && results.report ? await askJson(jobUrl(this.id, "/results/report.json"), { signal: this.signal }).catch(() => null) : null;
    const gain = read?.holdout?.gain?.measured_db;
    const headline = h("section", { class: "card headline" }, h("h2", {}, Number.isFinite(gain) ? gainWords(gain) : words.finished),
      h("p", { class: "soft" }, Number.isFinite(gain) ? words.measuredOn : words.notMeasured),
      h("div", { class: "line" }, results.pictures && h("a", { class: "button primary large", href: path(this.job, "/view") }, words.view), whole && h("a", { class: "button large", href: path(this.job, "/report") }, words.report)));
    fill(this.result, headline, downloads(this.job, results));
    entitle(nameOf(this.job));
    if (read) this.curve.compare(read.holdout?.methods?.linear?.psnr);
  }

  async #cancel() {
    try {
      await send("DELETE", jobUrl(this.id, "?keep=true"));
      this.update(await askJson(jobUrl(this.id)));
    } catch (error) {
      this.#refused(error);
    }
  }

  #refused(error) {
    if (error.name === "AbortError" || this.signal.aborted) return;
    if (error.status === 401) askKey(this.main);
    else if (error.status === 404 && !error.code) this.tell(words.gone);
    else toast(oneLine(error));
  }

  /** One line above everything; nothing takes it away. */
  tell(line) {
    this.line.textContent = line ?? "";
    this.line.hidden = !line;
  }

  take(events) {
    this.log.add(events);
    this.curve.add(events.filter(({ kind }) => kind === "step").map(({ data }) => [Date.parse(data.time) / 1000, data.data?.holdout_psnr]));
    const last = events.filter(({ kind }) => kind === "job").at(-1);
    if (last) this.update(last.data);
    if (!ended(this.job)) this.pictures.add(events.filter(({ kind }) => kind === "picture"));
  }

  async follow() {
    const glance = () => { if (document.hidden && !ended(this.job)) askJson(jobUrl(this.id), { signal: this.signal }).then((job) => this.update(job), () => {}); };
    const timer = setInterval(glance, BACKGROUND_MS);
    this.signal.addEventListener("abort", () => clearInterval(timer));
    try {
      await follow(this.id, { signal: this.signal, onEvents: (events) => this.take(events), onLine: (state) => this.tell(state === "lost" ? words.lost : null) });
    } catch (error) {
      this.#refused(error);
    }
  }
}

/** Shows one job. */
export async function show(main, { params, signal }) {
  const [job] = await Promise.all([askJson(jobUrl(params.id), { signal }), styles()]);
  const watch = new Watch(main, job, signal);
  fill(main, watch.element);
  watch.follow();
  return { title: nameOf(job) };
}
