// All jobs, live, by one stream: a browser has six connections to one host for all its tabs. Where it was broken it goes
// on with what has been missed, and nothing else is asked while nothing happens.

import { askJson, ended, jobUrl } from "./api.js";
import { followAll } from "./stream.js";

// Asked for one by one when a stream begins; there are more only where a page was open for days.
const MOST_ASKED = 20;

export class Live {
  #told = new Set();

  /**
   * update(job): a new document, or a new job. gone(id): it was removed. fail(error): the service refuses.
   * active(): the jobs that the page shows as not ended. signal: ends everything.
   */
  constructor({ update, gone, fail, active, signal }) {
    Object.assign(this, { update, gone, fail, active, signal });
  }

  /** Follows until the signal is aborted, or the service refuses for good. */
  async start() {
    try {
      await followAll({ signal: this.signal, onOpen: () => this.#told.clear(), onEvents: (events) => events.forEach((each) => this.#take(each)) });
    } catch (error) {
      if (!this.signal.aborted) this.fail(error);
    }
  }

  #take({ kind, data }) {
    if (kind === "job") { this.#told.add(data.id); this.update(data); }
    if (kind === "removed") this.gone(data.id);
    if (kind === "ready") this.#askForOthers();
  }

  /** A new stream tells of jobs that have not ended: others that were shown as such have ended between list and stream. */
  async #askForOthers() {
    for (const { id } of this.active().filter((job) => !ended(job) && !this.#told.has(job.id)).slice(0, MOST_ASKED)) {
      try {
        this.update(await askJson(jobUrl(id), { signal: this.signal }));
      } catch (error) {
        if (error.status === 404) this.gone(id);
      }
    }
  }
}
