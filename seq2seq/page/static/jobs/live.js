// What is running, live. A browser has six connections to one host for all its tabs, so few jobs have a stream of their
// own; where more are in view, the list is asked for them together. Nothing is asked while nothing runs or nobody looks.

import { askJson, ended } from "./api.js";
import { follow } from "./stream.js";

const MOST_STREAMS = 2;
const TOGETHER_MS = 5000;

export class Live {
  #wanted = new Map();
  #streams = new Map();
  #timer = null;

  /** update(job): a new document. fail(error): the service refuses. signal: ends everything. */
  constructor({ update, fail, signal }) {
    Object.assign(this, { update, fail, signal });
    const visible = () => (document.hidden ? this.#stop() : this.#arrange());
    document.addEventListener("visibilitychange", visible, { signal });
    signal.addEventListener("abort", () => this.#stop());
  }

  /** The active jobs in view. */
  watch(jobs) {
    this.#wanted = new Map(jobs.filter((job) => !ended(job)).map((job) => [job.id, job]));
    if (!document.hidden && !this.signal.aborted) this.#arrange();
  }

  #stop() {
    for (const stopper of this.#streams.values()) stopper.abort();
    this.#streams.clear();
    clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** Running jobs first: those that wait say little. */
  #arrange() {
    const order = [...this.#wanted.values()].sort((one, two) => (two.status === "running") - (one.status === "running"));
    const chosen = new Set(order.slice(0, MOST_STREAMS).map((job) => job.id));
    for (const [id, stopper] of this.#streams) if (!chosen.has(id)) { stopper.abort(); this.#streams.delete(id); }
    for (const id of chosen) if (!this.#streams.has(id)) this.#follow(id);
    if (order.length > MOST_STREAMS && this.#timer === null) this.#timer = setTimeout(() => this.#together(), TOGETHER_MS);
  }

  async #follow(id) {
    const stopper = new AbortController();
    this.#streams.set(id, stopper);
    try {
      // Past events are no news for a list: only the document that comes with each change counts.
      await follow(id, {
        signal: stopper.signal, after: Number.MAX_SAFE_INTEGER,
        onEvents: (events) => { const last = events.filter(({ kind }) => kind === "job").at(-1); if (last) this.#take(last.data); },
      });
    } catch (error) {
      if (error.status !== 404 && !this.signal.aborted) this.fail(error);
    }
    if (this.#streams.get(id) === stopper) this.#streams.delete(id);
  }

  #take(job) {
    if (ended(job)) this.#wanted.delete(job.id);
    else if (this.#wanted.has(job.id)) this.#wanted.set(job.id, job);
    this.update(job);
  }

  async #together() {
    const asked = [...this.#wanted.keys()];
    try {
      const { jobs } = await askJson("jobs?status=accepted,running&limit=200", { signal: this.signal });
      jobs.filter((job) => asked.includes(job.id)).forEach((job) => this.#take(job));
      const gone = asked.filter((id) => !jobs.some((job) => job.id === id)).slice(0, 20);
      for (const id of gone) if (!this.#streams.has(id)) this.#take(await askJson(`jobs/${encodeURIComponent(id)}`, { signal: this.signal }));
    } catch (error) {
      if (error.status === 401) this.fail(error);
    }
    this.#timer = null;
    if (!this.signal.aborted && !document.hidden) this.#arrange();
  }
}
