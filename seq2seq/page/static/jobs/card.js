// One job in the list. Its parts are kept and changed, so that focus stays where it is while figures run.

import { fill, h, icon } from "../dom.js";
import { moment } from "../format.js";
import { text } from "./text.js";
import { ended, nameOf, stateOf, whyFailed } from "./api.js";
import { facts } from "./facts.js";
import { doing, gainWords, left, saved } from "./phrases.js";

const words = text.jobs;
const SIGNS = { cancel: ["M6 6l12 12", "M18 6L6 18"], again: ["M4 12a8 8 0 1 0 2.500-5.800", "M4 4v5h5"], remove: ["M5 7h14", "M10 7V4.500h4V7", "M7 7l1 13h8l1-13"] };

const method = (job) => (job.processID === "benchmark" ? words.benchmark : text.new.methods[job.inputs?.method ?? "guided"] ?? String(job.inputs?.method ?? ""));

/** The words of a state, in its colour. */
export function stateBadge(job) {
  const state = stateOf(job);
  return h("span", { class: `state ${state}` }, words.states[state] ?? state);
}

/** A bar of how far a running job is; without a value while nobody knows. */
export function progressBar(job) {
  const known = Number.isFinite(job.eta_s) || job.of;
  const share = Number.isFinite(job.eta_s) ? job.progress : Math.round((100 * (job.step ?? 0)) / Math.max(1, job.of ?? 1));
  return h("progress", { max: 100, "aria-label": words.progressOf(nameOf(job)), ...(known ? { value: share } : {}) });
}

export class Card {
  /** actions: {cancel, remove}, called with the job. */
  constructor(job, actions) {
    this.actions = actions;
    this.picture = h("div", { class: "thumb-box", "aria-hidden": "true" }, icon("M3 6.500h18v11H3z", "M3 15l5-4 4 3 3-2 6 4"));
    this.name = h("a", { class: "job-name", href: `#/jobs/${encodeURIComponent(job.id)}` });
    this.badge = h("span");
    this.line = h("p", { class: "job-line soft" });
    this.bar = h("div", { class: "job-bar" });
    this.gain = h("p", { class: "job-gain" });
    this.tools = h("div", { class: "job-tools" });
    this.element = h("li", { class: "job card", "data-id": job.id }, this.picture,
      h("div", { class: "job-main" }, h("div", { class: "job-top" }, h("h2", {}, this.name), this.badge), this.line, this.bar, this.gain), this.tools);
    this.update(job);
  }

  /** Takes up the job's new document. */
  update(job) {
    const state = stateOf(job);
    const changed = !this.job || stateOf(this.job) !== state;
    this.job = job;
    this.name.textContent = nameOf(job);
    fill(this.line, this.#lines(job));
    const bar = state === "running" ? progressBar(job) : null;
    if (changed || !bar) fill(this.bar, bar);
    else if (bar.hasAttribute("value")) this.bar.firstChild.setAttribute("value", bar.getAttribute("value"));
    this.#drawGain(job);
    if (!changed) return;
    const badge = stateBadge(job);
    this.badge.replaceWith(badge);
    this.badge = badge;
    this.#drawTools(job, state);
  }

  #lines(job) {
    const when = h("span", {}, moment(job.created));
    if (job.status === "failed") {
      const { message, reason, next } = whyFailed(job);
      return [h("strong", { class: "loss" }, message), " ", reason, next && h("span", { class: "next" }, " ", next)];
    }
    return [doing(job), left(job), method(job), when].filter((each) => each && each !== words.states.successful)
      .flatMap((each, index) => (index ? [" · ", each] : [each]));
  }

  #drawGain({ gain }) {
    const decibel = gain?.measured_db;
    fill(this.gain, Number.isFinite(decibel) && gainWords(decibel));
    this.gain.classList.toggle("good", Number.isFinite(decibel) && saved(decibel) > 0.005);
  }

  #drawTools(job, state) {
    const button = (name, run, label = words.actions[name]) => h("button", {
      class: "quiet round", type: "button", title: label, "aria-label": `${label}: ${nameOf(job)}`, onclick: run,
    }, icon(...SIGNS[name]));
    const path = `#/jobs/${encodeURIComponent(job.id)}`;
    fill(this.tools,
      state === "successful" && job.processID === "decloud" && h("a", { class: "button primary", href: `${path}/view`, "aria-label": words.viewOf(nameOf(job)) }, words.view),
      !ended(job) && state !== "cancelling" && button("cancel", () => this.actions.cancel(this.job)),
      job.processID === "decloud" && job.inputs?.sequence && h("a", { class: "button quiet round", href: `#/new?from=${encodeURIComponent(job.id)}`, title: words.actions.again, "aria-label": `${words.actions.again}: ${nameOf(job)}` }, icon(...SIGNS.again)),
      ended(job) && button("remove", () => this.actions.remove(this.job)));
  }

  /** Asks for the picture, when the card is seen for the first time as that of a finished job. */
  seen() {
    if (this.asked || stateOf(this.job) !== "successful") return;
    this.asked = true;
    facts(this.job, (url) => { if (url) fill(this.picture, h("img", { src: url, alt: "", decoding: "async" })); });
  }
}
