// The list of jobs: pages of the API, one after the other as the reader scrolls; what is in view is live.

import { fill, h, icon } from "../dom.js";
import { oneLine } from "../failures.js";
import { takeDrops } from "../new/handed.js";
import { sampleButton } from "../new/sample.js";
import { keep } from "../router.js";
import { announce, toast } from "../shell.js";
import { text } from "./text.js";
import { ask, askJson, jobUrl, nameOf, send } from "./api.js";
import { Card } from "./card.js";
import { forget } from "./facts.js";
import { again, askKey, signOutButton } from "./key.js";
import { Live } from "./live.js";
import { styles } from "./styles.js";

const words = text.jobs;
const PAGE = 30;
const UNDO_MS = 6000;
const FILTERS = { all: "", active: "accepted,running", done: "successful", failed: "failed", cancelled: "dismissed" };

class List {
  cards = new Map();
  inView = new Set();
  doomed = new Map();
  after = null;
  loading = false;

  constructor(main, filter, signal) {
    Object.assign(this, { main, filter, signal });
    this.rows = h("ul", { class: "jobs" });
    this.more = h("button", { type: "button", class: "more", hidden: true, onclick: () => this.load() }, words.more);
    this.live = new Live({
      signal, update: (job) => this.#news(job), gone: (id) => this.#gone(id), fail: (error) => this.#refused(error),
      active: () => [...this.cards.values()].map((card) => card.job),
    });
    this.observer = new IntersectionObserver((entries) => this.#seen(entries), { rootMargin: "120px" });
    this.end = new IntersectionObserver((entries) => { if (entries.some((each) => each.isIntersecting)) this.load(); }, { rootMargin: "600px" });
    signal.addEventListener("abort", () => { this.observer.disconnect(); this.end.disconnect(); });
  }

  #refused(error) {
    if (error.status === 401) askKey(this.main);
    else toast(oneLine(error));
  }

  #news(job) {
    const card = this.cards.get(job.id);
    card?.update(job);
    if (!card && this.#belongs(job)) this.#insert(job);
    if (this.inView.has(job.id)) card?.seen();
  }

  #belongs({ status }) {
    return !FILTERS[this.filter] || FILTERS[this.filter].split(",").includes(status);
  }

  /** Puts a job where it stands in the order; those beyond what has been loaded come as the reader scrolls. */
  #insert(job) {
    if (this.cards.size === 0) { again(); return; }
    const older = [...this.rows.children].find((row) => this.cards.get(row.dataset.id)?.job.created < job.created);
    if (older || !this.after) this.#add(job, older ?? null);
  }

  #gone(id) {
    if (this.doomed.has(id)) return;
    this.cards.get(id)?.element.remove();
    this.cards.delete(id);
    forget(id);
  }

  #seen(entries) {
    for (const { target, isIntersecting } of entries) {
      const { id } = target.dataset;
      if (isIntersecting) this.inView.add(id);
      else this.inView.delete(id);
      if (isIntersecting) this.cards.get(id)?.seen();
    }
  }

  #add(job, before = null) {
    const known = this.cards.get(job.id);
    if (known) { known.update(job); return; }
    const card = new Card(job, { cancel: (each) => this.cancel(each), remove: (each) => this.remove(each) });
    this.cards.set(job.id, card);
    this.rows.insertBefore(card.element, before);
    this.observer.observe(card.element);
  }

  /** The next page. */
  async load() {
    if (this.loading) return;
    this.loading = true;
    try {
      const query = new URLSearchParams({ limit: PAGE, ...(FILTERS[this.filter] && { status: FILTERS[this.filter] }), ...(this.after && { after: this.after }) });
      const { jobs, links } = await askJson(`jobs?${query}`, { signal: this.signal });
      jobs.forEach((job) => this.#add(job));
      const next = links.find(({ rel }) => rel === "next");
      this.after = next ? new URL(next.href, location.href).searchParams.get("after") : null;
      this.more.hidden = !next;
      // Observed anew: what is in view already causes no event by itself.
      this.end.disconnect();
      if (next) this.end.observe(this.more);
    } finally {
      this.loading = false;
    }
  }

  async cancel(job) {
    try {
      await send("DELETE", jobUrl(job.id, "?keep=true"));
      const now = await askJson(jobUrl(job.id));
      this.cards.get(job.id)?.update(now);
      announce(words.cancelled(nameOf(job)));
    } catch (error) {
      this.#refused(error);
    }
  }

  /** Takes the job off the list now and removes it for good a little later, unless it is taken back. */
  remove(job) {
    const card = this.cards.get(job.id);
    const undo = h("button", { type: "button", onclick: () => this.#takeBack(job.id) }, words.undo);
    const line = h("li", { class: "job gone card" }, h("p", {}, words.removed(nameOf(job))), undo);
    card.element.replaceWith(line);
    undo.focus();
    announce(words.removed(nameOf(job)));
    const timer = setTimeout(() => this.#removeNow(job.id), UNDO_MS);
    this.doomed.set(job.id, { card, line, timer });
  }

  #takeBack(id) {
    const { card, line, timer } = this.doomed.get(id);
    clearTimeout(timer);
    this.doomed.delete(id);
    line.replaceWith(card.element);
    card.name.focus();
  }

  async #removeNow(id) {
    const { card, line, timer } = this.doomed.get(id);
    clearTimeout(timer);
    this.doomed.delete(id);
    const focused = line.contains(document.activeElement);
    line.remove();
    if (focused) this.main.focus({ preventScroll: true });
    try {
      await ask(jobUrl(id), { method: "DELETE", keepalive: true });
      this.cards.delete(id);
      forget(id);
    } catch (error) {
      if (error.status === 404) return;
      this.rows.prepend(card.element);
      this.#refused(error);
    }
  }

  leave() {
    for (const id of this.doomed.keys()) this.#removeNow(id);
  }
}

function filters(chosen, choose) {
  const one = (name) => h("label", {}, h("input", { type: "radio", name: "filter", value: name, checked: name === chosen, onchange: () => choose(name) }), h("span", {}, words.filters[name]));
  return h("div", { class: "segments", role: "radiogroup", "aria-label": words.filter }, Object.keys(FILTERS).map(one));
}

function nothingYet(filter, main) {
  if (filter !== "all") return h("p", { class: "none soft" }, words.noneOf);
  const steps = words.steps.map(([title, about]) => h("li", {}, h("h2", {}, title), h("p", { class: "soft" }, about)));
  return h("section", { class: "welcome" }, h("h1", { class: "claim" }, words.welcome), h("p", { class: "soft lead" }, words.welcomeAbout),
    h("p", { class: "line" }, h("a", { class: "button primary large", href: "#/new" }, words.first), sampleButton(main, "large")), h("ol", { class: "steps" }, steps));
}

/** Shows the jobs. */
export async function show(main, { query, signal }) {
  const chosen = FILTERS[query.status] === undefined ? "all" : query.status;
  const own = new AbortController();
  signal.addEventListener("abort", () => own.abort());
  let list;
  const place = h("div");
  const draw = async (filter) => {
    list?.stopper.abort();
    list?.leave();
    const stopper = new AbortController();
    own.signal.addEventListener("abort", () => stopper.abort());
    const mine = Object.assign(new List(main, filter, stopper.signal), { stopper });
    list = mine;
    await mine.load();
    mine.live.start();
    if (list === mine) fill(place, mine.cards.size ? [mine.rows, mine.more] : nothingYet(filter, main));
  };
  await Promise.all([styles(), draw(chosen)]);
  if (signal.aborted) return null;
  const choose = (name) => { keep({ status: name === "all" ? "" : name }); draw(name).catch((error) => toast(oneLine(error))); };
  const anything = list.cards.size > 0 || chosen !== "all";
  const page = h("div", { class: "page" }, anything && h("div", { class: "page-top" }, h("h1", {}, words.title), h("a", { class: "button primary", href: "#/new" }, icon("M12 5v14", "M5 12h14"), text.nav.new)),
    anything && filters(chosen, choose), place);
  fill(main, page);
  takeDrops(page, signal);
  signOutButton().then((button) => { if (button && !signal.aborted) fill(document.getElementById("tools"), button); });
  return { title: words.title, leave: () => list.leave() };
}
